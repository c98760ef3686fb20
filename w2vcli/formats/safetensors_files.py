"""Safetensors: one file, which is mapped into memory, with all that a question needs.

That is the vectors, their lengths, the words and their order; the layout is
https://huggingface.co/docs/safetensors: eight bytes with the length of a JSON header, the header, the arrays.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli.formats import word_lists
from w2vcli.formats.repairs import Repairs
from w2vcli.vectors import Vectors
from w2vcli.words import StoredWords, stored

_LONGEST_HEADER = 100 << 20  # bytes; as the format's own library has it
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I8": "i1",
    "U8": "u1",
}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_FLOATS = ("F64", "F32", "F16")
_ALIGNMENT = 64  # bytes: of the header, so that the rows, which come first, are aligned


def write(path: Path, vectors: Vectors) -> None:
    """Write words and vectors, as the numbers they are stored in.

    Raises:
        OSError: when it cannot be written.
    """
    words = stored(vectors.words)
    arrays: dict[str, NDArray[Any]] = {"vectors": vectors.rows}
    more = {"scales": vectors.scales, "counts": vectors.counts, "ends": words.ends, "norms": vectors.norms}
    arrays |= {name: array for name, array in more.items() if array is not None}
    arrays |= {"order": words.order, "words": words.text}
    header, end = {"__metadata__": {"format": "w2vcli"}}, 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        kind = _NAMES[array.dtype.newbyteorder("<")]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [begin, end]}  # type: ignore[dict-item]
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            rows = max(1, (1 << 24) // max(1, array[:1].nbytes))
            for first in range(0, len(array), rows):
                piece = np.ascontiguousarray(array[first : first + rows])
                stream.write(piece.astype(piece.dtype.newbyteorder("<"), copy=False).tobytes())


def is_header(start: bytes, size: int | None) -> bool:
    """Return whether a file that begins so, of that many bytes if that is known, may be one."""
    length = int.from_bytes(start[:8], "little")
    return start[8:9] == b"{" and 0 < length <= _LONGEST_HEADER and (size is None or 8 + length <= size)


def read(path: Path, repairs: Repairs) -> Vectors:
    """Map such a file into memory: one of ours, or one with a single matrix and its words beside it.

    Raises:
        ValueError: when it is damaged, or has other arrays.
        OSError: when it cannot be read.
    """
    arrays = _arrays(path)
    if "words" in arrays and "ends" in arrays and "vectors" in arrays:
        return _ours(arrays)
    matrices = [array for array in arrays.values() if array.ndim == 2 and array.dtype.kind == "f"]
    if len(matrices) != 1:
        raise ValueError(f"has {len(matrices)} matrices of floats, not one")
    return word_lists.beside(path, matrices[0], repairs)


def _ours(arrays: dict[str, NDArray[Any]]) -> Vectors:
    words = StoredWords.checked(arrays["words"], arrays["ends"], arrays.get("order"))
    vectors = Vectors(words, arrays["vectors"], *(arrays.get(name) for name in ("norms", "scales", "counts")))
    vectors.check_norms()
    return vectors


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file by their names, mapped into memory."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > min(_LONGEST_HEADER, size - 8):
            raise ValueError(f"its header claims {length:,} bytes, more than the file can hold")
        header = json.loads(stream.read(length))
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=0)[8 + length :]
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    return {name: _array(name, entry, data) for name, entry in entries.items()}


def _array(name: str, entry: Any, data: NDArray[np.uint8]) -> NDArray[Any]:
    kind, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    if kind not in _DTYPES:
        raise ValueError(f"has an array {name} of {kind}; known are {', '.join(_DTYPES)}")
    dtype = np.dtype(_DTYPES[kind])
    numbers = [begin, end, *shape]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"has an array {name} of an impossible shape")
    if end > len(data) or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"has an array {name} that the file cannot hold")
    return data[begin:end].view(dtype).reshape(shape)
