from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors, Word2Vec

import w2vcli
from w2vcli.errors import ConfigError, UnknownWordError
from w2vcli.model import load
from w2vcli.queries import Expression, Options, Questions, neighbours, parse, parse_analogy
from w2vcli.vectors import Found, Vectors
from w2vcli.words import ListedWords


@pytest.fixture
def vectors() -> Vectors:
    rows = {
        "man": [1, 0, 0],
        "woman": [0, 1, 0],
        "king": [1, 0, 1],
        "queen": [0, 1, 1],
        "King": [0.9, 0.1, 1],
        "Paris": [0, 0, -1],
        "new york": [0, 0, 0],
    }
    return Vectors(ListedWords(list(rows)), np.array(list(rows.values()), dtype=np.float32))


def words_of(found: list[tuple[str, float]]) -> list[str]:
    return [word for word, _ in found]


def test_neighbours_by_hand(vectors: Vectors) -> None:
    found = w2vcli.neighbours(vectors, "king", 2)
    assert words_of(found) == ["King", "man"]
    assert found[1][1] == pytest.approx(1 / np.sqrt(2))
    assert words_of(neighbours(vectors, "king", 3, among=4)) == ["man", "queen", "woman"]
    assert words_of(neighbours(vectors, "king", 9, threshold=0.5, excluded=("man", "nowhere"))) == ["King", "queen"]


def test_an_analogy_by_hand(vectors: Vectors) -> None:
    """Unit vectors: king (1,0,1)/sqrt 2, woman (0,1,0), man (1,0,0); queen (0,1,1)/sqrt 2."""
    ((word, score),) = neighbours(vectors, "king - man + woman", 1)
    total = np.array([1, 0, 1]) / np.sqrt(2) + [0, 1, 0] - np.array([1, 0, 0])
    assert word == "queen"
    assert score == pytest.approx(total @ [0, 1, 1] / np.sqrt(2) / np.linalg.norm(total))
    ((word, score),) = neighbours(vectors, "king - man + woman", 1, method="3cosmul")
    half = 1 / np.sqrt(2) / 2
    assert word == "queen"  # cosines to king 1/2, to woman 1/sqrt 2, to man 0
    assert score == pytest.approx(0.75 * (0.5 + half) / (0.5 + 1e-6))


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # by Gensim itself
def test_answers_are_gensims(method: Any) -> None:
    """1,000 random questions at once: the same words, scores within 1e-5."""
    rng = np.random.default_rng(1)
    theirs = KeyedVectors(30)
    theirs.add_vectors([f"w{number}" for number in range(2000)], rng.standard_normal((2000, 30)).astype(np.float32))
    ask = theirs.most_similar if method == "3cosadd" else theirs.most_similar_cosmul
    asked = [[theirs.index_to_key[one] for one in rng.choice(len(theirs), 3, replace=False)] for _ in range(1000)]
    expressions = [Expression((b, c), (a,)) for a, b, c in asked[:500]] + [Expression((a,)) for a, *_ in asked[500:]]
    answers = Questions(Vectors.of(theirs), Options(5, method)).ask(expressions)
    for expression, answer in zip(expressions, answers, strict=True):
        expected = ask(list(expression.positive), list(expression.negative), topn=5)
        assert words_of(answer.neighbours) == words_of(expected)
        np.testing.assert_allclose(
            [score for _, score in answer.neighbours], [score for _, score in expected], atol=1e-5
        )


@pytest.mark.parametrize(
    ("text", "positive", "negative"),
    [
        ("man king woman", ("king", "woman"), ("man",)),
        ("king - man + woman", ("king", "woman"), ("man",)),
        ("king + queen", ("king", "queen"), ()),
        ("- man + king", ("king",), ("man",)),
        ("well-known - known + great", ("well-known", "great"), ("known",)),
        ("a - b - c + d + e", ("a", "d", "e"), ("b", "c")),
    ],
)
def test_analogies_are_parsed(text: str, positive: tuple[str, ...], negative: tuple[str, ...]) -> None:
    assert parse_analogy(text) == Expression(positive, negative)


