"""One worker's copy of a model: it trains a while, says what has changed, and takes up what has become of it.

Its work is cut into rounds. A round is done by all workers or by none: until the next one begins, a replica can go back
to where it was before. In a round there are several steps, after each of which deltas are exchanged: of hot rows, after
the last one of all rows. Between rounds every replica has the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vcli.corpus import Block
from w2vcli.engines import Engine
from w2vcli.engines.merging import Deltas, Rows, changed, packed

_SETTINGS = (
    "sg", "hs", "negative", "window", "shrink_windows", "cbow_mean", "sample", "ns_exponent", "vector_size"
)  # fmt: skip
Matrices = tuple[NDArray[np.float32], NDArray[np.float32]]


class Work(NamedTuple):
    """What a replica is to train in a step."""

    block: Block
    alpha_start: float
    alpha_end: float
    seed: tuple[int, ...]


class Token(NamedTuple):
    """Which round, and the how-manyth attempt at it."""

    round: int
    attempt: int


class StaleError(Exception):
    """What was asked for belongs to an attempt that has been given up."""


class About(NamedTuple):
    """What a replica has to know of a Gensim model; its words are not needed."""

    counts: NDArray[np.int64]
    settings: dict[str, Any]

    @classmethod
    def of(cls, model: Any) -> About:
        """Return it of a model."""
        return cls(np.asarray(model.wv.expandos["count"]), {name: getattr(model, name) for name in _SETTINGS})


class Replica:
    """See the module.

    Args:
        about: the model's words and settings.
        matrices: its input and output vectors, float32 (V, d) each; they are copied.
        engine: trains; it has no state beside the model.
        threads: that it trains with.
        hot: rows of both matrices that are exchanged after every step.
        shards: into how many parts deltas are cut.
        dtype: of their values: float32 or float16.
    """

    def __init__(
        self, about: About, matrices: Matrices, engine: Engine, threads: int, hot: tuple[Rows, Rows], shards: int,
        dtype: str,
    ) -> None:  # fmt: skip
        self._base: Matrices = (matrices[0].copy(), matrices[1].copy())  # what all have in common
        wv = SimpleNamespace(vectors=matrices[0].copy(), expandos={"count": about.counts}, norms=None)
        self._model = SimpleNamespace(wv=wv, syn1neg=matrices[1].copy(), workers=threads, **about.settings)
        self._engine, self._hot, self._shards, self._dtype = engine, hot, shards, dtype
        self._token = Token(0, 0)
        self._undo: list[tuple[int, Rows, NDArray[np.float32]]] = []  # rows of the base, before this round

    def _own(self) -> Matrices:
        return self._model.wv.vectors, self._model.syn1neg

    def train(self, token: Token, work: Work, is_last: bool) -> tuple[int, list[tuple[Deltas, Deltas]]]:
        """Train one step of a round; return the words trained, and for every shard the deltas of both matrices.

        Raises:
            StaleError: when the attempt has been given up.
        """
        self._enter(token)
        rng = np.random.default_rng(work.seed)
        block = Block(*(part.copy() for part in vars(work.block).values()))  # kernels are compiled for what is writable
        trained = self._engine.train_block(self._model, block, work.alpha_start, work.alpha_end, rng)
        found = [self._deltas(matrix, None if is_last else self._hot[matrix]) for matrix in (0, 1)]
        shards = range(self._shards)
        return trained, [
            (found[0].of_shard(shard, self._shards), found[1].of_shard(shard, self._shards)) for shard in shards
        ]

    def _deltas(self, matrix: int, among: Rows | None) -> Deltas:
        own, base = self._own()[matrix], self._base[matrix]
        rows = changed(own, base, among)
        return packed(rows, own[rows] - base[rows], self._dtype)

    def apply(self, token: Token, merged: Sequence[tuple[Deltas, Deltas]]) -> None:
        """Take up what has become of the deltas of all, shard by shard; of these rows the own changes are forgotten.

        Raises:
            StaleError: when the attempt has been given up.
        """
        self._enter(token)
        for both in merged:
            for matrix, deltas in enumerate(both):
                base, rows = self._base[matrix], deltas.rows
                before = base[rows]
                self._undo.append((matrix, rows, before))
                base[rows] = self._own()[matrix][rows] = before + deltas.floats()

    def _enter(self, token: Token) -> None:
        if token < self._token:
            raise StaleError(f"{token} was given up for {self._token}")
        if token.round > self._token.round:
            self._undo.clear()
        self._token = token

    def go_back(self, token: Token) -> None:
        """Be as before the round of `token`, which is to be attempted anew; it may have been done, or not begun."""
        if self._token.round == token.round:
            while self._undo:
                matrix, rows, before = self._undo.pop()
                self._base[matrix][rows] = before
        else:
            self._undo.clear()
        self._token = token
        for own, base in zip(self._own(), self._base, strict=True):
            own[:] = base

    def matrices(self) -> Matrices:
        """Return what all have in common: the model between two rounds."""
        return self._base
