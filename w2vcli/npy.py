""".npy files: arrays saved so that an error is told as the system told it, and long ones in pieces.

Of a one-dimensional file memory holds the piece at hand, however long the array is.

(A memory map would not do: what has been touched of it counts as the program's memory.)
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_PIECE_BYTES = 1 << 24
PAGE_BYTES = 1 << 18  # of which each has a checksum; little to read besides what is wanted, and few checksums


def save(path: Path, array: NDArray[Any]) -> None:
    """Write an array, in C order. (np.save does not say why it fails: that the disk is full, say.)

    Raises:
        OSError: when it cannot be written.
    """
    header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    rows = max(1, _PIECE_BYTES // max(1, array[:1].nbytes))
    with path.open("wb", buffering=0) as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for first in range(0, len(array), rows):
            piece = np.ascontiguousarray(array[first : first + rows]).data.cast("B")
            while piece:
                piece = piece[stream.write(piece) :]


class Checksums:
    """CRC-32 of each PAGE_BYTES of a stream of bytes."""

    def __init__(self) -> None:
        self._whole: list[int] = []
        self._last, self._filled = 0, 0

    def add(self, data: memoryview) -> None:
        """Take note of the bytes that follow."""
        while data:
            part, data = data[: PAGE_BYTES - self._filled], data[PAGE_BYTES - self._filled :]
            self._last, self._filled = zlib.crc32(part, self._last), self._filled + len(part)
            if self._filled == PAGE_BYTES:
                self._whole.append(self._last)
                self._last, self._filled = 0, 0

    def found(self) -> list[int]:
        """Return the checksums so far, the last one perhaps of less."""
        return [*self._whole, self._last] if self._filled else list(self._whole)


def checksums(array: NDArray[Any]) -> list[int]:
    """Return the checksums of an array's bytes."""
    noted = Checksums()
    noted.add(np.ascontiguousarray(array).data.cast("B"))
    return noted.found()


class NpyFile:
    """A file whose pieces are read and overwritten.

    Args:
        path: where it is.
        dtype: of its elements.
        expected: the checksums of its elements' bytes, to be compared with what is read.

    Raises:
        ValueError: when it is not a one-dimensional array of `dtype`, complete, or has not so many checksums.
        OSError: when it cannot be read.
    """

    def __init__(self, path: Path, dtype: type[np.generic], expected: Sequence[int] | None = None) -> None:
        self._path = path
        self._dtype = np.dtype(dtype)
        self._expected = expected
        self._page = PAGE_BYTES // self._dtype.itemsize
        self._cached: tuple[int, NDArray[Any]] = (0, np.zeros(0, dtype=dtype))
        """The last page that was read alone, and where it starts: small pieces are often near to each other."""
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            if version != (1, 0):
                raise ValueError(f"{path.name} is of another version of .npy")
            shape, _, found = np.lib.format.read_array_header_1_0(stream)
            self._start = stream.tell()
        size = path.stat().st_size - self._start
        if len(shape) != 1 or found != self._dtype or size != shape[0] * self._dtype.itemsize:
            raise ValueError(f"{path.name} is not the array it should be")
        self._length = int(shape[0])
        if expected is not None and len(expected) != -(-self._length // self._page):
            raise ValueError(f"{path.name} has not the checksums it should have")

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, piece: slice) -> NDArray[Any]:
        """Read a piece, of step 1, into memory.

        Raises:
            ValueError: when its checksums are not those expected.
            OSError: when it cannot be read.
        """
        first, last, step = piece.indices(self._length)
        assert step == 1
        if self._expected is None or first >= last:
            return self._read(first, last)
        start, cached = self._cached
        if not start <= first <= last <= start + len(cached):
            start, end = first // self._page * self._page, min(-(-last // self._page) * self._page, self._length)
            cached = self._read(start, end)
            if checksums(cached) != list(self._expected[start // self._page :][: -(-len(cached) // self._page)]):
                raise ValueError(f"{self._path.name} does not match its checksums")
            if len(cached) > self._page:
                return cached[first - start : last - start]
            self._cached = start, cached
        return cached[first - start : last - start].copy()

    def _read(self, first: int, last: int) -> NDArray[Any]:
        array = np.empty(max(0, last - first), dtype=self._dtype)
        with self._path.open("rb") as stream:
            stream.seek(self._start + first * self._dtype.itemsize)
            if stream.readinto(array.data) < array.nbytes:
                raise OSError(f"{self._path}: ends too early")
        return array

    def overwrite(self, first: int, array: NDArray[Any]) -> None:
        """Write `array` in place of what begins at `first`; its checksums are then others."""
        with self._path.open("r+b") as stream:
            stream.seek(self._start + first * self._dtype.itemsize)
            stream.write(np.ascontiguousarray(array, dtype=self._dtype).data)


class NpyWriter:
    """Writes a file whose length is known only at the end."""

    def __init__(self, path: Path, dtype: type[np.generic]) -> None:
        self._stream: BinaryIO = path.open("w+b")
        self._dtype = np.dtype(dtype)
        self.size = 0
        self.checksums = Checksums()

    def __enter__(self) -> NpyWriter:
        self._write_header()
        return self

    def append(self, array: NDArray[Any]) -> None:
        """Add the elements of `array`."""
        data = np.ascontiguousarray(array, dtype=self._dtype).data.cast("B")
        self._stream.write(data)
        self.checksums.add(data)
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
