"""What becomes of the sentences: each once, if that is wanted; compressed; in one file or in shards.

Whatever pieces the sentences come in, the same sentences give the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from w2vcli import outputs
from w2vcli.compiled import compiled
from w2vcli.numbering import Bytes
from w2vcli.sources import compression_of

_BLOCK_BYTES = 1 << 22  # compressed at once


class Sink(Protocol):
    """Takes text, piece by piece."""

    def write(self, data: bytes) -> Any:
        """Take the next piece."""


# ---------------------------------------------------------------- compression


_CAN_BE_JOINED = ".gz", ".bz2", ".xz"
"""Formats in which one file may hold several, one after the other."""


class _Compressor:
    """Compresses blocks in several threads, and writes them in order."""

    def __init__(self, stream: BinaryIO, extension: str, pool: ThreadPoolExecutor, ahead: int) -> None:
        self._stream, self._extension, self._pool, self._ahead = stream, extension, pool, ahead
        self._held = bytearray()
        self._waiting: deque[Future[bytes]] = deque()

    def write(self, data: bytes) -> None:
        self._held += data
        while len(self._held) >= _BLOCK_BYTES:
            self._submit(bytes(self._held[:_BLOCK_BYTES]))
            del self._held[:_BLOCK_BYTES]

    def _submit(self, block: bytes) -> None:
        self._waiting.append(self._pool.submit(outputs.compressed, block, self._extension))
        if len(self._waiting) > self._ahead:
            self._stream.write(self._waiting.popleft().result())

    def finish(self) -> None:
        self._submit(bytes(self._held))
        for block in self._waiting:
            self._stream.write(block.result())


@contextmanager
def written(destination: str, workers: int) -> Iterator[Sink]:
    """Yield what text is written to; it becomes `destination` when the block ends well.

    Args:
        destination: a path, a URL or `-`, compressed as its name says.
        workers: threads that compress.
    """
    extension = compression_of(destination).lower()
    if destination == outputs.STDOUT or extension not in _CAN_BE_JOINED:
        with outputs.open_bytes(destination) as stream:
            yield stream
        return
    with ExitStack() as stack:
        stream = stack.enter_context(outputs.open_bytes(destination, compressed=False))
        pool = stack.enter_context(ThreadPoolExecutor(workers, "w2v-compress"))
        compressor = _Compressor(stream, extension, pool, workers + 1)
        yield compressor
        compressor.finish()


# ---------------------------------------------------------------- each sentence once


@compiled
def _keep_new(text: Any, table: Any, known: Any, most: Any, out: Any, found: Any) -> Any:
    """Copy the lines to `out` that are not in the table, and add them to it while it has fewer than `most`.

    text: lines, each with a newline. table: uint64 (a power of two,), open addressing; 0 is free. found: int64 (3,):
    the lines and tokens that were known; lines not remembered. Returns the bytes of `out`, and how many are known now.
    """
    mask = np.uint64(len(table) - 1)
    used, start, place, tokens = 0, 0, 0, 1
    key = np.uint64(0xCBF29CE484222325)
    while place < len(text):
        byte = text[place]
        place += 1
        if byte != 10:
            tokens += byte == 32
            # FNV-1a, 64 bits
            key = (key ^ np.uint64(byte)) * np.uint64(0x100000001B3)
            continue
        # its low bits are mixed with the high ones, which are the better ones
        key = (key ^ (key >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
        key = (key ^ (key >> np.uint64(29))) | np.uint64(1)
        slot = (key >> np.uint64(20)) & mask
        while table[slot] != 0 and table[slot] != key:
            slot = (slot + np.uint64(1)) & mask
        if table[slot] == key:
            found[0] += 1
            found[1] += tokens
        else:
            if known < most:
                table[slot] = key
                known += 1
            else:
                found[2] += 1
            for offset in range(place - start):
                out[used + offset] = text[start + offset]
            used += place - start
        start, tokens = place, 1
        key = np.uint64(0xCBF29CE484222325)
    return used, known


class Deduplicator:
    """Leaves out sentences that have occurred before: those with the same 63-bit hash.

    Two different sentences of n have the same hash with a probability of about n^2 / 2^64: of a hundred million, one in
    two thousand.

    Args:
        max_bytes: of memory, of which half is for the table: another is needed while it grows. When three quarters of
            it are full, later sentences are kept but not remembered.
    """

    def __init__(self, max_bytes: int) -> None:
        self.sentences = self.tokens = 0
        """Left out."""
        self.forgotten = 0
        """Sentences that were not remembered."""
        self._largest = 1 << max((max_bytes // 16).bit_length() - 1, 4)  # places, of 8 bytes
        self._most = self._largest * 3 // 4
        self._known = 0
        self._table: NDArray[np.uint64] = np.zeros(min(1 << 16, self._largest), dtype=np.uint64)

    def new(self, lines: bytes) -> bytes:
        """Return the lines that have not occurred before, and remember them."""
        text: Bytes = np.frombuffer(lines, dtype=np.uint8)
        self._make_room(lines.count(b"\n"))
        out, found = np.empty(len(text), dtype=np.uint8), np.zeros(3, dtype=np.int64)
        used, self._known = _keep_new(text, self._table, self._known, self._most, out, found)
        self.sentences += int(found[0])
        self.tokens += int(found[1])
        self.forgotten += int(found[2])
        return out[:used].tobytes()

    def remember(self, lines: Iterable[bytes]) -> None:
        """Remember sentences that were written earlier, and count nothing."""
        for some in lines:
            self.new(some)
        self.sentences = self.tokens = self.forgotten = 0

    def _make_room(self, more: int) -> None:
        """Have two places in the table for each sentence, as long as it may grow."""
        wanted = min(1 << (2 * (self._known + more)).bit_length(), self._largest)
        if wanted > len(self._table):
            keys = self._table[self._table != 0]
            self._table = np.zeros(wanted, dtype=np.uint64)
            _insert(keys, self._table)


@compiled
def _insert(keys: Any, table: Any) -> Any:
    """Put keys, no two of them the same, into an empty table."""
    mask = np.uint64(len(table) - 1)
    for key in keys:
        slot = (key >> np.uint64(20)) & mask
        while table[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = key
