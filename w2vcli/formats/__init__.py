"""Model and vector files: FORMATS maps a name to what reads and writes it. Reading never runs code from a file.

Words and vectors come from one stream, or from a file that is mapped into memory, as it suits the format; which format
a file has is told by its first bytes.
"""

from __future__ import annotations

import codecs
import pickle
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from w2vcli.errors import W2VError
from w2vcli.formats import (
    fasttext_files,
    gensim_files,
    lookup,
    numpy_files,
    parquet_files,
    safetensors_files,
    tsv_files,
    word2vec_files,
    word_lists,
)
from w2vcli.formats.collecting import sound
from w2vcli.formats.opening import Opened, open_model
from w2vcli.formats.repairs import Repairs
from w2vcli.sources import STDIN, compression_of, is_url, translated
from w2vcli.vectors import Vectors

Read = Callable[[Opened, Repairs, int | None], Vectors]
"""Reads words and vectors; those after so many need not be read."""


@dataclass(frozen=True)
class Format:
    """A format of files.

    Args:
        endings: of their names; the first is the usual one.
        write: words and vectors to a file of that name, and perhaps more beside it.
        read: them, from a file that is open.
        dtypes: in which it can hold numbers.
        separators: what no word may have in it; an empty one is `""`.
        is_several: whether it is more than one file.
        is_checked: whether reading it looks at every word and number.
    """

    endings: tuple[str, ...]
    write: Callable[[Path, Vectors], None] | None
    read: Read
    dtypes: tuple[str, ...] = ("float32",)
    separators: tuple[str, ...] = ()
    is_several: bool = False
    is_checked: bool = False

    def cannot_hold(self, word: str) -> str | None:
        """Return why this format cannot have such a word, or None."""
        if not word and "" in self.separators:
            return "is empty"
        found = next((mark for mark in self.separators if mark and mark in word), None)
        if found is None and not word.isascii() and not word.isprintable() and any(map(_is_surrogate, word)):
            return "has half a surrogate pair in it"
        return found and f"has {_MARKS[found]} in it"


def _from_stream(read: Callable[[BinaryIO, Repairs, int | None], Vectors]) -> Read:
    return lambda opened, repairs, most: read(opened.stream, repairs, most)


def _from_file(read: Callable[[Path, Repairs], Vectors], *beside: str) -> Read:
    """Return what reads a plain local file; `beside` is what the names of others have in place of its ending."""

    def read_opened(opened: Opened, repairs: Repairs, most: int | None) -> Vectors:
        with opened.as_file(beside) as file:
            return read(file, repairs)

    return read_opened


def _is_surrogate(letter: str) -> bool:
    return "\ud800" <= letter <= "\udfff"


_LINES = (" ", "\n")
_MARKS = {" ": "a space", "\n": "an end of line", "\t": "a tab", "\r": "a carriage return"}

FORMATS: dict[str, Format] = {
    "gensim": Format((".kv", ".model"), gensim_files.write, gensim_files.read_vectors, is_several=True),
    "word2vec-text": Format(
        (".vec", ".txt"),
        word2vec_files.write_text,
        _from_stream(word2vec_files.read_text),
        separators=_LINES,
        is_checked=True,
    ),
    "word2vec-binary": Format(
        (".bin",),
        word2vec_files.write_binary,
        _from_stream(word2vec_files.read_binary),
        separators=_LINES,
        is_checked=True,
    ),
    "glove": Format(
        (".glove",),
        word2vec_files.write_glove,
        _from_stream(word2vec_files.read_glove),
        separators=_LINES,
        is_checked=True,
    ),
    "fasttext": Format((), None, _from_file(fasttext_files.read)),
    "numpy": Format(
        (".npy",),
        numpy_files.write,
        _from_file(numpy_files.read, word_lists.ENDING),
        dtypes=("float32", "float16"),
        separators=("\n", "\r"),
        is_several=True,
        is_checked=True,
    ),
    "safetensors": Format(
        (".safetensors",),
        safetensors_files.write,
        _from_file(safetensors_files.read),
        dtypes=("float32", "float16", "int8"),
    ),
    "projector": Format(
        (".tsv",),
        tsv_files.write,
        _from_file(tsv_files.read, tsv_files.ENDING),
        separators=("", "\t", "\n", "\r"),
        is_several=True,
        is_checked=True,
    ),
    "parquet": Format(
        (".parquet",),
        parquet_files.write,
        _from_file(parquet_files.read),
        dtypes=("float32", "float16"),
        is_checked=True,
    ),
}

