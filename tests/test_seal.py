from __future__ import annotations

import json
from pathlib import Path

import pytest

from w2vcli import seal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.npy").write_bytes(b"some bytes")
    (tmp_path / "b.npy").write_bytes(b"")
    seal.write(tmp_path, "seal.json", {"number": 3, "text": "é"})
    return tmp_path


def test_a_folder_as_it_was(folder: Path) -> None:
    assert seal.read(folder, "seal.json") == seal.peek(folder, "seal.json") == {"number": 3, "text": "é"}


@pytest.mark.parametrize("content", [b"some byteS", b"some byte", b"", None])
def test_another_file_that_is_not_as_it_was(folder: Path, content: bytes | None) -> None:
    file = folder / "a.npy"
    file.unlink() if content is None else file.write_bytes(content)
    problem = "a.npy is missing" if content is None else "a.npy does not match its checksum"
    with pytest.raises(seal.BrokenSealError, match=problem):
        seal.read(folder, "seal.json")
    assert seal.peek(folder, "seal.json")["number"] == 3


@pytest.mark.parametrize("content", ["", "{}", "[1]", "null", '{"content": 3, "checksums": {}, "checksum": "x"}', "\0"])
def test_a_seal_that_is_none(folder: Path, content: str) -> None:
    (folder / "seal.json").write_text(content)
    for read in (seal.peek, seal.read):
        with pytest.raises(seal.BrokenSealError, match=r"seal.json does not match its checksum"):
            read(folder, "seal.json")


def test_every_byte_of_a_seal_counts(folder: Path) -> None:
    whole = json.loads((folder / "seal.json").read_text())
    changes: list[dict[str, object]] = [
        {"content": {"number": 4, "text": "é"}},
        {"checksums": {}},
        {"checksum": "0"},
    ]
    for change in changes:
        (folder / "seal.json").write_text(json.dumps({**whole, **change}))
        with pytest.raises(seal.BrokenSealError):
            seal.read(folder, "seal.json")
    (folder / "seal.json").unlink()
    with pytest.raises(seal.BrokenSealError, match=r"seal.json is missing"):
        seal.read(folder, "seal.json")
