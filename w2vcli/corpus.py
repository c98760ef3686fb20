"""The corpus: tokenised text as ids on disk, cut into blocks.

On disk (`RUN/corpus/`): `ids.npy` int32 (n_words,), the ids of all words one sentence after the other;
`offsets.npy` int64 (n_sentences + 1,), where each sentence starts in them; `corpus.json`, their sums and what they
were made from. Ids follow the descending counts over the full vocabulary, so training on fewer words is `id < V`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from w2vcli import outputs
from w2vcli.errors import W2VError
from w2vcli.sources import Source, names, open_text
from w2vcli.text import MAX_TOKENS
from w2vcli.vocab import CountArray, Vocab

Ids = NDArray[np.int32]
Offsets = NDArray[np.int64]

_BUFFER_WORDS = 1_000_000


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
    """An encoded corpus, memory-mapped.

    Raises:
        W2VError: when `folder` does not hold one.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.ids: Ids = np.load(folder / "ids.npy", mmap_mode="r", allow_pickle=False)
            self.offsets: Offsets = np.load(folder / "offsets.npy", mmap_mode="r", allow_pickle=False)
            self.meta: dict[str, Any] = json.loads((folder / "corpus.json").read_text())
            if not len(self.ids) == self.offsets[-1] == self.meta["words"]:
                raise ValueError("its files do not fit together")
        except (OSError, ValueError, LookupError) as error:
            raise W2VError(f"{folder}: not an encoded corpus: {error}", "remove it to encode the text again") from error

    def block_bounds(self, block_words: int) -> Offsets:
        """Return int64 (n_blocks + 1,): block i holds the sentences bounds[i] to bounds[i + 1].

        Block i begins with the first sentence that starts at or after word i * block_words.
        """
        targets = np.arange(block_words, int(self.offsets[-1]), block_words)
        bounds = np.searchsorted(self.offsets, targets, side="left")
        return np.unique(np.concatenate(([0], bounds, [len(self.offsets) - 1]))).astype(np.int64)

    def block(self, first: int, last: int) -> Block:
        """Return the sentences from `first` up to `last`, read into memory."""
        start, end = int(self.offsets[first]), int(self.offsets[last])
        return Block(np.array(self.ids[start:end]), np.array(self.offsets[first : last + 1]) - start)


# ---------------------------------------------------------------- counting and encoding


class _Ids(dict[str, int]):
    """Word -> id by first appearance; a new word gets the next id."""

    def __missing__(self, word: str) -> int:
        self[word] = identity = len(self)
        return identity


class WordCounter:
    """Reads tokenised text once: numbers the words by first appearance and counts them.

    `read` yields (ids int32, sentence lengths int64) in chunks, in which the last sentence may have begun and not
    ended; when it is through, `vocab` and `ranks` say how the
    ids by first appearance become ids by descending count.
    """

    def __init__(self) -> None:
        self.bytes_read = 0
        """Bytes as stored, so far."""
        self.split = 0
        """Sentences over MAX_TOKENS words, cut into several."""
        self._digest = hashlib.blake2b(digest_size=16)
        self._ids = _Ids()
        self._counts: CountArray = np.zeros(0, dtype=np.int64)

    def read(self, sources: Iterable[Source]) -> Iterator[tuple[Ids, Offsets]]:
        """Yield the sentences of all sources; meanwhile `bytes_read` grows."""
        read_before = 0

        def progress(read: int) -> None:
            self.bytes_read = read_before + read

        for source in sources:
            with open_text(source, progress, self._digest) as lines:
                yield from self._read_lines(lines)
            self._digest.update(b"\0")  # where one source ends matters
            read_before += source.size or 0

    def _read_lines(self, lines: Iterable[str]) -> Iterator[tuple[Ids, Offsets]]:
        ids: list[int] = []
        lengths: list[int] = []
        length = 0  # of the sentence that is being read, less what was cut off
        is_cut = False
        lookup = self._ids.__getitem__
        for line in itertools.chain(lines, ["\n"]):
            before = len(ids)
            ids.extend(map(lookup, line.split()))
            length += len(ids) - before
            while length > MAX_TOKENS:
                lengths.append(MAX_TOKENS)
                length -= MAX_TOKENS
                is_cut = True
            if line.endswith("\n"):
                if length:
                    lengths.append(length)
                self.split += is_cut
                length, is_cut = 0, False
            if len(ids) > _BUFFER_WORDS:
                yield self._counted(ids, lengths)
                ids, lengths = [], []
        yield self._counted(ids, lengths)

    def _counted(self, ids: list[int], lengths: list[int]) -> tuple[Ids, Offsets]:
        chunk = np.array(ids, dtype=np.int32)
        counts = np.bincount(chunk, minlength=len(self._ids))
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        return chunk, np.array(lengths, dtype=np.int64)

    def fingerprint(self) -> str:
        """Return the hash of the text that was read, 32 hexadecimal digits."""
        return self._digest.hexdigest()

    def vocab(self) -> Vocab:
        """Return the vocabulary of what was read."""
        order = self._order()
        words = list(self._ids)
        return Vocab([words[place] for place in order.tolist()], self._counts[order])

    def ranks(self) -> Ids:
        """Return int32 (n,): the id by descending count of each id by first appearance."""
        order = self._order()
        ranks = np.empty(len(order), dtype=np.int32)
        ranks[order] = np.arange(len(order), dtype=np.int32)
        return ranks

    def _order(self) -> NDArray[np.int64]:
        return np.argsort(-self._counts, kind="stable")


