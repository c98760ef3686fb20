from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from gensim.models import Word2Vec

import w2vcli
from w2vcli import training
from w2vcli.corpus import Corpus
from w2vcli.errors import ConfigError, UnknownWordError, W2VError
from w2vcli.loss import sample
from w2vcli.model import (
    Expression,
    analogy,
    describe,
    find_word,
    load,
    nearest_spellings,
    neighbours,
    parse_analogy,
)
from w2vcli.vectors import ListedWords, Vectors


@pytest.fixture
def vectors() -> Vectors:
    rows = {
        "man": [1, 0, 0],
        "woman": [0, 1, 0],
        "king": [1, 0, 1],
        "queen": [0, 1, 1],
        "King": [0.9, 0.1, 1],
        "Paris": [0, 0, -1],
    }
    return Vectors(ListedWords(list(rows)), np.array(list(rows.values()), dtype=np.float32))


def test_neighbours_by_hand(vectors: Vectors) -> None:
    found = neighbours(vectors, "king", 2)
    assert [word for word, _ in found] == ["King", "man"]
    assert found[1][1] == pytest.approx(1 / np.sqrt(2))


def test_analogy_by_hand(vectors: Vectors) -> None:
    found = analogy(vectors, parse_analogy(["man", "king", "woman"]), 1)
    assert found[0][0] == "queen"
    # unit vectors: king (1,0,1)/sqrt 2, woman (0,1,0), man (1,0,0); queen (0,1,1)/sqrt 2
    total = np.array([1, 0, 1]) / np.sqrt(2) + [0, 1, 0] - np.array([1, 0, 0])
    expected = total @ [0, 1, 1] / np.sqrt(2) / np.linalg.norm(total)
    assert found[0][1] == pytest.approx(expected)


def test_real_vectors_agree_with_gensim(lee_run: Path) -> None:
    theirs = Word2Vec.load(str(lee_run / "model" / "word2vec.model")).wv
    ours = load(lee_run)
    for found, expected in (
        (neighbours(ours, "government", 5), theirs.most_similar("government", topn=5)),
        (
            analogy(ours, Expression(("government", "israel"), ("australia",)), 4),
            theirs.most_similar(["government", "israel"], ["australia"], topn=4),
        ),
    ):
        assert [word for word, _ in found] == [word for word, _ in expected]
        np.testing.assert_allclose([score for _, score in found], [score for _, score in expected], atol=1e-6)


@pytest.mark.parametrize(
    ("terms", "positive", "negative"),
    [
        (["man", "king", "woman"], ("king", "woman"), ("man",)),
        (["man king woman"], ("king", "woman"), ("man",)),
        (["king - man + woman"], ("king", "woman"), ("man",)),
        (["king", "-", "man", "+", "woman"], ("king", "woman"), ("man",)),
        (["king + queen"], ("king", "queen"), ()),
        (["- man + king"], ("king",), ("man",)),
        (["well-known - known + great"], ("well-known", "great"), ("known",)),
        (["a - b - c + d + e"], ("a", "d", "e"), ("b", "c")),
    ],
)
def test_analogies_are_parsed(terms: list[str], positive: tuple[str, ...], negative: tuple[str, ...]) -> None:
    assert parse_analogy(terms) == Expression(positive, negative)