@pytest.mark.parametrize("text", ["man king", "a b c d", "king - ", "king man + x", "- king", "a + - b", "+"])
def test_what_is_no_analogy(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_analogy(text)
    assert caught.value.exit_code == 2


def test_expressions_are_parsed(vectors: Vectors) -> None:
    assert parse("king") == Expression(("king",))
    assert parse("+") == Expression(("+",))
    assert parse("the old  king") == Expression(("the", "old", "king"))
    assert Questions(vectors).expression("new york") == Expression(("new york",))
    assert Questions(vectors).expression("new man") == Expression(("new", "man"))


def test_unknown_words(vectors: Vectors) -> None:
    for word, message in (
        ("quen", "quen: not in the vocabulary; did you mean queen?"),
        ("zzzzz", "zzzzz: not in the vocabulary"),
        ("paris", "paris: not in the vocabulary; did you mean Paris?"),
    ):
        with pytest.raises(UnknownWordError) as caught:
            neighbours(vectors, word)
        assert str(caught.value) == message


def test_ignoring_case_takes_the_most_frequent_spelling(vectors: Vectors) -> None:
    questions = Questions(vectors, Options(ignore_case=True))
    for asked, found in (("KING", "king"), ("King", "King"), ("paris", "Paris")):
        assert vectors.words[questions.find(asked)] == found
    with pytest.raises(UnknownWordError):
        questions.find("london")
    (answer,) = questions.ask([Expression(("KING", "Woman"), ("MAN",))])
    assert answer.neighbours[0][0] == "queen"
    assert answer.replaced == {"KING": "king", "Woman": "woman", "MAN": "man"}


def test_a_batch_answers_what_it_can(vectors: Vectors) -> None:
    expressions = [Expression(("nowhere",)), Expression(("king", "nowhere")), Expression(("quen",))]
    failed = Questions(vectors, Options(1)).ask([*expressions, Expression(("king",))])
    assert [answer.error is None for answer in failed] == [False, False, False, True]
    assert words_of(failed[3].neighbours) == ["King"]
    skipped = Questions(vectors, Options(1, unknown="skip")).ask(expressions)
    assert [words_of(answer.neighbours) for answer in skipped] == [[], ["King"], []]
    assert [answer.passed_over for answer in skipped] == [("nowhere",), ("nowhere",), ("quen",)]
    near = Questions(vectors, Options(1, unknown="nearest-spelling")).ask(expressions)
    assert [answer.replaced for answer in near] == [{}, {}, {"quen": "queen"}]
    assert isinstance(near[0].error, UnknownWordError)
    assert words_of(near[2].neighbours) == words_of(neighbours(vectors, "queen", 1))
    assert Questions(vectors).ask([]) == []


def test_an_index_is_asked_in_the_vectors_stead(vectors: Vectors) -> None:
    class Stub:
        def nearest(self, queries: Any, number: int, left_out: Any = (), among: int | None = None) -> list[Found]:
            np.testing.assert_allclose(queries, vectors.units(np.array([2])))
            assert (number, left_out, among) == (3, [[2]], 5)
            return [Found(np.array([4]), np.array([0.25], dtype=np.float32))]

    (answer,) = Questions(vectors, Options(3, among=5), Stub()).ask([Expression(("king",))])
    assert answer.neighbours == [("King", 0.25)]


def test_similarity_by_hand(vectors: Vectors) -> None:
    questions = Questions(vectors)

    def similarity(one: str, other: str) -> float:
        return questions.similarity(*(questions.known(questions.expression(text)) for text in (one, other)))

    assert similarity("king", "queen") == pytest.approx(0.5)
    assert similarity("king - man", "Paris") == pytest.approx(
        -np.sqrt(0.5) / np.linalg.norm([np.sqrt(0.5) - 1, 0, np.sqrt(0.5)])
    )
    assert similarity("new york", "king") == 0


def test_what_is_known_of_an_expression(vectors: Vectors) -> None:
    near = Questions(vectors, Options(unknown="nearest-spelling")).known(parse("quen - man"))
    assert (near.positive, near.negative, near.replaced) == ([3], [0], {"quen": "queen"})
    skipping = Questions(vectors, Options(unknown="skip"))
    assert skipping.known(parse("king + nowhere")).passed_over == ("nowhere",)
    with pytest.raises(UnknownWordError, match="nowhere: no word of it is in the vocabulary"):
        skipping.known(parse("nowhere"))


def test_the_odd_one_is_gensims(lee_run: Path) -> None:
    theirs: KeyedVectors = Word2Vec.load(str(lee_run / "model" / "word2vec.model")).wv
    questions = Questions(load(lee_run))
    rng = np.random.default_rng(2)
    for _ in range(50):
        words = [theirs.index_to_key[number] for number in rng.choice(len(theirs), 5, replace=False)]
        ranked = questions.odd_one_out(questions.known(Expression(tuple(words))))
        scores = {word: score for score, word in theirs.rank_by_centrality(words, use_norm=True)}
        assert dict(ranked) == pytest.approx(scores, abs=1e-6)
        assert words_of(ranked)[0] == theirs.doesnt_match(words)


def test_the_vector_of_several_words_is_the_sum_of_their_unit_vectors(vectors: Vectors) -> None:
    questions = Questions(vectors)
    assert questions.vector(questions.known(parse("king"))).tolist() == [1, 0, 1]
    total = questions.vector(questions.known(parse("king + man")))
    np.testing.assert_allclose(total, [1 + np.sqrt(0.5), 0, np.sqrt(0.5)], rtol=1e-6)
