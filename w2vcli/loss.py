"""The held-out loss: how well a model predicts sentences that it is never trained on.

The pairs are drawn once, from the seed, as training draws them: words dropped by subsampling, then a window for each
centre; so every measurement of a run is of the same pairs with the same noise words. With the names of
`engines.reference`:

    negative sampling     -log s(u . v_centre) - sum over noise words n of log s(-u . v_n),  s(x) = 1 / (1 + exp(-x))
    hierarchical softmax  -sum over the nodes of the centre's Huffman path of log s((1 - 2 code) u . v_node): exact

u is a context's input vector, or in CBOW the mean or sum of all of the centre's; the loss is the mean over all pairs
(in CBOW: over all centres), in float64. Noise words are drawn until they are not the centre. A model that trains with
both has the sum of both losses.

Before training, when all output vectors are zero, negative sampling's loss is (negative + 1) log 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vcli.compiled import compiled
from w2vcli.corpus import Block, Corpus, Ids, Offsets
from w2vcli.errors import W2VError
from w2vcli.sources import Source, open_text
from w2vcli.vocab import keep_probabilities, noise_probabilities

AUTO_SENTENCES, AUTO_SHARE, AUTO_WORDS = 1_000, 0.01, 20_000
_DRAW = 4_096  # sentence numbers at once
_REDRAWS = 100
_STREAM = 2**32 - 1  # of random numbers; an epoch never has this number


# ---------------------------------------------------------------- which sentences


def sample(corpus: Corpus, wanted: int | None, seed: int) -> NDArray[np.int64]:
    """Return the numbers of the sentences that are held out, int64 in ascending order; None: as many as seem good.

    The more are wanted, the more are added: a larger sample includes the smaller ones.

    Raises:
        W2VError: when more than half of the sentences are wanted.
    """
    sentences = len(corpus.offsets) - 1
    limit = AUTO_WORDS if wanted is None else None
    wanted = min(AUTO_SENTENCES, int(AUTO_SHARE * sentences)) if wanted is None else wanted
    if wanted > sentences / 2:
        raise W2VError(f"train.heldout: {wanted} of the corpus' {sentences} sentences", "hold out half of them at most")
    rng = np.random.default_rng([seed, _STREAM])
    drawn = np.zeros(0, dtype=np.int64)
    while len(drawn) < wanted:
        drawn = np.append(drawn, rng.integers(sentences, size=_DRAW))
        drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
    drawn = drawn[:wanted]
    if limit is not None:
        lengths = corpus.words_before(drawn + 1) - corpus.words_before(drawn)
        drawn = drawn[np.cumsum(lengths) <= max(limit, lengths[:1].sum())]
    return np.sort(drawn)


def read_sentences(name: str, model: Any) -> Block:
    """Return the sentences of a file of tokenised text as ids of the model's words; others are passed over.

    Raises:
        W2VError: when it cannot be read, or none of its words is the model's.
    """
    known = model.wv.key_to_index
    with open_text(Source(name)) as lines:
        ids = [[known[word] for word in line.split() if word in known] for line in lines]
    if not any(ids):
        raise W2VError(f"{name}: none of its words is in the vocabulary", "train.heldout should be tokenised text")
    offsets = np.cumsum([0, *map(len, ids)])
    numbers = np.array([number for sentence in ids for number in sentence], dtype=np.int32)
    return Block(numbers, offsets[:-1], offsets[1:])


# ---------------------------------------------------------------- what is predicted from what


class Examples(NamedTuple):
    """Example i predicts outputs[output_starts[i]:output_starts[i + 1]] from inputs[input_starts[i]: ...].

    `inputs`: int32, rows of the input matrix. `outputs`: int32, rows of the output matrix. `labels`: int8, beside the
    outputs, 1 or -1. Starts: int64 (n + 1,).
    """

    inputs: Ids
    input_starts: Offsets
    outputs: Ids
    output_starts: Offsets
    labels: NDArray[np.int8]


class HeldOut:
    """The pairs of some sentences, drawn once.

    Args:
        model: a gensim.models.Word2Vec with the vocabulary and the settings, trained or not.
        block: the sentences, as ids; words that have none in the model are passed over.
    """

    def __init__(self, model: Any, block: Block) -> None:
        rng = np.random.default_rng([model.seed, _STREAM, 1])
        counts = model.wv.expandos["count"]
        words, sentences = _subsampled(block.gathered(len(model.wv)), keep_probabilities(counts, model.sample), rng)
        centres, contexts = _pairs(sentences, model.window, model.shrink_windows, rng)
        targets = words[centres] if model.sg else words[np.unique(centres)]
        starts = np.arange(len(centres) + 1) if model.sg else np.append(np.unique(centres, True)[1], len(centres))
        self._examples: dict[str, Examples] = {}
        if model.hs:
            codes, points = model.wv.expandos["code"], model.wv.expandos["point"]
            self._examples["syn1"] = Examples(words[contexts], starts, *_paths(targets, codes, points))
        if model.negative:
            noise = noise_probabilities(counts, model.ns_exponent)
            self._examples["syn1neg"] = Examples(
                words[contexts], starts, *_with_noise(targets, noise, model.negative, rng)
            )
        self._mean = bool(model.cbow_mean)
        self.sentences = len(block.starts)

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(next(iter(self._examples.values())).input_starts) - 1

    @property
    def examples(self) -> Mapping[str, Examples]:
        """The examples by the name of the output matrix."""
        return self._examples

    @property
    def untrained(self) -> float:
        """The loss of a model whose scores are all 0: log 2 for each output of an example."""
        return sum(math.log(2) * len(examples.outputs) / len(self) for examples in self._examples.values())

    def loss(self, model: Any) -> float | None:
        """Return the mean loss, float64, or None where the sentences have no pair in them."""
        if not len(self):
            return None
        return sum(
            float(_losses(model.wv.vectors, getattr(model, name), tuple(examples), self._mean).mean())
            for name, examples in self._examples.items()
        )


def _subsampled(block: Block, keep: NDArray[np.float64], rng: np.random.Generator) -> tuple[Ids, Ids]:
    """Return the words that subsampling keeps, and the number of the sentence that each is in."""
    kept = rng.random(len(block.ids)) < keep[block.ids]
    return block.ids[kept], np.repeat(np.arange(len(block.starts), dtype=np.int32), block.ends - block.starts)[kept]


def _pairs(
    sentences: Ids, window: int, shrink_windows: bool, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of centre and context of every pair, ordered by centre; int64 (n,) each."""
    places = np.arange(len(sentences))
    reach = rng.integers(1, window + 1, len(sentences)) if shrink_windows else np.full(len(sentences), window)
    centres, contexts = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for distance in range(1, min(window, len(sentences)) + 1):
        near = sentences[distance:] == sentences[:-distance]
        left, right = places[:-distance][near], places[distance:][near]
        for centre, context in ((left, right), (right, left)):
            within = reach[centre] >= distance
            centres.append(centre[within])
            contexts.append(context[within])
    order = np.lexsort((np.concatenate(contexts), np.concatenate(centres)))
    return np.concatenate(centres)[order], np.concatenate(contexts)[order]


