"""The models as PyTorch modules: skip-gram and CBOW with negative sampling, the loss of a batch from its ids.

The loss of one example is, with the row u that predicts, the row v of the word that is predicted and the rows n_1 … n_k
of its noise words (Mikolov et al. 2013, https://arxiv.org/abs/1310.4546, equation 4):

    -log s(u . v) - sum over i of log s(-u . n_i),    s(x) = 1 / (1 + exp(-x))

and a batch's is the mean of it. Where all scores are zero it is (k + 1) log 2. Gradients are sparse: they have a row
for every row that was looked up, so that a step costs its batch and not the vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
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
        centre = self.centre_embeddings(centres)  # (batch, d)
        return negative_sampling_loss(centre, self.context_embeddings, positives, negatives, weights)


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
        rows = self.context_embeddings(contexts)  # (n, d)
        window = torch.repeat_interleave(
            sizes, output_size=len(contexts)
        )  # (n,), 0 for the words of the first window, and so on
        total = rows.new_zeros(len(sizes), rows.shape[1]).index_add(0, window, rows)  # (batch, d)
        mean = total / sizes[:, None]
        value, with_gradient = (mean, total) if self.mean else (total, mean)
        context = with_gradient + (value - with_gradient).detach()
        return negative_sampling_loss(context, self.centre_embeddings, positives, negatives, weights)


def negative_sampling_loss(
    rows: Tensor, embeddings: nn.Embedding, positives: Tensor, negatives: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Return the mean loss of a batch, a scalar.

    Args:
        rows: (batch, d), what predicts.
        embeddings: (V, d), of the words that are predicted.
        positives: int64 (batch,), what should be predicted.
        negatives: int64 (batch, k), or (s,) where all share them: what should not.
        weights: (batch, k) or (batch, s), what each of these counts; 1 if not given.

    >>> zeros, ids = nn.Embedding(9, 2, _weight=torch.zeros(9, 2)), torch.tensor([[1, 2, 3, 4, 5]] * 3)
    >>> round(float(negative_sampling_loss(torch.zeros(3, 2), zeros, ids[:, 0], ids) / torch.tensor(2.0).log()), 6)
    6.0
    """
    batch = len(positives)
    # each embedding is looked up once: PyTorch adds up several sparse gradients of one matrix slowly
    if negatives.dim() == 2:
        targets = embeddings(torch.cat([positives[:, None], negatives], dim=1))  # (batch, 1 + k, d)
        scores = torch.bmm(targets, rows.unsqueeze(2)).squeeze(2)  # (batch, 1 + k)
        positive_scores, negative_scores = scores[:, 0], scores[:, 1:]
    else:
        positive, negative = embeddings(torch.cat([positives, negatives])).split([batch, len(negatives)])
        positive_scores = (rows * positive).sum(dim=1)  # (batch,)
        negative_scores = rows @ negative.T  # (batch, s)
    of_negatives = logsigmoid(-negative_scores)
    if weights is not None:
        of_negatives = of_negatives * weights
    return -(logsigmoid(positive_scores) + of_negatives.sum(dim=1)).mean()


def _embeddings(vocabulary: int, vector_size: int, device: str | None) -> nn.Embedding:
    """Return embeddings (V, d) drawn uniformly from +-0.5 / d, as in word2vec.c."""
    embeddings = nn.Embedding(vocabulary, vector_size, sparse=True, device=device)
    nn.init.uniform_(embeddings.weight, -0.5 / vector_size, 0.5 / vector_size)
    return embeddings
