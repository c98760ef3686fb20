"""What becomes of the changes that several workers have made to the same rows, each in its own copy of a model.

Each worker trains a while and then says by how much its rows differ from what they all began with: their deltas. How
they are put together decides the quality. Their mean moves rows that only a few have touched too slowly; their sum
moves those that all have touched many times far beyond where they should go, until nothing is left of the model.

**The rule.** Let a row be pulled towards some place, each update covering a share 1/tau of what is left of the way.
After u updates it has covered 1 - exp(-u/tau) of it. Workers that began at the same place, with u_1 ... u_t updates,
have deltas of these shares of the same way; one worker with all their updates would have covered
1 - exp(-(u_1 + ... + u_t)/tau). So the sum of the deltas is taken times

    f = (1 - exp(-(u_1 + ... + u_t)/tau)) / ((1 - exp(-u_1/tau)) + ... + (1 - exp(-u_t/tau)))

which is 1 (the sum) for rows with few updates, and 1/t (the mean) for those with many. Measured on novels, tau = TAU is
about the best for skip-gram with four to eight workers; with larger ones it diverges, the sooner the more there are.
Rows with many updates in a round are exchanged several times in it (`Rule.is_hot`): they are few, and it is they that
suffer most from workers that know nothing of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vcli.vocab import keep_probabilities, noise_probabilities

TAU = 500.0
HOT_UPDATES = 10.0
"""Rows with more expected updates between two exchanges of hot rows are hot."""
_SCALE = 1024.0  # of float16: most deltas would be too small for it
_LOOKED_AT = 16  # columns, 64 bytes, that tell whether a row was changed

Rows = NDArray[np.int32]
Floats = NDArray[np.float64]


class Deltas(NamedTuple):
    """By how much rows of one matrix have changed."""

    rows: Rows
    """In ascending order, int32 (n,)."""
    values: NDArray[Any]
    """float32 (n, d), or float16 (n, d) times 1024."""

    @property
    def nbytes(self) -> int:
        """Bytes, as they go over the wire."""
        return self.rows.nbytes + self.values.nbytes

    def of_shard(self, shard: int, shards: int) -> Deltas:
        """Return those whose row, divided by `shards`, leaves `shard`."""
        mine = self.rows % shards == shard
        return Deltas(self.rows[mine], self.values[mine])

    def floats(self) -> NDArray[np.float32]:
        """Return the values as they are, float32 (n, d)."""
        if self.values.dtype == np.float16:
            return self.values.astype(np.float32) / np.float32(_SCALE)
        return np.asarray(self.values, dtype=np.float32)


def packed(rows: Rows, values: NDArray[np.float32], dtype: str) -> Deltas:
    """Return deltas with their values as `dtype`: float32 or float16."""
    return Deltas(rows, (values * np.float32(_SCALE)).astype(np.float16) if dtype == "float16" else values)


def changed(now: NDArray[np.float32], before: NDArray[np.float32], among: Rows | None = None) -> Rows:
    """Return the rows of a matrix that are other than before, of all or of some.

    Only their first numbers are looked at: an update changes all of them, or as good as never none of these.
    """
    here = now[:, :_LOOKED_AT] if among is None else now[among, :_LOOKED_AT]
    there = before[:, :_LOOKED_AT] if among is None else before[among, :_LOOKED_AT]
    found = np.flatnonzero((here != there).any(axis=1)).astype(np.int32)
    return found if among is None else among[found]


@dataclass(frozen=True)
class Rule:
    """How deltas of one model are put together; see the module.

    `rates`: of each matrix, the expected updates of every row for a word of text, float64 (V,).
    `is_hot`: of each matrix, whether a row is exchanged after every step of a round, bool (V,).
    """

    rates: tuple[Floats, Floats]
    is_hot: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    draws: Floats | None = None
    """Of output rows: how often a word of text has them stepped where contexts share their noise; if not as `rates`."""
    tau: float = TAU

    @classmethod
    def of(cls, model: Any, step_words: float) -> Rule:
        """Return the rule for a Gensim model: how often its words occur, how they are trained, so many words a step."""
        counts = model.wv.expandos["count"]
        kept = counts * keep_probabilities(counts, model.sample) / counts.sum()
        around = model.window + 1 if model.shrink_windows else 2 * model.window  # contexts of a centre
        examples = kept * (around if model.sg else 1)  # in which the word is the positive one
        noise = noise_probabilities(counts, model.ns_exponent)
        rates = kept * around, examples + examples.sum() * model.negative * noise
        is_hot = rates[0] * step_words > HOT_UPDATES, rates[1] * step_words > HOT_UPDATES
        return cls(rates, is_hot, examples + kept.sum() * model.negative * noise)

    def hot(self) -> tuple[Rows, Rows]:
        """Return the hot rows of each matrix."""
        return np.flatnonzero(self.is_hot[0]).astype(np.int32), np.flatnonzero(self.is_hot[1]).astype(np.int32)

    def exchanged(self, steps: int, step_words: float) -> float:
        """Return how many rows of both matrices a worker's deltas of a round are expected to have, at the most."""
        found = 0.0
        draws = self.rates[0], self.rates[1] if self.draws is None else self.draws
        for rates, is_hot in zip(draws, self.is_hot, strict=True):
            found -= steps * np.expm1(-rates[is_hot] * step_words).sum()
            found -= np.expm1(-rates[~is_hot] * step_words * steps).sum()
        return float(found)

    def merged(
        self, matrix: int, deltas: Sequence[Deltas], step_words: Sequence[int], round_words: Sequence[int], dtype: str
    ) -> Deltas:
        """Return what all are to add to their rows.

        Args:
            matrix: 0: inputs, 1: outputs.
            deltas: of each worker, all as wide.
            step_words: that each has trained in this step: since hot rows were exchanged.
            round_words: that each has trained in this round so far: since the others were.
            dtype: of the result; see `packed`.
        """
        rows = np.unique(np.concatenate([some.rows for some in deltas]))
        total = np.zeros((len(rows), deltas[0].values.shape[1]), dtype=np.float32)
        updates, shares = np.zeros(len(rows)), np.zeros(len(rows))
        for some, step, whole in zip(deltas, step_words, round_words, strict=True):
            places = np.searchsorted(rows, some.rows)
            expected = self.rates[matrix][some.rows] * np.where(self.is_hot[matrix][some.rows], step, whole) / self.tau
            total[places] += some.floats()
            updates[places] += expected
            shares[places] -= np.expm1(-expected)
        total *= _factor(updates, shares)[:, None].astype(np.float32)
        return packed(rows, total, dtype)


def _factor(updates: Floats, shares: Floats) -> Floats:
    """Return f: `updates` are all of a row in units of tau, `shares` the sum of 1 - exp(-u/tau) of each worker's u."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(shares > 0, -np.expm1(-updates) / shares, 1.0)
