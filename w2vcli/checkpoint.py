"""Checkpoints: a model's arrays and the state of its training, written atomically and verified when read.

`RUN/checkpoints/NNNNNN/` (NNNNNN: blocks trained so far) holds each array as .npy and `state.json` with the state
the loop gave and a checksum of every file.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli import npy, outputs, seal
from w2vcli.errors import W2VError

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


def save(
    folder: Path, number: int, arrays: Arrays, state: Mapping[str, Any], keep: int, best: int | None = None
) -> Path:
    """Write a checkpoint below `folder`, then remove all but the `keep` latest and number `best`; return its path.

    Raises:
        W2VError: when it cannot be written; earlier checkpoints are then untouched.
    """
    path = path_of(folder, number)
    with outputs.translated_errors(path):
        folder.mkdir(exist_ok=True)
    with outputs.atomic_folder(path) as temporary:
        for name, array in arrays.items():
            npy.save(temporary / f"{name}.npy", array)
        seal.write(temporary, _STATE, state)
    for old in _folders(folder)[keep:]:
        if best is None or int(old.name) != best:
            outputs.remove_folder(old)
    return path


def path_of(folder: Path, number: int) -> Path:
    """Return where the checkpoint after `number` blocks lies."""
    return folder / f"{number:06d}"


def latest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the latest good checkpoint, and a line for each damaged one, which is set aside under another name.

    Raises:
        W2VError: when one cannot be set aside.
    """
    damaged: list[str] = []
    for path in _folders(folder):
        found = load(path)
        if isinstance(found, Checkpoint):
            return found, damaged
        aside = path.with_name(f"damaged-{path.name}")
        with outputs.translated_errors(path):
            if aside.exists():
                shutil.rmtree(aside)
            path.rename(aside)
        damaged.append(f"{path}: damaged checkpoint set aside as {aside.name}: {found}")
    return None, damaged


def newest(folder: Path) -> Checkpoint | None:
    """Return the latest checkpoint whose state can be read, without verifying its arrays."""
    for path in _folders(folder):
        try:
            return Checkpoint(path, seal.peek(path, _STATE))
        except (seal.BrokenSealError, W2VError):
            continue
    return None


def load(path: Path) -> Checkpoint | str:
    """Return the checkpoint at `path`, verified, or what is wrong with it."""
    try:
        return Checkpoint(path, seal.read(path, _STATE))
    except seal.BrokenSealError as error:
        return str(error)


def remove_all(folder: Path) -> None:
    """Remove every checkpoint, the oldest first, so that what is left at any moment is the latest.

    Raises:
        W2VError: when one cannot be removed.
    """
    for path in reversed(_folders(folder)):
        outputs.remove_folder(path)


def _folders(folder: Path) -> list[Path]:
    """Return the checkpoint folders, the latest first."""
    found = [path for path in folder.glob("[0-9]*") if path.name.isdigit()] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name), reverse=True)
