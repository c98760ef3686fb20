"""What Gensim's `save` writes: a pickle, with large arrays beside it as .npy files.

It is read through an unpickler that admits only the classes that such a file needs. For the words and vectors alone
Gensim is not imported: its objects are read as their attributes, and arrays beside the file are memory-mapped.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from w2vcli.formats import lookup
from w2vcli.formats.opening import Opened
from w2vcli.formats.repairs import Repairs
from w2vcli.vectors import Vectors, counts_of
from w2vcli.words import listed

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
        return _encoded if module == "_codecs" else super().find_class(module, name)


def _encoded(text: str, encoding: str) -> bytes:
    """Return bytes that an old pickle has as text; there are codecs that would make very much of little."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it has bytes encoded in {encoding}, which no Gensim model has")
    return text.encode("latin1")


class _Attributes:
    """An object of Gensim's, as what its pickle says of it."""


class _AttributesUnpickler(_Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        is_gensims = (module, name) in _ALLOWED and module.startswith("gensim.")
        return _Attributes if is_gensims else super().find_class(module, name)


def read(opened: Opened) -> Any:
    """Read what Gensim's `save` wrote: a Word2Vec (`.model`) or KeyedVectors (`.kv`), memory-mapped where possible.

    Raises:
        pickle.UnpicklingError: when it is not such a file, or names anything but Gensim's and NumPy's own classes.
        Exception: another, when it is damaged.
    """
    from gensim.utils import SaveLoad

    compressed, side_file = SaveLoad._adapt_by_suffix(opened.name)
    loaded = _Unpickler(opened.stream, encoding="latin1").load()
    if not isinstance(loaded, SaveLoad):
        raise pickle.UnpicklingError(f"it holds a {type(loaded).__name__}")
    _check_beside(loaded)
    mapped = None if compressed or opened.size is None else "r"
    loaded._load_specials(opened.name, mapped, compressed, side_file)
    return loaded


def _check_beside(loaded: Any) -> None:
    """Refuse what Gensim would read beside an object or its parts with plain, unsafe pickle, or from elsewhere."""
    if getattr(loaded, "__scipys", None):
        raise pickle.UnpicklingError("it has sparse arrays beside it, which no word vectors need")
    parts = getattr(loaded, "__recursive_saveloads", ())
    for name in (*parts, *getattr(loaded, "__numpys", ())):
        if not str(name).isidentifier():
            raise pickle.UnpicklingError(f"it has an array {name!r} beside it, which is no name of one")
    for name in parts:
        _check_beside(getattr(loaded, name))


def read_vectors(opened: Opened, repairs: Repairs, most: int | None) -> Vectors:
    """Read the words and vectors of such a file; without Gensim, if it is as Gensim 4 writes it on this computer.

    Raises:
        Exception: as `read`, and OSError, for a file that is damaged or missing.
    """
    if opened.size is not None:
        found = _read_attributes(opened.name)
        if found is not None:
            return found
    loaded = read(opened)
    return Vectors.of(getattr(loaded, "wv", loaded))


def _read_attributes(path: str) -> Vectors | None:
    """Return the words and vectors of a local file, or None if they are not where Gensim 4 has them."""
    with Path(path).open("rb") as stream:
        try:
            loaded = _AttributesUnpickler(stream, encoding="latin1").load()
        except TypeError:  # objects made in other ways, by older versions
            return None
    if not isinstance(loaded, _Attributes):
        raise pickle.UnpicklingError(f"it holds a {type(loaded).__name__}")
    attributes = vars(loaded)
    if isinstance(attributes.get("wv"), _Attributes):
        attributes, path = vars(attributes["wv"]), f"{path}.wv"
    words, rows = attributes.get("index_to_key"), attributes.get("vectors")
    if "vectors" in attributes.get("__numpys", ()):
        rows = np.load(f"{path}.vectors.npy", mmap_mode="r", allow_pickle=False)
    if not (isinstance(words, list) and isinstance(rows, np.ndarray) and np.issubdtype(rows.dtype, np.floating)):
        return None
    words = listed(words)
    return Vectors(words, rows, counts=counts_of(attributes.get("expandos"), len(words)))


def write(path: Path, vectors: Vectors) -> None:
    """Write a KeyedVectors, its vectors and what questions need beside it, to be mapped into memory.

    Raises:
        OSError: when it cannot be written.
    """
    vectors.to_gensim().save(str(path), separately=["vectors"])
    lookup.write(path, vectors)
