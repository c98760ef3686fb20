"""Model files opened wherever they are: compressed or not, local, remote or on standard input."""

from __future__ import annotations

import io
import shutil
import tempfile
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from w2vcli.sources import STDIN, Source, bytes_read, compression_of, is_url, opened

_START = 1 << 18  # bytes looked at to tell what a file is
LARGE, MOST_TIMES = 1 << 30, 200  # bytes, and times its compressed ones, from which on a file is a bomb


class Opened:
    """A file that is open, decompressed.

    Args:
        name: a path, a URL, or `-`.
        start: its first bytes.
        stream: all of it, from its beginning.
        size: its bytes, if it is a plain local file.
    """

    def __init__(self, name: str, start: bytes, stream: BinaryIO, size: int | None) -> None:
        self.name, self.start, self.stream, self.size = name, start, stream, size

    @contextmanager
    def as_file(self, beside: Sequence[str] = ()) -> Iterator[Path]:
        """Yield a plain local file, and beside it those that belong to it, as far as they are there.

        Args:
            beside: what their names have in place of the file's extension.

        Raises:
            OSError: when it cannot be copied.
        """
        if self.size is not None:
            yield Path(self.name)
            return
        with tempfile.TemporaryDirectory() as folder:
            plain = self.name.removesuffix(compression_of(self.name))
            copy = Path(folder) / (Path(plain).name or "model")
            with copy.open("wb") as target:
                shutil.copyfileobj(self.stream, target, 1 << 20)
            for ending in beside:
                stem, _, _ = plain.rpartition(".")
                with (
                    opened(Source(stem + ending)) as (_, other),
                    copy.with_name(copy.stem + ending).open("wb") as target,
                ):
                    shutil.copyfileobj(other, target, 1 << 20)
            yield copy  # what is mapped of it stays readable after its name has gone


@contextmanager
def open_model(name: str) -> Iterator[Opened]:
    """Open a file, a URL or standard input (`-`); it is decompressed if its first bytes say so.

    Raises:
        ValueError: while it is read, when it grows as no model would.
        OSError: when it cannot be read.
    """
    with opened(Source(name)) as (stored, stream):
        plain = stream is stored and name != STDIN and not is_url(name) and Path(name).is_file()
        start = stream.read(_START).removeprefix(BOM_UTF8)
        whole = io.BufferedReader(cast("Any", _Whole(start, stream, None if stream is stored else stored)), 1 << 20)
        yield Opened(name, start, cast("BinaryIO", whole), Path(name).stat().st_size if plain else None)


class _Whole(io.RawIOBase):
    """The start of a stream, which was read already, and what follows."""

    def __init__(self, start: bytes, stream: io.BufferedReader, stored: IO[bytes] | None) -> None:
        self._start, self._stream, self._stored = start, stream, stored
        self._passed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._start:
            count = min(len(buffer), len(self._start))
            buffer[:count], self._start = self._start[:count], self._start[count:]
        else:
            count = self._stream.readinto(buffer)
        self._passed += count
        if self._passed > LARGE and self._is_bomb():
            raise ValueError(f"grows to over {MOST_TIMES} times its compressed size, which no model does")
        return count

    def _is_bomb(self) -> bool:
        stored = None if self._stored is None else bytes_read(self._stored)
        return stored is not None and self._passed > MOST_TIMES * stored
