"""The Gensim model that is trained: how it begins, what its arrays are, and how they are put back or read again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli import formats
from w2vcli.config import Word2Vec
from w2vcli.errors import W2VError
from w2vcli.vocab import Vocab

Arrays = dict[str, NDArray[np.float32]]


def build_model(vocab: Vocab, settings: Word2Vec, corpus_meta: Mapping[str, Any]) -> Any:
    """Return an untrained gensim.models.Word2Vec with exactly the words of `vocab`, in its order.

    Its input vectors are drawn uniformly from +-0.5 / vector_size, as in word2vec.c; its output vectors are zero.
    """
    from gensim.models import Word2Vec as GensimWord2Vec

    if settings.hs and len(vocab) < 2:
        raise W2VError("hierarchical softmax needs two words at least", "lower word2vec.min_count")
    # sorted_vocab=0: the words are in order already, and Gensim's sort would swap those of equal count
    model = GensimWord2Vec(**settings.model_dump(), sorted_vocab=0)
    counts = dict(zip(vocab.words, vocab.counts.tolist(), strict=True))
    model.build_vocab_from_freq(counts, corpus_count=corpus_meta["sentences"])
    model.corpus_total_words = corpus_meta["words"]
    model.sorted_vocab = 1
    model.wv.vectors /= 2  # Gensim 4 draws from +-1 / vector_size
    return model


def arrays_of(model: Any) -> Arrays:
    """Return what training changes, float32: `vectors` (V, d), and `syn1neg` (V, d) or `syn1` (V - 1 or more, d)."""
    arrays = {
        "vectors": model.wv.vectors,
        "syn1neg": getattr(model, "syn1neg", None),
        "syn1": getattr(model, "syn1", None),
    }
    return {name: array for name, array in arrays.items() if array is not None}


def restore(model: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put arrays that were saved into a model with the same words and settings, in place.

    Raises:
        ValueError: when they do not fit it.
    """
    mine = arrays_of(model)
    for name, array in mine.items():
        if name not in arrays or arrays[name].shape != array.shape or arrays[name].dtype != array.dtype:
            raise ValueError("its arrays do not fit the model")
    for name, array in mine.items():
        array[...] = arrays[name]


def check_finite(model: Any) -> None:
    """Make sure that training has not diverged.

    Raises:
        W2VError: when there are vectors that are no longer numbers.
    """
    if not all(np.isfinite(array).all() for array in arrays_of(model).values()):
        raise diverged()


def diverged() -> W2VError:
    """Return the error of a training whose steps became too large."""
    return W2VError("training diverged: the vectors are no longer finite numbers", "lower word2vec.alpha")


def read_arrays(model_file: Path) -> Arrays:
    """Return the arrays of a model that was saved.

    Raises:
        W2VError: when it cannot be read.
    """
    return arrays_of(formats.read_gensim(str(model_file)))
