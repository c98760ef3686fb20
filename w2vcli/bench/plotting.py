"""Plots of measurements as files."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from w2vcli import outputs
from w2vcli.errors import W2VError

_ENDINGS = (".svg", ".pdf", ".png")


def check(path: Path) -> None:
    """Make sure that a plot can be drawn and written to `path`.

    Raises:
        W2VError: when matplotlib is not installed, `path` has another ending or its folder is not there.
    """
    if find_spec("matplotlib") is None:
        raise W2VError("a plot needs matplotlib", "pip install 'w2vcli[plot]'")
    if path.suffix not in _ENDINGS:
        raise W2VError(f"{path}: a plot's name ends in {', '.join(_ENDINGS)}")
    outputs.check_folder(path)


def save(figure: Any, path: Path) -> None:
    """Write a matplotlib Figure to a file that `check` has nothing against."""
    with outputs.atomic_file(path) as stream:
        figure.savefig(stream, format=path.suffix[1:])
