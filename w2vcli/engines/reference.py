"""The reference engine: skip-gram with negative sampling, one pair at a time, in NumPy.

This is the specification the other engines are tested against; it is written to be read, not to be fast. Notation
of Mikolov et al. 2013 (https://arxiv.org/abs/1310.4546), with the roles as in word2vec.c and Gensim: the *context*
word's input vector u predicts the *centre* word.

    one pair:   loss = -log s(u . v_centre) - sum over noise words n of log s(-u . v_n),   s(x) = 1 / (1 + exp(-x))
    its step:   for each output row v with label y (1 for the centre, 0 for a noise word), g = alpha * (y - s(u . v)):
                change += g * v,  v += g * u;  after the last row: u += change

Around the pair:
    keep probability     an occurrence of w stays with min(1, sqrt(t/f) + t/f), drawn before windows are laid
    dynamic window       each centre draws b from 1 .. window; its contexts are the b words to either side
    noise distribution   P(n) proportional to count(n) ** ns_exponent; a draw that hits the centre is dropped
    two matrices         input (V, d), drawn uniformly from +-0.5/d; output (V, d), zero
    learning rate        linear between the block's two ends, constant within a sentence
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli.corpus import Block, Ids
from w2vcli.engines import Capabilities
from w2vcli.vocab import keep_probabilities, noise_probabilities

Matrix = NDArray[np.float32]


class ReferenceEngine:
    """Trains skip-gram with negative sampling in one thread of plain NumPy."""

    capabilities = Capabilities(sg=True, cbow=False, hs=False, ns=True, threads=False)

    def train_block(
        self, model: Any, block: Block, alpha_start: float, alpha_end: float, rng: np.random.Generator
    ) -> int:
        """Train on one block; see `Engine.train_block`."""
        counts = model.wv.expandos["count"]
        keep = keep_probabilities(counts, model.sample)
        noise = np.cumsum(noise_probabilities(counts, model.ns_exponent))
        trained = 0
        for start, end in pairwise(block.offsets.tolist()):
            alpha = alpha_start + (alpha_end - alpha_start) * start / max(len(block), 1)
            sentence = subsample(block.ids[start:end], keep, rng)
            trained += len(sentence)
            with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is told so by the loop
                for centre, context in pairs(sentence, model.window, model.shrink_windows, rng):
                    negatives = draw_noise(noise, model.negative, rng)
                    step(model.wv.vectors, model.syn1neg, centre, context, negatives, alpha)
        model.wv.norms = None  # Gensim's cache of vector lengths
        return trained


def subsample(sentence: Ids, keep: NDArray[np.float64], rng: np.random.Generator) -> Ids:
    """Return the words of `sentence` that the keep probabilities `keep` (V,) leave in it."""
    return sentence[rng.random(len(sentence)) < keep[sentence]]


def pairs(sentence: Ids, window: int, shrink_windows: bool, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Yield every (centre, context) pair of ids.

    >>> import numpy as np
    >>> list(pairs(np.array([7, 8, 9]), 1, False, np.random.default_rng(0)))
    [(7, 8), (8, 7), (8, 9), (9, 8)]
    """
    reaches = rng.integers(1, window + 1, len(sentence)) if shrink_windows else np.full(len(sentence), window)
    for place, reach in enumerate(reaches.tolist()):
        for other in range(max(0, place - reach), min(len(sentence), place + reach + 1)):
            if other != place:
                yield int(sentence[place]), int(sentence[other])


def draw_noise(cumulative: NDArray[np.float64], number: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `number` ids, int64, drawn from the distribution with the cumulative probabilities (V,)."""
    drawn = np.searchsorted(cumulative, rng.random(number), side="right")
    return np.minimum(drawn, len(cumulative) - 1)  # the last probability may round to just below 1


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)).

    >>> sigmoid(0.0), round(sigmoid(2.0) + sigmoid(-2.0), 12)
    (0.5, 1.0)
    """
    return float(1.0 / (1.0 + np.exp(-x)))


def step(
    inputs: Matrix, outputs: Matrix, centre: int, context: int, negatives: NDArray[np.int64], alpha: float
) -> None:
    """Make one step of gradient descent on one pair, in place.

    `inputs`, `outputs`: float32 (V, d). `negatives`: int64 (k,); those equal to `centre` are left out. As in
    word2vec.c the output rows are updated one after the other, so a noise word drawn twice sees its first update;
    the input row is updated last, with the sum of all.
    """
    u = inputs[context]
    change = np.zeros_like(u)
    for row, label in [(centre, 1.0), *((int(n), 0.0) for n in negatives if n != centre)]:
        g = np.float32(alpha * (label - sigmoid(float(u @ outputs[row]))))
        change += g * outputs[row]
        outputs[row] += g * u
    u += change
