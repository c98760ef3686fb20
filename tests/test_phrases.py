from __future__ import annotations

import gzip
import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import phrases as gensim_phrases
from hypothesis import given
from hypothesis import settings as running
from hypothesis import strategies as st

from w2vcli.errors import W2VError
from w2vcli.preprocessing import phrases
from w2vcli.preprocessing.pairs import PairCounter
from w2vcli.preprocessing.phrases import Phrase, Phrases, connector_words, learn

Sentences = list[list[str]]

CITIES = """\
we saw new york today
new york is new
she left york
we left today
"""  # 15 words, 9 of them distinct: we saw new york today is she left


def pieces(text: str, size: int = 1 << 20) -> Callable[[], list[bytes]]:
    data = text.encode()
    return lambda: [data[place : place + size] for place in range(0, len(data), size)]


def text_of(sentences: Sentences) -> str:
    return "".join(" ".join(sentence) + "\n" for sentence in sentences)


# ---------------------------------------------------------------- by hand


def test_default_scores_by_hand() -> None:
    """Distinct words: we saw new york today is she left, 8; distinct pairs: we-saw saw-new new-york york-today york-is
    is-new she-left left-york we-left left-today, 10; so 18 entries. new-york: 2 times, new 3 times, york 3 times.
    """
    found = learn(pieces(CITIES), min_count=1, threshold=1.9)
    assert found.passes == ({"new york": Phrase("new_york", (2 - 1) / (3 * 3) * 18, 2, 1)},)  # 2.0
    assert not learn(pieces(CITIES), min_count=1, threshold=2.0).passes  # the score has to be above it
    assert not learn(pieces(CITIES), min_count=2, threshold=0.1).passes


def test_npmi_scores_by_hand() -> None:
    """Of 15 words new-york is 2, new 3, york 3: ln((2/15) / (3/15)²) / -ln(2/15) = ln(10/3) / ln(7.5)."""
    found = learn(pieces(CITIES), min_count=2, threshold=0.5, scoring="npmi")
    assert list(found.passes[0]) == ["new york"]
    assert math.isclose(found.passes[0]["new york"].score, math.log(10 / 3) / math.log(7.5), rel_tol=1e-12)  # 0.5975


def test_connector_words_by_hand() -> None:
    """Words that are no connectors: bank america river wide, 4; pairs: bank-of-america, bank-of-the-river, river-wide,
    3; so 7 entries. bank-of-america: 2 times, bank 3, america 2.
    """
    text = "the bank of america\nbank of america of\nbank of the river wide\n"
    found = learn(pieces(text), min_count=1, threshold=1, connector_words=frozenset({"of", "the"}))
    assert found.passes == ({"bank of america": Phrase("bank_of_america", (2 - 1) / (3 * 2) * 7, 2, 1)},)
    assert found.join_lines(b"the bank of america of the bank\n") == b"the bank_of_america of the bank\n"
    assert found.join_lines(b"bank of the america\n") == b"bank of the america\n"


def test_two_passes_find_phrases_of_up_to_four_words() -> None:
    """In the second pass there are san_francisco and bay_area 6 times each; san is never alone, area once."""
    text = "".join(f"w{number} san francisco bay area v{number}\n" for number in range(6)) + "area\n"
    found = learn(pieces(text), passes=2, min_count=2, threshold=1)
    assert [[phrase.text for phrase in each.values()] for each in found.passes] == [
        ["san_francisco", "francisco_bay", "bay_area"],
        ["san_francisco_bay_area"],
    ]
    assert found.join(["a", "san", "francisco", "bay", "area"]) == ["a", "san_francisco_bay_area"]
    # 14 words (12 of them w0 to v5) and area, and 13 pairs; (6 - 2) / (6 * 6) * (15 + 13)
    assert found.passes[1]["san_francisco bay_area"] == Phrase("san_francisco_bay_area", 4 / 36 * 28, 6, 2)