# what Gensim and NumPy raise on damaged files
_DAMAGE = (
    EOFError,
    ValueError,
    AttributeError,
    TypeError,
    LookupError,
    AssertionError,
    RecursionError,
    OverflowError,
    NotImplementedError,
    struct.error,
)


def detect(opened: Opened) -> str | None:
    """Return the name of the format that the first bytes of a file show, or its name; None if it is none of them."""
    start = opened.start
    for name, magic in (("gensim", b"\x80"), ("numpy", b"\x93NUMPY"), ("parquet", b"PAR1")):
        if start.startswith(magic):
            return name
    if start.startswith(fasttext_files.MAGIC):
        return "fasttext"
    if safetensors_files.is_header(start, opened.size):
        return "safetensors"
    return _detect_lines(start) or (named(opened.name) if not start else None)


def _detect_lines(start: bytes) -> str | None:
    first, newline, rest = start.partition(b"\n")
    claimed = word2vec_files.header(first + newline)
    if claimed is not None:
        return "word2vec-text" if _is_text(rest, claimed[1]) else "word2vec-binary"
    fields = first.rstrip().split(b"\t")
    if all(map(_is_number, fields)):
        return "projector"
    fields = first.rstrip().split(b" ")
    return "glove" if len(fields) > 2 and all(map(_is_number, fields[-2:])) else None


def _is_text(records: bytes, dimensions: int) -> bool:
    """Return whether what follows a header is lines of numbers, rather than bytes of them."""
    line, _, _ = records.partition(b"\n")
    fields = line.split()[-dimensions:]
    if len(fields) == dimensions and all(map(_is_number, fields)):
        return True
    start = records[:4096]
    return b"\n" in start and _is_utf8(start) and not any(byte < 9 or 13 < byte < 32 for byte in start)


def _is_utf8(start: bytes) -> bool:
    """Return whether bytes are UTF-8, perhaps cut off in the middle of a letter."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def named(path: str) -> str | None:
    """Return the format that the name of a file asks for, a compressed one too, or None."""
    plain = path.removesuffix(compression_of(path)).lower()
    return next((name for name, form in FORMATS.items() if form.endings and plain.endswith(form.endings)), None)


def format_of(path: str) -> str:
    """Return the name of a file's format.

    Raises:
        W2VError: when it is missing or in no known format.
    """
    with explained(path), open_model(path) as opened:
        return _known(opened)


def read_vectors(path: str, repairs: Repairs | None = None, most: int | None = None) -> Vectors:
    """Read the words and vectors of a file of any format, a URL or standard input (`-`), compressed or not.

    Args:
        path: where it is.
        repairs: takes note of what is wrong with it, and has all of it checked; if not given, nothing may be, and what
            is mapped into memory is not read through.
        most: words after so many need not be read.

    Raises:
        W2VError: when it is missing, in no known format, damaged, or would run code.
    """
    with explained(path):
        if path != STDIN and not is_url(path) and (found := lookup.read(Path(path))) is not None:
            return found if repairs is None else sound(found, repairs)
        with open_model(path) as opened:
            form = FORMATS[_known(opened)]
            found = form.read(opened, repairs or Repairs(path), most)
        return found if repairs is None or form.is_checked else sound(found, repairs)


def read_gensim(path: str) -> Any:
    """Return what Gensim's `save` wrote: a Word2Vec, a KeyedVectors, or another model that has one as `wv`.

    Raises:
        W2VError: when it is missing, something else, damaged, or would run code.
    """
    with explained(path), open_model(path) as opened:
        if _known(opened) != "gensim":
            raise W2VError(f"{path}: not what Gensim's save writes")
        return gensim_files.read(opened)


def _known(opened: Opened) -> str:
    name = detect(opened)
    if name is None:
        raise W2VError(f"{opened.name}: not a model that w2v can read", f"known formats: {', '.join(FORMATS)}")
    return name


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Say of a file that cannot be read what is wrong with it."""
    with translated(path):
        try:
            yield
        except pickle.UnpicklingError as error:
            raise W2VError(f"{path}: not a Gensim model that is safe to open: {error}") from error
        except MemoryError as error:
            raise W2VError(f"{path}: what it claims to hold does not fit into memory") from error
        except _DAMAGE as error:
            raise W2VError(f"{path}: damaged, or not a model: {' '.join(str(error).split())}") from error
