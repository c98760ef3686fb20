"""Words that are spelt like one that is not there: in another case, or with a few letters changed."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from w2vcli.words import Words

_LOOKED_THROUGH = 200_000  # most frequent words, for a misspelt one
_BINS = 32  # of letters, by their code points


class Spellings:
    """The words of a vocabulary by their spelling; what it needs is made when it is first asked."""

    def __init__(self, words: Words) -> None:
        self._words = words

    @cached_property
    def _by_folded(self) -> dict[str, int]:
        numbers: dict[str, int] = {}
        for number, word in enumerate(self._words):
            numbers.setdefault(word.casefold(), number)
        return numbers

    def in_another_case(self, word: str) -> int | None:
        """Return the number of the most frequent word that differs from `word` only in case, or None."""
        return self._by_folded.get(word.casefold())

    def nearest(self, word: str, number: int = 3) -> list[str]:
        """Return up to `number` words with the fewest edits from `word`, case aside; the more frequent first.

        An edit adds, drops or changes a letter, or swaps two neighbours. One is allowed in words of up to four
        letters, two in longer ones.
        """
        folded = word.casefold()
        allowed = 1 if len(folded) <= 4 else 2
        apart = np.abs(self._letters - _letters_of([folded])).sum(axis=1)  # an edit changes two counts at most
        found: dict[str, tuple[int, int]] = {}
        for place in np.flatnonzero(apart <= 2 * allowed).tolist():
            candidate = self._folded[place]
            if candidate not in found and (edits := edits_between(folded, candidate, allowed)) is not None:
                found[candidate] = edits, place
        return [self._words[place] for _, place in sorted(found.values())[:number]]

    @cached_property
    def _folded(self) -> list[str]:
        return [word.casefold() for word in self._words[:_LOOKED_THROUGH]]

    @cached_property
    def _letters(self) -> NDArray[np.int16]:
        return _letters_of(self._folded)


def _letters_of(words: list[str]) -> NDArray[np.int16]:
    """Return how often a word has the letters of each bin, int16 (n, bins); of very long words only the start."""
    starts = [word[:1000] for word in words]
    letters = np.frombuffer("".join(starts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    word = np.repeat(np.arange(len(words)), [len(start) for start in starts])
    counts = np.bincount(word * _BINS + letters % _BINS, minlength=len(words) * _BINS)
    return counts.reshape(len(words), _BINS).astype(np.int16)


def edits_between(one: str, other: str, most: int) -> int | None:
    """Return the number of edits between two words, or None if they are more than `most`.

    The optimal string alignment distance, a row of its table at a time.

    >>> edits_between("the", "teh", 2), edits_between("king", "kin", 2), edits_between("king", "queen", 2)
    (1, 1, None)
    """
    if abs(len(one) - len(other)) > most:
        return None
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, opposite in enumerate(other, 1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != opposite))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == opposite:
                least = min(least, last[j - 2] + 1)
            row.append(least)
        if min(row) > most:
            return None
    return row[-1] if row[-1] <= most else None
