"""Measurements during training: the held-out loss and scores, when they are due, and what they decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from w2vcli import evaluate
from w2vcli.config import Train
from w2vcli.errors import ConfigError
from w2vcli.evaluate import Metric
from w2vcli.loss import HeldOut
from w2vcli.schedule import Position
from w2vcli.vectors import Vectors

LOSS = "loss"
_WORSE = 1.1  # times as much as nothing learnt: more than a first few steps, or chance, make of it


@dataclass(frozen=True)
class Best:
    """The best measurement so far: of what, its value, and where it was taken."""

    of: str
    value: float
    blocks: int
    words: int


@dataclass(frozen=True)
class Course:
    """What the measurements have shown so far: the best one, and how many came after it. Part of every checkpoint."""

    best: Best | None = None
    since: int = 0

    def after(self, of: str, value: float, position: Position) -> Course:
        """Return the course after another measurement; a loss is better when lower, a score when higher."""
        sign = 1 if of == LOSS else -1
        if self.best is not None and self.best.of == of and sign * value >= sign * self.best.value:
            return Course(self.best, self.since + 1)
        return Course(Best(of, value, position.blocks, position.words))

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Course:
        """Return the course that was saved in a checkpoint."""
        return cls(Best(**state["best"]) if state["best"] else None, state["since"])


def metrics(settings: Train) -> dict[str, Metric]:
    """Return the scores that are to be taken, those that early stopping follows included.

    Raises:
        ConfigError: when one is not known.
        W2VError: when a file of questions cannot be read.
    """
    found = {name: evaluate.metric(name) for name in settings.evaluate}
    followed = settings.early_stopping
    if followed is not None and followed != LOSS and followed not in found:
        found[followed] = evaluate.metric(followed, "train.early_stopping", [LOSS])
    return found


class Measuring:
    """What is measured, how often, and what early stopping makes of it.

    Args:
        settings: how often, and what early stopping follows.
        scored: the scores to take: see `metrics`.
        held_out: the pairs to take the loss of.

    Raises:
        ConfigError: when early stopping is to follow a loss of no sentences.
    """

    def __init__(self, settings: Train, scored: Mapping[str, Metric], held_out: HeldOut | None) -> None:
        self._settings = settings
        self._held_out = held_out
        self._metrics = scored
        self.follows = settings.early_stopping
        """What early stopping follows, if anything."""
        if self.follows == LOSS and held_out is None:
            raise ConfigError(["train.early_stopping: loss, but no sentences are held out; set train.heldout"])

    def is_due(self, before: Position, now: Position, blocks: int, total_blocks: int) -> bool:
        """Return whether between two positions there is one to measure at; `blocks`: in an epoch."""
        words, epochs = self._settings.evaluate_words(), self._settings.evaluate_epochs()
        if now.blocks == total_blocks:
            return True
        if words:
            return before.words // words < now.words // words
        return before.blocks // (blocks * (epochs or 1)) < now.blocks // (blocks * (epochs or 1))

    def loss(self, model: Any) -> float | None:
        """Return the held-out loss."""
        return self._held_out.loss(model) if self._held_out else None

    def doubt(self, loss: float) -> str | None:
        """Return what is wrong with a held-out loss, if anything."""
        assert self._held_out is not None
        if loss < _WORSE * self._held_out.untrained:
            return None
        untrained = f"{self._held_out.untrained:.4f}, that of a model that has learnt nothing"
        return f"the held-out loss, {loss:.4f}, is well above {untrained}: lower word2vec.alpha"

    def scores(self, model: Any) -> dict[str, float | None]:
        """Return the scores by name; None where no question could be asked."""
        return {name: metric(Vectors.of(model.wv)).value for name, metric in self._metrics.items()}

    def course_after(
        self, course: Course, loss: float | None, scores: Mapping[str, float | None], position: Position
    ) -> Course:
        """Return the course after a measurement: of what early stopping follows, or else of the loss."""
        value = loss if self.follows in (None, LOSS) else scores[self.follows]
        return course if value is None else course.after(self.follows or LOSS, value, position)

    def is_over(self, course: Course) -> bool:
        """Return whether early stopping has waited long enough."""
        return self.follows is not None and course.since >= self._settings.patience
