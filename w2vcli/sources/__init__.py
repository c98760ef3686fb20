"""Inputs: files, globs, folders, standard input and URLs, plain or compressed, as lines of text.

Where bytes lie is the business of `places`; compression and encoding are recognised by their first bytes, whatever
the name says. Anything that goes wrong while reading is raised as a W2VError that names the source.
"""

from __future__ import annotations

import codecs
import glob
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from w2vcli.errors import W2VError
from w2vcli.sources import places
from w2vcli.sources.places import STDIN, is_url, shown, translated

__all__ = [
    "LINE_PIECE",
    "STDIN",
    "Look",
    "Progress",
    "Source",
    "bytes_read",
    "check_text",
    "compression_of",
    "encoding_of",
    "expand",
    "is_url",
    "look",
    "names",
    "open_bytes",
    "open_text",
    "opened",
    "opened_at",
    "shown",
    "total_size",
    "translated",
]

LINE_PIECE = 1 << 20  # characters of a line held at once
_SNIFF = 8192  # bytes looked at to tell text from other data
_ASKED_AT_ONCE = 8  # servers, for the sizes of files

_COMPRESSION = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\x00": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}
_BZIP2_BLOCKS = b"1AY&SY", b"\x17rE8P\x90"  # a block, or none; text can begin with BZh
_BYTE_ORDER_MARKS = {  # the longer first: UTF-32's begins with UTF-16's
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}


def compression_of(name: str) -> str:
    """Return the ending of a file's name that says how it is compressed, or nothing.

    >>> compression_of("a.vec.GZ"), compression_of("a.vec")
    ('.GZ', '')
    """
    suffix = Path(name).suffix
    return suffix if suffix.lower() in _COMPRESSION.values() else ""


@dataclass(frozen=True)
class Source:
    """One input: `name` is a path, a URL or `-`; `stored` its bytes as stored, where known beforehand."""

    name: str
    stored: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a file on this machine."""
        return self.name != STDIN and not is_url(self.name)

    @cached_property
    def size(self) -> int | None:
        """Its bytes as stored, or None where that is not known; the first time, a server may have to be asked."""
        return places.size(self.name) if self.stored is None and is_url(self.name) else self.stored

    @property
    def can_seek(self) -> bool:
        """Whether `opened_at` can begin anywhere in it."""
        return Path(self.name).is_file() if self.is_local else is_url(self.name) and places.place_of(self.name).can_seek

    def everywhere(self) -> Source:
        """Return it with a name that does not depend on the folder in which a process runs."""
        return replace(self, name=str(Path(self.name).absolute())) if self.is_local else self

    def stamp(self) -> tuple[str, int, int] | None:
        """Return absolute path, size and modification time in ns: if it is unchanged, so is the file. None: unknown."""
        if not self.is_local:
            return None
        status = Path(self.name).stat()
        return str(Path(self.name).resolve()), status.st_size, status.st_mtime_ns


def names(sources: Sequence[Source]) -> str:
    """Return the first few names, for a message.

    >>> names([Source("a"), Source("b"), Source("c"), Source("d")])
    'a, b, c, …'
    """
    return ", ".join(shown(source.name) for source in sources[:3]) + (", …" if len(sources) > 3 else "")


def total_size(sources: Sequence[Source]) -> int | None:
    """Return the bytes of all sources as stored, or None where one is unknown."""
    if not sources or sources[0].size is None:
        return None if sources else 0
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        sizes = list(pool.map(lambda source: source.size, sources))
    return None if None in sizes else sum(size or 0 for size in sizes)


def expand(
    inputs: Sequence[str | Path], skipped: list[str] | None = None, accepted: Callable[[str], bool] | None = None
) -> list[Source]:
    """Return the sources that `inputs` name: globs and folders expanded, in sorted order.

    In a folder every file at any depth counts, except hidden and empty ones and those that hold no text, unless their
    names are `accepted`; the names of the latter are added to `skipped`. On S3 a bucket, or a name that ends in `/`,
    stands for every object below it that is neither hidden nor empty, and globs match as they do here.

    Raises:
        W2VError: for a file that is not there, or a glob or folder that yields nothing.
    """
    return [
        source
        for name in inputs
        for source in _expand_one(str(name), [] if skipped is None else skipped, accepted or (lambda name: False))
    ]


def _expand_one(name: str, skipped: list[str], accepted: Callable[[str], bool]) -> Iterator[Source]:
    path = Path(name)
    if not name:
        raise W2VError("an empty name among the inputs", "is a variable of the shell unset?")
    if is_url(name) and places.is_pattern(name):
        yield from (Source(*entry) for entry in places.listed(name))
    elif name == STDIN or is_url(name):
        yield Source(name)
    elif path.is_dir():
        yield from _expand_folder(path, skipped, accepted)
    elif path.exists():
        yield Source(name, path.stat().st_size if path.is_file() else None)
    elif glob.has_magic(name):
        files = [match for match in map(Path, sorted(glob.glob(name, recursive=True))) if match.is_file()]  # noqa: PTH207
        if not files:
            raise W2VError(f"{name}: no file matches")
        yield from (Source(str(file), file.stat().st_size) for file in files)
    else:
        raise W2VError(f"{name}: no such file or folder")


def _expand_folder(folder: Path, skipped: list[str], accepted: Callable[[str], bool]) -> Iterator[Source]:
    found = False
    for root, folders, files in os.walk(folder, onerror=_unreadable):
        if {"events.jsonl", "lock"} <= set(files):
            raise W2VError(f"{root}: is a run directory, not text", "name the text itself")
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(root, name) for name in sorted(files) if not is_passed_over(name)):
            source = Source(str(path), path.stat().st_size)
            if source.size and (accepted(source.name) or _is_text(source)):
                found = True
                yield source
            elif source.size:
                skipped.append(source.name)
    if not found:
        raise W2VError(f"{folder}: no text file in this folder")


def is_passed_over(name: str) -> bool:
    """Whether a file is hidden, or what `w2v preprocess` writes beside its text."""
    return name.startswith(".") or name.endswith((".shards.json", ".phrases.json"))


def _unreadable(error: OSError) -> None:
    raise W2VError(f"{error.filename}: cannot be read: {error.strerror}") from error


def _is_text(source: Source) -> bool:
    with translated(source.name), opened(source) as (_, stream):
        return not _looks_binary(stream)


def _looks_binary(stream: io.BufferedReader) -> bool:
    start = stream.peek(_SNIFF)[:_SNIFF]
    return b"\0" in start and _encoding(start) in ("utf-8", "utf-8-sig")


def _encoding(start: bytes) -> str:
    return next((name for mark, name in _BYTE_ORDER_MARKS.items() if start.startswith(mark)), "utf-8")


@contextmanager
def opened(source: Source) -> Iterator[tuple[IO[bytes], io.BufferedReader]]:
    """Open `source`; yield its bytes as stored and, from the same place, its bytes decompressed.

    The two are the same stream if it is a file that is not compressed.
    """
    if source.name == STDIN:
        stored: IO[bytes] = _standard_input()
        yield stored, _decompressed(stored)
        return
    with places.open_stored(source.name) as stored, _decompressed(stored) as stream:
        yield stored, stream


@dataclass(frozen=True)
class Look:
    """What the first bytes of a source tell."""

    is_compressed: bool
    encoding: str
    """UTF-8, if a byte-order mark says nothing else."""
    is_binary: bool
    """Whether there are NUL bytes, which text in that encoding has not."""


def look(source: Source) -> Look:
    """Look at the first bytes of a source that can be opened again.

    Raises:
        W2VError: when it cannot be read.
    """
    with translated(source.name), opened(source) as (stored, stream):
        return Look(stream is not stored, encoding_of(stream), _looks_binary(stream))


def encoding_of(stream: io.BufferedReader) -> str:
    """Return the encoding that a byte-order mark at a stream's beginning says, or UTF-8."""
    return _encoding(stream.peek(4))


