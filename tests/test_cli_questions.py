"""Questions on the command line: as arguments, line by line through a pipe, and at a prompt."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors

from w2vcli.model import load
from w2vcli.queries import neighbours

from .conftest import W2V, need
from .terminal import at_terminal


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few words with vectors that are easy to compute with."""
    rows = {"man": [1, 0, 0], "woman": [0, 1, 0], "king": [1, 0, 1], "queen": [0, 1, 1], "new": [0, 1, 3]}
    vectors = KeyedVectors(3)
    vectors.add_vectors(list(rows), np.array(list(rows.values()), dtype=np.float32))
    file = tmp_path_factory.mktemp("words") / "words.kv"
    vectors.save(str(file))
    return file


def rows_of(out: str) -> list[list[str]]:
    return [line.split("\t") for line in out.splitlines()]


def test_similar_in_all_formats(w2v: W2V, lee_run: Path) -> None:
    expected = neighbours(load(lee_run), "government", 3)
    words = [word for word, _ in expected]
    table = w2v("similar", lee_run, "government", "-n", "3")
    assert [line.split()[0] for line in table.out.splitlines()] == ["government", *words]
    assert "\x1b" not in table.out
    tsv = w2v("similar", lee_run, "government", "israel", "-n", "3", "--tsv").out.splitlines()
    assert tsv[0] == "query\tword\tsimilarity"
    assert [tuple(line.split("\t")[:2]) for line in tsv[1:4]] == [("government", word) for word in words]
    assert len(tsv) == 7
    lines = w2v("similar", lee_run, "-n", "3", "--json", stdin="government\n\nisrael\n").out.splitlines()
    first = json.loads(lines[0])
    assert (first["query"], [row["word"] for row in first["neighbours"]]) == ("government", words)
    assert first["neighbours"][0]["similarity"] == pytest.approx(expected[0][1], abs=1e-6)
    assert json.loads(lines[1]) == {"query": "", "neighbours": []}
    assert json.loads(lines[2])["query"] == "israel"


def test_unknown_words(w2v: W2V, lee_run: Path) -> None:
    result = w2v("similar", lee_run, "goverment", "israel", "--tsv", "-n", "1")
    assert result.code == 3
    assert len(result.error_lines) == 1
    assert result.err.startswith("w2v: error: goverment: not in the vocabulary; did you mean government or ")
    assert len(result.out.splitlines()) == 2
    assert w2v("similar", lee_run, stdin="zzzz\n").code == 3
    assert w2v("similar", lee_run, "GOVERNMENT").code == 3
    assert w2v("similar", lee_run, "GOVERNMENT", "--ignore-case").code == 0
    result = w2v("analogy", lee_run, "man", "king", "zzzz")
    assert (result.code, result.out, len(result.error_lines)) == (3, "", 1)


def test_analogy(w2v: W2V, lee_run: Path) -> None:
    three = w2v("analogy", lee_run, "australia", "government", "israel", "--json")
    written = w2v("analogy", lee_run, "government - australia + israel", "--json")
    loose = w2v("analogy", lee_run, "government", "-", "australia", "+", "israel", "--json")
    assert three.out == written.out == loose.out
    answer = json.loads(three.out)
    assert (answer["formula"], len(answer["neighbours"])) == ("3CosAdd", 10)
    assert "3CosAdd" in w2v("analogy", lee_run, "australia", "government", "israel").out
    result = w2v("analogy", lee_run, "a", "b")
    assert (result.code, len(result.error_lines)) == (2, 1)


def test_sums_of_words(w2v: W2V, words: Path) -> None:
    asked = w2v("similar", words, "king - man + woman", "man woman", "--tsv", "-n", "1")
    assert [row[:2] for row in rows_of(asked.out)[1:]] == [["king + woman - man", "queen"], ["man + woman", "king"]]
    loose = w2v("similar", words, "king", "-", "man", "+", "woman", "--tsv", "-n", "1")
    assert loose.out.splitlines() == asked.out.splitlines()[:2]


