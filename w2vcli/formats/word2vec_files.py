"""The files of word2vec.c: a line with the number of words and dimensions, then words and vectors, as text or bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from w2vcli.sources import is_url


def read_word2vec_text(path: str) -> Any:
    """Read word2vec's text format and return its KeyedVectors."""
    return _read_word2vec(path, binary=False)


def read_word2vec_binary(path: str) -> Any:
    """Read word2vec's binary format and return its KeyedVectors."""
    return _read_word2vec(path, binary=True)


def _read_word2vec(path: str, binary: bool) -> Any:
    from gensim.models import KeyedVectors

    _check_size(path, binary)
    return KeyedVectors.load_word2vec_format(path, binary=binary)


def _check_size(path: str, binary: bool) -> None:
    """Refuse a header that claims more than an uncompressed local file can hold, before memory is taken for it."""
    with open_start(path) as stream:
        words, dimensions = header(stream.readline(100)) or (0, 0)
    if is_url(path) or Path(path).suffix in (".gz", ".bz2", ".xz", ".zst"):
        return
    smallest = words * (dimensions * (4 if binary else 2) + 2)
    if smallest > Path(path).stat().st_size:
        raise ValueError(f"its header claims {words} words of {dimensions} dimensions, more than the file can hold")


def open_start(path: str) -> BinaryIO:
    """Open a file of any place and compression to read its first bytes."""
    from smart_open import open as smart_open

    stream: BinaryIO = smart_open(path, "rb")
    return stream


def header(line: bytes) -> tuple[int, int] | None:
    """Return (words, dimensions) if this is the first line of a word2vec file."""
    fields = line.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields) and line.endswith(b"\n"):
        return int(fields[0]), int(fields[1])
    return None
