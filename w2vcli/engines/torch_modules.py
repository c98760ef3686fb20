"""The models as PyTorch modules: skip-gram and CBOW with negative sampling, the loss of a batch from its ids.

The loss of one example is, with the row u that predicts, the row v of the word that is predicted and the rows n_1 … n_k
of its noise words (Mikolov et al. 2013, https://arxiv.org/abs/1310.4546, equation 4):

    -log s(u . v) - sum over i of log s(-u . n_i),    s(x) = 1 / (1 + exp(-x))

and a batch's is the mean of it. Where all scores are zero it is (k + 1) log 2. Gradients are sparse: they have a row
for every row that was looked up, so that a step costs its batch and not the vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn.functional import logsigmoid


class SkipGramNegativeSampling(nn.Module):
    """A centre word predicts one of its context words.

    Args:
        vocabulary: V, how many words there are.
        vector_size: d, dimensions of the vectors.
        device: where the embeddings are.
    """

    def __init__(self, vocabulary: int, vector_size: int, device: str | None = None) -> None:
        super().__init__()
        self.centre_embeddings = _embeddings(vocabulary, vector_size, device)
        self.context_embeddings = _embeddings(vocabulary, vector_size, device)

    def forward(self, centres: Tensor, positives: Tensor, negatives: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the mean loss of a batch of pairs, a float32 scalar.

        Args:
            centres: int64 (batch,), the words that predict.
            positives: int64 (batch,), a context word of each.
            negatives: int64 (batch, k), noise words of each pair; or (s,), noise words that all pairs share.
            weights: float32 (batch, k) or (batch, s), what each noise word counts in each pair; 1 if not given.
        """
        return negative_sampling_loss(*self.look_up(centres, positives, negatives), weights)

    def look_up(self, centres: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Targets]:
        """Return the rows that predict, (batch, d), and those that they predict or not; arguments as in `forward`."""
        return self.centre_embeddings(centres), _targets(self.context_embeddings, positives, negatives)


