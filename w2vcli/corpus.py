"""The corpus: tokenised text as ids on disk, cut into blocks.

On disk (`RUN/corpus/`): `identities.npy` int32 (n_words,), all words one sentence after the other, numbered by first
appearance; `ids.npy` int32 (n_identities,), the id of each of these numbers; `offsets.npy` int64 (n_sentences + 1,),
where each sentence starts; `corpus.json`, their sums and checksums, and what they were made from. Ids follow the
descending counts over the full vocabulary, so training on fewer words is `id < V`. They are known only when all the
text is read; putting them in when a block is read takes less time than writing the corpus twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli.compiled import compiled
from w2vcli.errors import W2VError
from w2vcli.npy import NpyFile

IDENTITIES_FILE, IDS_FILE, OFFSETS_FILE, META_FILE = "identities.npy", "ids.npy", "offsets.npy", "corpus.json"

Ids = NDArray[np.int32]
Offsets = NDArray[np.int64]

_PIECE = 1 << 20  # offsets read at once
_META = {
    "words",
    "sentences",
    "distinct",
    "fingerprint",
    "split",
    "dropped",
    "max_bytes",
    "base",
    "base_words",
    "sources",
    "checksums",
}


@dataclass(frozen=True)
class Block:
    """Some whole sentences, in the order to visit them in: `ids[starts[i]:ends[i]]` is one.

    `ids`: int32 (n,). `starts`, `ends`: int64 (n_sentences,).
    """

    ids: Ids
    starts: Offsets
    ends: Offsets

    def __len__(self) -> int:
        """Return how many words are in the sentences."""
        return int((self.ends - self.starts).sum())

    def without(self, sentences: NDArray[np.int64]) -> Block:
        """Return the block without the sentences of these numbers."""
        return Block(self.ids, np.delete(self.starts, sentences), np.delete(self.ends, sentences))

    def shuffled(self, rng: np.random.Generator) -> Block:
        """Return the block with its sentences in a random order."""
        order = rng.permutation(len(self.starts))
        return Block(self.ids, self.starts[order], self.ends[order])

    def gathered(self, size: int) -> Block:
        """Return the block without ids from `size` on; sentences stand in their order and may become empty."""
        lengths = self.ends - self.starts
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        ids = self.ids[np.repeat(self.starts - offsets[:-1], lengths) + np.arange(offsets[-1])]
        known = ids < size
        before = np.concatenate(([0], np.cumsum(known)))[offsets]
        return Block(ids[known], before[:-1], before[1:])


class Corpus:
    """An encoded corpus, of which only the blocks at hand are in memory.

    Raises:
        W2VError: when `folder` does not hold one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self.meta: dict[str, Any] = json.loads((folder / META_FILE).read_text())
            if not (isinstance(self.meta, dict) and self.meta.keys() >= _META):
                raise ValueError(f"{META_FILE} is not what it should be")
            checksums = self.meta["checksums"]
            self.identities = NpyFile(folder / IDENTITIES_FILE, np.int32, checksums[IDENTITIES_FILE])
            self.offsets = NpyFile(folder / OFFSETS_FILE, np.int64, checksums[OFFSETS_FILE])
            self._ids = NpyFile(folder / IDS_FILE, np.int32, checksums[IDS_FILE])[:]
            if not len(self.identities) == self.offsets[-1:].sum() == self.meta["words"]:
                raise ValueError("its files do not fit together")
            if not (len(self._ids) and self._ids.min() >= 0):
                raise ValueError(f"{IDS_FILE} holds what are no ids")
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise W2VError(f"{folder}: not an encoded corpus: {error}", "remove it to encode the text again") from error

    def block_bounds(self, block_words: int) -> Offsets:
        """Return int64 (n_blocks + 1,): block i holds the sentences bounds[i] to bounds[i + 1].

        Block i begins with the first sentence that starts at or after word i * block_words.

        Raises:
            W2VError: when the sentences do not follow one another.
        """
        targets = np.arange(block_words, len(self.identities), block_words)
        bounds = [np.array([0, len(self.offsets) - 1])]
        for first in range(0, len(self.offsets), _PIECE):
            offsets = self._offsets(first, first + _PIECE)
            here, targets = np.split(targets, np.searchsorted(targets, offsets[-1:], side="right"))
            bounds.append(first + np.searchsorted(offsets, here, side="left"))
        return np.unique(np.concatenate(bounds)).astype(np.int64)

    def block(self, first: int, last: int) -> Block:
        """Return the sentences from `first` up to `last`, read into memory.

        Raises:
            W2VError: when there is a word among them that has no id, or they do not follow one another.
        """
        offsets = self._offsets(first, last)
        words = self._read(self.identities, int(offsets[0]), int(offsets[-1]))
        if not renumber(words, self._ids):
            raise self._damaged()
        return Block(words, offsets[:-1] - offsets[0], offsets[1:] - offsets[0])

    def sentences(self, numbers: Iterable[int]) -> Block:
        """Return the sentences of these numbers, read into memory one by one."""
        ids = [self.block(number, number + 1).ids for number in numbers]
        offsets = np.cumsum([0, *map(len, ids)])
        return Block(np.concatenate([np.zeros(0, dtype=np.int32), *ids]), offsets[:-1], offsets[1:])

    def words_before(self, sentences: Iterable[int]) -> Offsets:
        """Return how many words stand before each sentence, int64; the sentence after the last one has all."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *(self._offsets(place, place) for place in sentences)])

    def _offsets(self, first: int, last: int) -> Offsets:
        """Return where the sentences from `first` up to `last` start, and where the last of them ends."""
        offsets: Offsets = self._read(self.offsets, first, last + 1)
        if offsets[0] < 0 or offsets[-1] > len(self.identities) or (np.diff(offsets) < 0).any():
            raise self._damaged()
        return offsets

    def _read(self, file: NpyFile, first: int, last: int) -> NDArray[Any]:
        try:
            return file[first:last]
        except ValueError as error:
            raise self._damaged() from error
        except OSError as error:
            raise W2VError(f"{self._folder}: cannot be read: {error.strerror or error}") from error

    def _damaged(self) -> W2VError:
        return W2VError(f"{self._folder}: the encoded corpus is damaged", "remove it to encode the text again")


@compiled
def renumber(numbers: Any, others: Any) -> Any:
    """Replace every number i, int32 (n,), by others[i], in place; return whether there is one for each."""
    size = np.uint32(len(others))
    unknown: Any = 0
    for place in range(len(numbers)):
        number = np.uint32(numbers[place])  # a negative one becomes a large one
        unknown += number >= size
        numbers[place] = others[number if number < size else 0]
    return unknown == 0