def test_phrases_are_found_that_gensim_loses_when_it_freezes() -> None:
    """Frozen, san_francisco_bay_area would be scored as san before area, and san is never alone."""
    text = "".join(f"w{number} san francisco bay area v{number}\n" for number in range(6)) + "area\n"
    once = learn(pieces(text), passes=1, min_count=2, threshold=1)
    joined = [once.join(line.split()) for line in text.splitlines()]
    model = gensim_phrases.Phrases(joined, min_count=2, threshold=1)
    assert [token for token, score in model.analyze_sentence(joined[0]) if score] == ["san_francisco_bay_area"]
    assert not model.freeze().phrasegrams


def test_joining_goes_from_the_left_and_takes_no_word_twice() -> None:
    both = Phrases(({name: Phrase(name.replace(" ", "_"), 1.0, 1, 1) for name in ("a b", "b c")},))
    assert both.join(["a", "b", "c"]) == ["a_b", "c"]
    assert both.join(["b", "c", "a", "b", "a", "b"]) == ["b_c", "a_b", "a_b"]
    assert both.join([]) == []
    assert both.join_lines(b"a b c\na\nb c\nb  c\nb\tc\nb c") == b"a_b c\na\nb_c\nb  c\nb\tc\nb_c"


# ---------------------------------------------------------------- the same as Gensim

WORDS = st.sampled_from(
    ["a", "b", "c", "of", "the", "of_the", "a_b", "b_c", "_", "a_", "é", "日本", "É_b", "abcdefghi"]
)
CORPORA = st.lists(st.lists(WORDS, min_size=1, max_size=12), min_size=1, max_size=12)
CONNECTORS = st.sampled_from([frozenset[str](), frozenset({"of", "the"}), frozenset({"of", "the", "of_the", "c"})])
LIMITS = st.one_of(
    st.tuples(st.just("default"), st.sampled_from([0.01, 0.5, 1.0, 3.0])),
    st.tuples(st.just("npmi"), st.sampled_from([-1.0, -0.5, 0.0, 0.3, 0.6])),
)


def gensim_models(
    sentences: Sentences, passes: int, min_count: float, threshold: float, scoring: str, connectors: frozenset[str]
) -> list[gensim_phrases.Phrases]:
    models = []
    for _ in range(passes):
        models.append(
            gensim_phrases.Phrases(
                sentences, min_count=min_count, threshold=threshold, scoring=scoring, connector_words=connectors
            )
        )
        sentences = [models[-1][sentence] for sentence in sentences]
    return models


@given(CORPORA, LIMITS, st.sampled_from([0.5, 1, 2]), CONNECTORS, st.integers(1, 3), st.integers(1, 40))
@running(max_examples=200)
def test_a_text_becomes_what_gensim_makes_of_it(
    sentences: Sentences,
    limits: tuple[str, float],
    min_count: float,
    connectors: frozenset[str],
    passes: int,
    size: int,
) -> None:
    scoring, threshold = limits
    options: dict[str, Any] = {"min_count": min_count, "threshold": threshold, "scoring": scoring}
    found = learn(pieces(text_of(sentences), size), passes=passes, connector_words=connectors, **options)
    models = gensim_models(sentences, passes, connectors=connectors, **options)
    assert [found.join(each) for each in sentences] == [joined_by(models, each) for each in sentences]
    for number, model in enumerate(models):
        known = found.passes[number] if number < len(found.passes) else {}
        for key, phrase in known.items():
            first, *between, last = key.split(" ")
            assert model.score_candidate(first, last, between) == (phrase.text, phrase.score)
            assert model.vocab[phrase.text] == phrase.count
        scores = {(phrase.text, phrase.score) for phrase in known.values()}
        for sentence in sentences:
            assert {item for item in model.analyze_sentence(sentence) if item[1] is not None} <= scores
        sentences = [model[sentence] for sentence in sentences]


def joined_by(models: list[Any], sentence: list[str]) -> list[str]:
    for model in models:
        sentence = model[sentence]
    return sentence


PLAIN = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "d", "of", "the", "é", "日本"]), min_size=1, max_size=9), min_size=1
)


