"""NumPy's .npy: the vectors alone, mapped into memory; their words are in a text file beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from w2vcli import npy
from w2vcli.formats import word_lists
from w2vcli.formats.repairs import Repairs
from w2vcli.vectors import Vectors


def read(path: Path, repairs: Repairs) -> Vectors:
    """Read a matrix of floats and its words.

    Raises:
        W2VError: when something is wrong with the words, and nothing is to be repaired.
        ValueError: when it is damaged, or something else.
        OSError: when one of the two files cannot be read.
    """
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise ValueError(f"holds {rows.dtype} of shape {rows.shape}, not a row of floats for each word")
    return word_lists.beside(path, rows, repairs)


def write(path: Path, vectors: Vectors) -> None:
    """Write the vectors, and the words beside them.

    Raises:
        OSError: when one of the two files cannot be written.
    """
    word_lists.write(path, vectors.words)
    npy.save(path, vectors.rows)
