"""Inputs: files, globs, folders, standard input and URLs, plain or compressed, as lines of text.

Bytes come through smart_open; compression and encoding are recognised by their first bytes, whatever the name
says. Anything that goes wrong while reading is raised as a W2VError that names the source.
"""

from __future__ import annotations

import codecs
import glob
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from w2vcli.errors import W2VError

STDIN = "-"
LINE_PIECE = 1 << 20  # characters of a line held at once
_SNIFF = 8192  # bytes looked at to tell text from other data

_COMPRESSION = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\x00": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}
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
    """One input: `name` is a path, a URL or `-`; `size` its bytes as stored, where known."""

    name: str
    size: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a file on this machine."""
        return self.name != STDIN and not is_url(self.name)

    def stamp(self) -> tuple[str, int, int] | None:
        """Return absolute path, size and modification time in ns: if it is unchanged, so is the file. None: unknown."""
        if not self.is_local:
            return None
        status = Path(self.name).stat()
        return str(Path(self.name).resolve()), status.st_size, status.st_mtime_ns


def is_url(name: str | Path) -> bool:
    """Return whether `name` is a URL rather than a path."""
    return "://" in str(name)


def names(sources: Sequence[Source]) -> str:
    """Return the first few names, for a message.

    >>> names([Source("a"), Source("b"), Source("c"), Source("d")])
    'a, b, c, …'
    """
    return ", ".join(source.name for source in sources[:3]) + (", …" if len(sources) > 3 else "")


def total_size(sources: Sequence[Source]) -> int | None:
    """Return the bytes of all sources as stored, or None where one is unknown."""
    sizes = [source.size for source in sources]
    return None if None in sizes else sum(size or 0 for size in sizes)


def expand(inputs: Sequence[str | Path], skipped: list[str] | None = None) -> list[Source]:
    """Return the sources that `inputs` name: globs and folders expanded, in sorted order.

    In a folder every file at any depth counts, except hidden and empty ones and those that hold no text; the names of
    the latter are added to `skipped`.

    Raises:
        W2VError: for a file that is not there, or a glob or folder that yields nothing.
    """
    return [source for name in inputs for source in _expand_one(str(name), [] if skipped is None else skipped)]


def _expand_one(name: str, skipped: list[str]) -> Iterator[Source]:
    path = Path(name)
    if not name:
        raise W2VError("an empty name among the inputs", "is a variable of the shell unset?")
    if name == STDIN or is_url(name):
        yield Source(name)
    elif path.is_dir():
        yield from _expand_folder(path, skipped)
    elif path.exists():
        yield Source(name, path.stat().st_size if path.is_file() else None)
    elif glob.has_magic(name):
        files = [match for match in map(Path, sorted(glob.glob(name, recursive=True))) if match.is_file()]  # noqa: PTH207
        if not files:
            raise W2VError(f"{name}: no file matches")
        yield from (Source(str(file), file.stat().st_size) for file in files)
    else:
        raise W2VError(f"{name}: no such file or folder")


def _expand_folder(folder: Path, skipped: list[str]) -> Iterator[Source]:
    found = False
    for root, folders, files in os.walk(folder, onerror=_unreadable):
        if {"events.jsonl", "lock"} <= set(files):
            raise W2VError(f"{root}: is a run directory, not text", "name the text itself")
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(root, name) for name in sorted(files) if not name.startswith(".")):
            source = Source(str(path), path.stat().st_size)
            if source.size and _is_text(source):
                found = True
                yield source
            elif source.size:
                skipped.append(source.name)
    if not found:
        raise W2VError(f"{folder}: no text file in this folder")


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
    with _transported(source.name) as stored, _decompressed(stored) as stream:
        yield stored, stream


def _transported(name: str) -> IO[bytes]:
    if not is_url(name):
        return Path(name).open("rb", buffering=1 << 18)
    from smart_open import open as smart_open

    stream: IO[bytes] = smart_open(name, "rb", compression="disable")
    return stream


class _Counted(io.FileIO):
    """Knows how much of it was read, which a pipe does not."""

    passed = 0

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer) or 0
        self.passed += count
        return count


def bytes_read(stream: IO[bytes]) -> int | None:
    """Return how many bytes were read of a stream that `opened` gave, or None if it does not know."""
    counted = getattr(stream, "raw", None)
    if isinstance(counted, _Counted):
        return counted.passed
    return stream.tell() if stream.seekable() else None


def _standard_input() -> IO[bytes]:
    """Return a stream of our own: a thread that waits for Python's when the program ends would make it abort."""
    try:
        return io.BufferedReader(_Counted(sys.stdin.fileno(), closefd=False))
    except OSError:  # what stands in its place is no file
        return sys.stdin.buffer


def _decompressed(stored: IO[bytes]) -> io.BufferedReader:
    buffered = stored if isinstance(stored, io.BufferedReader) else io.BufferedReader(cast("Any", stored))
    start = buffered.peek(8)
    for magic, extension in _COMPRESSION.items():
        if start.startswith(magic):
            from smart_open.compression import compression_wrapper

            stream = compression_wrapper(buffered, "rb", compression=extension)
            return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)
    return buffered


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn what reading `name`, or writing it if it is a URL, may raise into a W2VError that names it."""
    shown = "standard input" if name == STDIN else name
    try:
        yield
    except EOFError as error:
        raise W2VError(
            f"{shown}: the compressed data ends too early", "the file is truncated; fetch it again"
        ) from error
    except ImportError as error:
        raise W2VError(f"{shown}: the library for it is not installed", _missing_extra(name, error)) from error
    except NotImplementedError as error:
        raise W2VError(f"{shown}: no way is known to open {name.split('://')[0]}://") from error
    except UnicodeError as error:
        raise W2VError(f"{shown}: cannot be decoded: {error}") from error
    except (OSError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise W2VError(f"{_other_file(name, error) or shown}: {reason}") from error
    except Exception as error:
        known = type(error).__name__ in ("LZMAError", "ZstdError")  # only importable where the library is
        if isinstance(error, W2VError) or not (known or is_url(name)):  # the libraries of URLs raise what they like
            raise
        raise W2VError(f"{shown}: {' '.join(str(error).split())}") from error


def _other_file(name: str, error: Exception) -> str | None:
    """Return the name of the file that an error is about, if that is one beside the file that was named."""
    other = getattr(error, "filename", None)
    return other if isinstance(other, str) and Path(other).parent == Path(name).parent else None


def _missing_extra(name: str, error: Exception) -> str:
    extra = "w2vcli[zst]" if "zstd" in str(error) else f"smart_open[{name.split('://')[0]}]"
    return f"pip install '{extra}'"


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
            if _looks_binary(stream):
                raise W2VError(f"{source.name}: not text", "it holds NUL bytes")
            encoding = _encoding(stream.peek(4))
        yield stored, stream, encoding


def _byte_pieces(
    stream: io.BufferedReader, encoding: str, stored: IO[bytes], progress: Progress | None, digest: Any
) -> Iterator[bytes]:
    start = len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0
    while piece := stream.read(LINE_PIECE):
        if digest is not None:
            digest.update(piece)
        if progress is not None and stored.seekable():
            progress(stored.tell())
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
    if progress is None or not stored.seekable():
        yield from lines
        return
    for number, line in enumerate(lines):
        if number % 4096 == 0:
            progress(stored.tell())
        yield line
    progress(stored.tell())
