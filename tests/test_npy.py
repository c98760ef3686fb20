from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
