"""Words and their vectors, ready to be asked: what a word's vector is, and which words are nearest.

NumPy alone, and nothing is read that a question does not need: rows may be a memory map, words bytes in one. Rows are
looked through in pieces that stay in a processor's cache, for many questions at once with one matrix product a piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vcli.words import ListedWords, Words, listed

Ids = NDArray[np.int64]
Rows = NDArray[np.float32]

_PIECE_BYTES = 1 << 23
"""Of rows, or of scores, at once."""
_FEWEST_ROWS = 256
_LOOKED_AT = 8  # vectors, to see whether lengths are theirs
COSMUL_EPSILON = np.float32(1e-6)  # of 3CosMul, added to the divisor


class Found(NamedTuple):
    """An answer: numbers of words, int64 (n,), best first, and their scores, float32 (n,)."""

    ids: Ids
    scores: Rows


class Vectors:
    """Words and their vectors.

    Args:
        words: n of them.
        rows: (n, d): float32, or another kind of float; or int8, with scales.
        norms: float32 (n,), the lengths of the vectors, if they are known.
        scales: float32 (n,), what the rows of int8 are multiplied by.
        counts: int64 (n,), how often the words were in the text, if that is known.

    Raises:
        ValueError: when they do not belong together.
    """

    def __init__(
        self,
        words: Words,
        rows: NDArray[Any],
        norms: Rows | None = None,
        scales: Rows | None = None,
        counts: Ids | None = None,
    ) -> None:
        if rows.ndim != 2 or rows.dtype.kind not in "fi" or (rows.dtype.kind == "i") != (scales is not None):
            raise ValueError(f"vectors of {rows.dtype}, {rows.ndim}-dimensional")
        if len(words) != len(rows):
            raise ValueError(f"{len(words)} words, but {len(rows)} vectors")
        for part, kind in ((norms, "f"), (scales, "f"), (counts, "i")):
            if part is not None and (part.shape != (len(rows),) or part.dtype.kind != kind):
                raise ValueError(f"{len(rows)} vectors, but {part.shape} {part.dtype} of what belongs to them")
        self.words, self.rows, self.scales, self.counts = words, rows, scales, counts
        self._norms, self._norms_known = norms, norms is not None

    @classmethod
    def of(cls, keyed_vectors: Any) -> Vectors:
        """Return those of a gensim KeyedVectors, not copied."""
        words = listed(keyed_vectors.index_to_key)
        return cls(words, keyed_vectors.vectors, counts=counts_of(keyed_vectors.expandos, len(words)))

    def to_gensim(self) -> Any:
        """Return a gensim KeyedVectors of them, float32."""
        from gensim.models import KeyedVectors

        made = KeyedVectors(self.dimensions)
        made.index_to_key, made.vectors = list(self.words), self.take(slice(None))
        made.key_to_index = {word: number for number, word in enumerate(made.index_to_key)}
        if self.counts is not None:
            made.expandos["count"] = np.array(self.counts)
        return made

    def __bool__(self) -> bool:
        return True  # whatever there is

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, word: str) -> Rows:
        """Return a word's vector, float32 (d,).

        Raises:
            KeyError: when there is none.
        """
        number = self.words.find(word)
        if number is None:
            raise KeyError(word)
        vector: Rows = self.take(np.array([number]))[0]
        return vector

    @property
    def dimensions(self) -> int:
        """The length of a vector's list of numbers, d."""
        return int(self.rows.shape[1])

    def take(self, ids: Ids | slice) -> Rows:
        """Return the vectors of these words, float32 (n, d)."""
        rows = np.asarray(self.rows[ids], dtype=np.float32)
        return rows if self.scales is None else rows * self.scales[ids, None]

    def in_blocks(self) -> Iterator[Rows]:
        """Yield the vectors in their order, float32 (some, d)."""
        return (self.take(piece) for piece in self._pieces(len(self), 1))

    def only(self, ids: Ids) -> Vectors:
        """Return these words with their vectors."""
        norms = self._norms if self._norms_known else None
        parts: list[Any] = [part if part is None else part[ids] for part in (norms, self.scales, self.counts)]
        return Vectors(ListedWords([self.words[number] for number in ids.tolist()]), self.rows[ids], *parts)

    def units(self, ids: Ids | slice) -> Rows:
        """Return the vectors of these words divided by their lengths, float32 (n, d); zeros stay zeros."""
        return unit_rows(self.take(ids))

    @property
    def norms(self) -> Rows:
        """The lengths of the vectors, float32 (n,)."""
        if not self._norms_known:
            for piece in self._pieces(len(self), 1):
                self._norms_in(piece)
        return np.zeros(0, dtype=np.float32) if self._norms is None else np.asarray(self._norms)

    def check_norms(self) -> None:
        """Compare some of the lengths, which came from a file, with those of the vectors.

        Raises:
            ValueError: when they are of others.
        """
        if self._norms is None or not len(self):
            return
        some = np.linspace(0, len(self) - 1, _LOOKED_AT).astype(np.int64)
        if not np.allclose(norms_of(self.take(some)), self._norms[some], rtol=1e-3):  # of int8 they may be rounded
            raise ValueError("the lengths are not those of the vectors")

    # ------------------------------------------------------------ the nearest

    def nearest(
        self, queries: Rows, number: int, left_out: Sequence[Sequence[int]] = (), among: int | None = None
    ) -> list[Found]:
        """Return, for each query, the words whose vectors have the largest cosine similarity to it.

        Args:
            queries: float32 (q, d), of any length.
            number: so many words, or as many as there are.
            left_out: words that are no answer, for each query.
            among: only of the first so many words.
        """
        queries = unit_rows(queries)

        def scores(piece: slice) -> Rows:
            found = queries @ self.take(piece).T
            found /= _or_1(self._norms_in(piece))
            return np.asarray(found)

        return self._best(scores, len(queries), number, left_out, among, len(queries))

    def nearest_by_product(
        self,
        positive: Sequence[Sequence[int]],
        negative: Sequence[Sequence[int]],
        number: int,
        left_out: Sequence[Sequence[int]] = (),
        among: int | None = None,
    ) -> list[Found]:
        """Return, for each query, the words with the largest 3CosMul.

        That is the product of the cosine similarities to its positive words over that to its negative ones, each moved
        to lie between 0 and 1, and 1e-6 added to the divisor (Levy and Goldberg 2014,
        https://aclanthology.org/W14-1618).

        Args:
            positive: numbers of words, for each query; as are `negative`.
            number: so many words, or as many as there are.
            left_out: words that are no answer, for each query.
            among: only of the first so many words.
        """
        asked = np.unique(np.concatenate([np.asarray(ids, dtype=np.int64) for ids in (*positive, *negative)]))
        units = self.units(asked)
        place = {int(word): at for at, word in enumerate(asked)}

        def scores(piece: slice) -> Rows:
            cosines = units @ self.take(piece).T
            cosines /= _or_1(self._norms_in(piece))
            moved = shifted(cosines)
            product = np.ones((len(positive), cosines.shape[1]), dtype=np.float32)
            for query, (near, far) in enumerate(zip(positive, negative, strict=True)):
                product[query] = moved[[place[word] for word in near]].prod(axis=0)
                product[query] /= moved[[place[word] for word in far]].prod(axis=0) + COSMUL_EPSILON
            return product

        return self._best(scores, len(positive), number, left_out, among, len(positive) + len(asked))

    def _best(
        self,
        scores: Callable[[slice], Rows],
        queries: int,
        number: int,
        left_out: Sequence[Sequence[int]],
        among: int | None,
        width: int,
    ) -> list[Found]:
        """Return the best words of each query by the scores, (q, n), that a function gives piece by piece."""
        best = [Found(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)) for _ in range(queries)]
        keep = number + max(map(len, left_out), default=0)
        floor = np.full((queries, 1), -np.inf, dtype=np.float32)
        for piece in self._pieces(len(self) if among is None else min(among, len(self)), width):
            found = scores(piece)
            better = found > floor
            for query in np.flatnonzero(better.any(axis=1)).tolist():
                places = np.flatnonzero(better[query])
                best[query] = _merged(best[query], Found(places + piece.start, found[query, places]), keep)
                if len(best[query].ids) >= keep:
                    floor[query] = best[query].scores.min()
        return [_sorted(answer, left_out[query] if left_out else (), number) for query, answer in enumerate(best)]

    def _pieces(self, number: int, width: int) -> Iterator[slice]:
        """Yield the first so many rows in pieces that are small, and whose scores for `width` queries are."""
        rows = max(_FEWEST_ROWS, _PIECE_BYTES // (4 * max(self.dimensions, width)))
        for first in range(0, number, rows):
            yield slice(first, min(first + rows, number))

    def _norms_in(self, piece: slice) -> Rows:
        """Return the lengths of some vectors, computed when they are first needed."""
        if self._norms is None:
            self._norms = np.full(len(self), np.nan, dtype=np.float32)
        norms = np.asarray(self._norms[piece])
        if not self._norms_known:
            missing = np.isnan(norms)
            if missing.any():
                norms[missing] = norms_of(self.take(piece))[missing]
                self._norms[piece] = norms
        return norms


def _merged(one: Found, other: Found, keep: int) -> Found:
    """Return the best of two answers, of which the first has the smaller numbers; of equal ones, those come first."""
    ids, scores = np.concatenate([one.ids, other.ids]), np.concatenate([one.scores, other.scores])
    if len(ids) > keep:
        least = np.partition(scores, -keep)[-keep] if keep else np.inf
        wanted = scores > least
        equal = np.flatnonzero(scores == least)[: keep - int(wanted.sum())]
        wanted[equal] = True
        ids, scores = ids[wanted], scores[wanted]
    return Found(ids, scores)


def _sorted(found: Found, left_out: Sequence[int], number: int) -> Found:
    wanted = ~np.isin(found.ids, np.asarray(left_out, dtype=np.int64))
    ids, scores = found.ids[wanted], found.scores[wanted]
    order = np.lexsort((ids, -scores))[:number]
    return Found(ids[order], scores[order])


def shifted(cosines: Rows) -> Rows:
    """Return cosine similarities moved to lie between 0 and 1, as 3CosMul multiplies them."""
    return np.asarray((1 + cosines) / 2, dtype=np.float32)


def counts_of(expandos: Any, number: int) -> Ids | None:
    """Return the counts of so many words from what Gensim keeps beside vectors, or None."""
    counts = expandos.get("count") if isinstance(expandos, dict) else None
    known = isinstance(counts, np.ndarray) and counts.shape == (number,) and counts.dtype.kind == "i"
    return counts if known else None


def norms_of(rows: Rows) -> Rows:
    """Return the lengths of rows, float32 (n,)."""
    norms: Rows = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return norms


def unit_rows(rows: Rows) -> Rows:
    """Return the rows (n, d) divided by their lengths; a row of zeros stays one."""
    units: Rows = rows / _or_1(norms_of(rows))[:, None]
    return units


def _or_1(norms: Rows) -> Rows:
    return np.where(norms > 0, norms, np.float32(1))
