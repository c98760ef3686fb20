"""The parts into which the inputs are cut, so that several processes can work on them; their order is the text's.

Where it is cut depends on the inputs alone, never on who works on them. A part is one of three kinds:

- a range of a file that can be read from any place: of bytes, which the one who reads it extends to the ends of lines
  or paragraphs, or of a Parquet file's row groups;
- a whole file, if it is not large;
- fed: this process reads the source and hands on what is in it. So it is with standard input, large compressed files
  and dumps: they can only be read from their beginning.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from w2vcli.config import Preprocess
from w2vcli.errors import W2VError
from w2vcli.preprocessing.decoding import Decoder, may_be_cut, with_newlines
from w2vcli.preprocessing.documents import ParquetReader, format_of, reader
from w2vcli.sources import STDIN, Source, bytes_read, check_text, encoding_of, look, opened, shown, translated
from w2vcli.text import Unit
from w2vcli.workers import Task

RANGE_BYTES = 1 << 22
WHOLE_BYTES = 1 << 25  # stored; a larger file is cut or fed
FED_BYTES = 1 << 22
_PIECE_BYTES = 1 << 18
_BLANK_LINE = re.compile(rb"\n(?=([ \t\r\f\v]{0,64}\n))")
_OVERLAP = 66  # bytes before a place that tell whether a paragraph may begin there


@dataclass(frozen=True)
class Part:
    """A part of the inputs."""

    source: int
    """Its number."""
    start: int = 0
    end: int | None = None
    """Bytes as stored, or row groups; None: to the end."""
    is_fed: bool = False
    """Its text, or batches of its records, come with it."""
    error: W2VError | None = None
    """What went wrong in feeding it."""
    read: int = 0
    """Bytes as stored of which row groups are."""
    encoding: str = ""
    """Of a range of text."""


class Plan:
    """The parts of all sources, and what this process reads of them itself."""

    def __init__(self, sources: Sequence[Source], settings: Preprocess) -> None:
        self.sources, self.settings = sources, settings
        self.read = 0
        """Bytes as stored that this process has fed so far."""
        self.counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
        """By source: what was found in feeding it."""

    def tasks(self) -> Iterator[Task]:
        """Yield the parts, with their pieces where they are fed."""
        for number, source in enumerate(self.sources):
            try:
                yield from self._tasks_of(number, source)
            except W2VError as error:
                yield Task(Part(number, error=error))

    def _tasks_of(self, number: int, source: Source) -> Iterator[Task]:
        kind = format_of(source.name, self.settings.format)
        if kind == "parquet":
            yield from self._parts_of_parquet(number, source)
        elif encoding := self._may_be_cut(source, kind):
            size = source.size or 0
            yield from (
                Task(Part(number, start, min(start + RANGE_BYTES, size), encoding=encoding))
                for start in range(0, size, RANGE_BYTES)
            )
        elif source.name != STDIN and source.size is not None and source.size <= WHOLE_BYTES:
            yield Task(Part(number))
        else:
            yield from self._fed(number, source, kind)

    def _parts_of_parquet(self, number: int, source: Source) -> Iterator[Task]:
        """Yield some row groups each, of a local file; a remote one has to be copied first, and is one part."""
        size = source.size or 0
        if source.name == STDIN:
            raise W2VError("standard input: Parquet cannot be read from a pipe", "name the file")
        if not source.is_local:
            yield Task(Part(number, read=size))
            return
        groups = ParquetReader(self.settings.field).row_groups(source.name, name=source.name)
        step = max(groups * RANGE_BYTES // max(size, 1), 1)
        for first in range(0, groups, step):
            end = min(first + step, groups)
            yield Task(Part(number, first, end, read=size * (end - first) // groups))

    def _may_be_cut(self, source: Source, kind: str) -> str | None:
        """Return the encoding of a source that can be read in ranges, or None."""
        if not source.can_seek or not source.size or source.size <= RANGE_BYTES:
            return None
        if kind != "jsonl" and (kind != "text" or self.settings.unit == "document"):
            return None
        found = look(source)
        if found.is_compressed or (found.is_binary and self.settings.encoding == "auto"):
            return None
        encoding = _encoding(self.settings, found.encoding)
        return encoding if may_be_cut(encoding) else None

    def _fed(self, number: int, source: Source, kind: str) -> Iterator[Task]:
        part = Part(number, is_fed=True)
        with self._read(number, source) as pieces:
            if kind == "text":
                yield from _text_tasks(part, pieces, boundary_finder(self.settings.unit))
            else:
                records = reader(kind, self.settings.field)
                for batch in records.batches(with_newlines(pieces), FED_BYTES, name=shown(source.name)):
                    yield Task(part, (batch,))

    @contextmanager
    def _read(self, number: int, source: Source) -> Iterator[Iterator[bytes]]:
        before = self.read

        def progress(read: int) -> None:
            self.read = before + read

        with read_whole(source, self.settings, self.counts[number], progress) as pieces:
            yield pieces


@contextmanager
def read_whole(
    source: Source, settings: Preprocess, counts: Counter[str], progress: Callable[[int], None]
) -> Iterator[Iterator[bytes]]:
    """Open a source from its beginning; yield its text as UTF-8, in pieces.

    Args:
        source: where to read.
        settings: of its encoding.
        counts: see `Decoder.decoded`.
        progress: called with the stored bytes read so far.
    """
    with translated(source.name), opened(source) as (stored, stream):
        encoding = encoding_of(stream)
        if settings.encoding == "auto":
            check_text(source, stream)

        def pieces() -> Iterator[bytes]:
            with translated(source.name):  # whoever asks for them, and wherever
                while piece := stream.read(_PIECE_BYTES):
                    progress(bytes_read(stored) or 0)
                    yield piece

        yield decoder(source, settings, encoding).decoded(pieces(), counts)


def decoder(source: Source, settings: Preprocess, encoding: str) -> Decoder:
    """Return how a source is decoded, whose byte-order mark says an encoding."""
    return Decoder(shown(source.name), _encoding(settings, encoding), settings.bad_bytes == "refuse")


def _encoding(settings: Preprocess, found: str) -> str:
    return found if settings.encoding == "auto" else settings.encoding


# ---------------------------------------------------------------- places to cut

Finder = Callable[[bytes, int], int]
"""Text, a place in it -> the first place not before that one where a unit begins, or -1."""


def boundary_finder(unit: Unit) -> Finder:
    """Return what finds a place where a unit begins; one that says there is none for documents."""
    return {"line": _after_line, "paragraph": _after_blank_line, "document": lambda text, place: -1}[unit]


def _after_line(text: bytes, place: int) -> int:
    return text.find(b"\n", max(place - 1, 0)) + 1 or -1


def _after_blank_line(text: bytes, place: int) -> int:
    for match in _BLANK_LINE.finditer(text, max(place - _OVERLAP, 0)):
        if match.end(1) >= place:
            return match.end(1)
    return -1


def range_of(stream: BinaryIO, offset: int, start: int, end: int, finder: Finder) -> tuple[int, Iterator[bytes]]:
    """Return where the first unit that begins in a range does, and the text from there to the end of the last one.

    Args:
        stream: stands at `offset`.
        offset: see `offset_for`.
        start, end: the range.
        finder: see `boundary_finder`.
    """
    base, text = offset, b""
    while True:
        piece = stream.read(_PIECE_BYTES)
        text += piece
        found = 0 if start == 0 else finder(text, start - base)
        if 0 <= found < end - base:
            return base + found, _up_to(stream, text, base, base + found, end, finder)
        if found >= 0 or not piece or base + len(text) >= end:
            return end, iter(())
        base, text = base + max(len(text) - _OVERLAP, 0), text[-_OVERLAP:]


def offset_for(start: int) -> int:
    """Return from where to read to know whether a unit begins at `start`."""
    return max(start - _OVERLAP, 0)


def _up_to(stream: BinaryIO, text: bytes, base: int, begin: int, end: int, finder: Finder) -> Iterator[bytes]:
    """Yield text from `begin` to the first place not before `end` where a unit begins; `text` is from `base` on."""
    while True:
        found = finder(text, end - base) if base + len(text) >= end else -1
        if found >= 0:
            yield text[begin - base : found]
            return
        piece = stream.read(_PIECE_BYTES)
        if not piece:
            yield text[begin - base :]
            return
        sure = max(base + len(text) - _OVERLAP, begin)
        yield text[begin - base : sure - base]
        kept = max(sure - _OVERLAP, base)  # what is before a place tells whether a unit begins there
        base, begin, text = kept, sure, text[kept - base :] + piece


def line_tasks(pieces: Iterator[bytes]) -> Iterator[Task]:
    """Yield tasks that are told nothing, each with some of the lines that the pieces are of."""
    return _text_tasks(None, pieces, _after_line)


def _text_tasks(part: Part | None, pieces: Iterator[bytes], finder: Finder) -> Iterator[Task]:
    """Yield tasks of about FED_BYTES of text, cut where units begin; of a longer unit the pieces as they come."""
    rest = b""

    def open_end(text: bytes) -> Iterator[bytes]:
        nonlocal rest
        sure = 0
        while True:
            found = finder(text, sure + 1)
            if found >= 0:
                rest = text[found:]
                yield text[:found]
                return
            sure = max(len(text) - _OVERLAP, 0)
            yield text[:sure]
            text, sure = text[sure:], min(len(text), _OVERLAP)
            piece = next(pieces, None)
            if piece is None:
                rest = b""
                yield text
                return
            text += piece

    while True:
        gathered = [rest]
        size = len(rest)
        for piece in pieces:
            gathered.append(piece)
            size += len(piece)
            if size >= FED_BYTES:
                break
        else:
            yield Task(part, (b"".join(gathered),))
            return
        text = b"".join(gathered)
        found = _late_place(text, finder)
        if found < 0:
            yield Task(part, open_end(text), is_open=True)
        else:
            rest = text[found:]
            yield Task(part, (text[:found],))


def _late_place(text: bytes, finder: Finder) -> int:
    """Return a place late in a text where a unit begins, or -1 where none does after its beginning.

    The last one, unless there are some in the last _PIECE_BYTES: where a unit without an end follows, what is cut off
    is not to be read again and again.
    """
    place = max(len(text) - _PIECE_BYTES, 1)
    found = finder(text, place)
    if found >= 0 or place == 1:
        return found
    found, end = finder(text, 1), place
    while 0 <= found < end - 1:  # from `end` on there is none
        middle = (found + end + 1) // 2
        later = finder(text, middle)
        found, end = (later, end) if later >= 0 else (found, middle)
    return found
