"""Checkpoints: a model's arrays and the position of its training, written atomically and verified when read.

`RUN/checkpoints/NNNNNN/` (NNNNNN: blocks trained so far) holds each array as .npy and `state.json` with the state
the loop gave and a checksum of every file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli import outputs

Arrays = Mapping[str, NDArray[Any]]
_STATE = "state.json"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk whose files have been verified; `state` is what `save` was given."""

    folder: Path
    state: dict[str, Any]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Read the arrays into memory."""
        return {path.stem: np.load(path, allow_pickle=False) for path in sorted(self.folder.glob("*.npy"))}


def save(folder: Path, number: int, arrays: Arrays, state: Mapping[str, Any], keep: int) -> Path:
    """Write a checkpoint below `folder`, then remove all but the `keep` latest; return its path.

    Raises:
        W2VError: when it cannot be written; earlier checkpoints are then untouched.
    """
    folder.mkdir(exist_ok=True)
    path = folder / f"{number:06d}"
    with outputs.atomic_folder(path) as temporary:
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        checksums = {file.name: _checksum(file) for file in sorted(temporary.iterdir())}
        content: dict[str, Any] = {"state": dict(state), "checksums": checksums}
        content["checksum"] = _checksum_of(content)
        (temporary / _STATE).write_text(json.dumps(content, indent=1) + "\n")
    for old in _folders(folder)[keep:]:
        shutil.rmtree(old)
    return path


def latest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the latest good checkpoint, and a line for each damaged one, which is set aside under another name."""
    damaged: list[str] = []
    for path in _folders(folder):
        try:
            return Checkpoint(path, _verified_state(path)), damaged
        except (OSError, ValueError, KeyError) as error:
            aside = path.with_name(f"damaged-{path.name}")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            damaged.append(f"{path}: damaged checkpoint set aside as {aside.name}: {error}")
    return None, damaged


def remove_all(folder: Path) -> None:
    """Remove every checkpoint, the oldest first, so that what is left at any moment is the latest."""
    for path in reversed(_folders(folder)):
        shutil.rmtree(path)


def _folders(folder: Path) -> list[Path]:
    """Return the checkpoint folders, the latest first."""
    found = [path for path in folder.glob("[0-9]*") if path.name.isdigit()] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def _verified_state(path: Path) -> dict[str, Any]:
    content = json.loads((path / _STATE).read_text())
    if content.pop("checksum") != _checksum_of(content):
        raise ValueError(f"{_STATE} does not match its checksum")
    for name, checksum in content["checksums"].items():
        if _checksum(path / name) != checksum:
            raise ValueError(f"{name} does not match its checksum")
    state = content["state"]
    if not isinstance(state, dict):
        raise ValueError(f"{_STATE} has no state")
    return state


def _checksum(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        for chunk in _chunks(stream):
            digest.update(chunk)
    return digest.hexdigest()


def _checksum_of(content: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def _chunks(stream: Any) -> Iterator[bytes]:
    while chunk := stream.read(1 << 22):
        yield chunk