def check_text(source: Source, stream: io.BufferedReader) -> None:
    """Look at a stream's beginning.

    Raises:
        W2VError: when it is not text.
    """
    if _looks_binary(stream):
        raise W2VError(f"{shown(source.name)}: not text", f"it holds NUL bytes{_guess(stream.peek(_SNIFF)[:_SNIFF])}")


def _guess(start: bytes) -> str:
    """Say what text may be that holds NUL bytes: of UTF-16, most are at even or at odd places."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) < len(start) // 4 or min(even, odd) > max(even, odd) // 8:
        return ""
    return f"; is it UTF-16? w2v preprocess --set preprocess.encoding=utf-16-{'le' if odd > even else 'be'} reads that"


@contextmanager
def opened_at(source: Source, start: int) -> Iterator[io.BufferedReader]:
    """Open `source` and yield its bytes as stored, from the byte `start` on.

    Raises:
        W2VError: when that cannot be done here, see `Source.can_seek`, or the source cannot be opened; wrap what
            reads it in `translated` for what happens later.
    """
    if not source.can_seek:
        raise W2VError(f"{shown(source.name)}: can only be read from its beginning")
    with translated(source.name):
        stored = places.open_stored(source.name, start)
    with stored:
        yield stored


class _Counted(io.FileIO):
    """Knows how much of it was read, which a pipe does not."""

    passed = 0

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer) or 0
        self.passed += count
        return count


def bytes_read(stream: IO[bytes]) -> int | None:
    """Return how many bytes were read of a stream that `opened` gave, or None if it does not know."""
    passed: int | None = getattr(getattr(stream, "raw", None), "passed", None)
    if passed is None and stream.seekable():
        return stream.tell()
    return passed


def _standard_input() -> IO[bytes]:
    """Return a stream of our own: a thread that waits for Python's when the program ends would make it abort."""
    try:
        return io.BufferedReader(_Counted(sys.stdin.fileno(), closefd=False))
    except OSError:  # what stands in its place is no file
        return sys.stdin.buffer


