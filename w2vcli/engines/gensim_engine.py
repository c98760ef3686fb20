"""The gensim engine: Gensim's own Cython kernels, fed a block at a time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from w2vcli.corpus import Block
from w2vcli.engines import Capabilities


class GensimEngine:
    """Trains with `gensim.models.Word2Vec.train`: every Word2Vec setting, any number of threads."""

    capabilities = Capabilities(sg=True, cbow=True, hs=True, ns=True, threads=True)

    def train_block(
        self, model: Any, block: Block, alpha_start: float, alpha_end: float, rng: np.random.Generator
    ) -> int:
        """Train on one block; see `Engine.train_block`."""
        sentences = _Sentences(model.wv.index_to_key, block)
        kept = model.alpha, model.min_alpha, model.epochs, model.lifecycle_events
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
        return int(trained)


class _Sentences:
    """A block as the restartable sequence of lists of words that Gensim wants."""

    def __init__(self, words: list[str], block: Block) -> None:
        self._block = block
        self._words = words

    def __iter__(self) -> Any:
        words = list(map(self._words.__getitem__, self._block.ids.tolist()))
        return (words[start:end] for start, end in pairwise(self._block.offsets.tolist()))
