"""Counts pairs of words that follow each other, with or without connector words between them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vcli.corpus import Ids

DELIMITER = "_"

Integers = NDArray[np.int64]


class Pairs(NamedTuple):
    """Distinct pairs of words with what stands between, and how often each occurs; int64 (n,) each."""

    between: Integers
    """Number of the connector words between the two; 0: none."""
    words: Integers
    """The number of the first word in the high half, that of the second in the low one."""
    counts: Integers

    @classmethod
    def summed(cls, between: Integers, words: Integers, counts: Integers) -> Pairs:
        """Return the distinct ones of pairs, sorted, with the sums of their counts."""
        order = np.lexsort((words, between))
        between, words = between[order], words[order]
        is_first = np.ones(len(words), dtype=np.bool_)
        is_first[1:] = (words[1:] != words[:-1]) | (between[1:] != between[:-1])
        first = np.flatnonzero(is_first)
        sums = np.add.reduceat(counts[order], first) if len(first) else counts
        return cls(between[first], words[first], sums)


_NONE = Pairs(*(np.zeros(0, dtype=np.int64) for _ in Pairs._fields))


class PairCounter:
    """Counts the pairs of words in sentences of numbers.

    A pair is two words of a sentence that are no connector words and have nothing but connector words between them,
    if anything. It takes 24 bytes of memory for each distinct pair, and about 90 while counts are summed up.

    Args:
        connectors: numbers below this are those of connector words.
        max_pairs: when there are more distinct pairs, the rarest are dropped until half as many are left.
    """

    _BATCH = 1 << 22  # pairs summed up at once

    def __init__(self, connectors: int, max_pairs: int) -> None:
        self.between: list[tuple[int, ...]] = [()]
        """The connector words that each number in `Pairs.between` stands for."""
        self.dropped = 0
        """Distinct pairs dropped; one that came again counts again."""
        self._numbers: dict[tuple[int, ...], int] = {(): 0}
        self._connectors = connectors
        self._single = np.array([self._number((number,)) for number in range(connectors)], dtype=np.int64)
        self._max_pairs = max_pairs
        self._summed = _NONE
        self._new: list[Pairs] = []
        self._waiting = 0
        self._rest: Ids = np.zeros(0, dtype=np.int32)  # of a sentence that goes on, its last word and what follows it

    def _number(self, connectors: tuple[int, ...]) -> int:
        number = self._numbers.setdefault(connectors, len(self.between))
        if number == len(self.between):
            self.between.append(connectors)
        return number

    def add(self, numbers: Ids, lengths: Integers) -> None:
        """Count the pairs in more sentences.

        Args:
            numbers: words, int32 (n,).
            lengths: the words of each sentence that ends, int64 (s,); those after the last go on in the next call.
        """
        numbers = np.concatenate((self._rest, numbers))
        lengths = np.append(lengths, 0)
        lengths[0] += len(self._rest)
        lengths[-1] += len(numbers) - lengths.sum()
        sentence = np.repeat(np.arange(len(lengths)), lengths)
        places = np.flatnonzero(numbers >= self._connectors)
        self._rest = numbers[places[-1] :] if len(places) and sentence[places[-1]] == len(lengths) - 1 else numbers[:0]
        is_pair = sentence[places[:-1]] == sentence[places[1:]]
        first, second = places[:-1][is_pair], places[1:][is_pair]
        words = numbers[first].astype(np.int64) << 32 | numbers[second]
        new = Pairs.summed(self._between(numbers, first, second), words, np.ones(len(words), dtype=np.int64))
        self._new.append(new)
        self._waiting += len(new.counts)
        if self._waiting > max(self._BATCH, len(self._summed.counts) // 4):
            self._sum_up()

    def _between(self, numbers: Ids, first: Integers, second: Integers) -> Integers:
        """Return the number of what stands between the words at two places, for each pair."""
        between = np.zeros(len(first), dtype=np.int64)
        gap = second - first - 1
        one = gap == 1
        between[one] = self._single[numbers[first[one] + 1]]
        for pair in np.flatnonzero(gap > 1).tolist():
            between[pair] = self._number(tuple(numbers[first[pair] + 1 : second[pair]].tolist()))
        return between

    def _sum_up(self) -> None:
        between, words, counts = map(np.concatenate, zip(self._summed, *self._new, strict=True))
        self._summed, self._new, self._waiting = _NONE, [], 0  # or memory would hold them once more
        self._summed = Pairs.summed(between, words, counts)
        if len(self._summed.counts) > self._max_pairs:
            self._drop_rarest(self._max_pairs // 2)

    def _drop_rarest(self, target: int) -> None:
        """Drop all pairs up to that count which leaves no more than `target`."""
        counts = self._summed.counts
        limit = np.partition(counts, len(counts) - target - 1)[len(counts) - target - 1]
        stay = counts > limit
        self.dropped += len(counts) - int(stay.sum())
        self._summed = Pairs(*(column[stay] for column in self._summed))

    def finish(self) -> Pairs:
        """Return the pairs."""
        self._sum_up()
        return self._summed


# ---------------------------------------------------------------- equal when joined

_FACTOR = 0x9E3779B97F4A7C15
_64_BITS = (1 << 64) - 1


class Spelt(NamedTuple):
    """Hashes of strings of which longer ones can be made, uint64 (n,) each.

    A string is split at the delimiter, and its hash the polynomial of the hashes of its parts, modulo 2^64.
    """

    hashes: NDArray[np.uint64]
    factors: NDArray[np.uint64]
    """What the hash of a string before is to be multiplied by."""

    @classmethod
    def of(cls, texts: Sequence[Sequence[str]]) -> Spelt:
        """Return the hashes of sequences of tokens, joined by the delimiter."""
        spelt = [_polynomial([part for token in tokens for part in token.split(DELIMITER)]) for tokens in texts]
        pairs = np.array(spelt, dtype=np.uint64).reshape(-1, 2)
        return cls(pairs[:, 0], pairs[:, 1])

    def then(self, other: Spelt) -> Spelt:
        """Return the hashes of each string, the delimiter, and the other one at its place."""
        return Spelt(self.hashes * other.factors + other.hashes, self.factors * other.factors)

    def taken(self, places: Integers) -> Spelt:
        """Return those at `places`."""
        return Spelt(self.hashes[places], self.factors[places])


def _polynomial(parts: Sequence[str]) -> tuple[int, int]:
    total, factor = 0, 1
    for part in parts:
        digest = hashlib.blake2b(part.encode(), digest_size=8).digest()
        total = (total * _FACTOR + int.from_bytes(digest, "little")) & _64_BITS
        factor = factor * _FACTOR & _64_BITS
    return total, factor
