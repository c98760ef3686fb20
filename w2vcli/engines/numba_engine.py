"""The numba engine: skip-gram and CBOW with negative sampling, several times as fast as Gensim's kernels.

What it computes is the reference engine's model with one difference: in skip-gram the noise words are drawn once for
a centre and shared by its contexts, and all pairs of a window are stepped from the same old rows (but a context that
is in the window twice is read again the second time). Pairs, keep probabilities and the noise distribution are the
same; so is, measured, the quality. (Sharing noise between centres in succession as well would be faster still, but
costs 1.6 points of analogies for two centres and 3.6 for four.)

A block is cut into parts of some thousand words, which the threads take one after the other. Random numbers belong to
the part, not to the thread, so every number of threads trains the same pairs with the same noise. Noise words come in
groups that take turns; see `noise`.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli.config import Word2Vec
from w2vcli.corpus import Block
from w2vcli.engines import Capabilities, noise
from w2vcli.engines import numba_kernels as kernels
from w2vcli.engines.vector_code import native_lanes
from w2vcli.vocab import keep_probabilities, noise_probabilities

_PART_WORDS = 20_000  # long enough to make a call worth it, short enough that threads end together
_BATCH_WORDS = 1_000  # drawn together; small enough to stay in the cache


@dataclass
class _Prepared:
    """A model with its rows padded to whole vectors, and everything about it that stays the same."""

    model: Any
    settings: kernels.Settings
    tables: kernels.Tables
    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]
    vectors: NDArray[np.float32]
    """What the model's arrays are from now on: the padded rows, without the padding."""
    syn1neg: NDArray[np.float32]

    def is_of(self, model: Any) -> bool:
        """Whether these are still the arrays and settings of `model`."""
        same_arrays = self.vectors is model.wv.vectors and self.syn1neg is model.syn1neg
        return self.model is model and same_arrays and self.settings == _settings(model)