@given(PLAIN, PLAIN, LIMITS, CONNECTORS)
@running(max_examples=100)
def test_without_underscores_phrases_are_those_that_gensim_freezes(
    sentences: Sentences, others: Sentences, limits: tuple[str, float], connectors: frozenset[str]
) -> None:
    scoring, threshold = limits
    found = learn(
        pieces(text_of(sentences)), min_count=1, threshold=threshold, scoring=scoring, connector_words=connectors
    )
    (model,) = gensim_models(sentences, 1, 1, threshold, scoring, connectors)
    frozen = model.freeze()
    known = found.passes[0].values() if found.passes else ()
    assert {phrase.text: phrase.score for phrase in known} == frozen.phrasegrams
    assert [found.join(sentence) for sentence in others] == [frozen[sentence] for sentence in others]


@given(CORPORA, CORPORA, CONNECTORS, st.integers(1, 3))
@running(max_examples=100)
def test_lines_are_joined_as_lists_are(
    sentences: Sentences, others: Sentences, connectors: frozenset[str], passes: int
) -> None:
    found = learn(pieces(text_of(sentences)), passes=passes, min_count=0.5, threshold=0.01, connector_words=connectors)
    assert found.join_lines(text_of(others).encode()).decode() == text_of([found.join(each) for each in others])


def test_real_text_is_joined_as_gensim_does(lee: Path) -> None:
    text = lee.read_text()
    connectors = connector_words("english")
    progress: list[tuple[int, int]] = []
    found = learn(pieces(text), passes=2, connector_words=connectors, progress=lambda *report: progress.append(report))
    sentences = [line.split() for line in text.splitlines()]
    models = gensim_models(sentences, 2, 5, 10.0, "default", connectors)
    expected = text_of([joined_by(models, sentence) for sentence in sentences])
    assert found.join_lines(text.encode()).decode() == expected
    assert len(found.passes[0]) > 100
    assert progress[-1] == (2, len(text.encode()))


# ---------------------------------------------------------------- counting


def test_sentences_over_several_chunks_are_counted_as_if_in_one() -> None:
    """Connectors are 0 and 1: the pairs are 2-3, 3-(0,1)-2, 2-(0)-4, 4-4; and 5-2 in the next sentence."""
    numbers = np.array([0, 2, 3, 0, 1, 2, 0, 4, 4, 1, 5, 2], dtype=np.int32)
    expected = {((), 2, 3): 1, ((0, 1), 3, 2): 1, ((0,), 2, 4): 1, ((), 4, 4): 1, ((), 5, 2): 1}
    for step in range(1, 13):
        counter = PairCounter(2, 100)
        for first in range(0, 12, step):
            ends = [10 - first] if first < 10 <= first + step else []
            counter.add(numbers[first : first + step], np.array(ends, dtype=np.int64))
        found = counter.finish()
        assert {
            (counter.between[between], words >> 32, words & 0xFFFFFFFF): count
            for between, words, count in zip(*(column.tolist() for column in found), strict=True)
        } == expected


