"""Speed and quality beside plain Gensim, on any tokenised text: `make bench TOKENS=novels.txt.gz`.

    python tests/bench.py speed TOKENS [--rounds 5]     words/s of the block loop and of Gensim's own iterator,
                                                        one epoch each, in turn, in one process
    python tests/bench.py quality TOKENS [--seeds 3]    analogies and word pairs of both, five epochs each

Skip-gram, 100 dimensions, window 5, 5 negatives, sample 1e-4, 2 workers.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import gensim
from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence
from gensim.test.utils import datapath

import w2vcli

SETTINGS: dict[str, Any] = {"sg": 1, "vector_size": 100, "sample": 1e-4, "workers": 2}


def train_ours(tokens: Path, run: Path, epochs: int, seed: int) -> tuple[Any, float]:
    """Return the vectors and the words/s of the training blocks."""
    config = {"word2vec": {**SETTINGS, "epochs": epochs, "seed": seed}}
    done = w2vcli.train(tokens, run, config, force=True)
    return w2vcli.load(run), done["words"] / done["seconds"]


def train_gensim(tokens: Path, epochs: int, seed: int) -> tuple[Any, float]:
    """Return the vectors and the words/s of Word2Vec.train on LineSentence."""
    model = Word2Vec(**SETTINGS, epochs=epochs, seed=seed)
    sentences = LineSentence(str(tokens))
    model.build_vocab(sentences)
    started = time.perf_counter()
    _, raw_words = model.train(sentences, total_examples=model.corpus_count, epochs=epochs)
    return model.wv, raw_words / (time.perf_counter() - started)


def speed(tokens: Path, rounds: int) -> None:
    """Print a line a round, and the medians."""
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, rounds + 1):
            _, theirs = train_gensim(tokens, 1, seed)
            _, ours = train_ours(tokens, Path(folder, f"run{seed}"), 1, seed)
            ratios.append(ours / theirs)
            print(
                f"round {seed}: gensim {theirs:,.0f} words/s, w2v {ours:,.0f} words/s, ratio {ours / theirs:.3f}",
                flush=True,
            )
    spread = f"min {min(ratios):.3f}, max {max(ratios):.3f}"
    print(f"median ratio {statistics.median(ratios):.3f} ({spread}), gensim {gensim.__version__}")


def quality(tokens: Path, seeds: int) -> None:
    """Print a line a model, and the means."""
    scores: dict[str, list[tuple[float, float]]] = {"w2v": [], "gensim": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, seeds + 1):
            for name in scores:
                run = Path(folder, f"run{seed}")
                vectors, _ = train_ours(tokens, run, 5, seed) if name == "w2v" else train_gensim(tokens, 5, seed)
                analogies, _ = vectors.evaluate_word_analogies(datapath("questions-words.txt"), restrict_vocab=30000)
                _, spearman, _ = vectors.evaluate_word_pairs(datapath("wordsim353.tsv"))
                scores[name].append((100 * analogies, spearman.statistic))
                print(
                    f"seed {seed} {name}: analogies {100 * analogies:.2f}%, WordSim-353 {spearman.statistic:.4f}",
                    flush=True,
                )
    for name, results in scores.items():
        analogies, pairs = (statistics.mean(column) for column in zip(*results, strict=True))
        print(f"mean {name}: analogies {analogies:.2f}%, WordSim-353 {pairs:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "quality"])
    parser.add_argument("tokens", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed(arguments.tokens, arguments.rounds)
    else:
        quality(arguments.tokens, arguments.seeds)
