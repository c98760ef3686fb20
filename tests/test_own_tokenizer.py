from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import W2V
from w2vcli.config import Preprocess
from w2vcli.errors import ConfigError, W2VError
from w2vcli.preprocessing.rules import OwnTokenizer, rules_of, words_in

OWN = """
import re

NOT_A_FUNCTION = 5

def syllables(text):
    return re.findall("[^aeiou]*[aeiou]+", text)

def fails(text):
    raise ValueError("no such word")

def fails_on_nothing(text):
    yield text[0]
    yield text[7]

def numbers(text):
    return [1, 2]

def none(text):
    return None

def leaves(text):
    raise SystemExit(0)


def chatters(text):
    print(text)
    return [text]


def letters(text):
    return text

class Tools:
    @staticmethod
    def pairs(text):
        return (text[place : place + 2] for place in range(0, len(text), 2))
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of functions, where the test runs."""
    (tmp_path / "own_functions.py").write_text(OWN)
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "raising.py").write_text("raise RuntimeError('not today')\n")
    (tmp_path / "wrong.py").write_text("def\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # what is added to it is gone after the test
    for name in ("own_functions", "broken", "raising", "wrong"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_found_in_the_current_folder() -> None:
    assert OwnTokenizer("own_functions:syllables")("banana") == ["ba", "na", "na"]
    assert OwnTokenizer("own_functions:Tools.pairs")("abcde") == ["ab", "cd", "e"]
    assert OwnTokenizer("os.path:split")("a/b") == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing:f", "there is no module missing; is it installed, or in this folder?"),
        ("missing.inner:f", "there is no module missing; is it installed, or in this folder?"),
        ("own_functions.inner:f", "there is no module own_functions.inner; is it installed, or in this folder?"),
        ("broken:f", "there is no module nothing_of_this_name; pip install nothing_of_this_name?"),
        ("own_functions:words", "module 'own_functions' has no attribute 'words'"),
        ("own_functions:Tools.words", "type object 'Tools' has no attribute 'words'"),
        ("own_functions:NOT_A_FUNCTION", "is no function"),
        ("raising:f", "cannot be imported: RuntimeError: not today"),
        ("wrong:f", "cannot be imported: SyntaxError: invalid syntax (wrong.py, line 1)"),
    ],
)
def test_what_cannot_be_had(name: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OwnTokenizer(name)
    assert caught.value.problems == [f"preprocess.tokenizer: {name}: {problem}"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("fails", "own_functions:fails failed on abc: ValueError: no such word"),
        ("fails_on_nothing", "own_functions:fails_on_nothing failed on abc: IndexError: string index out of range"),
        ("none", "own_functions:none failed on abc: TypeError: 'NoneType' object is not iterable"),
        ("leaves", "own_functions:leaves failed on abc: SystemExit: 0"),
        ("letters", "own_functions:letters should return a list of strings; of abc it did not"),
        ("numbers", "own_functions:numbers should return a list of strings; of abc it did not"),
    ],
)
def test_what_fails(name: str, problem: str) -> None:
    tokenizer = OwnTokenizer(f"own_functions:{name}")
    with pytest.raises(W2VError) as caught:
        tokenizer("abc")
    assert str(caught.value) == f"preprocess.tokenizer: {problem}"


def test_what_it_prints_is_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert OwnTokenizer("own_functions:chatters")("abc") == ["abc"]
    assert capsys.readouterr() == ("", "abc\n")


def test_it_goes_to_other_processes(here: Path) -> None:
    tokenizer = pickle.loads(pickle.dumps(OwnTokenizer("own_functions:syllables")))
    assert tokenizer("tomato") == ["to", "ma", "to"]
    (here / "rules.pickle").write_bytes(pickle.dumps(rules_of(Preprocess(tokenizer="own_functions:syllables"))))
    program = "import pickle; print(pickle.load(open('rules.pickle', 'rb')).tokens('Tomato'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "['to', 'ma', 'to']\n", done.stderr


def test_words_of_a_file(here: Path) -> None:
    file = here / "stop.txt"
    file.write_bytes("\ufeff# of English\r\nthe\r\n\r\n  and \t\n#or\nNew York\n\u3000été\nc#\n".encode())
    assert words_in(str(file)) == ["the", "and", "New York", "été", "c#"]
    file.write_text("")
    assert words_in(str(file)) == []
    with pytest.raises(W2VError, match=r"none\.txt: "):
        words_in(str(here / "none.txt"))


def test_settings_become_rules(here: Path) -> None:
    (here / "stop.txt").write_text("THE\nCAFÉ\nNew York\n2nd\n")
    settings = Preprocess(
        tokenizer="unicode",
        stop_words=str(here / "stop.txt"),
        strip_accents=True,
        digits="zero",
        min_token_length=2,
        max_token_length=6,
    )
    rules = rules_of(settings)
    assert rules.stop_words == {"the", "cafe", "0nd", "new york"}
    assert rules.tokens_of_lines("The café of a 4nd 33 Giraffe Zebra").split() == ["of", "00", "zebra"]
    assert rules_of(Preprocess()).stop_words == frozenset()
    # short stop words are words too, and one that rules cut in two stops nothing
    assert rules_of(Preprocess(stop_words=str(here / "stop.txt"), lowercase=False)).stop_words == {
        "THE",
        "CAFÉ",
        "2nd",
        "New York",
    }
    (here / "stop.txt").write_text("THE\nmato\n...\n")
    own = rules_of(Preprocess(tokenizer="own_functions:Tools.pairs", stop_words=str(here / "stop.txt")))
    assert own.stop_words == {"the", "mato"}  # as they stand there, not in pairs


def test_the_command_says_what_failed(here: Path, w2v: W2V) -> None:
    (here / "text.txt").write_text("one two\n")
    arguments = ("preprocess", "text.txt", "-o", "out.txt", "--set")
    result = w2v(*arguments, "preprocess.tokenizer=own_functions:fails", cwd=here)
    assert result.code == 1
    assert "preprocess.tokenizer: own_functions:fails failed on one: ValueError" in result.error_lines[-1]
    assert "Traceback" not in result.err
    assert not (here / "out.txt").exists()
    result = w2v(*arguments, "preprocess.tokenizer=own_functions:syllables", cwd=here)
    assert result.code == 0, result.err
    assert (here / "out.txt").read_text() == "o ne two\n"
