"""The scores of several models as rows: of sets, their groups and sections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from w2vcli.evaluate.answers import Answers, Choices, Difference, Score, Similarities
from w2vcli.evaluate.questions import Asking, KnownWords, QuestionSet
from w2vcli.vectors import Vectors


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


@dataclass(frozen=True)
class Scored:
    """A model's rows, and what is to be said of them."""

    rows: list[Row]
    warnings: list[str]


def score_models(
    models: Iterable[tuple[str, Vectors]], sets: Sequence[QuestionSet[Any]], asking: Asking, sections: bool
) -> Iterator[Scored]:
    """Yield the scores of one model after another, and their differences to the first's.

    Args:
        models: names and vectors; each is asked before the next is taken.
        sets: the questions.
        asking: how they are asked.
        sections: whether the rows of groups and sections are wanted.
    """
    first: list[Answers] | None = None
    for name, vectors in models:
        known = KnownWords(vectors, asking)
        answers = [questions.ask(known) for questions in sets]
        yield Scored(
            [
                row
                for place, questions in enumerate(sets)
                for row in _rows(name, questions, answers[place], first[place] if first else None, sections)
            ],
            [
                f"{name}: {questions.name}: {_why_nothing_is_asked(questions, known)}"
                for questions, answer in zip(sets, answers, strict=True)
                if not answer.known.any()
            ],
        )
        first = first or answers


def _why_nothing_is_asked(questions: QuestionSet[Any], known: KnownWords) -> str:
    """Return the likely reason why no question of a set could be asked."""
    if not known.asking.fold_case and questions.ask(known.with_any_case()).known.any():
        return "nothing could be asked, because the case of the words differs; give --case fold"
    return f"nothing could be asked: its words are not among the first {len(known):,}; is the language another?"


def _rows(
    model: str, questions: QuestionSet[Any], answers: Answers, other: Answers | None, sections: bool
) -> Iterator[Row]:
    """Yield the row of a set, and those of its groups and sections; `other`: the answers to compare to."""
    parts = [(None, np.ones_like(answers.known)), *(questions.parts() if sections else ())]
    for section, which in parts:
        own = answers.of(which)
        yield Row(
            model,
            questions.name,
            section,
            own.score(),
            own.interval(),
            own.right if isinstance(own, Choices) else None,
            own.pearson() if isinstance(own, Similarities) else None,
            None if other is None else own.difference(other.of(which)),
        )
