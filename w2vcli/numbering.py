"""Words become numbers: by first appearance in a chunk of text, then in all of it, with their counts.

A word is what `str.split` takes for one. Words are compared as bytes, and decoded at the end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from w2vcli.compiled import compiled, prefetch, read_uint64, trailing_zeros
from w2vcli.corpus import Ids, renumber
from w2vcli.errors import W2VError
from w2vcli.vocab import Vocab

CHUNK_BYTES = 1 << 21  # so that a chunk's words stay in a core's cache
UNDECODABLE = "\ufffd"

Bytes = NDArray[np.uint8]

# ---------------------------------------------------------------- kernels


_1, _3, _7, _32 = np.uint64(1), np.uint64(3), np.uint64(7), np.uint64(32)
_ALL_0X21, _ALL_0X80 = np.uint64(0x2121212121212121), np.uint64(0x8080808080808080)
_LOW_HALF = 0xFFFFFFFF
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_KEY_BYTES = 8
PADDING = bytes(8)
"""Follows every chunk, so that eight bytes can be read from any place in it."""
_PADDED = len(PADDING)
_BLOCK = 32  # words that are looked up together
_WORD, _SPACE, _LINE_END, _PERHAPS_SPACE = 0, 1, 2, 3
_LINE_FEED, _CARRIAGE_RETURN = 0x0A, 0x0D


def _kinds() -> NDArray[np.uint8]:
    """Return what each byte is, (256,): part of a word, white space, or the first byte of what may be white space."""
    kinds = np.full(256, _WORD, dtype=np.uint8)
    kinds[[0x09, 0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x1F, 0x20]] = _SPACE
    kinds[[_LINE_FEED, _CARRIAGE_RETURN]] = _LINE_END
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
    text: Any, kinds: Any, state: Any, cut: Any, numbers: Any, lengths: Any, table: Any, pool: Any, starts: Any,
    word_lengths: Any, keys: Any, counts: Any,
) -> Any:  # fmt: skip
    """Do the work of `Workspace.number_more` from where `state` says, until the text ends or an array is full.

    text: after its end there are eight bytes more.
    state: int64 (6,): place in the text, words, distinct words, lines, words before the line, bytes of the pool.
    cut: int64 (n, 3), overwritten: so many words are cut from the text before they are looked up, so that the
    processor fetches their places in the table meanwhile.
    table: as above. pool: the distinct words, a newline after each; large enough. starts, word_lengths, keys, counts:
    of the distinct words.
    """
    place, n, distinct, lines, line_start, used = state
    size, mask, address = len(text) - _PADDED, np.uint64(len(table) - 1), text.ctypes.data
    pool_address, table_address = pool.ctypes.data, table.ctypes.data
    while place < size and distinct + len(cut) <= len(starts) and lines < len(lengths):
        words = 0
        while words < len(cut) and place < size and lines < len(lengths):
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
            if place > start:
                cut[words, 0], cut[words, 1], cut[words, 2] = start, place - start, np.int64(key)
                prefetch(table_address + np.int64(_first_slot(key, mask)) * 16)
                words += 1
            if place < size:
                # of a carriage return and a line feed, the second ends the line
                if kind == _LINE_END and (text[place] == _LINE_FEED or text[place + 1] != _LINE_FEED):
                    lengths[lines] = n + words - line_start
                    lines += 1
                    line_start = n + words
                place += skip if kind == _PERHAPS_SPACE else 1
        for index in range(words):
            start, length, key = cut[index, 0], cut[index, 1], np.uint64(cut[index, 2])
            slot = _first_slot(key, mask)
            while True:
                found = np.int64(table[slot, 1])
                if found == 0:
                    word = distinct
                    distinct += 1
                    table[slot, 0], table[slot, 1] = key, (distinct << 32) | length
                    starts[word], word_lengths[word], keys[word], counts[word] = used, length, key, 0
                    for offset in range(length):
                        pool[used + offset] = text[start + offset]
                    used += length
                    pool[used] = _LINE_FEED
                    used += 1
                    break
                if table[slot, 0] == key and (found & _LOW_HALF) == length:
                    word = (found >> 32) - 1
                    if length <= _KEY_BYTES or _is_same(pool_address + starts[word], address + start, length):
                        break
                slot = (slot + _1) & mask
            counts[word] += 1
            numbers[n] = word
            n += 1
    state[0], state[1], state[2], state[3], state[4], state[5] = place, n, distinct, lines, line_start, used


@compiled
def _merge(own: Any, words: Any, size: Any, table: Any, pool: Any, pool_used: Any, merged: Any, mapping: Any) -> Any:
    """Add a chunk's distinct words to the merged ones; `mapping` gets the number of each. All arrays are large enough.

    words: starts in `own`, lengths, keys, counts. merged: the same of `size` words in `pool`, of which `pool_used`
    bytes are taken. Returns the new size and pool_used.
    """
    starts, lengths, keys, counts = words
    all_starts, all_lengths, all_keys, all_counts = merged
    mask, address, pool_address = np.uint64(len(table) - 1), own.ctypes.data, pool.ctypes.data
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
                    pool[pool_used + offset] = own[starts[word] + offset]
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


# ---------------------------------------------------------------- a chunk


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
    """A chunk whose words have been numbered by first appearance; arrays are those of the workspace."""

    numbers: Ids
    lengths: NDArray[np.int64]
    """The words of each line that ends in the chunk; words after the last end are in none."""
    pool: Bytes
    """The distinct words, with a newline after each."""
    distinct: Distinct
    """They begin in the pool."""


class Workspace:
    """Arrays to number words in, to be used again: the page faults of new ones cost a fifth of the time."""

    def __init__(self) -> None:
        self._numbers: Ids = np.empty(CHUNK_BYTES // 2 + 1, dtype=np.int32)
        self._lengths = np.empty(1 << 15, dtype=np.int64)
        self._cut = np.empty((_BLOCK, 3), dtype=np.int64)
        self._distinct = Distinct.empty(1 << 15)
        self._table = np.empty((1 << 16, 2), dtype=np.uint64)
        self._pool = np.empty(1 << 18, dtype=np.uint8)
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._size = self._pool_used = 0
        self._table[:] = 0

    def number_words(self, chunk: Bytes) -> Numbered:
        """Number the words of a chunk of text alone; see `number_more`.

        >>> text = np.frombuffer(b"to be or\\nnot to be" + PADDING, dtype=np.uint8)
        >>> numbered = Workspace().number_words(text)
        >>> numbered.numbers.tolist(), numbered.lengths.tolist(), numbered.distinct.counts.tolist()
        ([0, 1, 2, 3, 0, 1], [3], [2, 2, 1, 1])
        """
        self.forget()
        return self.number_more(chunk)

    def number_more(self, chunk: Bytes) -> Numbered:
        """Number the words of a chunk of text, after those of earlier chunks since all were forgotten.

        The result holds until the workspace is used for another chunk.

        Args:
            chunk: uint8 (n,), cut at white space; it ends in PADDING. Cut between "\\r" and "\\n", these are two lines.
        """
        if len(self._numbers) <= len(chunk) // 2:
            self._numbers = np.empty(len(chunk) // 2 + 1, dtype=np.int32)
        if self._pool_used + len(chunk) > len(self._pool):
            self._pool = np.concatenate((self._pool[: self._pool_used], np.empty(2 * len(chunk), dtype=np.uint8)))
        state = np.array([0, 0, self._size, 0, 0, self._pool_used])
        while True:
            _number_words(
                chunk, _KINDS, state, self._cut, self._numbers, self._lengths, self._table, self._pool, *self._distinct
            )
            place, words, self._size, lines, _, self._pool_used = state.tolist()
            if place >= len(chunk) - _PADDED:
                distinct = self._distinct.head(self._size)
                return Numbered(self._numbers[:words], self._lengths[:lines], self._pool[: self._pool_used], distinct)
            if lines == len(self._lengths):
                self._lengths = np.concatenate((self._lengths, np.empty_like(self._lengths)))
            if self._size + _BLOCK > len(self._distinct.keys):
                self._table = np.zeros((2 * len(self._table), 2), dtype=np.uint64)
                known = self._distinct.head(self._size)
                _fill(self._table, np.arange(self._size), known.lengths, known.keys)
                self._distinct = known.grown(2 * len(self._distinct.keys))


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
            chunk.pool, tuple(chunk.distinct), self._size, self._table, self._pool, self._pool_used,
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
        identities, counts = self._identities(numbers), self._words.counts[: self._size]
        ranks, order = _ranks(counts)
        table = self._table_of(order)
        if UNDECODABLE in table.decode(errors="replace"):
            words, counts, numbers = _merged(Vocab.parse(self._table_of(numbers).decode(errors="replace")))
            ranks, order = _ranks(counts)
            table = Vocab([words[place] for place in order.tolist()], counts[order]).table().encode()
        ids = np.full(self._size + self._shift, len(counts), dtype=np.int32)
        ids[identities] = ranks[numbers]
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


def prepare() -> None:
    """Load all kernels from numba's cache, or compile them."""
    merger = Merger()
    text = np.frombuffer(b"a" + PADDING, dtype=np.uint8)
    numbered = Workspace().number_words(text)
    renumber(numbered.numbers, merger.add(numbered))
    merger.finish()
    merger._drop_rarest(0)
