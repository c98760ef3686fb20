"""Other trainers, each as a program of its own that a benchmark runs: `python -m w2vcli.peers NAME SETTINGS`.

SETTINGS is a JSON object: input, output, words, seed, and the settings of the `word2vec` section. Printed is a JSON
object: `seconds` that training took, where the trainer tells; `finished`, when the vectors were saved; and
`peak_bytes` of memory until then.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Settings = Mapping[str, Any]
Result = dict[str, Any]


def gensim_iterator(settings: Settings) -> Result:
    """Gensim, fed by LineSentence."""
    from gensim.models import Word2Vec
    from gensim.models.word2vec import LineSentence

    model = Word2Vec(**_gensim_settings(settings))
    sentences = LineSentence(settings["input"])
    model.build_vocab(sentences)
    started = time.perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs)
    return _saved_by_gensim(model, time.perf_counter() - started, settings)


def gensim_corpus_file(settings: Settings) -> Result:
    """Gensim, reading the file itself without the interpreter's lock."""
    from gensim.models import Word2Vec

    model = Word2Vec(**_gensim_settings(settings))
    model.build_vocab(corpus_file=settings["input"])
    started = time.perf_counter()
    model.train(
        corpus_file=settings["input"],
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=model.epochs,
    )
    return _saved_by_gensim(model, time.perf_counter() - started, settings)


def _gensim_settings(settings: Settings) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in ("input", "output", "words")}


def _saved_by_gensim(model: Any, seconds: float, settings: Settings) -> Result:
    model.save(settings["output"])
    return {"seconds": seconds, **_finished()}


def fasttext(settings: Settings) -> Result:
    """FastText without subwords. Its training time is what its own progress line says."""
    import fasttext
    import numpy as np
    from gensim.models import KeyedVectors

    model = fasttext.train_unsupervised(
        settings["input"],
        model="skipgram" if settings["sg"] else "cbow",
        dim=settings["vector_size"],
        ws=settings["window"],
        neg=settings["negative"],
        t=settings["sample"] or 1.0,
        minCount=settings["min_count"],
        epoch=settings["epochs"],
        lr=settings["alpha"],
        thread=settings["workers"],
        minn=0,
        maxn=0,
        bucket=1,
        verbose=2,
    )
    model.save_model(settings["output"] + ".bin")
    result = _finished()
    # what can be read afterwards does not count
    words = model.get_words()
    vectors = KeyedVectors(settings["vector_size"])
    vectors.add_vectors(words, np.array(model.get_input_matrix())[: len(words)])
    vectors.save(settings["output"])
    return result


def fasttext_seconds(progress: str, settings: Settings) -> float | None:
    """Return the seconds of training from what fastText printed, or None.

    >>> settings = {"workers": 2, "words": 100, "epochs": 8}
    >>> fasttext_seconds("Progress: 100.0% words/sec/thread:  200000 lr: 0.0", settings)
    0.002
    """
    rates = re.findall(r"words/sec/thread:\s*(\d+)", progress)
    if not rates or not int(rates[-1]):
        return None
    return float(settings["words"] * settings["epochs"] / (int(rates[-1]) * settings["workers"]))


def peak_bytes(usage: resource.struct_rusage) -> int:
    """Return the peak memory of what the operating system says of a process."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _finished() -> Result:
    return {"finished": time.time(), "peak_bytes": peak_bytes(resource.getrusage(resource.RUSAGE_SELF))}


PEERS: dict[str, Callable[[Settings], Result]] = {
    "gensim iterator": gensim_iterator,
    "gensim corpus_file": gensim_corpus_file,
    "fasttext": fasttext,
}

if __name__ == "__main__":
    print(json.dumps(PEERS[sys.argv[1]](json.loads(sys.argv[2]))))
