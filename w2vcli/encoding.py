"""Encoding: tokenised text becomes ids on disk and a vocabulary, in one pass.

The text is cut into chunks, at the end of a line where there is one. Reader threads decompress and hash the sources;
worker threads number the words of each chunk by first appearance in it; the chunks' vocabularies are then merged in
the chunks' order, which numbers the words by first appearance in the whole text: a word's identity. So the number of
workers makes no difference. Ids, which follow the counts, are known at the end; `Corpus` puts them in when it reads.

A word is what `str.split` takes for one. Words are compared as bytes, and decoded at the end.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from w2vcli import outputs
from w2vcli.compiled import compiled, read_uint64, trailing_zeros
from w2vcli.corpus import IDENTITIES_FILE, IDS_FILE, OFFSETS_FILE, Ids, Offsets, renumber
from w2vcli.errors import W2VError
from w2vcli.npy import NpyFile, NpyWriter
from w2vcli.sources import Source, names, open_bytes
from w2vcli.text import MAX_TOKENS
from w2vcli.vocab import Vocab

CHUNK_BYTES = 1 << 21  # so that a chunk's words stay in a core's cache
_FLUSH_WORDS = 4_000_000  # written to disk at once, while others are read
UNDECODABLE = "\ufffd"
_PARALLEL_SOURCES = 4  # read ahead at once

# ---------------------------------------------------------------- kernels


_1, _3, _7, _32 = np.uint64(1), np.uint64(3), np.uint64(7), np.uint64(32)
_ALL_0X21, _ALL_0X80 = np.uint64(0x2121212121212121), np.uint64(0x8080808080808080)
_LOW_HALF = 0xFFFFFFFF
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_KEY_BYTES = 8
PADDING = bytes(8)
"""Follows every chunk, so that eight bytes can be read from any place in it."""
_PADDED = len(PADDING)
_WORD, _SPACE, _LINE_END, _PERHAPS_SPACE = 0, 1, 2, 3


def _kinds() -> NDArray[np.uint8]:
    """Return what each byte is, (256,): part of a word, white space, or the first byte of what may be white space."""
    kinds = np.full(256, _WORD, dtype=np.uint8)
    kinds[[0x09, 0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x1F, 0x20]] = _SPACE
    kinds[[0x0A, 0x0D]] = _LINE_END
    kinds[[0xC2, 0xE1, 0xE2, 0xE3]] = _PERHAPS_SPACE
    return kinds


_KINDS = _kinds()


@njit
def _wide_space(text: Any, place: Any) -> Any:
    """Return how many bytes the white space beyond ASCII takes that begins at `place`; 0: it is none.

    U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000.
    """
    first, second, third = text[place], text[place + 1], text[place + 2]
    if first == 0xC2:
        return 2 if second == 0x85 or second == 0xA0 else 0
    is_space = (
        (first == 0xE1 and second == 0x9A and third == 0x80)
        or (first == 0xE2 and second == 0x80 and (0x80 <= third <= 0x8A or third in (0xA8, 0xA9, 0xAF)))
        or (first == 0xE2 and second == 0x81 and third == 0x9F)
        or (first == 0xE3 and second == 0x80 and third == 0x80)
    )
    return 3 if is_space else 0


# A hash table, uint64 (a power of two, 2), with open addressing and step 1: a word's key; and its number + 1 in the
# high half, its length in the low one, or 0. The key of a word of up to 8 bytes is these bytes, so that with the length
# it says all; of a longer one it is a hash. The search stands in both kernels that do it: as a function that gets the
# arrays it made them several times as slow, since references to them are counted for every word.


@njit(forceinline=True)
def _mixed(key: Any) -> Any:
    """Return a key in which the high half depends on all bits."""
    return (key ^ (key >> _32)) * _PRIME


@njit(forceinline=True)
def _first_slot(key: Any, mask: Any) -> Any:
    return (_mixed(key) >> _32) & mask


@njit(forceinline=True)
def _plain_bytes(eight: Any) -> Any:
    """Return eight bytes without those from the first on that may end a word, and how many bits are left."""
    # `ends_word` has the top bit of every byte that is below 0x21 or above 0x7F; bits above the lowest may be wrong
    ends_word = ((eight - _ALL_0X21) | eight) & _ALL_0X80
    bits = trailing_zeros(ends_word) & ~_7
    return (eight & ((_1 << bits) - _1) if bits < 64 else eight), bits


@njit(forceinline=True)
def _is_same(a: Any, b: Any, length: Any) -> Any:
    """Whether the same bytes, more than eight, stand at two addresses."""
    offset = 0
    while offset + _KEY_BYTES < length and read_uint64(a + offset) == read_uint64(b + offset):
        offset += _KEY_BYTES
    last = length - _KEY_BYTES
    return offset >= last and read_uint64(a + last) == read_uint64(b + last)


@compiled
def _fill(table: Any, numbers: Any, lengths: Any, keys: Any) -> Any:
    """Put words, no two of them the same, into an empty hash table."""
    mask = np.uint64(len(table) - 1)
    for word in range(len(keys)):
        slot = _first_slot(keys[word], mask)
        while table[slot, 1]:
            slot = (slot + _1) & mask
        table[slot, 0], table[slot, 1] = keys[word], ((numbers[word] + 1) << 32) | lengths[word]


@compiled
def _number_words(
    text: Any, kinds: Any, state: Any, ids: Any, lengths: Any, table: Any, starts: Any, word_lengths: Any, keys: Any,
    counts: Any,
) -> Any:  # fmt: skip
    """Do the work of `Workspace.number_words` from where `state` says, until the text ends or an array is full.

    text: after its end there are eight bytes more.
    state: int64 (5,): place in the text, words, distinct words, lines, words before the line.
    table: as above. starts, word_lengths, keys, counts: of the distinct words.
    """
    place, n, distinct, lines, line_start = state
    size, mask, address = len(text) - _PADDED, np.uint64(len(table) - 1), text.ctypes.data
    while place < size and distinct < len(starts) and lines < len(lengths):
        # eight bytes at a time
        start = place
        key, bits = _plain_bytes(read_uint64(address + place))
        place += np.int64(bits >> _3)
        while bits == 64:
            more, bits = _plain_bytes(read_uint64(address + place))
            if bits:
                key = _mixed(key) ^ more
            place += np.int64(bits >> _3)
        # then byte by byte, up to white space
        kind, skip = _WORD, 1
        while place < size:
            byte = text[place]
            kind = kinds[byte]
            if kind != _WORD:
                if kind != _PERHAPS_SPACE:
                    break
                skip = _wide_space(text, place)
                if skip:
                    break
            if place - start < _KEY_BYTES:
                key |= np.uint64(byte) << np.uint64(8 * (place - start))
            else:
                key = _mixed(key) ^ np.uint64(byte)
            place += 1
        length = place - start
        if length:
            slot = _first_slot(key, mask)
            while True:
                found = np.int64(table[slot, 1])
                if found == 0:
                    word = distinct
                    distinct += 1
                    table[slot, 0], table[slot, 1] = key, (distinct << 32) | length
                    starts[word], word_lengths[word], keys[word], counts[word] = start, length, key, 0
                    break
                if table[slot, 0] == key and (found & _LOW_HALF) == length:
                    word = (found >> 32) - 1
                    if length <= _KEY_BYTES or _is_same(address + starts[word], address + start, length):
                        break
                slot = (slot + _1) & mask
            counts[word] += 1
            ids[n] = word
            n += 1
        if place < size:
            if kind == _LINE_END:
                lengths[lines] = n - line_start
                lines += 1
                line_start = n
            place += skip if kind == _PERHAPS_SPACE else 1
    state[0], state[1], state[2], state[3], state[4] = place, n, distinct, lines, line_start


@compiled
def _merge(text: Any, words: Any, size: Any, table: Any, pool: Any, pool_used: Any, merged: Any, mapping: Any) -> Any:
    """Add a chunk's distinct words to the merged ones; `mapping` gets the number of each. All arrays are large enough.

    words: starts in `text`, lengths, keys, counts. merged: the same of `size` words in `pool`, of which `pool_used`
    bytes are taken. Returns the new size and pool_used.
    """
    starts, lengths, keys, counts = words
    all_starts, all_lengths, all_keys, all_counts = merged
    mask, address, pool_address = np.uint64(len(table) - 1), text.ctypes.data, pool.ctypes.data
    for word in range(len(keys)):
        key, length = keys[word], lengths[word]
        slot = _first_slot(key, mask)
        while True:
            found = np.int64(table[slot, 1])
            if found == 0:
                number = size
                size += 1
                table[slot, 0], table[slot, 1] = key, (size << 32) | length
                all_starts[number], all_lengths[number], all_keys[number] = pool_used, length, key
                all_counts[number] = 0
                for offset in range(length):
                    pool[pool_used + offset] = text[starts[word] + offset]
                pool_used += length
                break
            if table[slot, 0] == key and (found & _LOW_HALF) == length:
                number = (found >> 32) - 1
                if length <= _KEY_BYTES or _is_same(pool_address + all_starts[number], address + starts[word], length):
                    break
            slot = (slot + _1) & mask
        all_counts[number] += counts[word]
        mapping[word] = number
    return size, pool_used


@compiled
def _copy_words(pool: Any, starts: Any, lengths: Any, order: Any, out: Any) -> Any:
    """Write the words in that order to `out`, without anything between them."""
    place = 0
    for word in order:
        for offset in range(lengths[word]):
            out[place] = pool[starts[word] + offset]
            place += 1


@compiled
def _write_table(pool: Any, starts: Any, lengths: Any, counts: Any, order: Any, out: Any) -> Any:
    """Write word, tab, count and newline for the words in that order to `out`; return where they end."""
    place = 0
    for word in order:
        for offset in range(lengths[word]):
            out[place] = pool[starts[word] + offset]
            place += 1
        out[place] = 9
        place += 1
        count, digits = counts[word], 1
        while count >= 10:
            count //= 10
            digits += 1
        count = counts[word]
        for offset in range(digits):
            out[place + digits - 1 - offset] = 48 + count % 10
            count //= 10
        out[place + digits] = 10
        place += digits + 1
    return place


# ---------------------------------------------------------------- chunks

Bytes = NDArray[np.uint8]


class Distinct(NamedTuple):
    """Distinct words by first appearance, (n,) each."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    keys: NDArray[np.uint64]
    counts: NDArray[np.int64]

    @classmethod
    def empty(cls, size: int) -> Distinct:
        """Return arrays for so many words."""
        return cls(
            starts=np.empty(size, dtype=np.int64),
            lengths=np.empty(size, dtype=np.int64),
            keys=np.empty(size, dtype=np.uint64),
            counts=np.empty(size, dtype=np.int64),
        )

    def head(self, size: int) -> Distinct:
        """Return the first words."""
        return Distinct(self.starts[:size], self.lengths[:size], self.keys[:size], self.counts[:size])

    def grown(self, size: int) -> Distinct:
        """Return the same words in arrays with room for `size`."""
        grown = Distinct.empty(size)
        for new, old in zip(grown, self, strict=True):
            new[: len(old)] = old
        return grown


