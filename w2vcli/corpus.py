"""The corpus: tokenised text as ids on disk, cut into blocks.

On disk (`RUN/corpus/`): `ids.npy` int32 (n_words,), the ids of all words one sentence after the other;
`offsets.npy` int64 (n_sentences + 1,), where each sentence starts in them; `corpus.json`, their sums and what they
were made from. Ids follow the descending counts over the full vocabulary, so training on fewer words is `id < V`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli.errors import W2VError
from w2vcli.npy import NpyFile

Ids = NDArray[np.int32]
Offsets = NDArray[np.int64]

_PIECE = 1 << 20  # offsets read at once


@dataclass(frozen=True)
class Block:
    """Some whole sentences. `ids`: int32 (n,). `offsets`: int64 (n_sentences + 1,), from 0 to n.

    `order`: int64 (n_sentences,), the order to visit the sentences in, where it is not as they stand.
    """

    ids: Ids
    offsets: Offsets
    order: Offsets | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def shuffled(self, rng: np.random.Generator) -> Block:
        """Return the block with its sentences in a random order."""
        return Block(self.ids, self.offsets, rng.permutation(len(self.offsets) - 1))

    def spans(self) -> tuple[Offsets, Offsets]:
        """Return where each sentence starts and ends in `ids`, in their order: int64 (n_sentences,) both."""
        starts, ends = self.offsets[:-1], self.offsets[1:]
        return (starts, ends) if self.order is None else (starts[self.order], ends[self.order])

    def gathered(self, size: int) -> Block:
        """Return the block in its order, without ids from `size` on; sentences close up, and may become empty."""
        starts, ends = self.spans()
        offsets = np.concatenate(([0], np.cumsum(ends - starts)))
        ids = self.ids[np.repeat(starts - offsets[:-1], ends - starts) + np.arange(offsets[-1])]
        known = ids < size
        before = np.concatenate(([0], np.cumsum(known)))
        return Block(ids[known], before[offsets])


class Corpus:
    """An encoded corpus, of which only the block at hand is in memory.

    Raises:
        W2VError: when `folder` does not hold one.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.ids = NpyFile(folder / "ids.npy", np.int32)
            self.offsets = NpyFile(folder / "offsets.npy", np.int64)
            self.meta: dict[str, Any] = json.loads((folder / "corpus.json").read_text())
            if not len(self.ids) == self.offsets[-1:].sum() == self.meta["words"]:
                raise ValueError("its files do not fit together")
        except (OSError, ValueError, LookupError) as error:
            raise W2VError(f"{folder}: not an encoded corpus: {error}", "remove it to encode the text again") from error

    def block_bounds(self, block_words: int) -> Offsets:
        """Return int64 (n_blocks + 1,): block i holds the sentences bounds[i] to bounds[i + 1].

        Block i begins with the first sentence that starts at or after word i * block_words.
        """
        targets = np.arange(block_words, len(self.ids), block_words)
        bounds = [np.array([0, len(self.offsets) - 1])]
        for first in range(0, len(self.offsets), _PIECE):
            offsets = self.offsets[first : first + _PIECE]
            here, targets = np.split(targets, np.searchsorted(targets, offsets[-1:], side="right"))
            bounds.append(first + np.searchsorted(offsets, here, side="left"))
        return np.unique(np.concatenate(bounds)).astype(np.int64)

    def block(self, first: int, last: int) -> Block:
        """Return the sentences from `first` up to `last`, read into memory."""
        offsets = self.offsets[first : last + 1]
        return Block(self.ids[int(offsets[0]) : int(offsets[-1])], offsets - offsets[0])
