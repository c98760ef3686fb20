"""The numba engine: skip-gram and CBOW with negative sampling, several times as fast as Gensim's kernels.

What it computes is the reference engine's model with one difference: in skip-gram the noise words are drawn once for
a centre and shared by its contexts, and all pairs of a window are stepped from the same old rows (but a context that
is in the window twice is read again the second time). Pairs, keep probabilities and the noise distribution are the
same; so is, measured, the quality. (Sharing noise between centres in succession as well would be faster still, but
costs 1.6 points of analogies for two centres and 3.6 for four.)

A block is cut into batches of about a thousand words, which the threads take one after the other. Random numbers belong
to the batch, not to the thread, so every number of threads trains the same pairs with the same noise. Noise words come
in groups that take turns; see `noise`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli.config import Word2Vec
from w2vcli.corpus import Block
from w2vcli.engines import Capabilities, Engine, noise
from w2vcli.engines import numba_kernels as kernels
from w2vcli.engines.vector_code import native_lanes
from w2vcli.vocab import keep_probabilities, noise_probabilities

_BATCH_WORDS = 1_000  # small enough to stay in the cache
_LONGEST_RUN = 4
_CACHE_LINE = 8  # in int64


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
    scratch: dict[int, kernels.Scratch] = field(default_factory=dict)
    """Each worker's."""

    def is_of(self, model: Any) -> bool:
        """Whether these are still the arrays and settings of `model`."""
        same_arrays = self.vectors is model.wv.vectors and self.syn1neg is model.syn1neg
        return self.model is model and same_arrays and self.settings == _settings(model)


class NumbaEngine(Engine):
    """Trains with kernels compiled for this processor, in any number of threads."""

    capabilities = Capabilities(sg=True, cbow=True, hs=False, ns=True, threads=True, at_once="window")

    def __init__(self, lanes: int | None = None) -> None:
        self._lanes = lanes or native_lanes()
        self._prepared: _Prepared | None = None
        self._pool: ThreadPoolExecutor | None = None

    def prepare(self, settings: Word2Vec) -> None:
        """Load the kernels from numba's cache, or compile them."""
        rows = kernels.aligned(1, self._lanes)
        options = _settings(settings)
        nothing = np.zeros(0, dtype=np.int64)
        sentences = kernels.Sentences(np.zeros(0, dtype=np.int32), nothing, nothing)
        work = _work(nothing, 1, 0.0, 0.0, np.random.default_rng(0))
        scratch = kernels.scratch(options, 1, self._lanes, self._lanes)
        tables = _tables(np.ones(1), np.ones(1))
        train = kernels.kernel(settings.sg == 0, settings.negative, self._lanes)
        train(rows, rows, *map(tuple, (tables, sentences, options, work)), 0, tuple(scratch))

    def train_block(
        self, model: Any, block: Block, alpha_start: float, alpha_end: float, rng: np.random.Generator
    ) -> int:
        """Train on one block; see `Engine.train_block`."""
        prepared = self._prepare_model(model)
        if len(block.starts) == 0:
            return 0
        sentences = kernels.Sentences(block.ids, block.starts, block.ends)
        lengths = block.ends - block.starts
        work = _work(lengths, model.workers, alpha_start, alpha_end, rng)
        described = tuple(map(tuple, (prepared.tables, sentences, prepared.settings, work)))
        batch = int(np.add.reduceat(lengths, work.cuts[:-1]).max())
        train = kernels.kernel(model.sg == 0, prepared.settings.negative, self._lanes)

        def train_as(worker: int) -> int:
            scratch = self._scratch(prepared, worker, batch)
            return train(prepared.inputs, prepared.outputs, *described, worker, tuple(scratch))

        # with one worker too: Python hears of signals in this thread, while others train
        self._pool = self._pool or ThreadPoolExecutor(model.workers, "w2v-numba")
        trained = sum(self._pool.map(train_as, range(min(model.workers, len(work.keys)))))
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
        return self._prepared

    def _padded(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        width = -(-rows.shape[1] // self._lanes) * self._lanes
        padded = kernels.aligned(len(rows), width)
        padded[:, : rows.shape[1]] = rows
        return padded

    def _scratch(self, prepared: _Prepared, worker: int, batch: int) -> kernels.Scratch:
        """Return the worker's memory, large enough for batches of so many words."""
        scratch = prepared.scratch.get(worker)
        if scratch is None or len(scratch.words) < batch:
            scratch = kernels.scratch(prepared.settings, batch, prepared.inputs.shape[1], self._lanes)
            prepared.scratch[worker] = scratch
        return scratch


def _settings(settings: Any) -> kernels.Settings:
    """Return the settings that the kernels want, of a config's section or of a model: the names are the same."""
    return kernels.Settings(settings.window, settings.negative, bool(settings.shrink_windows), bool(settings.cbow_mean))


def _tables(keep: NDArray[np.float64], probabilities: NDArray[np.float64]) -> kernels.Tables:
    thresholds = np.append(np.rint(keep * 2.0**32), 0).astype(np.uint64)
    return kernels.Tables(thresholds, *noise.tables(probabilities))


def _work(
    lengths: NDArray[np.int64], workers: int, alpha_start: float, alpha_end: float, rng: np.random.Generator
) -> kernels.Work:
    """Cut sentences of these lengths into batches of about _BATCH_WORDS words; where they allow, an even number."""
    done = np.concatenate(([0], np.cumsum(lengths)))
    total = int(done[-1])
    number = 2 * -(-total // (2 * _BATCH_WORDS))
    inner = np.searchsorted(done, np.arange(1, number) * total // max(number, 1))
    cuts = np.unique(np.concatenate(([0], inner, [len(lengths)])))
    return kernels.Work(
        cuts=cuts,
        keys=rng.integers(2**64, size=len(cuts) - 1, dtype=np.uint64),
        alphas=alpha_start + (alpha_end - alpha_start) * done[cuts[:-1]] / max(total, 1),
        group=int(rng.integers(noise.GROUPS)),
        run=max(1, min(_LONGEST_RUN, len(cuts) // 2)),  # a short block, too, draws from even and from odd groups
        taken=np.zeros((min(workers, 2), _CACHE_LINE), dtype=np.int64),
    )
