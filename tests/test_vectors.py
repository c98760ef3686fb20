from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given
from hypothesis import strategies as st

from w2vcli import vectors as module
from w2vcli.vectors import Vectors
from w2vcli.words import ListedWords, stored


def of(rows: Any, **more: Any) -> Vectors:
    return Vectors(ListedWords([f"w{number}" for number in range(len(rows))]), np.array(rows, dtype=np.float32), **more)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True), st.text())
def test_stored_words_are_found_as_listed_ones(words: list[str], other: str) -> None:
    table, listed = stored(words), ListedWords(words)
    assert list(table) == list(listed) == table[:] == words
    assert [table.find(word) for word in words] == list(range(len(words)))
    assert table.find(other) == listed.find(other)
    assert (other in table) == (other in words)
    if words:
        assert table[-1] == words[-1]
    with pytest.raises(IndexError):
        table[len(words)]


def test_of_a_word_that_is_there_twice_the_first_counts() -> None:
    assert ListedWords(["b", "a", "b"]).find("b") == 0


def test_the_nearest_by_hand() -> None:
    """The cosines to (3, 4) are 1, 0.6, 0.8, -1; zeros have 0; equal ones in the order of the vocabulary."""
    vectors = of([[6, 8], [1, 0], [0, 9], [-3, -4], [0, 0], [2, 0]])
    (found,) = vectors.nearest(np.array([[3, 4]], dtype=np.float32), 10)
    assert found.ids.tolist() == [0, 2, 1, 5, 4, 3]
    np.testing.assert_allclose(found.scores, [1, 0.8, 0.6, 0.6, 0, -1], atol=1e-7)
    (found,) = vectors.nearest(np.array([[3, 4]], dtype=np.float32), 2, [[0, 1]], among=5)
    assert found.ids.tolist() == [2, 4]


def test_the_nearest_by_product_by_hand() -> None:
    """Cosines 1, 0 and 0.6, 0.8 move to 1, 0.5 and 0.8, 0.9: 0.8 / (0.9 + 1e-6)."""
    vectors = of([[1, 0], [0, 1], [3, 4], [0, -2]])
    (found,) = vectors.nearest_by_product([[0]], [[1]], 5, [[0, 1]])
    assert found.ids.tolist() == [3, 2]
    np.testing.assert_allclose(found.scores, [0.5 / 1e-6, 0.8 / (0.9 + 1e-6)], rtol=1e-6)


def test_of_equal_ones_the_first_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = of(np.ones((5000, 2)))
    for piece_bytes in (1 << 10, 1 << 30):
        monkeypatch.setattr(module, "_PIECE_BYTES", piece_bytes)
        (found,) = vectors.nearest(np.ones((1, 2), dtype=np.float32), 5, [[0]])
        assert found.ids.tolist() == [1, 2, 3, 4, 5]


def test_what_does_not_belong_together() -> None:
    rows = np.ones((2, 3), dtype=np.float32)
    words = ListedWords(["a", "b"])
    wrong: list[Any] = [
        (rows[0],),
        (rows.astype(int),),
        (rows, np.ones(3, dtype=np.float32)),
        (rows, np.ones((2, 1), dtype=np.float32)),
        (rows, None, None, np.ones(2)),
        (np.ones((2, 3), dtype=np.int8), None, None),
    ]
    for parts in wrong:
        with pytest.raises(ValueError, match="vectors"):
            Vectors(words, *parts)
    with pytest.raises(ValueError, match="the lengths are not those of the vectors"):
        Vectors(words, rows, np.array([1, 9], dtype=np.float32)).check_norms()


@pytest.fixture(scope="module")
def gensim_vectors() -> KeyedVectors:
    rng = np.random.default_rng(5)
    made = KeyedVectors(20)
    made.add_vectors([f"w{number}" for number in range(3000)], rng.standard_normal((3000, 20)).astype(np.float32))
    return made


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # by Gensim itself
@pytest.mark.parametrize("piece_bytes", [1 << 10, 1 << 16, 1 << 30])
@pytest.mark.parametrize("norms_known", [True, False])
def test_answers_are_gensims(
    gensim_vectors: KeyedVectors, monkeypatch: pytest.MonkeyPatch, piece_bytes: int, norms_known: bool
) -> None:
    """Whatever the pieces are, of many questions at once: those words, with those scores."""
    monkeypatch.setattr(module, "_PIECE_BYTES", piece_bytes)
    vectors = of(gensim_vectors.vectors)
    if norms_known:
        assert vectors.norms.tolist() == pytest.approx(np.linalg.norm(gensim_vectors.vectors, axis=1).tolist())
    rng = np.random.default_rng(6)
    asked = [rng.choice(3000, 3, replace=False).tolist() for _ in range(60)]
    positive, negative = [[b, c] for _, b, c in asked], [[a] for a, *_ in asked]
    units = vectors.units(np.arange(3000))
    queries = np.stack([units[b] + units[c] - units[a] for a, b, c in asked])
    for among in (None, 700):
        sums = vectors.nearest(queries, 7, asked, among)
        products = vectors.nearest_by_product(positive, negative, 7, asked, among)
        for place, (near, far) in enumerate(zip(positive, negative, strict=True)):
            question = {"positive": [f"w{one}" for one in near], "negative": [f"w{one}" for one in far]}
            by_product = gensim_vectors.most_similar_cosmul(**question, topn=3000)  # it passes restrict_vocab over
            by_product = [answer for answer in by_product if int(answer[0][1:]) < (among or 3000)][:7]
            for ours, theirs in (
                (sums[place], gensim_vectors.most_similar(**question, topn=7, restrict_vocab=among)),
                (products[place], by_product),
            ):
                assert [f"w{one}" for one in ours.ids] == [word for word, _ in theirs]
                np.testing.assert_allclose(ours.scores, [score for _, score in theirs], atol=1e-5)


def test_rows_of_other_kinds() -> None:
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((500, 12)).astype(np.float32)
    scales = (np.abs(rows).max(axis=1) / 127).astype(np.float32)
    (exact,) = of(rows).nearest(rows[:1], 5)
    kinds: list[tuple[Any, Any, float]] = [(rows.astype(np.float64), None, 0), (rows.astype(np.float16), None, 1e-3)]
    kinds.append((np.rint(rows / scales[:, None]).astype(np.int8), scales, 1e-2))
    for stored_rows, scales_, tolerance in kinds:
        vectors = Vectors(ListedWords(list(map(str, range(500)))), stored_rows, scales=scales_)
        (found,) = vectors.nearest(vectors.take(np.array([0])), 5)
        assert found.ids.tolist() == exact.ids.tolist()
        np.testing.assert_allclose(found.scores, exact.scores, atol=tolerance + 1e-6)
        assert vectors.take(slice(0, 2)).dtype == np.float32


def test_nothing_to_ask() -> None:
    vectors = of(np.zeros((0, 3)))
    assert len(vectors.norms) == 0
    assert [found.ids.tolist() for found in vectors.nearest(np.ones((2, 3), dtype=np.float32), 5)] == [[], []]
    assert of([[1, 2]]).nearest(np.zeros((0, 2), dtype=np.float32), 3) == []
    with pytest.raises(ValueError, match="2 words, but 1 vectors"):
        Vectors(ListedWords(["a", "b"]), np.zeros((1, 2)))