def count(sources: Sequence[Source]) -> Vocab:
    """Return the vocabulary of tokenised text.

    Raises:
        W2VError: when a source cannot be read or there is no word.
    """
    counter = WordCounter()
    for _ in counter.read(sources):
        pass
    return _not_empty(counter.vocab(), sources)


def _not_empty(vocab: Vocab, sources: Sequence[Source]) -> Vocab:
    if not len(vocab):
        raise W2VError(f"{names(sources)}: no words in the text")
    return vocab


def encode(sources: Sequence[Source], folder: Path, vocab_path: Path) -> Iterator[int]:
    """Read tokenised text once and write it as ids to `folder`, and its vocabulary to `vocab_path`.

    Yields the bytes read so far, as stored. Both outputs appear when the iteration ends, complete, the folder last;
    not at all if it is left early.

    Raises:
        W2VError: when a source cannot be read, there is no word, or the result cannot be written.
    """
    counter = WordCounter()
    stamps = [source.stamp() for source in sources]
    with outputs.atomic_folder(folder) as temporary:
        with (
            _NpyWriter(temporary / "ids.npy", np.int32) as ids,
            _NpyWriter(temporary / "offsets.npy", np.int64) as offsets,
        ):
            offsets.append(np.zeros(1, dtype=np.int64))
            words = ended = 0
            for chunk, lengths in counter.read(sources):
                ids.append(chunk)
                offsets.append(ended + np.cumsum(lengths))
                words += len(chunk)
                ended += int(lengths.sum())
                yield counter.bytes_read
            sentences = offsets.size - 1
        vocab = _not_empty(counter.vocab(), sources)
        _renumber(temporary / "ids.npy", counter.ranks())
        meta = {
            "fingerprint": counter.fingerprint(),
            "words": words,
            "sentences": sentences,
            "distinct": len(vocab),
            "split": counter.split,
            **_doubts(vocab),
            "sources": stamps if None not in stamps else None,
        }
        (temporary / "corpus.json").write_text(json.dumps(meta, indent=1) + "\n")
        vocab.save(vocab_path)


def _doubts(vocab: Vocab) -> dict[str, int]:
    """Return how many words of the text show that something is wrong with it."""
    undecodable = punctuated = 0
    for word, number in zip(vocab.words, vocab.counts.tolist(), strict=True):
        undecodable += number if "\ufffd" in word else 0
        punctuated += number if len(word) > 1 and word[-1] in ".,;:!?" else 0
    return {"undecodable": undecodable, "punctuated": punctuated}


def _renumber(path: Path, ranks: Ids) -> None:
    """Replace every id in the file by its rank, in place."""
    ids = np.load(path, mmap_mode="r+", allow_pickle=False)
    for start in range(0, len(ids), _BUFFER_WORDS):
        ids[start : start + _BUFFER_WORDS] = ranks[ids[start : start + _BUFFER_WORDS]]
    ids.flush()


class _NpyWriter:
    """Writes a one-dimensional .npy file whose length is known only at the end."""

    def __init__(self, path: Path, dtype: type[np.generic]) -> None:
        self._stream: BinaryIO = path.open("w+b")
        self._dtype = np.dtype(dtype)
        self.size = 0

    def __enter__(self) -> _NpyWriter:
        self._write_header()
        return self

    def append(self, array: NDArray[Any]) -> None:
        """Add the elements of `array`."""
        self._stream.write(np.ascontiguousarray(array, dtype=self._dtype).data)
        self.size += len(array)

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.size,),
        }
        np.lib.format.write_array_header_1_0(self._stream, header)  # NumPy pads it, so that its length never changes

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stream:
            self._stream.seek(0)
            self._write_header()
