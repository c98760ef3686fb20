"""What lies beside a Gensim file so that questions need not read it: its words, and the lengths of its vectors.

Four arrays, named as Gensim names the ones that it puts beside a file; they are mapped into memory, like its vectors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli import npy
from w2vcli.vectors import StoredWords, Vectors, norms_of, stored

_TEXT, _ENDS, _ORDER, _NORMS, _COUNTS = (f".lookup.{name}.npy" for name in ("text", "ends", "order", "norms", "counts"))
_VECTORS = (".wv.vectors.npy", ".vectors.npy")  # of a model, and of vectors alone
_LOOKED_AT = 8  # vectors, to see whether they are those that the lengths are of


def write(path: Path, vectors: Vectors) -> None:
    """Write what belongs beside the file of that name.

    Raises:
        OSError: when it cannot be written.
    """
    words = stored(vectors.words)
    arrays: dict[str, NDArray[Any]] = {_TEXT: words.text, _ENDS: words.ends, _ORDER: words.order, _NORMS: vectors.norms}
    for ending, array in arrays.items():
        npy.save(_beside(path, ending), array)
    if vectors.counts is not None:
        npy.save(_beside(path, _COUNTS), vectors.counts)


def read(path: Path) -> Vectors | None:
    """Return the words and vectors of the file of that name, or None where they are not beside it or do not fit."""
    try:
        rows = next((_mapped(path, ending) for ending in _VECTORS if _beside(path, ending).is_file()), None)
        if rows is None:
            return None
        text, ends, order, norms = (_mapped(path, ending) for ending in (_TEXT, _ENDS, _ORDER, _NORMS))
        words = StoredWords.checked(text, ends, order)
        counts = _mapped(path, _COUNTS) if _beside(path, _COUNTS).is_file() else None
    except (OSError, ValueError, EOFError):
        return None
    if rows.ndim != 2 or not len(rows) == len(words) == len(norms) == len(norms if counts is None else counts):
        return None
    some = np.linspace(0, len(rows) - 1, _LOOKED_AT).astype(np.int64) if len(rows) else np.zeros(0, dtype=np.int64)
    if not np.allclose(norms_of(np.asarray(rows[some])), norms[some], rtol=1e-5):
        return None
    return Vectors(words, rows, norms, counts=counts)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _mapped(path: Path, ending: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(_beside(path, ending), mmap_mode="r", allow_pickle=False)
    return array
