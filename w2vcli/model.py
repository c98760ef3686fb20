"""Open any model: a run directory, or a file of any format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from w2vcli import formats, outputs
from w2vcli.errors import W2VError
from w2vcli.formats import downloads, safetensors_files
from w2vcli.formats.repairs import Repairs
from w2vcli.run_directory import RunDirectory
from w2vcli.sources import STDIN, is_url
from w2vcli.vectors import Vectors

_DOWNLOADED = "gensim:"


def load(
    path: str | Path,
    repairs: Repairs | None = None,
    say: Callable[[str], None] | None = None,
    most: int | None = None,
) -> Vectors:
    """Open a run directory or a file of any format and return its words and vectors.

    Files may be compressed or URLs, and `-` is standard input; `gensim:NAME` is a model of Gensim's downloader. Arrays
    are memory-mapped where the file allows it.

    Args:
        path: where it is.
        repairs: takes note of what is wrong with it; if not given, nothing may be.
        say: is told what takes long.
        most: words after so many need not be read.

    Raises:
        W2VError: when it is missing, unfinished, damaged or in no known format.
    """
    return formats.read_vectors(file_of(path, say), repairs, most)


def file_of(path: str | Path, say: Callable[[str], None] | None = None) -> str:
    """Return the file that holds the vectors of a model: a run's, a downloaded one's, or what was named itself.

    Raises:
        W2VError: when there is none.
    """
    if str(path).startswith(_DOWNLOADED):
        return _downloaded(str(path).removeprefix(_DOWNLOADED), say)
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


def _downloaded(name: str, say: Callable[[str], None] | None) -> str:
    """Return a file of one of Gensim's models that can be mapped into memory, made of what was downloaded."""
    source = downloads.fetch(name, say)
    made = source.with_name(f"{name}.safetensors")
    if made.is_file():
        return str(made)
    say = say or (lambda message: None)
    say(f"{source}: read once, and kept as {made.name}")
    repairs = Repairs(str(source), allowed=True)
    vectors = formats.read_vectors(str(source), repairs)
    with outputs.atomic_siblings(made) as path:
        safetensors_files.write(path, vectors)
    for line in repairs.made():
        say(line)
    return str(made)