class CBOWNegativeSampling(nn.Module):
    """The mean of the context words' vectors, or their sum, predicts the centre word.

    The gradients of the context words are those of word2vec.c and Gensim and not quite the loss's: each has the whole
    change of the mean, undivided, or the sum's change divided by the number of words.

    Args:
        vocabulary: V, how many words there are.
        vector_size: d, dimensions of the vectors.
        mean: the mean predicts, or else the sum.
        device: where the embeddings are.
    """

    def __init__(self, vocabulary: int, vector_size: int, mean: bool = True, device: str | None = None) -> None:
        super().__init__()
        self.context_embeddings = _embeddings(vocabulary, vector_size, device)
        self.centre_embeddings = _embeddings(vocabulary, vector_size, device)
        self.mean = mean

    def forward(
        self, contexts: Tensor, sizes: Tensor, positives: Tensor, negatives: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return the mean loss of a batch of windows, a float32 scalar.

        Args:
            contexts: int64 (n,), the context words of all windows, one window after the other.
            sizes: int64 (batch,), how many of them each window has, 1 at least.
            positives: int64 (batch,), the centre word of each window.
            negatives: int64 (batch, k), noise words of each window; or (s,), noise words that all windows share.
            weights: float32 (batch, k) or (batch, s), what each noise word counts in each window; 1 if not given.
        """
        return negative_sampling_loss(*self.look_up(contexts, sizes, positives, negatives), weights)

    def look_up(self, contexts: Tensor, sizes: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Targets]:
        """Return the rows that predict, (batch, d), and those that they predict or not; arguments as in `forward`."""
        rows = self.context_embeddings(contexts)  # (n, d)
        window = torch.repeat_interleave(
            sizes, output_size=len(contexts)
        )  # (n,), 0 for the words of the first window, and so on
        total = rows.new_zeros(len(sizes), rows.shape[1]).index_add(0, window, rows)  # (batch, d)
        mean = total / sizes[:, None]
        value, with_gradient = (mean, total) if self.mean else (total, mean)
        context = with_gradient + (value - with_gradient).detach()
        return context, _targets(self.centre_embeddings, positives, negatives)


class Targets(NamedTuple):
    """The rows of what should be predicted, and of the noise words, which should not.

    `ids`: int64 (batch, 1 + k), a positive and its noise words; or (batch + s,), all positives and the noise words that
    they share. `rows`: float32 of this shape and (d,), the look-up of them. `batch`: how many positives there are.
    """

    ids: Tensor
    rows: Tensor
    batch: int

    @property
    def are_shared(self) -> bool:
        """Whether all pairs have the same noise words."""
        return self.ids.dim() == 1


def _targets(embeddings: nn.Embedding, positives: Tensor, negatives: Tensor) -> Targets:
    """Look up all targets at once: PyTorch adds up several sparse gradients of one matrix slowly."""
    each_has_its_own = negatives.dim() == 2
    ids = torch.cat([positives[:, None] if each_has_its_own else positives, negatives], dim=-1)
    return Targets(ids, embeddings(ids), len(positives))


def negative_sampling_loss(predicting: Tensor, targets: Targets, weights: Tensor | None = None) -> Tensor:
    """Return the mean loss of a batch, a scalar.

    Args:
        predicting: (batch, d), the rows that predict.
        targets: the rows that they should predict, or should not.
        weights: (batch, k) or (batch, s), what each noise word counts; 1 if not given.

    >>> ids = torch.tensor([[1, 2, 3, 4, 5, 6]] * 3)
    >>> loss = negative_sampling_loss(torch.zeros(3, 2), Targets(ids, torch.zeros(3, 6, 2), 3))
    >>> round(float(loss / torch.tensor(2.0).log()), 6)
    6.0
    """
    if targets.are_shared:
        positive, negative = targets.rows[: targets.batch], targets.rows[targets.batch :]
        positive_scores = (predicting * positive).sum(dim=1)  # (batch,)
        negative_scores = predicting @ negative.T  # (batch, s)
    else:
        scores = torch.bmm(targets.rows, predicting.unsqueeze(2)).squeeze(2)  # (batch, 1 + k)
        positive_scores, negative_scores = scores[:, 0], scores[:, 1:]
    of_negatives = logsigmoid(-negative_scores)
    if weights is not None:
        of_negatives = of_negatives * weights
    return -(logsigmoid(positive_scores) + of_negatives.sum(dim=1)).mean()


def curvatures(predicting: Tensor, targets: Targets, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return a bound of the curvature that each pair gives to the rows in it, of the sum of the batch's losses.

    The second derivative of -log s(x) is s(x) s(-x), 1/4 at most; so along the row u, the loss of its pair with v
    curves by no more than v . v / 4, and that of all its pairs by no more than their sum. If the other rows stand
    still, a step along the gradient lowers the loss when its rate is below 2 over that, and does not overshoot below 1
    over it. In CBOW this is so for the mean or the sum that predicts, which moves by what its words move together: the
    step of one, the whole change of the mean or its share in the sum's, is cut as if it were the predicting row.

    Returns:
        float32 (batch,), of each row that predicts, over all its targets; and float32 of the shape of the targets' ids,
        of each target, where all share it over all that predict. Arguments as in `negative_sampling_loss`.
    """
    with torch.no_grad():
        quarter, of_each = (vector_norm(rows, dim=-1).square_() / 4 for rows in (predicting, targets.rows))
        if targets.are_shared:
            positive, negative = of_each[: targets.batch], of_each[targets.batch :]
            weights = negative.new_ones(targets.batch, len(negative)) if weights is None else weights
            return positive + weights @ negative, torch.cat([quarter, weights.T @ quarter])
        if weights is None:
            return of_each.sum(dim=1), quarter[:, None].expand_as(of_each)
        counted = torch.cat([weights.new_ones(targets.batch, 1), weights], dim=1)
        return (of_each * counted).sum(dim=1), quarter[:, None] * counted


def _embeddings(vocabulary: int, vector_size: int, device: str | None) -> nn.Embedding:
    """Return embeddings (V, d) drawn uniformly from +-0.5 / d, as in word2vec.c."""
    embeddings = nn.Embedding(vocabulary, vector_size, sparse=True, device=device)
    nn.init.uniform_(embeddings.weight, -0.5 / vector_size, 0.5 / vector_size)
    return embeddings