def test_the_rarest_pairs_are_dropped_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 4 pairs: at the fifth, those go that leave no more than 2."""
    monkeypatch.setattr(PairCounter, "_BATCH", 0)
    counter = PairCounter(0, 4)
    for ids in ([0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 4, 5], [6, 7, 8, 9], [4, 5]):
        counter.add(np.array(ids, dtype=np.int32), np.full(len(ids) // 2, 2))
    assert counter.dropped == 3  # e f, g h, i j
    assert counter.finish().counts.tolist() == [3, 2, 1]
    lines = b"a b\na b\na b\nc d\nc d\ne f\ng h\ni j\ne f\n"
    found = learn(lambda: [lines], min_count=0.5, threshold=0.01, max_pairs=4)
    assert found.dropped == 4  # all at once: without those that are there once three are left, two of them twice
    assert list(found.passes[0]) == ["a b"]


# ---------------------------------------------------------------- preview


def test_the_best_phrases_come_first_and_ties_are_broken_by_count_and_text() -> None:
    first = {"b c": Phrase("b_c", 2.0, 7, 1), "a b": Phrase("a_b", 2.0, 7, 1), "c d": Phrase("c_d", 2.0, 9, 1)}
    second = {"a_b c": Phrase("a_b_c", 5.0, 3, 2)}
    found = Phrases((first, second))
    assert [phrase.text for phrase in found.top(3)] == ["a_b_c", "c_d", "a_b"]
    assert [phrase.text for phrase in found.top(100)] == ["a_b_c", "c_d", "a_b", "b_c"]
    assert found.top(0) == []


# ---------------------------------------------------------------- files

TOKENS = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=4).filter(
    lambda text: text.split() == [text]
)
SCORES = st.tuples(st.floats(-1e9, 1e9), st.integers(1, 10**12))
PASSES = st.lists(st.dictionaries(st.tuples(TOKENS, TOKENS), SCORES, max_size=4), max_size=3)


@given(PASSES, st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.booleans() | st.integers()))
@running(max_examples=50)
def test_what_is_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, passes: list[dict[tuple[str, str], tuple[float, int]]], about: Any
) -> None:
    path = tmp_path_factory.mktemp("phrases") / "phrases.json"
    found = Phrases(
        tuple(
            {" ".join(key): Phrase("_".join(key), *value, number) for key, value in each.items()}
            for number, each in enumerate(passes, 1)
        ),
        threshold=2.5,
        dropped=3,
        settings=about,
    )
    found.save(path)
    assert Phrases.load(path) == found
    assert pickle.loads(pickle.dumps(found)) == found
    first = path.read_bytes()
    Phrases.load(path).save(path)
    assert path.read_bytes() == first


def test_a_file_is_readable_and_compressed_by_its_name(tmp_path: Path) -> None:
    found = learn(
        pieces("the café of york\n" * 3 + "york\n"),
        min_count=1,
        threshold=0.25,
        connector_words=frozenset({"the", "of"}),
        settings={"lowercase": True},
    )
    found.save(tmp_path / "phrases.json.gz")
    text = gzip.decompress((tmp_path / "phrases.json.gz").read_bytes()).decode()
    assert '"café of york": [0.5, 3]' in text.splitlines()  # (3 - 1) / (3 * 4) * 3
    assert json.loads(text)["connector_words"] == ["of", "the"]
    again = Phrases.load(tmp_path / "phrases.json.gz")
    assert (again, again.settings) == (found, {"lowercase": True})


GOOD: dict[str, Any] = {
    "format": "w2vcli phrases",
    "version": 1,
    "scoring": "default",
    "min_count": 5,
    "threshold": 10.0,
    "dropped": 0,
    "connector_words": ["of"],
    "settings": {},
    "passes": [{"new york": [12.5, 7], "bank of america": [11, 6]}],
}


def test_the_good_file_that_is_broken_below_is_good(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    assert Phrases.load(tmp_path / "good.json").join(["bank", "of", "america"]) == ["bank_of_america"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "else"}, "does not begin with"),
        ({"version": 2}, "its version is 2, not 1"),
        ({"version": None}, "its version is None"),
        ({"scoring": 1}, "its scoring"),
        ({"scoring": "pmi"}, "'pmi' is no way to score phrases"),
        ({"min_count": True}, "its min_count"),
        ({"min_count": 10**400}, "the min_count of phrases is out of range"),
        ({"threshold": "10"}, "its threshold"),
        ({"dropped": 1.5}, "its dropped"),
        ({"connector_words": "of"}, "its connector_words"),
        ({"connector_words": ["of the"]}, "its connector_words"),
        ({"connector_words": [["of"]]}, "its connector_words"),
        ({"connector_words": ["\ud800"]}, "its connector_words"),
        ({"settings": []}, "its settings"),
        ({"settings": {"\ud800": 1}}, "surrogates not allowed"),
        ({"passes": {}}, "its passes"),
        ({"passes": [[]]}, "pass 1 is no mapping"),
        ({"passes": [{"york": [1.0, 1]}]}, "'york' is no phrase"),
        ({"passes": [{"new  york": [1.0, 1]}]}, "'new  york' is no phrase"),
        ({"passes": [{"new\nyork x": [1.0, 1]}]}, "is no phrase"),
        ({"passes": [{"new the york": [1.0, 1]}]}, "is no phrase"),
        ({"passes": [{"of york": [1.0, 1]}]}, "is no phrase"),
        ({"passes": [{"\ud800 york": [1.0, 1]}]}, "is no phrase"),
        ({"passes": [{"new york": [1.0, 0]}]}, "should have a score and a count"),
        ({"passes": [{"new york": [True, 1]}]}, "should have a score and a count"),
        ({"passes": [{"new york": [1.0, 1.0]}]}, "should have a score and a count"),
        ({"passes": [{"new york": [10**400, 1]}]}, "should have a score and a count"),
        ({"passes": [{"new york": 1.0}]}, "should have a score and a count"),
        ({"passes": [{"new york": [math.nan, 1]}]}, "NaN is no number"),
        ({"passes": [{"new york": [math.inf, 1]}]}, "Infinity is no number"),
    ],
)
def test_a_file_with_something_else_in_it_is_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    path = tmp_path / "phrases.json"
    path.write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(W2VError) as caught:
        Phrases.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a file of phrases: ")
    assert reason in message
    assert message.endswith("; learn them anew from the text, or name another file")
    assert "\n" not in message


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_a_file_that_lacks_something_is_refused(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "phrases.json"
    path.write_text(json.dumps({name: value for name, value in GOOD.items() if name != missing}))
    with pytest.raises(W2VError, match="not a file of phrases"):
        Phrases.load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 200_000,
        b"{",
        b"[]",
        b"3",
        b"\xff\xfe\xfd",
        b"9" * 5000,
        b'{"format"',
        json.dumps(GOOD).encode()[:-9],
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "phrases.json"
    path.write_bytes(content)
    with pytest.raises(W2VError, match=r"phrases\.json"):
        Phrases.load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(W2VError, match=r"none\.json"):
        Phrases.load(tmp_path / "none.json")
    with pytest.raises(W2VError, match="does not exist"):
        Phrases(()).save(tmp_path / "none" / "phrases.json")


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    "options",
    [
        {"passes": 0},
        {"min_count": 0},
        {"min_count": math.nan},
        {"threshold": 0},
        {"threshold": math.nan},
        {"scoring": "npmi", "threshold": 1.5},
        {"scoring": "npmi", "threshold": math.nan},
        {"scoring": "pmi"},
    ],
)
def test_learning_with_arguments_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(W2VError, match="; take "):
        learn(pieces(CITIES), **options)


def test_text_without_words_has_no_phrases() -> None:
    for text in ("", "\n\n", "a\n"):
        assert learn(pieces(text), passes=2, min_count=0.5, threshold=0.1).passes == ()


def test_bytes_that_are_no_text_are_in_no_phrase_that_is_joined() -> None:
    found = learn(lambda: [b"\xff a\n\xfe a\n" * 3 + b"b c\n" * 3], min_count=1, threshold=0.1)
    assert found.join_lines(b"\xff a\nb c\n") == b"\xff a\nb_c\n"


def test_connector_words_by_name_from_a_file_and_as_a_list(tmp_path: Path) -> None:
    assert connector_words("english") == gensim_phrases.ENGLISH_CONNECTOR_WORDS
    (tmp_path / "german.txt").write_text("\ufeffder\n\n die \ndas", encoding="utf-8")
    assert connector_words(str(tmp_path / "german.txt")) == {"der", "die", "das"}
    assert connector_words(["van", "der"]) == {"van", "der"}
    assert connector_words([]) == frozenset()


def test_connector_words_that_are_not_words_are_refused(tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("der\nvon der\n")
    with pytest.raises(W2VError, match=r"two\.txt, line 2: 'von der' is not one word"):
        connector_words(str(tmp_path / "two.txt"))
    with pytest.raises(W2VError, match="connector word 2: '' is not one word"):
        connector_words(["of", ""])
    with pytest.raises(W2VError, match="englsh: no such file"):
        connector_words("englsh")


def test_the_scorings_are_those_that_are_named() -> None:
    for scoring in phrases.SCORINGS:
        learn(pieces(CITIES), scoring=scoring, threshold=0.5)
