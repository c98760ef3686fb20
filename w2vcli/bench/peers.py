"""Other trainers, each as a program of its own that a benchmark runs: `python -m w2vcli.bench.peers NAME SETTINGS`.

SETTINGS is a JSON object: input, output, and the settings of the `word2vec` section. Printed is a JSON object:
`seconds` that training took, or `tokens` that were trained where only a rate is told; `finished`, when the vectors were
saved; and `peak_bytes` of memory until then.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from w2vcli.bench.launch import peak_bytes

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
    return {name: value for name, value in settings.items() if name not in ("input", "output")}


def _saved_by_gensim(model: Any, seconds: float, settings: Settings) -> Result:
    model.save(settings["output"])
    return {"seconds": seconds, **_finished()}


def fasttext(settings: Settings) -> Result:
    """FastText without subwords. Its training time is what its own progress line says.

    It takes no seed, no ns_exponent and no min_alpha. It counts the words of its vocabulary and the ends of lines.
    """
    import fasttext
    import numpy as np
    from gensim.models import KeyedVectors

    model = fasttext.train_unsupervised(
        settings["input"],
        model="skipgram" if settings["sg"] else "cbow",
        dim=settings["vector_size"],
        ws=settings["window"],
        neg=settings["negative"],
        loss="hs" if settings["hs"] else "ns",
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
    words, counts = model.get_words(include_freq=True)
    result["tokens"] = int(counts.sum()) * settings["epochs"]
    vectors = KeyedVectors(settings["vector_size"])
    vectors.add_vectors(words, np.array(model.get_input_matrix())[: len(words)])
    vectors.save(settings["output"])
    return result


def fasttext_seconds(progress: str, tokens: int, workers: int) -> float | None:
    """Return the seconds of training from what fastText printed, or None; `tokens`: as it counts them, in all epochs.

    >>> fasttext_seconds("Progress: 100.0% words/sec/thread:  200000 lr: 0.0", 800, 2)
    0.002
    """
    rates = re.findall(r"words/sec/thread:\s*(\d+)", progress)
    if not rates or not int(rates[-1]):
        return None
    return tokens / (int(rates[-1]) * workers)


def _finished() -> Result:
    return {"finished": time.time(), "peak_bytes": peak_bytes(resource.getrusage(resource.RUSAGE_SELF))}


PEERS: dict[str, Callable[[Settings], Result]] = {
    "gensim iterator": gensim_iterator,
    "gensim corpus_file": gensim_corpus_file,
    "fasttext": fasttext,
}

if __name__ == "__main__":
    print(json.dumps(PEERS[sys.argv[1]](json.loads(sys.argv[2]))))
