"""The bootstrap (Efron 1979, https://doi.org/10.1214/aos/1176344552): how far a score may be chance.

The questions are drawn again and again, as many as there are, each time from all of them; the scores of the draws vary
about as those of other questions of the kind would. Seeded: the same answers have the same interval. Models that are
compared have the same draws (Koehn 2004, https://aclanthology.org/W04-3250).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_DRAWS = 5_000
_LEAST_DRAWS, _MOST_DRAWN = 1_000, 50_000_000  # of very many questions fewer draws are enough
_AT_ONCE = 250_000  # questions drawn
_SEED = 1


def shares(right: int, number: int) -> Floats:
    """Return the shares of right answers in the draws, (draws,); how many are right in a draw is binomial."""
    return np.random.default_rng(_SEED).binomial(number, right / number, _DRAWS) / number


def share_differences(better: int, worse: int, number: int) -> Floats:
    """Return the differences of two models' shares of right answers in the draws, (draws,).

    Args:
        better: how many questions only the one answers right.
        worse: how many only the other.
        number: of questions.
    """
    chances = [better / number, worse / number, (number - better - worse) / number]
    drawn = np.random.default_rng(_SEED).multinomial(number, chances, _DRAWS)
    return np.asarray((drawn[:, 0] - drawn[:, 1]) / number)


def rank_correlations(one: Floats, other: Floats) -> Floats:
    """Return Spearman's correlations of two lists of numbers (n,) in the draws, (draws,); nan where there is none."""
    ranks = _ranks(one), _ranks(other)
    return np.concatenate([_correlations(times, *(of(times) for of in ranks)) for times in _drawn(len(one))])


def _drawn(number: int) -> Iterator[Floats]:
    """Yield how often each question is in each draw, (some draws, n)."""
    rng = np.random.default_rng(_SEED)
    draws = min(_DRAWS, max(_LEAST_DRAWS, _MOST_DRAWN // number))
    at_once = max(1, _AT_ONCE // number)
    for first in range(0, draws, at_once):
        some = min(at_once, draws - first)
        drawn = rng.integers(0, number, (some, number)) + number * np.arange(some)[:, None]
        yield np.bincount(drawn.ravel(), minlength=some * number).reshape(some, number).astype(np.float64)


def _ranks(values: Floats) -> Callable[[Floats], Floats]:
    """Return what makes ranks (draws, n) of how often each value is drawn; equal values share the mean of theirs.

    The order of the values is the same in every draw, so they are sorted only once.
    """
    _, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
    order = np.argsort(places, kind="stable")
    starts = np.cumsum(sizes) - sizes

    def ranks(times: Floats) -> Floats:
        equal = np.add.reduceat(times[:, order], starts, axis=1)
        return np.asarray((equal.cumsum(axis=1) - (equal - 1) / 2)[:, places])

    return ranks


def _correlations(times: Floats, one: Floats, other: Floats) -> Floats:
    """Return Pearson's correlation of each row of two arrays (draws, n), every column counted so many times."""
    mean = (times.shape[1] + 1) / 2  # of ranks
    one, other = one - mean, other - mean
    products, squares, other_squares = (
        np.einsum("ij,ij,ij->i", times, *both) for both in ((one, other), (one, one), (other, other))
    )
    with np.errstate(invalid="ignore"):
        return np.asarray(products / np.sqrt(squares * other_squares))


def interval(draws: Floats) -> tuple[float, float]:
    """Return the limits between which 95 % of the draws are."""
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return float(low), float(high)


def p_value(differences: Floats) -> float:
    """Return the p-value, two-sided, of no difference: twice the share of the draws without one, or with the opposite.

    It is below 0.05 where the 95 % interval of the difference does not hold 0; never 0, of so few draws.
    """
    differences = differences[~np.isnan(differences)]
    fewest = min((differences <= 0).sum(), (differences >= 0).sum())
    return min(1.0, 2 * float(fewest + 1) / (len(differences) + 1))