def test_options_of_questions(w2v: W2V, words: Path) -> None:
    """The cosines to king are 1/sqrt 2, 0, 1/2 and 3/sqrt 20; (1 + cosine)/2 by 3CosMul, here over 1 + 1e-6."""
    both = "similar", words, "king", "--tsv"
    assert rows_of(w2v(*both, "--threshold", "0.6").out)[1:] == [
        ["king", "man", "0.707107"],
        ["king", "new", "0.67082"],
    ]
    assert [row[1] for row in rows_of(w2v(*both, "--restrict-vocab", "2").out)[1:]] == ["man", "woman"]
    excluded = w2v(*both, "--exclude", "man", "--exclude", "woman")
    assert [row[1] for row in rows_of(excluded.out)[1:]] == ["new", "queen"]
    multiplied = rows_of(w2v(*both, "-n", "1", "--method", "3cosmul").out)
    assert multiplied[0] == ["query", "word", "score"]
    assert float(multiplied[1][2]) == pytest.approx((1 + 0.5**0.5) / 2 / (1 + 1e-6), abs=1e-6)
    analogy = json.loads(w2v("analogy", words, "man", "king", "woman", "--method", "3cosmul", "--json").out)
    assert (analogy["formula"], analogy["neighbours"][0]["word"]) == ("3CosMul", "queen")
    assert "score" in analogy["neighbours"][0]


def test_what_to_do_about_unknown_words(w2v: W2V, words: Path) -> None:
    ask = "similar", words, "-n", "1", "--json", "--oov"
    stdin = "king\nnowhere\nkinng\n- x\nqueen + nowhere\n"
    answers = {policy: w2v(*ask, policy, stdin=stdin) for policy in ("fail", "skip", "nearest-spelling")}
    lines = {policy: [json.loads(line) for line in answer.out.splitlines()] for policy, answer in answers.items()}
    assert {policy: answer.code for policy, answer in answers.items()} == {"fail": 3, "skip": 2, "nearest-spelling": 3}
    for found in lines.values():
        assert [line["query"] for line in found] == ["king", "nowhere", "kinng", "- x", "queen + nowhere"]
        assert found[3]["error"] == "- x: at least one word must be added"
    assert ["error" in line for line in lines["fail"]] == [False, True, True, True, True]
    assert [line.get("unknown") for line in lines["skip"]] == [None, ["nowhere"], ["kinng"], None, ["nowhere"]]
    assert lines["skip"][4]["neighbours"][0]["word"] == "new"
    assert lines["nearest-spelling"][2]["replaced"] == {"kinng": "king"}
    assert lines["nearest-spelling"][2]["neighbours"] == lines["fail"][0]["neighbours"]


def test_similarity(w2v: W2V, words: Path) -> None:
    assert rows_of(w2v("similarity", words, "man", "king", "queen", "--tsv").out) == [
        ["a", "b", "similarity"],
        ["man", "king", "0.707107"],
        ["man", "queen", "0"],
        ["king", "queen", "0.5"],
    ]
    piped = w2v("similarity", words, "--json", stdin="king queen\nman + woman\tking\nman\nman nowhere\n")
    first, second, third, fourth = (json.loads(line) for line in piped.out.splitlines())
    assert first == {"a": "king", "b": "queen", "similarity": 0.5}
    assert second == {"a": "man + woman", "b": "king", "similarity": 0.5}
    assert third == {"query": "man", "error": "man: not two words"}
    assert (fourth["query"], piped.code) == ("man nowhere", 2)
    table = w2v("similarity", words, "king", "queen").out.splitlines()
    assert table[1].split() == ["king", "queen", "0.5000"]
    assert w2v("similarity", words, "king").code == 2


