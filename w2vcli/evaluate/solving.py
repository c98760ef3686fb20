"""Solving analogies, many at once.

The cosine similarities of the words of all questions to a piece of the vocabulary are one matrix product, whose rows
are then combined for each question: the words of a test set are few, its questions many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from w2vcli.evaluate.questions import KnownWords
from w2vcli.vectors import COSMUL_EPSILON, Ids, Rows, shifted

_PIECE_BYTES = 1 << 22
"""Of similarities at once, and of scores: what stays in a processor's cache."""
_LEAST_PIECE = 64
_MOST_AT_ONCE = 128
_LOOKED_AT = 5  # of the best words, as Gensim does


def _sum(cosines: Rows, a: Ids, b: Ids, c: Ids) -> Rows:
    """3CosAdd (Mikolov et al. 2013, https://aclanthology.org/N13-1090): cos(x, b) - cos(x, a) + cos(x, c)."""
    scores: Rows = cosines[b]
    scores -= cosines[a]
    scores += cosines[c]
    return scores


def _product(moved: Rows, a: Ids, b: Ids, c: Ids) -> Rows:
    """3CosMul (Levy and Goldberg 2014, https://aclanthology.org/W14-1618), of cosines moved to lie between 0 and 1."""
    scores: Rows = moved[b]
    scores *= moved[c]
    scores /= moved[a] + COSMUL_EPSILON
    return scores


METHODS: dict[str, tuple[Callable[[Rows], Rows], Callable[[Rows, Ids, Ids, Ids], Rows]]] = {
    "3cosadd": (lambda cosines: cosines, _sum),
    "3cosmul": (shifted, _product),
}
"""Of each method, what it makes of cosine similarities, and of the rows of those of a, b and c."""


def solve(known: KnownWords, questions: Ids) -> Ids:
    """Return the answer of each question, int64 (n,): a, b and c in any of their spellings are none; -1 if all are.

    A word of several spellings is given as its most frequent one.

    As Gensim, it looks at the best five words besides a, b and c: when all five are other spellings of these, the last
    of them is the answer.

    Args:
        known: the words, of which one is the answer.
        questions: a, b and c, int64 (n, 3).
    """
    spellings = _Spellings(known, questions)
    asked, places = np.unique(questions, return_inverse=True)
    places = places.reshape(questions.shape)
    units = known.units(asked)
    best, answers = np.full(len(questions), -np.inf, dtype=np.float32), np.full(len(questions), -1)
    prepared, combined = METHODS[known.asking.method]
    for piece in _pieces(len(known), len(asked)):
        cosines = prepared(units @ known.units(piece).T)
        rows, ids = spellings.within(piece)
        for first in range(0, len(questions), _MOST_AT_ONCE):
            batch = slice(first, first + _MOST_AT_ONCE)
            scores = combined(cosines, *places[batch].T)
            here = slice(*np.searchsorted(rows, [first, first + _MOST_AT_ONCE]))
            scores[rows[here] - first, ids[here] - piece.start] = -np.inf
            at = scores.argmax(axis=1)
            highest = scores[np.arange(len(at)), at]
            better = highest > best[batch]
            best[batch][better] = highest[better]
            answers[batch][better] = at[better] + piece.start
    for number, others in spellings.many():
        cosines = prepared(known.units(questions[number]) @ known.units(others).T)
        (scores,) = combined(cosines, *np.arange(3)[:, None])
        last = np.argsort(-scores, kind="stable")[_LOOKED_AT - 1]
        if scores[last] > best[number]:
            answers[number] = others[last]
    return np.where(answers < 0, -1, known.same[answers])


def _pieces(number: int, width: int) -> Iterator[slice]:
    """Yield the first so many words in pieces whose similarities to `width` words are not large."""
    length = max(_LEAST_PIECE, _PIECE_BYTES // (4 * max(width, _MOST_AT_ONCE)))
    for first in range(0, number, length):
        yield slice(first, min(first + length, number))


class _Spellings:
    """The words that each question gives, in all their spellings: numbers of questions, and of words."""

    def __init__(self, known: KnownWords, questions: Ids) -> None:
        order = np.argsort(known.same, kind="stable")
        starts = np.searchsorted(known.same[order], np.arange(len(known) + 1))
        firsts, sizes = starts[questions.ravel()], np.diff(starts)[questions.ravel()]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        self._questions = questions
        self._rows = np.repeat(np.arange(len(questions)).repeat(3), sizes)
        self._ids = order[np.repeat(firsts, sizes) + within]
        self._by_id = np.argsort(self._ids, kind="stable")

    def within(self, piece: slice) -> tuple[Ids, Ids]:
        """Return those whose words are in a piece, in the order of the questions."""
        first, last = np.searchsorted(self._ids, [piece.start, piece.stop], sorter=self._by_id)
        places = np.sort(self._by_id[first:last])
        return self._rows[places], self._ids[places]

    def many(self) -> Iterator[tuple[int, Ids]]:
        """Yield the questions whose words have many other spellings, and those."""
        sizes = np.bincount(self._rows, minlength=len(self._questions))
        ends = np.cumsum(sizes)
        for number in np.flatnonzero(sizes >= _LOOKED_AT + 1).tolist():
            others = np.setdiff1d(self._ids[ends[number] - sizes[number] : ends[number]], self._questions[number])
            if len(others) >= _LOOKED_AT:
                yield number, others