class NumbaEngine:
    """Trains with kernels compiled for this processor, in any number of threads."""

    capabilities = Capabilities(sg=True, cbow=True, hs=False, ns=True, threads=True, shared_noise=True)

    def __init__(self, lanes: int | None = None) -> None:
        self._lanes = lanes or native_lanes()
        self._prepared: _Prepared | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._scratch: SimpleQueue[kernels.Scratch] = SimpleQueue()

    def prepare(self, settings: Word2Vec) -> None:
        """Load the kernels from numba's cache, or compile them."""
        rows = kernels.aligned(1, self._lanes)
        options = _settings(settings)
        nothing = np.zeros(0, dtype=np.int64)
        sentences = kernels.Sentences(np.zeros(0, dtype=np.int32), nothing, nothing)
        part = kernels.Part(0, 0, 1, np.uint64(0), 0, 0.0, 0.0)
        scratch = kernels.scratch(options, 1, self._lanes, self._lanes)
        tables = _tables(np.ones(1), np.ones(1))
        train = kernels.kernel(settings.sg == 0, settings.negative, self._lanes)
        train(rows, rows, *map(tuple, (tables, sentences, options, part, scratch)))

    def train_block(
        self, model: Any, block: Block, alpha_start: float, alpha_end: float, rng: np.random.Generator
    ) -> int:
        """Train on one block; see `Engine.train_block`."""
        prepared = self._prepare_model(model)
        starts, ends = block.spans()
        if len(starts) == 0:
            return 0
        sentences = kernels.Sentences(block.ids, starts, ends)
        batch = max(_BATCH_WORDS, int((ends - starts).max()))
        parts = _parts(ends - starts, batch, alpha_start, alpha_end, rng)
        train = kernels.kernel(model.sg == 0, prepared.settings.negative, self._lanes)

        def train_part(part: kernels.Part) -> int:
            scratch = self._take_scratch(prepared, batch)
            described = (prepared.tables, sentences, prepared.settings, part, scratch)
            trained = train(prepared.inputs, prepared.outputs, *map(tuple, described))
            self._scratch.put(scratch)
            return trained

        workers = min(model.workers, len(parts))
        if workers == 1:
            trained = sum(map(train_part, parts))
        else:
            self._pool = self._pool or ThreadPoolExecutor(model.workers, "w2v-numba")
            queues = [deque(parts[worker::workers]) for worker in range(workers)]
            work = [_taken(queues, worker) for worker in range(workers)]
            trained = sum(self._pool.map(lambda taken: sum(map(train_part, taken)), work))
        model.wv.norms = None  # Gensim's cache of vector lengths
        return trained

    def _prepare_model(self, model: Any) -> _Prepared:
        """Return what is known of `model`; it is made anew when its arrays are not those of the last time."""
        if self._prepared is None or not self._prepared.is_of(model):
            counts = model.wv.expandos["count"]
            tables = _tables(keep_probabilities(counts, model.sample), noise_probabilities(counts, model.ns_exponent))
            inputs = self._padded(model.wv.vectors)
            model.wv.vectors = inputs[:, : model.vector_size]  # frees the former ones before the others are copied
            outputs = self._padded(model.syn1neg)
            model.syn1neg = outputs[:, : model.vector_size]
            self._prepared = _Prepared(
                model, _settings(model), tables, inputs, outputs, model.wv.vectors, model.syn1neg
            )
            self._scratch = SimpleQueue()
        return self._prepared

    def _padded(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        width = -(-rows.shape[1] // self._lanes) * self._lanes
        padded = kernels.aligned(len(rows), width)
        padded[:, : rows.shape[1]] = rows
        return padded

    def _take_scratch(self, prepared: _Prepared, batch: int) -> kernels.Scratch:
        """Return working memory that no other thread has."""
        try:
            scratch = self._scratch.get_nowait()
            if len(scratch.words) >= batch:
                return scratch
        except Empty:
            pass
        return kernels.scratch(prepared.settings, batch, prepared.inputs.shape[1], self._lanes)


def _settings(settings: Any) -> kernels.Settings:
    """Return the settings that the kernels want, of a config's section or of a model: the names are the same."""
    return kernels.Settings(settings.window, settings.negative, bool(settings.shrink_windows), bool(settings.cbow_mean))


def _tables(keep: NDArray[np.float64], probabilities: NDArray[np.float64]) -> kernels.Tables:
    thresholds = np.append(np.rint(keep * 2.0**32), 0).astype(np.uint64)
    return kernels.Tables(thresholds, *noise.tables(probabilities))


def _taken(queues: Sequence[deque[kernels.Part]], worker: int) -> Iterator[kernels.Part]:
    """Take the parts of this worker, and when there are none left, the last ones of the others.

    So of two workers one is at the odd parts, whose noise is from odd groups, and one at the even ones.
    """
    with suppress(IndexError):
        while True:
            yield queues[worker].popleft()
    for queue in queues:
        with suppress(IndexError):
            while True:
                yield queue.pop()


def _parts(
    lengths: NDArray[np.int64], batch: int, alpha_start: float, alpha_end: float, rng: np.random.Generator
) -> list[kernels.Part]:
    """Cut sentences of these lengths into parts of up to about _PART_WORDS words; where they allow, an even number."""
    done = np.concatenate(([0], np.cumsum(lengths)))
    number = 2 * -(-int(done[-1]) // (2 * _PART_WORDS))
    cuts = np.unique(np.append(np.searchsorted(done, np.arange(number) * done[-1] // number), len(lengths)))
    alphas = alpha_start + (alpha_end - alpha_start) * done[cuts] / max(done[-1], 1)
    keys = rng.integers(2**64, size=len(cuts) - 1, dtype=np.uint64)
    groups = (rng.integers(noise.GROUPS) + np.arange(len(keys))) % noise.GROUPS
    each = zip(
        itertools.pairwise(cuts.tolist()), keys, groups.tolist(), itertools.pairwise(alphas.tolist()), strict=True
    )
    return [kernels.Part(*bounds, batch, key, group, *alpha) for bounds, key, group, alpha in each]
