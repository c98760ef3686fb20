"""What lies beside a Gensim file so that questions need not read it: its words, and the lengths of its vectors.

Arrays, named as Gensim names those that it puts beside a file; they are mapped into memory, like its vectors, and one
tells which file they belong to: a file that was written again without them is read itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli import npy, seal
from w2vcli.vectors import Vectors
from w2vcli.words import StoredWords, stored

_TEXT, _ENDS, _ORDER, _NORMS, _COUNTS, _OF = (
    f".lookup.{name}.npy" for name in ("text", "ends", "order", "norms", "counts", "of")
)
_VECTORS = (".wv.vectors.npy", ".vectors.npy")  # of a model, and of vectors alone
_PARTS, _PART_BYTES = 16, 1 << 14  # of the file, to see whether it is the one these belong to


def write(path: Path, vectors: Vectors) -> None:
    """Write what belongs beside the file of that name, which is there already.

    Raises:
        OSError: when it cannot be written.
    """
    words = stored(vectors.words)
    arrays: dict[str, NDArray[Any]] = {_TEXT: words.text, _ENDS: words.ends, _ORDER: words.order, _NORMS: vectors.norms}
    if vectors.counts is not None:
        arrays[_COUNTS] = vectors.counts
    arrays[_OF] = np.array([*_identity(path), _COUNTS in arrays], dtype=np.int64)
    for ending, array in arrays.items():
        npy.save(_beside(path, ending), array)


def read(path: Path) -> Vectors | None:
    """Return the words and vectors of the file of that name, or None where they are not beside it or do not fit."""
    try:
        if not _beside(path, _OF).is_file():
            return None
        size, checksum, has_counts = _mapped(path, _OF).tolist()
        if (size, checksum) != _identity(path):
            return None
        rows = next((_mapped(path, ending) for ending in _VECTORS if _beside(path, ending).is_file()), None)
        if rows is None:
            return None
        text, ends, order, norms = (_mapped(path, ending) for ending in (_TEXT, _ENDS, _ORDER, _NORMS))
        counts = _mapped(path, _COUNTS) if has_counts else None
        found = Vectors(StoredWords.checked(text, ends, order), rows, norms, counts=counts)
        found.check_norms()
    except (OSError, ValueError, TypeError, EOFError):
        return None
    return found


def _identity(path: Path) -> tuple[int, int]:
    """Return the bytes of a file, and a checksum of parts of it."""
    return path.stat().st_size, seal.checksum_of_parts(path, _PARTS, _PART_BYTES)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _mapped(path: Path, ending: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(_beside(path, ending), mmap_mode="r", allow_pickle=False)
    return array