@pytest.mark.parametrize(
    "terms",
    [["man", "king"], ["a", "b", "c", "d"], ["king - "], ["king man + x"], ["- king"], ["a + - b"], ["+"]],
)
def test_what_is_no_analogy(terms: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_analogy(terms)
    assert caught.value.exit_code == 2


def test_unknown_words(vectors: Vectors) -> None:
    with pytest.raises(UnknownWordError) as caught:
        find_word(vectors, "quen")
    assert str(caught.value) == "quen: not in the vocabulary; did you mean queen?"
    with pytest.raises(UnknownWordError) as caught:
        find_word(vectors, "zzzzz")
    assert str(caught.value) == "zzzzz: not in the vocabulary"
    with pytest.raises(UnknownWordError, match="paris: not in the vocabulary; did you mean Paris"):
        find_word(vectors, "paris")
    assert nearest_spellings(vectors, "wonan", 1) == ["woman"]


def test_ignoring_case_takes_the_most_frequent_spelling(vectors: Vectors) -> None:
    for asked, found in (("KING", "king"), ("King", "King"), ("paris", "Paris")):
        assert vectors.words[find_word(vectors, asked, ignore_case=True)] == found
    with pytest.raises(UnknownWordError):
        find_word(vectors, "london", ignore_case=True)
    nearest = analogy(vectors, Expression(("KING", "Woman"), ("MAN",)), 1, ignore_case=True)
    assert nearest[0][0] == "queen"


def test_what_cannot_be_opened(tmp_path: Path, lee: Path) -> None:
    with pytest.raises(W2VError, match="none: no such file or run"):
        load(tmp_path / "none")
    with pytest.raises(W2VError, match="a folder, but not a run"):
        load(tmp_path)
    iterator = training.events(lee, tmp_path / "run")
    for event in iterator:
        if event["event"] == "start":
            break
    iterator.close()  # type: ignore[attr-defined]
    with pytest.raises(W2VError, match="this run is not finished; run its w2v train command again to go on"):
        load(tmp_path / "run")


def test_a_finished_run_described(lee: Path, lee_run: Path) -> None:
    about = describe(lee_run)
    assert about["state"] == "finished"
    assert about["vocabulary"] == len(load(lee_run))
    assert about["corpus words"] == 60005
    sentences = [line.split() for line in lee.read_text().splitlines()]
    held_out = sample(Corpus(lee_run / "corpus"), None, 1)
    assert len(held_out) == 26
    assert about["words trained"] == 2 * (60005 - sum(len(sentences[number]) for number in held_out))
    assert 2 < about["held-out loss"] < 6 * np.log(2)
    assert len(about["corpus fingerprint"]) == 32
    assert about["made with w2vcli"] == w2vcli.__version__
    assert about["config"]["word2vec.epochs"] == 2


def test_an_unfinished_run_described(lee: Path, tmp_path: Path) -> None:
    """While it goes on by its blocks; afterwards by its last checkpoint, from which it would go on."""
    settings = {
        "train": {"block_words": 20_000, "heldout": 0, "checkpoint_every": "1 words"},
        "word2vec": {"epochs": 2},
    }
    iterator = training.events(lee, tmp_path / "run", settings)
    words = [event["words"] for event in itertools.islice(iterator, 20) if event["event"] == "block"][:4]
    iterator = training.events(lee, tmp_path / "cut", settings)
    blocks = 0
    while blocks < 3:
        blocks += next(iterator)["event"] == "block"
    about = describe(tmp_path / "cut")
    assert (about["state"], about["progress"]) == ("training", f"{100 * words[2] / 120_010:.1f}%")
    iterator.close()  # type: ignore[attr-defined]
    about = describe(tmp_path / "cut")
    assert (about["state"], about["progress"]) == ("unfinished", f"{100 * words[1] / 120_010:.1f}%")
    assert about["goes on from"] == str(tmp_path / "cut" / "checkpoints" / "000002")


def test_a_finished_run_stays_finished_when_another_config_is_refused(lee: Path, tmp_path: Path) -> None:
    training.train(lee, tmp_path / "run", {"word2vec": {"epochs": 1}})
    with pytest.raises(W2VError, match="was made from something else"):
        training.train(lee, tmp_path / "run", {"word2vec": {"epochs": 1, "window": 2}})
    assert describe(tmp_path / "run")["state"] == "finished"


def test_a_file_described(lee_run: Path, tmp_path: Path) -> None:
    about = describe(lee_run / "model" / "word2vec.model")
    assert (about["format"], about["holds"], about["dimensions"], about["epochs"]) == (
        "gensim",
        "Word2Vec",
        100,
        2,
    )
    files = (lee_run / "model").glob("word2vec.model*")
    assert about["bytes"] == sum(file.stat().st_size for file in files)
    load(lee_run).to_gensim().save_word2vec_format(str(tmp_path / "a.txt"))
    assert describe(tmp_path / "a.txt")["format"] == "word2vec-text"


def test_the_api_of_the_package(lee_raw: Path, tmp_path: Path) -> None:
    summary = w2vcli.preprocess(lee_raw, tmp_path / "lee.txt.gz")
    seen: list[str] = []
    done = w2vcli.train(
        tmp_path / "lee.txt.gz",
        tmp_path / "run",
        {"word2vec": {"epochs": 1}, "train": {"heldout": 0}},
        progress=lambda event: seen.append(event["event"]),
    )
    assert summary.tokens == done["words"] == 60005
    assert seen[-1] == done["event"] == "done"
    assert len(w2vcli.load(tmp_path / "run")) == done["vocabulary"]
    with pytest.raises(AttributeError):
        _ = w2vcli.nothing
