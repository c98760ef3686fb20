"""Model and vector files: FORMATS maps a name to what reads it. Reading never runs code from a file.

Gensim saves pickles; they are read through an unpickler that admits only the classes such a file needs. Large
arrays lie beside the pickle as .npy files and are memory-mapped.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from w2vcli.errors import W2VError
from w2vcli.sources import is_url, translated

_ALLOWED = {
    *((module, name) for module in ("builtins", "__builtin__") for name in ("hash", "int", "long")),
    ("collections", "defaultdict"),
    ("gensim.models.fasttext", "FastText"),
    ("gensim.models.fasttext", "FastTextKeyedVectors"),
    ("gensim.models.keyedvectors", "CompatVocab"),
    ("gensim.models.keyedvectors", "EuclideanKeyedVectors"),
    ("gensim.models.keyedvectors", "KeyedVectors"),
    ("gensim.models.keyedvectors", "Vocab"),
    ("gensim.models.keyedvectors", "Word2VecKeyedVectors"),
    ("gensim.models.word2vec", "Vocab"),
    ("gensim.models.word2vec", "Word2Vec"),
    ("gensim.models.word2vec", "Word2VecTrainables"),
    ("gensim.models.word2vec", "Word2VecVocab"),
    ("gensim.utils", "call_on_class_only"),
    ("numpy", "dtype"),
    ("numpy", "float32"),
    ("numpy", "ndarray"),
    ("numpy.random", "__RandomState_ctor"),
    ("numpy.random._mt19937", "MT19937"),
    ("numpy.random._pickle", "__bit_generator_ctor"),
    ("numpy.random._pickle", "__randomstate_ctor"),
    ("_codecs", "encode"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no Gensim model needs")
        return super().find_class(module, name)


def read_gensim(path: str) -> Any:
    """Read what Gensim's `save` wrote: a Word2Vec (`.model`) or KeyedVectors (`.kv`), memory-mapped where possible.

    Raises:
        W2VError: when it is not such a file, or names anything but Gensim's and NumPy's own classes.
    """
    from gensim.utils import SaveLoad
    from smart_open import open as smart_open

    compressed, side_file = SaveLoad._adapt_by_suffix(path)
    with smart_open(path, "rb") as stream:
        loaded = _Unpickler(stream, encoding="latin1").load()
    if not isinstance(loaded, SaveLoad):
        raise pickle.UnpicklingError(f"it holds a {type(loaded).__name__}")
    _refuse_sparse(loaded)
    loaded._load_specials(path, None if compressed or is_url(path) else "r", compressed, side_file)
    return loaded


def _refuse_sparse(loaded: Any) -> None:
    """Refuse what Gensim would read with a plain, unsafe pickle: the sparse arrays beside an object or its parts."""
    if getattr(loaded, "__scipys", None):
        raise pickle.UnpicklingError("it has sparse arrays beside it, which no word vectors need")
    for name in getattr(loaded, "__recursive_saveloads", ()):
        _refuse_sparse(getattr(loaded, name))


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
    with _open_start(path) as stream:
        words, dimensions = _header(stream.readline(100)) or (0, 0)
    if is_url(path) or Path(path).suffix in (".gz", ".bz2", ".xz", ".zst"):
        return
    smallest = words * (dimensions * (4 if binary else 2) + 2)
    if smallest > Path(path).stat().st_size:
        raise ValueError(f"its header claims {words} words of {dimensions} dimensions, more than the file can hold")


FORMATS: dict[str, Callable[[str], Any]] = {
    "gensim": read_gensim,
    "word2vec-text": read_word2vec_text,
    "word2vec-binary": read_word2vec_binary,
}


# what Gensim and NumPy raise on damaged files
_DAMAGE = (EOFError, ValueError, AttributeError, TypeError, LookupError, AssertionError, RecursionError, struct.error)


def detect(path: str) -> str | None:
    """Return the name of the format that the first bytes of a file show, or None."""
    with _open_start(path) as stream:
        start = stream.read(1 << 16)
    if start[:1] == b"\x80":
        return "gensim"
    first, newline, rest = start.partition(b"\n")
    header = _header(first + newline)
    if header is None:
        return None
    line, newline, _ = rest.partition(b"\n")
    fields = line.split()
    if len(fields) == header[1] + 1 and all(_is_number(field) for field in fields[1:]):
        return "word2vec-text"
    return "word2vec-binary"


def _open_start(path: str) -> io.BufferedReader:
    from smart_open import open as smart_open

    stream: io.BufferedReader = smart_open(path, "rb")
    return stream


def _header(line: bytes) -> tuple[int, int] | None:
    """Return (words, dimensions) if this is the first line of a word2vec file."""
    fields = line.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields) and line.endswith(b"\n"):
        return int(fields[0]), int(fields[1])
    return None


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
    with translated(path):
        try:
            name = detect(path)
            if name is None:
                raise W2VError(f"{path}: not a model that w2v can read", f"known formats: {', '.join(FORMATS)}")
            return FORMATS[name](path)
        except pickle.UnpicklingError as error:
            raise W2VError(f"{path}: not a Gensim model that is safe to open: {error}") from error
        except _DAMAGE as error:
            raise W2VError(f"{path}: damaged, or not a model: {error}") from error
