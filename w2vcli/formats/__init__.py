"""Model and vector files: FORMATS maps a name to what reads it. Reading never runs code from a file."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from w2vcli.errors import W2VError
from w2vcli.formats import gensim_files
from w2vcli.formats.word2vec_files import header, open_start, read_word2vec_binary, read_word2vec_text
from w2vcli.sources import translated
from w2vcli.vectors import Vectors

FORMATS: dict[str, Callable[[str], Any]] = {
    "gensim": gensim_files.read,
    "word2vec-text": read_word2vec_text,
    "word2vec-binary": read_word2vec_binary,
}


# what Gensim and NumPy raise on damaged files
_DAMAGE = (EOFError, ValueError, AttributeError, TypeError, LookupError, AssertionError, RecursionError, struct.error)


def detect(path: str) -> str | None:
    """Return the name of the format that the first bytes of a file show, or None."""
    with open_start(path) as stream:
        start = stream.read(1 << 16)
    if start[:1] == b"\x80":
        return "gensim"
    first, newline, rest = start.partition(b"\n")
    found = header(first + newline)
    if found is None:
        return None
    line, newline, _ = rest.partition(b"\n")
    fields = line.split()
    if len(fields) == found[1] + 1 and all(_is_number(field) for field in fields[1:]):
        return "word2vec-text"
    return "word2vec-binary"


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def read(path: str) -> Any:
    """Read a file of any format and return what Gensim makes of it: a KeyedVectors, or a model that has one as `wv`.

    Raises:
        W2VError: when it is missing, in no known format, damaged, or would run code.
    """
    with _explained(path):
        return FORMATS[_known(path)](path)


def read_vectors(path: str) -> Vectors:
    """Read the words and vectors of a file of any format.

    Raises:
        W2VError: as `read`.
    """
    with _explained(path):
        name = _known(path)
        return gensim_files.read_vectors(path) if name == "gensim" else Vectors.of(FORMATS[name](path))


def _known(path: str) -> str:
    name = detect(path)
    if name is None:
        raise W2VError(f"{path}: not a model that w2v can read", f"known formats: {', '.join(FORMATS)}")
    return name


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Say of a file that cannot be read what is wrong with it."""
    with translated(path):
        try:
            yield
        except pickle.UnpicklingError as error:
            raise W2VError(f"{path}: not a Gensim model that is safe to open: {error}") from error
        except _DAMAGE as error:
            raise W2VError(f"{path}: damaged, or not a model: {error}") from error