def test_odd_one_out(w2v: W2V, words: Path) -> None:
    """Unit vectors sum up to (1.71, 0, 1.71) and (0, 1, 0)."""
    found = json.loads(w2v("odd-one-out", words, "man", "king", "woman", "--json").out)
    assert found["odd"] == "woman"
    assert [row["word"] for row in found["words"]] == ["woman", "man", "king"]
    lines = w2v("odd-one-out", words, "--tsv", stdin="man king woman\nman x\n")
    assert rows_of(lines.out)[0] == ["query", "word", "similarity"]
    assert (rows_of(lines.out)[1][:2], lines.code) == (["man king woman", "woman"], 2)
    skipped = w2v("odd-one-out", words, "man", "king", "woman", "nowhere", "--oov", "skip")
    assert (skipped.code, skipped.err) == (0, "nowhere: not in the vocabulary, left out\n")
    assert w2v("odd-one-out", words, "man", "king").code == 2


def test_vectors(w2v: W2V, words: Path) -> None:
    assert w2v("vectors", words, "king", "new").out == "king 1.0 0.0 1.0\nnew 0.0 1.0 3.0\n"
    assert w2v("vectors", words, "--normalize", stdin="king\n").out == "king 0.70710677 0.0 0.70710677\n"
    assert w2v("vectors", words, "queen", "--tsv").out == "queen\t0.0\t1.0\t1.0\n"
    assert json.loads(w2v("vectors", words, "man + woman", "--json").out) == {
        "word": "man + woman",
        "vector": [1.0, 1.0, 0.0],
    }


def test_approximate_neighbours(w2v: W2V, words: Path) -> None:
    """Of so few words the index looks at all; what it asks for is that it was built."""
    need("usearch", "'w2vcli[index]'")
    missing = w2v("similar", words, "king", "--approximate")
    assert (missing.code, missing.out, len(missing.error_lines)) == (1, "", 1)
    assert f"w2v index {words}" in missing.err
    report = json.loads(w2v("index", words, "--json", "-q").out)
    assert (report["words"], report["recall"]) == (5, 1.0)
    for ask in (("similar", words, "king"), ("analogy", words, "man", "king", "woman")):
        assert w2v(*ask, "--approximate", "--tsv").out == w2v(*ask, "--tsv").out
    assert w2v("similar", words, "king", "--approximate", "--method", "3cosmul").code == 2


def test_what_is_taken_for_unknown_words_is_said(w2v: W2V, words: Path) -> None:
    near = w2v("similarity", words, "kinng", "queen", "--oov", "nearest-spelling")
    assert (near.code, near.err) == (0, "kinng: taken as king\n")
    near = w2v("similarity", words, "kinng", "queen", "--oov", "nearest-spelling", "--json")
    assert json.loads(near.out) == {"a": "kinng", "b": "queen", "similarity": 0.5, "replaced": {"kinng": "king"}}
    assert near.err == ""
    left_out = w2v("vectors", words, "king + nowhere", "--oov", "skip")
    assert left_out.out == "king + nowhere 1.0 0.0 1.0\n"
    assert left_out.err == "nowhere: not in the vocabulary, left out\n"
    left_out = w2v("similar", words, "king + nowhere", "--oov", "skip")
    assert left_out.err == "nowhere: not in the vocabulary, left out\n"
    assert w2v("vectors", words, "KING", "-i", "--tsv").err == "KING: taken as king\n"


def test_a_model_on_standard_input(w2v: W2V, words: Path) -> None:
    content = words.read_bytes()
    assert w2v("similar", "-", "king", "-n", "1", "--tsv", stdin=content).out.endswith("king\tman\t0.707107\n")
    for command in (
        ("similar", "-"),
        ("similarity", "-"),
        ("info", "-"),
        ("convert", "-", "-", "--to", "glove", "--json"),
    ):
        refused = w2v(*command, stdin=content)
        assert (refused.code, refused.out, len(refused.error_lines)) == (2, "", 1)


def test_an_empty_argument(w2v: W2V, words: Path) -> None:
    for command in ("similar", "vectors"):
        refused = w2v(command, words, "king", "")
        assert (refused.code, refused.out) == (2, "")
        assert refused.err.startswith("w2v: error: an empty word among the arguments")


