"""Figures as files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from w2vcli import outputs
from w2vcli.errors import W2VError

ENDINGS = (".svg", ".pdf", ".png")
_DOTS_AN_INCH = 200


def check_library() -> None:
    """Make sure that figures can be drawn.

    Raises:
        W2VError: when matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise W2VError("a plot needs matplotlib", "pip install 'w2vcli[report]'")


def check(path: Path, endings: Sequence[str] = ENDINGS) -> None:
    """Make sure that a plot can be drawn and written to `path`.

    Raises:
        W2VError: when matplotlib is not installed, `path` has another ending or its folder is not there.
    """
    check_library()
    if path.suffix not in endings:
        raise W2VError(f"{path}: a plot's name ends in {', '.join(endings)}")
    outputs.check_folder(path)


def save(figure: Any, path: Path) -> str | None:
    """Write a matplotlib Figure to a file that `check` is content with; return what is wrong with it, if anything."""
    metadata = {"Date": None} if path.suffix == ".svg" else {"CreationDate": None} if path.suffix == ".pdf" else None
    with outputs.atomic_file(path) as stream, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(stream, format=path.suffix[1:], dpi=_DOTS_AN_INCH, metadata=metadata)
    missing = any("missing from font" in str(warning.message) for warning in caught)
    if missing and path.suffix != ".svg":  # in which text is text, and the reader's fonts are taken
        return f"{path}: no installed font has some of the letters, which are boxes; an .svg or .html shows them"
    return None