def _decompressed(stored: IO[bytes]) -> io.BufferedReader:
    buffered = stored if isinstance(stored, io.BufferedReader) else io.BufferedReader(cast("Any", stored))
    start = buffered.peek(10)
    for magic, extension in _COMPRESSION.items():
        if start.startswith(magic) and (extension != ".bz2" or start[4:10] in _BZIP2_BLOCKS):
            from smart_open.compression import compression_wrapper

            stream = compression_wrapper(buffered, "rb", compression=extension)
            return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)
    return buffered


Progress = Callable[[int], None]


@contextmanager
def open_text(source: Source, progress: Progress | None = None, digest: Any = None) -> Iterator[Iterator[str]]:
    """Open `source` and yield an iterator over its lines, decoded; bytes that are no text become U+FFFD.

    A line ends with a newline, whichever kind it had, except perhaps the last. Of a line longer than LINE_PIECE
    characters the iterator yields pieces, cut at white space where there is any, all but the last without a
    newline. A byte-order mark at the start is gone; one further on is the caller's.

    Args:
        source: where to read.
        progress: called now and then with the stored bytes read so far.
        digest: a hashlib object that is fed the decompressed bytes.

    Raises:
        W2VError: when the source cannot be read, is damaged or is not text.
    """
    with _opened_text(source) as (stored, stream, encoding), _decoded(stream, encoding, digest) as text:
        yield _translated(source.name, _reported(_pieces(text), stored, progress))


@contextmanager
def open_bytes(source: Source, progress: Progress | None = None, digest: Any = None) -> Iterator[Iterator[bytes]]:
    """Open `source` and yield an iterator over pieces of its text, decompressed, as UTF-8 as far as it can be decoded.

    A byte-order mark at the start is gone.

    Args:
        source: where to read.
        progress: called with the stored bytes read so far after every piece, where the source knows its place.
        digest: a hashlib object that is fed the decompressed bytes.

    Raises:
        W2VError: when the source cannot be read, is damaged or is not text.
    """
    with _opened_text(source) as (stored, stream, encoding):
        if encoding.startswith("utf-8"):
            yield _translated(source.name, _byte_pieces(stream, encoding, stored, progress, digest))
            return
        with _decoded(stream, encoding, digest) as text:
            pieces = iter(lambda: text.read(LINE_PIECE), "")
            encoded = (piece.encode() for piece in _reported(pieces, stored, progress))
            yield _translated(source.name, encoded)


@contextmanager
def _decoded(stream: io.BufferedReader, encoding: str, digest: Any) -> Iterator[io.TextIOWrapper]:
    if digest is not None:
        stream = io.BufferedReader(_Hashing(stream, digest), 1 << 18)
    text = io.TextIOWrapper(stream, encoding=encoding, errors="replace")
    try:
        yield text
    finally:
        text.detach()  # closing is up to whoever opened the stream


@contextmanager
def _opened_text(source: Source) -> Iterator[tuple[IO[bytes], io.BufferedReader, str]]:
    """Open `source`; yield its bytes as stored, decompressed, and its encoding."""
    with ExitStack() as stack:
        with translated(source.name):
            stored, stream = stack.enter_context(opened(source))
            check_text(source, stream)
            encoding = encoding_of(stream)
        yield stored, stream, encoding


def _byte_pieces(
    stream: io.BufferedReader, encoding: str, stored: IO[bytes], progress: Progress | None, digest: Any
) -> Iterator[bytes]:
    start = len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0
    while piece := stream.read(LINE_PIECE):
        if digest is not None:
            digest.update(piece)
        _report(stored, progress)
        yield piece[start:]
        start = 0


T = TypeVar("T")


def _translated(name: str, items: Iterable[T]) -> Iterator[T]:
    with translated(name):
        yield from items


class _Hashing(io.RawIOBase):
    """Passes on what it reads, and feeds it to a hash."""

    def __init__(self, stream: io.BufferedReader, digest: Any) -> None:
        self._stream = stream
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._stream.readinto(buffer)
        self._digest.update(memoryview(buffer)[:count])
        return count


def _pieces(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of `text`, long ones in pieces cut at white space."""
    carry = ""
    while piece := text.readline(LINE_PIECE):
        piece = carry + piece
        carry = ""
        if len(piece) >= LINE_PIECE and not piece.endswith("\n"):
            cut = max(piece.rfind(" "), piece.rfind("\t"))
            if cut >= 0:
                piece, carry = piece[: cut + 1], piece[cut + 1 :]
            elif len(piece) < 4 * LINE_PIECE:  # a very long word: wait for its end, but not forever
                carry = piece
                continue
        yield piece
    if carry:
        yield carry


def _reported(lines: Iterable[str], stored: IO[bytes], progress: Progress | None) -> Iterator[str]:
    if progress is None:
        yield from lines
        return
    for number, line in enumerate(lines):
        if number % 4096 == 0:
            _report(stored, progress)
        yield line
    _report(stored, progress)


def _report(stored: IO[bytes], progress: Progress | None) -> None:
    read = None if progress is None else bytes_read(stored)
    if progress is not None and read is not None:
        progress(read)