def test_odd_words_break_no_rows(w2v: W2V, tmp_path: Path) -> None:
    """Tabs, ends of lines and a terminal's commands are shown, not sent; numbers that are none are null."""
    vectors = KeyedVectors(2)
    rows = {"a\tb": [1, 0], "c\nd": [1, 1], "\x1b[31m": [1, 2], "nan": [np.nan, 1]}
    vectors.add_vectors(list(rows), np.array(list(rows.values()), dtype=np.float32))
    vectors.save(str(tmp_path / "a.kv"))
    found = w2v("similar", tmp_path / "a.kv", "a\tb", "--tsv").out.splitlines()
    assert [line.split("\t")[:2] for line in found[1:]] == [[r"a\tb", r"c\nd"], [r"a\tb", r"\x1b[31m"]]
    assert json.loads(w2v("similarity", tmp_path / "a.kv", "nan", "nan", "--json").out)["similarity"] is None


# ---------------------------------------------------------------- line by line


def test_a_co_process(words: Path) -> None:
    """Writes a word, reads the answer, writes the next; a line is answered by a line, whatever it is."""
    command = [sys.executable, "-m", "w2vcli", "similar", str(words), "--json", "-n", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(line: bytes) -> Any:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(line)
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        first = ask(b"\xef\xbb\xbfking\r\n")
        assert (first["query"], first["neighbours"][0]["word"]) == ("king", "man")
        assert ask(b"nowhere\n")["error"] == "nowhere: not in the vocabulary"
        assert ask(f"{first['neighbours'][0]['word']}\n".encode())["neighbours"][0]["word"] == "king"
        process.stdin.write(b"queen\nwoman\nne")
        process.stdin.flush()
        assert [json.loads(process.stdout.readline())["query"] for _ in range(2)] == ["queen", "woman"]
        assert ask(b"w\n")["query"] == "new"
        process.stdin.write(b"man")  # without an end of line, as a last line may be
        process.stdin.close()
        assert json.loads(process.stdout.readline())["query"] == "man"
        process.wait(timeout=60)
    assert process.returncode == 3


def test_ctrl_c_is_said(lee_run: Path) -> None:
    """After a first answer, while the next question is waited for."""
    command = [sys.executable, "-m", "w2vcli", "similar", str(lee_run), "--tsv", "-n", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"the\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"query\tword\tsimilarity\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == b"w2v: error: interrupted\n"


def test_a_byte_order_mark_alone_with_a_word(w2v: W2V, words: Path) -> None:
    assert w2v("similar", words, "-n", "1", stdin=b"\xef\xbb\xbfking").code == 0


# ---------------------------------------------------------------- at a prompt


def test_the_prompt(lee_run: Path, tmp_path: Path) -> None:
    typed = [b"government\n", b"goverment\n", b"\x04"]
    code, screen = at_terminal(typed, "similar", lee_run, "-n", "2", XDG_STATE_HOME=str(tmp_path))
    assert code == 0
    assert neighbours(load(lee_run), "government", 2)[1][0] in screen
    assert "did you mean government" in screen
    assert (tmp_path / "w2v" / "history").read_text().splitlines()[-2:] == ["government", "goverment"]


def test_commands_and_completion_at_the_prompt(words: Path, tmp_path: Path) -> None:
    """`qu` and Tab is queen; the arrow brings back the last line of an earlier prompt."""
    place = str(tmp_path)
    typed = [b":n 1\n", b":method 3cosmul\n", b":n x\n", b"qu\t\n", b":help\n", b"\x04"]
    code, screen = at_terminal(typed, "analogy", words, XDG_STATE_HOME=place)
    assert code == 0
    assert ":n x: not a value of :n" in screen
    assert ":restrict-vocab" in screen
    assert "an analogy has three words" in screen
    code, screen = at_terminal([b":n 1\n", b"qu\t\n", b"\x04"], "similar", words, XDG_STATE_HOME=place)
    assert (code, "new" in screen, "king" in screen) == (0, True, False)
    code, screen = at_terminal([b"\x1b[A\n", b":n 1\n", b":q\n", b"king\n"], "similarity", words, XDG_STATE_HOME=place)
    assert (code, "queen: not two words" in screen, ":n 1: not a command" in screen) == (0, True, True)
    assert "two words; :help says more" in screen
