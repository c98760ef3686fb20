"""The reference engine: Word2Vec with negative sampling in plain NumPy, one centre word at a time.

This is the specification the other engines are tested against; it is written to be read, not to be fast. Notation
of Mikolov et al. 2013 (https://arxiv.org/abs/1310.4546), with the roles as in word2vec.c and Gensim: a *context*
word's input vector u, or in CBOW the contexts' mean, predicts the *centre* word.

    one pair:   loss = -log s(u . v_centre) - sum over noise words n of log s(-u . v_n),   s(x) = 1 / (1 + exp(-x))
    its step:   for each output row v with label y (1 for the centre, 0 for a noise word), g = alpha * (y - s(u . v)):
                change += g * v,  v += g * u;  after the last row: u += change

Around the pair:
    keep probability     an occurrence of w stays with min(1, sqrt(t/f) + t/f), drawn before windows are laid
    dynamic window       each centre draws b from 1 .. window; its contexts are the b words to either side
    noise distribution   P(n) proportional to count(n) ** ns_exponent; a draw that hits the centre is dropped
    two matrices         input (V, d), drawn uniformly from +-0.5/d; output (V, d), zero
    learning rate        linear between the block's two ends, constant within a sentence

What is stepped at once (`at_once`):
    pair     skip-gram draws noise for every pair; the rows of a pair are stepped one after the other
    window   skip-gram draws noise once for a centre: all pairs of the window share it, and all are stepped from the
             same old rows
    batch    many pairs, or in CBOW windows, are stepped from the same old rows, each with noise of its own; the centre
             predicts its contexts, as in the paper; noise that hits a word of the pair is drawn again. The rate of
             a row is at most 1 / the sum of v . v / 4 over the rows v that it meets in the batch (in CBOW: that its
             windows meet), which bounds the curvature of the batch's loss; see `torch_modules.curvatures`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vcli.corpus import Block, Ids
from w2vcli.engines import Capabilities, Engine
from w2vcli.vocab import keep_probabilities, noise_probabilities

REDRAWS = 3

Matrix = NDArray[np.float32]


class Example(NamedTuple):
    """The rows of `inputs`, one or in CBOW several, predict a target and should not predict the noise words."""

    inputs: Ids
    target: int
    negatives: NDArray[np.int64]


class ReferenceEngine(Engine):
    """Trains with negative sampling in one thread of plain NumPy.

    Args:
        at_once: what is stepped from the same old rows.
        batch_size: examples in a batch.
    """

    def __init__(self, at_once: Literal["pair", "window", "batch"] = "pair", batch_size: int = 32) -> None:
        self.capabilities = Capabilities(sg=True, cbow=True, hs=False, ns=True, threads=False, at_once=at_once)
        self._batch_size = batch_size

    def batch_size_of(self, vocabulary: int, workers: int = 1) -> int | None:
        """Return the examples in a batch, where there are batches."""
        return self._batch_size if self.capabilities.at_once == "batch" else None

    def train_block(
        self, model: Any, block: Block, alpha_start: float, alpha_end: float, rng: np.random.Generator
    ) -> int:
        """Train on one block; see `Engine.train_block`."""
        block = block.gathered(len(model.wv))
        counts = model.wv.expandos["count"]
        keep = keep_probabilities(counts, model.sample)
        noise = np.cumsum(noise_probabilities(counts, model.ns_exponent))
        trained, batch = 0, list[Example]()
        batch_alpha = alpha_start
        for start, end in zip(block.starts.tolist(), block.ends.tolist(), strict=True):
            alpha = alpha_start + (alpha_end - alpha_start) * start / max(len(block), 1)
            sentence = subsample(block.ids[start:end], keep, rng)
            trained += len(sentence)
            with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is told so by the loop
                for centre, contexts in windows(sentence, model.window, model.shrink_windows, rng):
                    if self.capabilities.at_once != "batch":
                        self._train_window(model, centre, contexts, noise, alpha, rng)
                        continue
                    for example in examples(centre, contexts, noise, model, rng):
                        batch_alpha = batch_alpha if batch else alpha
                        batch.append(example)
                        if len(batch) == self._batch_size:
                            batch_step(model, batch, batch_alpha)
                            batch.clear()
        if batch:
            batch_step(model, batch, batch_alpha)
        model.wv.norms = None  # Gensim's cache of vector lengths
        return trained

    def _train_window(
        self,
        model: Any,
        centre: int,
        contexts: Ids,
        noise: NDArray[np.float64],
        alpha: float,
        rng: np.random.Generator,
    ) -> None:
        inputs, outputs = model.wv.vectors, model.syn1neg
        shared = self.capabilities.at_once == "window"
        if model.sg and not shared:
            for context in contexts.tolist():
                step(inputs, outputs, centre, context, draw_noise(noise, model.negative, rng), alpha)
        elif len(contexts):
            negatives = draw_noise(noise, model.negative, rng)
            if model.sg:
                window_step(inputs, outputs, centre, contexts, negatives, alpha)
            else:
                train = train_at_once if shared else train_in_turn
                cbow_step(inputs, outputs, centre, contexts, negatives, alpha, bool(model.cbow_mean), train)


def subsample(sentence: Ids, keep: NDArray[np.float64], rng: np.random.Generator) -> Ids:
    """Return the words of `sentence` that the keep probabilities `keep` (V,) leave in it."""
    return sentence[rng.random(len(sentence)) < keep[sentence]]


def windows(sentence: Ids, window: int, shrink_windows: bool, rng: np.random.Generator) -> Iterator[tuple[int, Ids]]:
    """Yield every centre with its contexts, ids.

    >>> import numpy as np
    >>> [(c, o.tolist()) for c, o in windows(np.array([7, 8, 9]), 1, False, np.random.default_rng(0))]
    [(7, [8]), (8, [7, 9]), (9, [8])]
    """
    reaches = rng.integers(1, window + 1, len(sentence)) if shrink_windows else np.full(len(sentence), window)
    for place, reach in enumerate(reaches.tolist()):
        around = np.arange(max(0, place - reach), min(len(sentence), place + reach + 1))
        yield int(sentence[place]), sentence[around[around != place]]


def draw_noise(cumulative: NDArray[np.float64], number: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `number` ids, int64, drawn from the distribution with the cumulative probabilities (V,)."""
    drawn = np.searchsorted(cumulative, rng.random(number), side="right")
    return np.minimum(drawn, len(cumulative) - 1)  # the last probability may round to just below 1


