"""fastText's .bin: a model with subwords, read through Gensim; of its words, not of what could be put together."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from w2vcli.formats.repairs import Repairs
from w2vcli.vectors import Vectors
from w2vcli.words import ListedWords

MAGIC = struct.pack("<i", 793712314)
_HEADER = struct.Struct("<ii12id3i2q")  # magic, version, arguments, threshold; sizes of the vocabulary, tokens, pruned


def read(path: Path, repairs: Repairs) -> Vectors:
    """Read the words of such a file, with their vectors.

    Raises:
        ValueError: when it is damaged, or not of fastText's present version.
        OSError: when it cannot be read.
    """
    _check_size(path)
    from gensim.models.fasttext import load_facebook_vectors

    loaded = load_facebook_vectors(str(path))
    rows = np.asarray(loaded.vectors, dtype=np.float32)
    return Vectors(ListedWords(loaded.index_to_key, loaded.key_to_index), rows)


def _check_size(path: Path) -> None:
    """Refuse a header that claims more than the file can hold, before memory is taken for it."""
    with path.open("rb") as stream:
        start = stream.read(_HEADER.size)
    if len(start) < _HEADER.size:
        raise ValueError("ends within its header")
    _, version, dimensions, *arguments, _, size, words, _, _, _ = _HEADER.unpack(start)
    if version != 12:
        raise ValueError(f"is of fastText's version {version}; 12 can be read")
    bucket = arguments[7]
    if min(dimensions, size, words, bucket) < 0 or (words + bucket) * dimensions > path.stat().st_size:
        raise ValueError(f"its header claims {words:,} words of {dimensions:,} dimensions, more than the file can hold")