def _with_noise(
    targets: Ids, probabilities: NDArray[np.float64], negative: int, rng: np.random.Generator
) -> tuple[Ids, Offsets, NDArray[np.int8]]:
    """Return outputs, their starts and labels: each target and its noise words."""
    cumulative = np.cumsum(probabilities)

    def drawn(number: int) -> Ids:
        places = np.searchsorted(cumulative, rng.random(number), side="right")
        return np.minimum(places, len(cumulative) - 1).astype(np.int32)

    rows = np.column_stack([targets, drawn(len(targets) * negative).reshape(-1, negative)])
    for _ in range(_REDRAWS):
        hits = np.flatnonzero(rows[:, 1:] == targets[:, None])
        if not len(hits):
            break
        rows[:, 1:].flat[hits] = drawn(len(hits))
    is_wanted = np.column_stack([np.ones(len(targets), dtype=bool), rows[:, 1:] != targets[:, None]])
    labels = np.broadcast_to(np.where(np.arange(negative + 1) == 0, 1, -1).astype(np.int8), rows.shape)
    return rows[is_wanted], np.concatenate(([0], np.cumsum(is_wanted.sum(axis=1)))), labels[is_wanted]


def _paths(targets: Ids, codes: Any, points: Any) -> tuple[Ids, Offsets, NDArray[np.int8]]:
    """Return outputs, their starts and labels: the nodes on each target's Huffman path."""
    nothing = np.zeros(0)
    lengths = [len(codes[target]) for target in targets.tolist()]
    nodes = np.concatenate([nothing, *(points[target] for target in targets.tolist())]).astype(np.int32)
    taken = np.concatenate([nothing, *(codes[target] for target in targets.tolist())])
    return nodes, np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))), (1 - 2 * taken).astype(np.int8)


def prepare() -> None:
    """Load the kernel from numba's cache, or compile it, for rows with and without padding between them."""
    nothing, starts = np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int64)
    examples = tuple(Examples(nothing, starts, nothing, starts, np.zeros(0, dtype=np.int8)))
    for rows in (np.zeros((2, 2), dtype=np.float32), np.zeros((2, 3), dtype=np.float32)[:, :2]):
        _losses(rows, rows, examples, True)


@compiled
def _losses(vectors: Any, output_vectors: Any, examples: Any, mean: Any) -> Any:
    """Return the loss of every example, float64 (n,)."""
    inputs, input_starts, outputs, output_starts, labels = examples
    losses = np.zeros(len(input_starts) - 1)
    u = np.zeros(vectors.shape[1])
    for example in range(len(losses)):
        # the input: one row, or the sum or mean of several
        u[:] = 0.0
        first, last = input_starts[example], input_starts[example + 1]
        for place in range(first, last):
            u += vectors[inputs[place]]
        if mean:
            u /= last - first
        # -log s(label * u . v) = log(1 + exp(-label * u . v)), which must not overflow
        for place in range(output_starts[example], output_starts[example + 1]):
            v = output_vectors[outputs[place]]
            score = 0.0
            for dimension in range(len(u)):
                score += u[dimension] * v[dimension]
            score *= -labels[place]
            losses[example] += max(score, 0.0) + np.log1p(np.exp(-abs(score)))
    return losses
