"""Encoding: tokenised text becomes ids on disk and a vocabulary, in one pass.

The text is cut into chunks, at the end of a line where there is one. Reader threads decompress and hash the sources;
worker threads number the words of each chunk by first appearance in it; the chunks' vocabularies are then merged in
the chunks' order, which numbers the words by first appearance in the whole text: a word's identity. So the number of
workers makes no difference, nor does it where nodes of a cluster read and number, each a source. Ids, which follow the
counts, are known at the end; `Corpus` puts them in when it reads.
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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vcli import npy, outputs
from w2vcli.cluster import Cluster
from w2vcli.corpus import IDENTITIES_FILE, IDS_FILE, META_FILE, OFFSETS_FILE, Ids, Offsets, renumber
from w2vcli.errors import W2VError
from w2vcli.npy import NpyFile, NpyWriter
from w2vcli.numbering import CHUNK_BYTES, PADDING, UNDECODABLE, Bytes, Finished, Merger, Numbered, Workspace
from w2vcli.sources import Source, names, open_bytes
from w2vcli.text import MAX_TOKENS
from w2vcli.vocab import Vocab
from w2vcli.workers import Task

_FLUSH_WORDS = 4_000_000  # written to disk at once, while others are read
_PARALLEL_SOURCES = 4  # read ahead at once

# ---------------------------------------------------------------- chunks


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
                    chunk = np.concatenate((chunk[:used], np.empty(CHUNK_BYTES + len(PADDING), dtype=np.uint8)))
                    continue
                end = end or _last_character(chunk[:size])
                following, used = self._empty(), size - end
                following[:used] = chunk[end:size]
                chunk[end : end + len(PADDING)] = 0
                yield chunk[: end + len(PADDING)]
                chunk, size = following, CHUNK_BYTES
            chunk[used : used + len(rest)] = rest
            used += len(rest)
        if used:
            chunk[used : used + len(PADDING)] = 0
            yield chunk[: used + len(PADDING)]

    def _empty(self) -> Bytes:
        try:
            return self._spare.get_nowait()
        except queue.Empty:
            return np.empty(CHUNK_BYTES + len(PADDING), dtype=np.uint8)

    def take_back(self, chunk: Bytes) -> None:
        """Use the memory of a chunk again, of which nothing is needed any more."""
        if chunk.base is not None and len(chunk.base) == CHUNK_BYTES + len(PADDING):
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


class _Numberer:
    """Numbers the words of a source on a node of a cluster."""

    def __init__(self) -> None:
        self._space: Workspace | None = None

    def __call__(self, source: Source, pieces: Iterator[bytes]) -> Iterator[tuple[bytes, _Found]]:
        """Yield what is found in every chunk of the source, and last its digest."""
        self._space = space = self._space or Workspace()
        read, digest, cutter = 0, hashlib.sha256(), Cutter()

        def progress(number: int) -> None:
            nonlocal read
            read = number

        with open_bytes(source, progress, digest) as text:
            for chunk in cutter.chunks(text):
                yield b"", _Found(read, space.number_words(chunk), b"")
                cutter.take_back(chunk)
        yield b"", _Found(read, None, digest.digest())


class _Found(NamedTuple):
    """What a node says of a chunk, or of the end of a source."""

    read: int
    """Bytes of the source as stored, so far."""
    numbered: Numbered | None
    digest: bytes
    """Of the decompressed text, at its end."""


class WordCounter:
    """Reads tokenised text once: numbers the words and counts them.

    `read` yields (identities int32, sentence lengths int64) in chunks, in which the last sentence may have begun and
    not ended; they hold until the next ones are asked for. When it is through, `merger.finish` says what the
    identities mean.

    Args:
        workers: threads that number words, no more than there are cores; others read.
        max_bytes: see `Merger`.
        cluster: whose nodes read and number instead, each source one of them; the result is the same.
    """

    def __init__(self, workers: int = 1, max_bytes: int | None = None, cluster: Cluster | None = None) -> None:
        self.bytes_read = 0
        """Bytes as stored, so far."""
        self.split = 0
        """Sentences over MAX_TOKENS words, cut into several."""
        self.merger = Merger(max_bytes)
        self.workers = min(workers, os.cpu_count() or 1)  # more would only hold more text in memory
        self._cluster = cluster
        self._digest = hashlib.sha256()
        self._spare: list[Workspace] = []
        self._length = 0  # words so far of the sentence that is being read

    def read(self, sources: Iterable[Source]) -> Iterator[tuple[Ids, Offsets]]:
        """Yield the sentences of all sources; meanwhile `bytes_read` grows."""
        if self._cluster is not None:
            yield from self._read_there(self._cluster, sources)
            return
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

    def _read_there(self, cluster: Cluster, sources: Iterable[Source]) -> Iterator[tuple[Ids, Offsets]]:
        """Yield the sentences of sources that nodes of a cluster read."""
        read_before = 0
        tasks = (Task(source.everywhere()) for source in sources)
        for _, results in cluster.mapped(_Numberer(), tasks, cluster.cores):
            for _, found in results:
                self.bytes_read = read_before + found.read
                numbered = found.numbered
                if numbered is None:
                    self._digest.update(found.digest)
                    yield np.zeros(0, dtype=np.int32), self._sentences(None)
                    continue
                # what Ray has brought cannot be written to
                ids, lengths = numbered.numbers.copy(), numbered.lengths.copy()
                renumber(ids, self.merger.add(numbered))
                yield ids, self._sentences(numbered._replace(lengths=lengths))
            read_before = self.bytes_read

    def _merged(self, reader: _ReadAhead, pool: ThreadPoolExecutor) -> Iterator[tuple[Ids, Offsets]]:
        """Yield the chunks in their order; workers number them ahead, and replace numbers by identities."""

        def number(chunk: Bytes, space: Workspace) -> tuple[Numbered, Bytes, Workspace]:
            return space.number_words(chunk), chunk, space

        def replaced(numbered: Numbered, identities: NDArray[np.int32]) -> Ids:
            renumber(numbered.numbers, identities)
            return numbered.numbers

        ahead = self.workers + 1
        numbering: deque[Future[tuple[Numbered, Bytes, Workspace]]] = deque()
        replacing: deque[tuple[Future[Ids], Offsets, Workspace]] = deque()
        for chunk in itertools.chain(reader, itertools.repeat(None)):
            if chunk is not None:
                space = self._spare.pop() if self._spare else Workspace()
                numbering.append(pool.submit(number, chunk, space))
            if numbering and (chunk is None or len(numbering) > ahead):
                numbered, text, space = numbering.popleft().result()
                reader.cutter.take_back(text)
                identities = self.merger.add(numbered)
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
    sources: Sequence[Source],
    folder: Path,
    vocab_path: Path,
    workers: int = 1,
    max_bytes: int | None = None,
    cluster: Cluster | None = None,
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
        cluster: see `WordCounter`.

    Raises:
        W2VError: when a source cannot be read, there is no word, or the result cannot be written.
    """
    counter = WordCounter(workers, max_bytes, cluster)
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
        ids, checked = finished.ids, identities.checksums.found()
        if dropped:
            ids, checked = _put_in(finished, temporary / IDENTITIES_FILE)
        npy.save(temporary / IDS_FILE, ids)
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
            "checksums": {
                IDENTITIES_FILE: checked,
                OFFSETS_FILE: offsets.checksums.found(),
                IDS_FILE: npy.checksums(ids),
            },
            "base": None,
            "base_words": 0,
            "sources": stamps if None not in stamps else None,
        }
        (temporary / META_FILE).write_text(json.dumps(meta, indent=1) + "\n")


def _put_in(finished: Finished, path: Path) -> tuple[Ids, list[int]]:
    """Put ids in for the identities in a file; return the ids of what is in it now, each its own, and its checksums.

    For dropped words, whose identities are never given again: the table of all would grow with the text.
    """
    identities, checked = NpyFile(path, np.int32), npy.Checksums()
    for first in range(0, len(identities), _FLUSH_WORDS):
        piece = identities[first : first + _FLUSH_WORDS]
        renumber(piece, finished.ids)
        identities.overwrite(first, piece)
        checked.add(piece.data.cast("B"))
    return np.arange(len(finished.counts) + 1, dtype=np.int32), checked.found()


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
