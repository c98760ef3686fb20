from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from w2vcli import checkpoint

ARRAYS = {
    "vectors": np.arange(6, dtype=np.float32).reshape(2, 3),
    "syn1neg": np.zeros((2, 3), dtype=np.float32),
}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_save_and_latest(tmp_path: Path) -> None:
    for number in (2, 10, 7):
        checkpoint.save(tmp_path / "c", number, ARRAYS, {"number": number}, keep=2)
    assert names(tmp_path / "c") == ["000007", "000010"]
    assert names(tmp_path / "c" / "000010") == ["state.json", "syn1neg.npy", "vectors.npy"]
    found, damaged = checkpoint.latest(tmp_path / "c")
    assert found is not None
    assert (found.state, damaged) == ({"number": 10}, [])
    for name, array in found.arrays().items():
        np.testing.assert_array_equal(array, ARRAYS[name])


@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=5)),
    st.dictionaries(st.text(), st.integers()),
)
@settings(max_examples=25)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, state: dict[str, int]) -> None:  # type: ignore[type-arg, unused-ignore]
    folder = tmp_path_factory.mktemp("checkpoints")
    checkpoint.save(folder, 1, {"vectors": array}, state, keep=1)
    found, _ = checkpoint.latest(folder)
    assert found is not None
    assert found.state == state
    assert found.arrays()["vectors"].tobytes() == array.tobytes()


def damage_a_byte(path: Path) -> None:
    content = bytearray((path / "vectors.npy").read_bytes())
    content[-1] ^= 1
    (path / "vectors.npy").write_bytes(content)


def cut_an_array(path: Path) -> None:
    content = (path / "vectors.npy").read_bytes()
    (path / "vectors.npy").write_bytes(content[:-4])


@pytest.mark.parametrize(
    "damage",
    [
        damage_a_byte,
        cut_an_array,
        lambda path: (path / "syn1neg.npy").unlink(),
        lambda path: (path / "state.json").unlink(),
        lambda path: (path / "state.json").write_text('{"state": '),
        lambda path: (path / "state.json").write_text("{}"),
        lambda path: (path / "state.json").write_text((path / "state.json").read_text().replace(": 2", ": 3")),
    ],
)
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, damage: object) -> None:
    checkpoint.save(tmp_path, 1, ARRAYS, {"number": 1}, keep=2)
    checkpoint.save(tmp_path, 2, ARRAYS, {"number": 2}, keep=2)
    damage(tmp_path / "000002")  # type: ignore[operator]
    found, damaged = checkpoint.latest(tmp_path)
    assert found is not None
    assert found.state == {"number": 1}
    assert len(damaged) == 1
    assert damaged[0].startswith(f"{tmp_path / '000002'}: damaged checkpoint set aside as damaged-000002: ")
    assert names(tmp_path) == ["000001", "damaged-000002"]
    checkpoint.save(tmp_path, 2, ARRAYS, {"number": 2}, keep=1)
    assert names(tmp_path) == ["000002", "damaged-000002"]


def test_a_half_written_checkpoint_does_not_count(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, ARRAYS, {}, keep=2)
    (tmp_path / "000001").rename(tmp_path / ".000002.tmp")
    assert checkpoint.latest(tmp_path) == (None, [])
    assert checkpoint.latest(tmp_path / "none") == (None, [])


def test_remove_all(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, ARRAYS, {}, keep=2)
    checkpoint.save(tmp_path, 2, ARRAYS, {}, keep=2)
    checkpoint.remove_all(tmp_path)
    assert names(tmp_path) == []
