"""What a model made of questions: right and wrong answers, or similarities; their scores, and how sure these are."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from w2vcli.evaluate import bootstrap
from w2vcli.evaluate.bootstrap import Floats

Bools = NDArray[np.bool_]
Self = TypeVar("Self", bound="Answers")


@dataclass(frozen=True)
class Score:
    """A score between 0 and 1 (-1 and 1 for a correlation), None where it has no value.

    `asked`: how many questions all of whose words are known; `total`: how many there are.
    """

    value: float | None
    asked: int
    total: int


class Difference(NamedTuple):
    """How much higher a model scores than another, on the questions that both know.

    By how much, its 95 % interval and p-value, and how many questions these are.
    """

    value: float
    interval: tuple[float, float]
    p: float
    asked: int


@dataclass(frozen=True)
class Answers(ABC):
    """What a model made of n questions.

    Args:
        known: bool (n,), whether all the words of a question are.
        values: float64 (n,), 1 for a right answer, 0 for another; or a similarity; 0 of a question that is not known.
        unknown_is_wrong: whether questions that are not known count.
    """

    known: Bools
    values: Floats
    unknown_is_wrong: bool

    def of(self: Self, questions: Bools) -> Self:
        """Return the answers to some of the questions."""
        return replace(self, known=self.known[questions], values=self.values[questions])

    @property
    def counted(self) -> Bools:
        """Which questions the score is of."""
        return np.ones_like(self.known) if self.unknown_is_wrong else self.known

    def score(self) -> Score:
        """Return the score."""
        return Score(self._value(), int(self.known.sum()), len(self.known))

    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % bootstrap interval of the score, if it has a value."""
        return None if self._value() is None else bootstrap.interval(self._draws())

    def difference(self: Self, other: Self) -> Difference | None:
        """Return how much higher the score is than another model's, if both have one."""
        both = self.counted & other.counted
        one, other = self.of(both), other.of(both)
        mine, others = one._value(), other._value()
        if mine is None or others is None:
            return None
        draws = one._differences(other)
        return Difference(mine - others, bootstrap.interval(draws), bootstrap.p_value(draws), int(both.sum()))

    @abstractmethod
    def _value(self) -> float | None: ...

    @abstractmethod
    def _draws(self) -> Floats: ...

    @abstractmethod
    def _differences(self, other: Any) -> Floats: ...


class Choices(Answers):
    """Right and wrong answers; their score is the share of right ones."""

    @property
    def right(self) -> int:
        """How many answers are right."""
        return int(self.values.sum())

    def _value(self) -> float | None:
        number = int(self.counted.sum())
        return self.right / number if number else None

    def _draws(self) -> Floats:
        return bootstrap.shares(self.right, int(self.counted.sum()))

    def _differences(self, other: Choices) -> Floats:
        better, worse = (self.values > other.values).sum(), (self.values < other.values).sum()
        return bootstrap.share_differences(int(better), int(worse), len(self.values))


@dataclass(frozen=True)
class Similarities(Answers):
    """Cosine similarities of pairs; their score is Spearman's correlation with people's judgements, float64 (n,)."""

    judged: Floats

    def of(self, questions: Bools) -> Similarities:
        """Return the answers to some of the questions."""
        return replace(super().of(questions), judged=self.judged[questions])

    def pearson(self) -> float | None:
        """Return Pearson's correlation, if there is one."""
        return self._correlation("pearsonr")

    def _value(self) -> float | None:
        return self._correlation("spearmanr")

    def _correlation(self, name: str) -> float | None:
        from scipy import stats

        counted = self.counted
        if counted.sum() < 2:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about numbers that are all alike; they have no correlation
            value = float(getattr(stats, name)(self.judged[counted], self.values[counted]).statistic)
        return None if math.isnan(value) else value

    def _draws(self) -> Floats:
        counted = self.counted
        return bootstrap.rank_correlations(self.judged[counted], self.values[counted])

    def _differences(self, other: Similarities) -> Floats:
        return self._draws() - other._draws()
