"""Train Word2Vec embeddings from any text and ask them questions.

The public Python API is what the commands of `w2v` call::

    import w2vcli

    w2vcli.preprocess(["novels/*.txt.gz"], "novels.tokens.txt.gz")
    w2vcli.train(["novels.tokens.txt.gz"], "runs/novels", {"word2vec": {"sg": 1}})
    vectors = w2vcli.load("runs/novels")
    w2vcli.neighbours(vectors, "king")  # vectors.to_gensim() is a gensim KeyedVectors

Nothing heavy is imported before one of them is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from w2vcli.model import load
    from w2vcli.preprocessing import preprocess
    from w2vcli.queries import neighbours
    from w2vcli.training import train

__version__ = "0.1.0"
__all__ = ["__version__", "load", "neighbours", "preprocess", "train"]

_HOMES = {
    "load": "w2vcli.model",
    "neighbours": "w2vcli.queries",
    "preprocess": "w2vcli.preprocessing",
    "train": "w2vcli.training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'w2vcli' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
