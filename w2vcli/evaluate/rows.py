"""The scores of several models as rows: of sets, their groups and sections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from w2vcli.evaluate.answers import Answers, Choices, Difference, Score, Similarities
from w2vcli.evaluate.questions import QuestionSet


@dataclass(frozen=True)
class Row:
    """A model's score in a set, or in a section of it, and what belongs to it.

    `right`: how many answers are, of questions that have right ones; `pearson`: of pairs; `difference`: to another
    model's score.
    """

    model: str
    set: str
    section: str | None
    score: Score
    interval: tuple[float, float] | None
    right: int | None
    pearson: float | None
    difference: Difference | None


def rows(model: str, asked: QuestionSet[Any], answers: Answers, other: Answers | None, sections: bool) -> Iterator[Row]:
    """Yield the row of a set, and those of its groups and sections.

    Args:
        model: its name.
        asked: the questions.
        answers: the model's.
        other: those of the model to compare it to.
        sections: whether their rows are wanted.
    """
    parts = [(None, np.ones(len(answers.known), dtype=np.bool_)), *(asked.parts() if sections else ())]
    for section, questions in parts:
        own = answers.of(questions)
        yield Row(
            model,
            asked.name,
            section,
            own.score(),
            own.interval(),
            own.right if isinstance(own, Choices) else None,
            own.pearson() if isinstance(own, Similarities) else None,
            None if other is None else own.difference(other.of(questions)),
        )
