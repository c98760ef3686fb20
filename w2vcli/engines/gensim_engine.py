"""The gensim engine: Gensim's own Cython kernels, fed a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from w2vcli.config import Word2Vec
from w2vcli.corpus import Block
from w2vcli.engines import Capabilities, Engine


class GensimEngine(Engine):
    """Trains with `gensim.models.Word2Vec.train`: every Word2Vec setting, any number of threads."""

    capabilities = Capabilities(sg=True, cbow=True, hs=True, ns=True, threads=True)

    def prepare(self, settings: Word2Vec) -> None:
        """Import Gensim; see `Engine.prepare`."""
        import gensim.models  # noqa: F401

    def train_block(
        self, model: Any, block: Block, alpha_start: float, alpha_end: float, rng: np.random.Generator
    ) -> int:
        """Train on one block; see `Engine.train_block`."""
        block = block.gathered(len(model.wv))
        failures: list[Exception] = []
        sentences = _Sentences(model.wv.index_to_key, block, failures)
        kept = model.alpha, model.min_alpha, model.epochs, model.lifecycle_events
        model._do_train_job = _guarded(model._do_train_job, failures)
        model.random = np.random.RandomState(int(rng.integers(2**32)))
        model.lifecycle_events = None  # an entry a block would fill the saved model
        model.min_alpha = alpha_end  # train() takes an end_alpha of 0 for "not given"
        try:
            trained, _ = model.train(
                sentences,
                total_words=max(len(block), 1),
                epochs=1,
                start_alpha=alpha_start,
                end_alpha=alpha_end,
            )
        finally:
            model.alpha, model.min_alpha, model.epochs, model.lifecycle_events = kept
            del model._do_train_job
        if failures:
            raise failures[0]
        return int(trained)


def _guarded(train_job: Callable[..., Any], failures: list[Exception]) -> Callable[..., Any]:
    """Return `train_job` with its errors put aside: a Gensim thread that dies leaves the others waiting for ever."""

    def guarded(sentences: Any, alpha: float, memory: Any) -> Any:
        try:
            return train_job(sentences, alpha, memory)
        except Exception as error:
            failures.append(error)
            return 0, 0

    return guarded


class _Sentences:
    """A block as the restartable sequence of lists of words that Gensim wants."""

    def __init__(self, words: list[str], block: Block, failures: list[Exception]) -> None:
        self._block = block
        self._words = words
        self._failures = failures

    def __iter__(self) -> Iterator[list[str]]:
        try:
            words = list(map(self._words.__getitem__, self._block.ids.tolist()))
        except Exception as error:  # this, too, runs in a thread of Gensim's
            self._failures.append(error)
            return
        for start, end in zip(self._block.starts.tolist(), self._block.ends.tolist(), strict=True):
            yield words[start:end]
