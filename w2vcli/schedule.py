"""The schedule: which block is trained when, with which learning rate and which random numbers.

Every random choice of a block comes from `(seed, epoch, block)`, so the number of blocks trained so far is all that a
checkpoint must know of the order and of randomness, and a run that was interrupted goes on exactly where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vcli.config import Config
from w2vcli.corpus import Block, Corpus


@dataclass(frozen=True)
class Position:
    """How far the training is: blocks trained over all epochs, the words in them, and of these those trained."""

    blocks: int = 0
    words: int = 0
    trained_words: int = 0
    seconds: float = 0.0


class Turn(NamedTuple):
    """A block that is to be trained, in its order, and where its randomness comes from."""

    epoch: int
    place: int
    block: Block
    rng: np.random.Generator


class Schedule:
    """All turns of a run, in their order.

    Args:
        corpus: the text.
        config: its epochs, alpha, min_alpha, seed, block_words and shuffle.
        held_out: int64, in ascending order: the sentences that are not trained on.
    """

    def __init__(self, corpus: Corpus, config: Config, held_out: NDArray[np.int64]) -> None:
        self._corpus = corpus
        self._settings = config.word2vec
        self._shuffle = config.train.shuffle
        self._held_out = held_out
        self._bounds = corpus.block_bounds(config.train.block_words)
        lengths = np.diff(corpus.words_before([*held_out, *held_out + 1]).reshape(2, -1), axis=0)[0]
        block_of = np.searchsorted(self._bounds, held_out, side="right") - 1
        self._words = np.diff(corpus.words_before(self._bounds))
        np.subtract.at(self._words, block_of, lengths)
        self.blocks = len(self._words)
        """In an epoch."""
        self.total_blocks = self.blocks * self._settings.epochs
        self.total_words = int(self._words.sum()) * self._settings.epochs

    def words_before(self, blocks: int) -> int:
        """Return the words in the first `blocks` turns."""
        epochs, more = divmod(blocks, self.blocks)
        begun = self._words[self._order(epochs)[:more]].sum() if more else 0
        return epochs * int(self._words.sum()) + int(begun)

    def alpha_after(self, words: int) -> float:
        """Return the learning rate after so many words."""
        return alpha_at(words, self.total_words, self._settings.alpha, self._settings.min_alpha)

    def turns(self, first: int) -> Iterator[Turn]:
        """Yield the turns from number `first` on, their blocks read into memory; nothing depends on those before."""
        seed = self._settings.seed
        first_epoch, first_place = divmod(first, self.blocks)
        for epoch in range(first_epoch, self._settings.epochs):
            order = self._order(epoch)
            for place in range(first_place, self.blocks):
                index = int(order[place])
                rng = np.random.default_rng([seed, epoch + 1, index + 1])
                block = self._block(index)
                yield Turn(epoch, place, block.shuffled(rng) if self._shuffle else block, rng)
            first_place = 0

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if not self._shuffle:
            return np.arange(self.blocks)
        # seeds begin at 1: NumPy takes [3, 0] and [3, 0, 0] for the same seed
        return np.random.default_rng([self._settings.seed, epoch + 1]).permutation(self.blocks)

    def _block(self, index: int) -> Block:
        first, last = self._bounds[index : index + 2].tolist()
        block = self._corpus.block(first, last)
        left_out = self._held_out[slice(*np.searchsorted(self._held_out, (first, last)))]
        return block.without(left_out - first) if len(left_out) else block


def alpha_at(words: int, total: int, alpha: float, min_alpha: float) -> float:
    """Return the learning rate after `words` of `total` words: max(alpha * (1 - words / total), min_alpha).

    >>> [alpha_at(words, 100, 0.025, 0.0001) for words in (0, 50, 100)]
    [0.025, 0.0125, 0.0001]
    """
    return max(alpha * (1 - words / total), min_alpha)
