from __future__ import annotations

import tempfile
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2vcli import npy
from w2vcli.npy import NpyFile, NpyWriter


def test_what_is_written_in_pieces_numpy_reads_whole(tmp_path: Path) -> None:
    with NpyWriter(tmp_path / "a.npy", np.int32) as writer:
        writer.append(np.array([1, 2, 3]))
        writer.append(np.array([], dtype=np.int64))
        writer.append(np.array([4, 5]))
    array = np.load(tmp_path / "a.npy")
    assert array.tolist() == [1, 2, 3, 4, 5]
    assert array.dtype == np.int32


def test_pieces_are_read_and_overwritten(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(10))
    stored = NpyFile(tmp_path / "a.npy", np.int64)
    assert len(stored) == 10
    assert stored[3:6].tolist() == [3, 4, 5]
    assert stored[8:20].tolist() == [8, 9]
    assert stored[-1:].tolist() == [9]
    assert stored[6:3].tolist() == []
    stored.overwrite(4, np.array([-4, -5]))
    assert np.load(tmp_path / "a.npy").tolist() == [0, 1, 2, 3, -4, -5, 6, 7, 8, 9]


@pytest.mark.parametrize("array", [np.arange(6, dtype=np.int32), np.zeros((2, 3)), np.zeros((2, 3), dtype=np.int64)])
def test_another_array_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match="not the array"):
        NpyFile(tmp_path / "a.npy", np.int64)


@pytest.mark.parametrize("size", [0, 3, 70, 128 + 8 * 9, 128 + 8 * 11])
def test_a_file_of_the_wrong_size_is_refused(tmp_path: Path, size: int) -> None:
    np.save(tmp_path / "a.npy", np.arange(10))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes((content + bytes(100))[:size])
    with pytest.raises(ValueError):
        NpyFile(tmp_path / "a.npy", np.int64)


def test_a_file_cut_short_while_it_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(10))
    stored = NpyFile(tmp_path / "a.npy", np.int64)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-8])
    with pytest.raises(OSError, match="ends too early"):
        stored[5:10]


@given(st.lists(st.integers(0, 2**31 - 1), max_size=60), st.integers(0, 60), st.integers(0, 60), st.integers(1, 5))
def test_checksums_page_by_page(numbers: list[int], first: int, last: int, words: int) -> None:
    """Written in pieces of any size, read in pieces of any size; a page that was changed is not read."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(npy, "PAGE_BYTES", 16):
        path = Path(folder, "a.npy")
        with NpyWriter(path, np.int32) as writer:
            for start in range(0, len(numbers), words):
                writer.append(np.array(numbers[start : start + words], dtype=np.int32))
        expected = writer.checksums.found()
        assert expected == npy.checksums(np.array(numbers, dtype=np.int32))
        assert expected == [
            zlib.crc32(np.array(numbers[start : start + 4], dtype=np.int32).tobytes())
            for start in range(0, len(numbers), 4)
        ]
        stored = NpyFile(path, np.int32, expected)
        for _ in range(2):
            piece = stored[first:last]
            assert piece.tolist() == numbers[first:last]
            piece[:] = 0  # what is given out is the caller's
        if numbers:
            NpyFile(path, np.int32).overwrite(0, np.array([numbers[0] ^ 1]))
            with pytest.raises(ValueError, match=r"a.npy does not match its checksums"):
                NpyFile(path, np.int32, expected)[0:1]
            assert NpyFile(path, np.int32, expected)[4:].tolist() == numbers[4:]
            with pytest.raises(ValueError, match="has not the checksums"):
                NpyFile(path, np.int32, [*expected, 1])