class Numbered(NamedTuple):
    """A chunk whose words have been numbered by first appearance in it; arrays are those of the workspace."""

    text: Bytes
    numbers: Ids
    lengths: NDArray[np.int64]
    """The words of each line that ends in the chunk; words after the last end are in none."""
    distinct: Distinct


class Workspace:
    """Arrays to number a chunk's words in, to be used again: the page faults of new ones cost a fifth of the time."""

    def __init__(self) -> None:
        self.ids: Ids = np.empty(CHUNK_BYTES // 2 + 1, dtype=np.int32)
        self.lengths = np.empty(1 << 15, dtype=np.int64)
        self.distinct = Distinct.empty(1 << 15)
        self.table = np.empty((1 << 16, 2), dtype=np.uint64)

    def number_words(self, chunk: Bytes) -> Numbered:
        """Number the words of a chunk of text that is cut at white space and ends in PADDING; uint8 (n,).

        The result holds until the workspace is used for another chunk.

        >>> text = np.frombuffer(b"to be or\\nnot to be" + PADDING, dtype=np.uint8)
        >>> numbered = Workspace().number_words(text)
        >>> numbered.numbers.tolist(), numbered.lengths.tolist(), numbered.distinct.counts.tolist()
        ([0, 1, 2, 3, 0, 1], [3], [2, 2, 1, 1])
        """
        if len(self.ids) <= len(chunk) // 2:
            self.ids = np.empty(len(chunk) // 2 + 1, dtype=np.int32)
        self.table[:] = 0
        state = np.zeros(5, dtype=np.int64)
        while True:
            _number_words(chunk, _KINDS, state, self.ids, self.lengths, self.table, *self.distinct)
            place, words, size, lines, _ = state.tolist()
            if place >= len(chunk) - _PADDED:
                return Numbered(chunk, self.ids[:words], self.lengths[:lines], self.distinct.head(size))
            if lines == len(self.lengths):
                self.lengths = np.concatenate((self.lengths, np.empty_like(self.lengths)))
            if size == len(self.distinct.keys):
                self.table = np.zeros((2 * len(self.table), 2), dtype=np.uint64)
                _fill(self.table, np.arange(size), self.distinct.lengths, self.distinct.keys)
                self.distinct = self.distinct.grown(2 * size)


def prepare() -> None:
    """Load all kernels from numba's cache, or compile them."""
    merger = Merger()
    text = np.frombuffer(b"a" + PADDING, dtype=np.uint8)
    numbered = Workspace().number_words(text)
    renumber(numbered.numbers, merger.add(numbered))
    merger.finish()
    merger._drop_rarest(0)


class Cutter:
    """Cuts text into chunks of about CHUNK_BYTES at white space: line ends where there are any.

    A word of several chunks is cut too, between characters; for the memory's sake. After every chunk comes PADDING.
    """

    def __init__(self) -> None:
        self._spare: queue.SimpleQueue[Bytes] = queue.SimpleQueue()

    def chunks(self, pieces: Iterable[bytes]) -> Iterator[Bytes]:
        """Yield the text that `pieces` are, as chunks: uint8 (n,)."""
        chunk, used, size = self._empty(), 0, CHUNK_BYTES
        for piece in pieces:
            rest = np.frombuffer(piece, dtype=np.uint8)
            while len(rest) > size - used:
                taken = size - used
                chunk[used:size], rest, used = rest[:taken], rest[taken:], size
                end = _last_place_to_cut(chunk[:size])
                if not end and size < 4 * CHUNK_BYTES:
                    size += CHUNK_BYTES
                    chunk = np.concatenate((chunk[:used], np.empty(CHUNK_BYTES + _PADDED, dtype=np.uint8)))
                    continue
                end = end or _last_character(chunk[:size])
                following, used = self._empty(), size - end
                following[:used] = chunk[end:size]
                chunk[end : end + _PADDED] = 0
                yield chunk[: end + _PADDED]
                chunk, size = following, CHUNK_BYTES
            chunk[used : used + len(rest)] = rest
            used += len(rest)
        if used:
            chunk[used : used + _PADDED] = 0
            yield chunk[: used + _PADDED]

    def _empty(self) -> Bytes:
        try:
            return self._spare.get_nowait()
        except queue.Empty:
            return np.empty(CHUNK_BYTES + _PADDED, dtype=np.uint8)

    def take_back(self, chunk: Bytes) -> None:
        """Use the memory of a chunk again, of which nothing is needed any more."""
        if chunk.base is not None and len(chunk.base) == CHUNK_BYTES + _PADDED:
            self._spare.put(chunk.base)


def _last_place_to_cut(text: Bytes) -> int:
    """Return the end of the last line, or else of the last word; 0 where there is neither."""
    for separators in (b"\n", b"\r"), (b" ", b"\t"):
        for reach in (1 << 12, len(text)):
            tail = text[-reach:].tobytes()
            place = max(map(tail.rfind, separators))
            if place >= 0:
                return len(text) - len(tail) + place + 1
    return 0


def _last_character(text: Bytes) -> int:
    """Return where the last character of a text begins, which may not be complete; at most four bytes from the end."""
    end = len(text) - 1
    while end > len(text) - 4 and text[end] & 0xC0 == 0x80:
        end -= 1
    return end


# ---------------------------------------------------------------- the vocabulary


class Merger:
    """The vocabulary of all chunks so far.

    Args:
        max_bytes: when it would take more memory, the rarest words are dropped until half of it is free again.
    """

    BYTES_A_WORD = 300  # what a word takes at the most beside its letters: here, or in the end as a Python string

    def __init__(self, max_bytes: int | None = None) -> None:
        self.dropped_words = 0
        """Distinct words dropped; one that came again counts again."""
        self.dropped = 0
        """Their occurrences."""
        self._max_bytes = max_bytes
        self._size = self._pool_used = 0
        self._words = Distinct.empty(1 << 15)
        self._table = np.zeros((1 << 16, 2), dtype=np.uint64)
        self._pool = np.empty(1 << 18, dtype=np.uint8)
        # identities of the words that a drop has left; later words' are their numbers + shift
        self._kept = np.empty(0, dtype=np.int64)
        self._shift = 0

    def add(self, chunk: Numbered) -> NDArray[np.int32]:
        """Add a chunk's words and return the identity of each, int32; identities are never given twice."""
        self._make_room(self._size + len(chunk.distinct.keys), self._pool_used + int(chunk.distinct.lengths.sum()))
        numbers = np.empty(len(chunk.distinct.keys), dtype=np.int64)
        self._size, self._pool_used = _merge(
            chunk.text, tuple(chunk.distinct), self._size, self._table, self._pool, self._pool_used,
            tuple(self._words), numbers,
        )  # fmt: skip
        identities = self._identities(numbers)
        if self._size + self._shift > np.iinfo(np.int32).max:
            raise W2VError("the text has more than 2 thousand million distinct words", "raise train.vocab_memory")
        if self._max_bytes is not None and self._bytes(self._size, self._pool_used) > self._max_bytes:
            self._drop_rarest(self._max_bytes // 2)
        return identities.astype(np.int32)

    def _identities(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        identities = numbers + self._shift
        is_kept = numbers < len(self._kept)
        identities[is_kept] = self._kept[numbers[is_kept]]
        return identities

    def _bytes(self, words: int, letters: int) -> int:
        return words * self.BYTES_A_WORD + 2 * letters

    def _make_room(self, size: int, pool: int) -> None:
        if size > len(self._words.keys):
            self._words = self._words.grown(2 * size)
        if pool > len(self._pool):
            self._pool = np.concatenate((self._pool[: self._pool_used], np.empty(2 * pool, dtype=np.uint8)))
        if 2 * size > len(self._table):
            self._index(1 << (4 * size - 1).bit_length())

    def _index(self, slots: int) -> None:
        known = self._words.head(self._size)
        self._table = np.zeros((slots, 2), dtype=np.uint64)
        _fill(self._table, np.arange(self._size), known.lengths, known.keys)

    def _drop_rarest(self, target: int) -> None:
        """Drop all words up to that count which leaves no more than `target` bytes."""
        known = self._words.head(self._size)
        order = np.argsort(-known.counts, kind="stable")
        sizes = np.cumsum(self._bytes(1, 0) + 2 * known.lengths[order])
        fitting = int(np.searchsorted(sizes, target, side="right"))
        limit = known.counts[order[fitting]] if fitting < self._size else 0
        stay = np.flatnonzero(known.counts > limit)
        self.dropped_words += self._size - len(stay)
        self.dropped += int(known.counts.sum() - known.counts[stay].sum())
        pool = np.empty(int(known.lengths[stay].sum()), dtype=np.uint8)
        _copy_words(self._pool, known.starts, known.lengths, stay, pool)
        identities = self._size + self._shift
        self._kept = self._identities(stay)
        self._shift = identities - len(stay)
        lengths = known.lengths[stay]
        starts = np.cumsum(lengths) - lengths
        self._words = Distinct(starts, lengths, known.keys[stay], known.counts[stay])
        self._pool, self._pool_used, self._size = pool, len(pool), len(stay)
        self._index(1 << max(16, (4 * self._size).bit_length()))

    def finish(self) -> Finished:
        """Return the vocabulary. Words that differ only in bytes that cannot be decoded become one."""
        numbers = np.arange(self._size)
        counts = self._words.counts[: self._size]
        ranks, order = _ranks(counts)
        table = self._table_of(order)
        if UNDECODABLE in table.decode(errors="replace"):
            words, counts, numbers = _merged(Vocab.parse(self._table_of(numbers).decode(errors="replace")))
            ranks, order = _ranks(counts)
            table = Vocab([words[place] for place in order.tolist()], counts[order]).table().encode()
        ids = np.full(self._size + self._shift, len(counts), dtype=np.int32)
        ids[self._identities(np.arange(self._size))] = ranks[numbers]
        return Finished(table, counts[order], ids)

    def _table_of(self, order: NDArray[np.int64]) -> bytes:
        """Return the words and their counts, in that order, as `Vocab.table` would."""
        known = self._words.head(self._size)
        longest = len(str(known.counts.max(initial=0))) + len("\t\n")
        lines = np.empty(int(known.lengths.sum()) + longest * self._size, dtype=np.uint8)
        end = _write_table(self._pool, known.starts, known.lengths, known.counts, order, lines)
        return lines[:end].tobytes()


class Finished(NamedTuple):
    """The vocabulary of a whole text."""

    table: bytes
    """As `Vocab.table` gives it."""
    counts: NDArray[np.int64]
    """Those in the table."""
    ids: Ids
    """(n,): of each identity; dropped words have the one after all others."""


def _ranks(counts: NDArray[np.int64]) -> tuple[Ids, NDArray[np.int64]]:
    """Return the place of each by falling counts, ties as they stand; and the order that this is."""
    order = np.argsort(-counts, kind="stable")
    ranks = np.empty(len(counts), dtype=np.int32)
    ranks[order] = np.arange(len(counts))
    return ranks, order


def _merged(vocab: Vocab) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct words, their counts, and which of them each word of `vocab` is."""
    first: dict[str, int] = {}
    numbers = np.array([first.setdefault(word, len(first)) for word in vocab.words])
    return list(first), np.bincount(numbers, vocab.counts).astype(np.int64), numbers


# ---------------------------------------------------------------- reading


class _ReadAhead:
    """One source, read and cut into chunks by a thread of its own, a few chunks ahead."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.bytes_read = 0
        """As stored, so far."""
        self.cutter = Cutter()
        self.digest = hashlib.sha256()
        """Of the decompressed text, once it is read."""
        self._chunks: queue.Queue[Bytes | BaseException | None] = queue.Queue(8)
        self._is_wanted = True
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            with open_bytes(self.source, self._progress, self.digest) as pieces:
                for chunk in self.cutter.chunks(pieces):
                    self._put(chunk)
                    if not self._is_wanted:
                        return
        except BaseException as error:
            end = error
        self._put(end)

    def _progress(self, read: int) -> None:
        self.bytes_read = read

    def _put(self, item: Bytes | BaseException | None) -> None:
        while self._is_wanted:
            try:
                self._chunks.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def __iter__(self) -> Iterator[Bytes]:
        while (item := self._chunks.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        self._is_wanted = False


class WordCounter:
    """Reads tokenised text once: numbers the words and counts them.

    `read` yields (identities int32, sentence lengths int64) in chunks, in which the last sentence may have begun and
    not ended; they hold until the next ones are asked for. When it is through, `merger.finish` says what the
    identities mean.

    Args:
        workers: threads that number words, no more than there are cores; others read.
        max_bytes: see `Merger`.
    """

    def __init__(self, workers: int = 1, max_bytes: int | None = None) -> None:
        self.bytes_read = 0
        """Bytes as stored, so far."""
        self.split = 0
        """Sentences over MAX_TOKENS words, cut into several."""
        self.merger = Merger(max_bytes)
        self.workers = min(workers, os.cpu_count() or 1)  # more would only hold more text in memory
        self._digest = hashlib.sha256()
        self._spare: list[Workspace] = []
        self._length = 0  # words so far of the sentence that is being read

    def read(self, sources: Iterable[Source]) -> Iterator[tuple[Ids, Offsets]]:
        """Yield the sentences of all sources; meanwhile `bytes_read` grows."""
        remaining = iter(sources)
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(self.workers, "w2v-encode"))

            def opened(number: int) -> Iterator[_ReadAhead]:
                for source in itertools.islice(remaining, number):
                    reader = _ReadAhead(source)
                    stack.callback(reader.close)
                    yield reader

            readers = deque(opened(_PARALLEL_SOURCES))
            read_before = 0
            while readers:
                reader = readers.popleft()
                for ids, lengths in self._merged(reader, pool):
                    self.bytes_read = read_before + reader.bytes_read
                    yield ids, lengths
                yield np.zeros(0, dtype=np.int32), self._sentences(None)
                self._digest.update(reader.digest.digest())
                read_before += reader.bytes_read
                readers.extend(opened(1))

    def _merged(self, reader: _ReadAhead, pool: ThreadPoolExecutor) -> Iterator[tuple[Ids, Offsets]]:
        """Yield the chunks in their order; workers number them ahead, and replace numbers by identities."""

        def number(chunk: Bytes, space: Workspace) -> tuple[Numbered, Workspace]:
            return space.number_words(chunk), space

        def replaced(numbered: Numbered, identities: NDArray[np.int32]) -> Ids:
            renumber(numbered.numbers, identities)
            return numbered.numbers

        ahead = self.workers + 1
        numbering: deque[Future[tuple[Numbered, Workspace]]] = deque()
        replacing: deque[tuple[Future[Ids], Offsets, Workspace]] = deque()
        for chunk in itertools.chain(reader, itertools.repeat(None)):
            if chunk is not None:
                space = self._spare.pop() if self._spare else Workspace()
                numbering.append(pool.submit(number, chunk, space))
            if numbering and (chunk is None or len(numbering) > ahead):
                numbered, space = numbering.popleft().result()
                identities = self.merger.add(numbered)
                reader.cutter.take_back(numbered.text)
                replacing.append((pool.submit(replaced, numbered, identities), self._sentences(numbered), space))
            if replacing and (chunk is None or len(replacing) > ahead):
                ids, lengths, space = replacing.popleft()
                yield ids.result(), lengths
                self._spare.append(space)
            if chunk is None and not numbering and not replacing:
                return

    def _sentences(self, numbered: Numbered | None) -> Offsets:
        """Return the lengths of the sentences that end in a chunk, or that the end of a source ends."""
        if numbered is None:
            lengths, tail = np.zeros(1, dtype=np.int64), 0
        else:
            lengths, tail = numbered.lengths, len(numbered.numbers) - int(numbered.lengths.sum())
        if not len(lengths):
            self._length += tail
            return lengths
        lengths[0] += self._length
        self._length = tail
        lengths = lengths[lengths > 0]
        if lengths.max(initial=0) <= MAX_TOKENS:
            return lengths
        self.split += int((lengths > MAX_TOKENS).sum())
        parts = (lengths + MAX_TOKENS - 1) // MAX_TOKENS
        whole = np.full(int(parts.sum()), MAX_TOKENS, dtype=np.int64)
        whole[np.cumsum(parts) - 1] = lengths - (parts - 1) * MAX_TOKENS
        return whole

    def fingerprint(self) -> str:
        """Return the hash of the text that was read, 32 hexadecimal digits."""
        return self._digest.hexdigest()[:32]


def count(sources: Sequence[Source], workers: int = 1, max_bytes: int | None = None) -> Vocab:
    """Return the vocabulary of tokenised text; for `max_bytes` see `Merger`.

    Raises:
        W2VError: when a source cannot be read or there is no word.
    """
    counter = WordCounter(workers, max_bytes)
    for _ in counter.read(sources):
        pass
    return Vocab.parse(_finished(counter, sources).table.decode())


def _finished(counter: WordCounter, sources: Sequence[Source]) -> Finished:
    finished = counter.merger.finish()
    if not finished.table:
        raise W2VError(f"{names(sources)}: no words in the text")
    return finished


def encode(
    sources: Sequence[Source], folder: Path, vocab_path: Path, workers: int = 1, max_bytes: int | None = None
) -> Iterator[int]:
    """Read tokenised text once and write it as ids to `folder`, and its vocabulary to `vocab_path`.

    Yields the bytes read so far, as stored. Both outputs appear when the iteration ends, complete, the folder last;
    not at all if it is left early.

    Args:
        sources: the text.
        folder: see `corpus.Corpus`.
        vocab_path: see `vocab.Vocab`.
        workers: threads that number words; the outputs are the same for any number.
        max_bytes: the memory that the vocabulary may take; beyond it the rarest words so far are dropped and get the
            id after all others.

    Raises:
        W2VError: when a source cannot be read, there is no word, or the result cannot be written.
    """
    counter = WordCounter(workers, max_bytes)
    stamps = [source.stamp() for source in sources]
    with outputs.atomic_folder(folder) as temporary:
        with (
            NpyWriter(temporary / IDENTITIES_FILE, np.int32) as identities,
            NpyWriter(temporary / OFFSETS_FILE, np.int64) as offsets,
            _Flusher(temporary / IDENTITIES_FILE) as flusher,
        ):
            offsets.append(np.zeros(1, dtype=np.int64))
            words = ended = 0
            for chunk, lengths in counter.read(sources):
                identities.append(chunk)
                offsets.append(ended + np.cumsum(lengths))
                words += len(chunk)
                ended += int(lengths.sum())
                flusher.wrote(words)
                yield counter.bytes_read
            sentences = offsets.size - 1
        finished = _finished(counter, sources)
        dropped = counter.merger.dropped_words
        np.save(temporary / IDS_FILE, _put_in(finished, temporary / IDENTITIES_FILE) if dropped else finished.ids)
        with outputs.atomic_file(vocab_path) as stream:
            stream.write(finished.table)
        meta = {
            "fingerprint": counter.fingerprint(),
            "words": words,
            "sentences": sentences,
            "distinct": len(finished.counts),
            "split": counter.split,
            "dropped_words": dropped,
            "dropped": counter.merger.dropped,
            "max_bytes": max_bytes,
            **_doubts(finished),
            "sources": stamps if None not in stamps else None,
        }
        (temporary / "corpus.json").write_text(json.dumps(meta, indent=1) + "\n")


def _put_in(finished: Finished, path: Path) -> Ids:
    """Put ids in for the identities in a file, and return the ids of what is in it now: each is its own.

    For dropped words, whose identities are never given again: the table of all would grow with the text.
    """
    identities = NpyFile(path, np.int32)
    for first in range(0, len(identities), _FLUSH_WORDS):
        piece = identities[first : first + _FLUSH_WORDS]
        renumber(piece, finished.ids)
        identities.overwrite(first, piece)
    return np.arange(len(finished.counts) + 1, dtype=np.int32)


class _Flusher:
    """Flushes a file to disk while it is being written, so that little is left to do at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._flushed = 0
        self._pool = ThreadPoolExecutor(1, "w2v-flush")
        self._last: Future[None] | None = None

    def __enter__(self) -> _Flusher:
        return self

    def wrote(self, words: int) -> None:
        """Say how many words were written so far."""
        if words >= self._flushed + _FLUSH_WORDS:
            self._finish()
            self._last = self._pool.submit(outputs.sync_file, self._path)
            self._flushed = words

    def _finish(self) -> None:
        if self._last:
            self._last.result()  # an error that is reported here is not reported again

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()
        if error[0] is None:
            self._finish()


def _doubts(finished: Finished) -> dict[str, int]:
    """Return how many words of the text show that something is wrong with it: bad bytes, or punctuation at the end."""
    table = np.frombuffer(finished.table, dtype=np.uint8)
    ends = np.flatnonzero(table == ord("\t"))
    starts = np.concatenate(([0], np.flatnonzero(table == ord("\n"))[:-1] + 1))
    is_punctuated = np.isin(table[ends - 1], np.frombuffer(b".,;:!?", dtype=np.uint8)) & (ends - starts > 1)
    broken = UNDECODABLE.encode()
    is_broken = [broken in line for line in finished.table.splitlines()] if broken in finished.table else []
    return {
        "undecodable": int(finished.counts[np.flatnonzero(is_broken)].sum()),
        "punctuated": int(finished.counts[is_punctuated].sum()),
    }