def draw_other_noise(
    cumulative: NDArray[np.float64], number: int, words: list[int], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return `number` ids as `draw_noise` does; those that hit one of `words` are drawn again, at last left out."""
    drawn = draw_noise(cumulative, number, rng)
    for _ in range(REDRAWS):
        hits = np.isin(drawn, words)
        drawn[hits] = draw_noise(cumulative, int(hits.sum()), rng)
    return drawn[~np.isin(drawn, words)]


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)).

    >>> sigmoid(0.0), round(sigmoid(2.0) + sigmoid(-2.0), 12)
    (0.5, 1.0)
    """
    return float(1.0 / (1.0 + np.exp(-x)))


def pair_loss(u: Matrix, v_centre: Matrix, v_noise: Matrix) -> float:
    """Return the loss of one pair, float64: -log s(u . v_centre) - sum of log s(-u . v_n), rows (d,), (d,) and (k, d).

    >>> zeros = np.zeros((5, 3))
    >>> round(pair_loss(zeros[0], zeros[0], zeros) / float(np.log(2)), 9)
    6.0
    """
    u = u.astype(np.float64)
    return float(-np.log(sigmoid(float(u @ v_centre))) - sum(np.log(sigmoid(-float(u @ v))) for v in v_noise))


def step(
    inputs: Matrix, outputs: Matrix, centre: int, context: int, negatives: NDArray[np.int64], alpha: float
) -> None:
    """Make one step of gradient descent on one pair, in place.

    `inputs`, `outputs`: float32 (V, d). `negatives`: int64 (k,); those equal to `centre` are left out.
    """
    inputs[[context]] += train_in_turn(inputs[[context]], outputs, centre, negatives, alpha)


def window_step(
    inputs: Matrix, outputs: Matrix, centre: int, contexts: Ids, negatives: NDArray[np.int64], alpha: float
) -> None:
    """Make one step on all pairs of a window, in place, with the same noise for each and all from the old rows.

    Shapes as in `step`; `contexts`: (n,).
    """
    np.add.at(inputs, contexts, train_at_once(inputs[contexts], outputs, centre, negatives, alpha))


def cbow_step(
    inputs: Matrix,
    outputs: Matrix,
    centre: int,
    contexts: Ids,
    negatives: NDArray[np.int64],
    alpha: float,
    mean: bool,
    train: Callable[..., Matrix],
) -> None:
    """Make one step of CBOW, in place: the mean of the contexts' rows, or their sum, predicts the centre.

    As in word2vec.c the mean's change is added to each context undivided; as in Gensim the sum's is divided by their
    number. Shapes as in `step`; `contexts`: (n,), n > 0; `train`: one of the two functions below.
    """
    share = np.float32(1 / len(contexts))
    u = inputs[contexts].sum(axis=0, keepdims=True)
    change = train(u * share if mean else u, outputs, centre, negatives, alpha)
    np.add.at(inputs, contexts, change if mean else change * share)


def examples(
    centre: int, contexts: Ids, noise: NDArray[np.float64], model: Any, rng: np.random.Generator
) -> Iterator[Example]:
    """Yield a window's examples, with noise: the centre and each of its contexts, or in CBOW all contexts at once."""
    if model.sg:
        for context in contexts.tolist():
            negatives = draw_other_noise(noise, model.negative, [centre, context], rng)
            yield Example(np.array([centre]), context, negatives)
    elif len(contexts):
        yield Example(contexts, centre, draw_other_noise(noise, model.negative, [centre], rng))


def batch_step(model: Any, batch: list[Example], alpha: float) -> None:
    """Make one step on all examples of a batch, in place and from the old rows."""
    matrices = model.wv.vectors, model.syn1neg
    sums = [np.zeros(matrix.shape) for matrix in matrices]
    curvatures = [np.zeros(len(matrix)) for matrix in matrices]
    for inputs, target, negatives in batch:
        u, share = matrices[0][inputs].sum(axis=0), 1 / len(inputs)
        u = u * share if model.cbow_mean else u
        rows = np.concatenate(([target], negatives))
        labels = (np.arange(len(rows)) == 0).astype(np.float64)
        slopes = labels - [sigmoid(float(u @ row)) for row in matrices[1][rows]]
        change = slopes @ matrices[1][rows]
        np.add.at(sums[0], inputs, change if model.cbow_mean else change * share)
        np.add.at(sums[1], rows, np.outer(slopes, u))
        np.add.at(curvatures[0], inputs, (matrices[1][rows] ** 2).sum() / 4)
        np.add.at(curvatures[1], rows, u @ u / 4)
    for matrix, total, curvature in zip(matrices, sums, curvatures, strict=True):
        rates = alpha / np.maximum(1, alpha * curvature)
        matrix += (rates[:, None] * total).astype(np.float32)


def train_in_turn(u: Matrix, outputs: Matrix, centre: int, negatives: NDArray[np.int64], alpha: float) -> Matrix:
    """Step the output rows for the one row of `u` (1, d) and return its change (1, d).

    As in word2vec.c they are stepped one after the other, so a noise word drawn twice sees its first step.
    """
    change = np.zeros_like(u)
    for row, label in [(centre, 1.0), *((int(n), 0.0) for n in negatives if n != centre)]:
        g = np.float32(alpha * (label - sigmoid(float(u[0] @ outputs[row]))))
        change += g * outputs[row]
        outputs[row] += g * u[0]
    return change


def train_at_once(u: Matrix, outputs: Matrix, centre: int, negatives: NDArray[np.int64], alpha: float) -> Matrix:
    """Step the output rows for all rows of `u` (n, d) and return their changes (n, d).

    All are found from the old rows; a noise word drawn twice counts twice.
    """
    rows = np.concatenate(([centre], negatives[negatives != centre]))
    labels = (np.arange(len(rows)) == 0).astype(np.float32)
    v = outputs[rows]  # a copy
    scores = np.array([[sigmoid(float(score)) for score in row] for row in u @ v.T])
    g = (alpha * (labels - scores)).astype(np.float32)
    np.add.at(outputs, rows, g.T @ u)
    return np.asarray(g @ v)
