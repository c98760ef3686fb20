"""Open any model: a run directory, or a file of any format."""

from __future__ import annotations

from pathlib import Path

from w2vcli import formats
from w2vcli.errors import W2VError
from w2vcli.formats.repairs import Repairs
from w2vcli.run_directory import RunDirectory
from w2vcli.sources import STDIN, is_url
from w2vcli.vectors import Vectors


def load(path: str | Path, repairs: Repairs | None = None) -> Vectors:
    """Open a run directory or a file of any format and return its words and vectors.

    Files may be compressed or URLs, and `-` is standard input; arrays are memory-mapped where the file allows it.

    Args:
        path: where it is.
        repairs: takes note of what is wrong with it; if not given, nothing may be.

    Raises:
        W2VError: when it is missing, unfinished, damaged or in no known format.
    """
    return formats.read_vectors(file_of(path), repairs)


def file_of(path: str | Path) -> str:
    """Return the file that holds the vectors of a run directory or vector file."""
    if is_url(path) or str(path) == STDIN:
        return str(path)
    place = Path(path)
    if not place.exists():
        raise W2VError(f"{path}: no such file or run")
    if not place.is_dir():
        return str(path)
    run = RunDirectory(place)
    if run.finished_model().is_file():
        return str(run.finished_model())
    if run.is_run():
        raise W2VError(f"{path}: this run is not finished", "run its w2v train command again to go on")
    raise W2VError(f"{path}: a folder, but not a run", "name a run directory or a vector file")
