"""The course of a run, from its events: what was measured where, without what an interruption undid.

After an interruption training goes on from a checkpoint, and what came after that checkpoint is trained anew; a run
that began anew has nothing of what was before. So along the words trained everything stands once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from w2vcli.run_directory import Event

_BEFORE_A_START = ("warning", "compile", "changed")
"""Events that come before a start's own, too, and so do not tell how the training before it ended."""
_ENDS = ("done", "up to date", "stopped", "failed")


@dataclass(frozen=True)
class Trained:
    """A block: the words trained after it, the learning rate at its end, and how fast it went, in words a second."""

    words: int
    alpha: float
    words_per_second: float
    epoch: int


@dataclass(frozen=True)
class Interruption:
    """Where training went on: after so many words, with so many trained anew, so many seconds later, and why."""

    words: int
    lost: int
    seconds: float
    reason: str


@dataclass
class History:
    """What happened in a run, as far as it counts.

    `start`: the last start's event, empty if there was none. `losses`: words and held-out loss. `scores`: by their
    names, words and value. `checkpoints`: the words trained when one was saved. `done`: the event of the end, if the
    last start came to one. `failed`: why the last start failed, if it did.
    """

    start: Event = field(default_factory=dict)
    blocks: list[Trained] = field(default_factory=list)
    losses: list[tuple[int, float]] = field(default_factory=list)
    scores: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    checkpoints: list[int] = field(default_factory=list)
    interruptions: list[Interruption] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    done: Event | None = None
    failed: str | None = None
    _ended: bool = field(default=False, compare=False, repr=False)
    _known_warnings: int = field(default=0, compare=False, repr=False)

    @classmethod
    def of(cls, events: Iterable[Event]) -> History:
        """Return the history that events tell; those of another shape are passed over."""
        history, last = cls(), None
        for event in events:
            with suppress(LookupError, TypeError, ValueError, AttributeError, OverflowError):
                history._take(event, last)
                if event["event"] not in _BEFORE_A_START and not (
                    event["event"] == "failed" and history.failed is None
                ):
                    last = event
        history.scores = {name: points for name, points in history.scores.items() if points}
        return history

    @property
    def words(self) -> int:
        """How many words have been trained."""
        return max(int(self.start.get("done_words", 0)), self.blocks[-1].words if self.blocks else 0)

    @property
    def seconds(self) -> float:
        """How long the blocks that count took."""
        before, total = 0, 0.0
        for block in self.blocks:
            total += (block.words - before) / block.words_per_second
            before = block.words
        return total

    def _take(self, event: Event, last: Event | None) -> None:
        kind = event["event"]
        if kind == "start":
            self._start(event, last)
        elif kind == "block":
            speed = float(event["words_per_second"])
            if speed > 0:
                self.blocks.append(Trained(int(event["words"]), float(event["alpha"]), speed, int(event["epoch"])))
        elif kind == "loss":
            _add(self.losses, event["words"], event["loss"])
        elif kind == "scores":
            for name, value in event["scores"].items():
                if value is not None:
                    _add(self.scores.setdefault(name, []), event["words"], value)
        elif kind == "checkpoint":
            self.checkpoints.append(int(event["words"]))
        elif kind == "warning":
            self.warnings.append(str(event["message"]))
        elif kind == "done":
            self.done = event
        elif kind == "failed" and not self._ended:  # else something else was refused
            self.failed = str(event["message"])
        elif kind == "changed" and "train.heldout" in event["settings"]:
            self.losses.clear()  # those that follow are of other sentences
        if kind in _ENDS:
            self._ended = True
        if kind in (*_ENDS, "block"):
            self._known_warnings = len(self.warnings)

    def _start(self, event: Event, last: Event | None) -> None:
        """Drop what is not gone on from, and take note of where that is."""
        kept, trained, is_new = int(event["done_words"]), self.words, event["resumed_from"] is None
        pause = max(0.0, float(event["time"]) - float(last["time"])) if last else 0.0
        was_done = self.done is not None
        self.start, self.done, self.failed, self._ended = event, None, None, False
        if is_new:
            self.interruptions.clear()
            del self.warnings[: self._known_warnings]  # of what was trained before
        elif last is not None:
            reason = "it had finished" if was_done else _reason(last)
            self.interruptions = [one for one in self.interruptions if one.words <= kept]
            self.interruptions.append(Interruption(kept, max(0, trained - kept), pause, reason))
        self.blocks = [block for block in self.blocks if block.words <= kept]
        if not kept:  # what was measured before anything was trained is measured again
            self.losses, self.scores = [], {}
        self.losses = [point for point in self.losses if point[0] <= kept]
        self.scores = {name: [point for point in points if point[0] <= kept] for name, points in self.scores.items()}
        self.checkpoints = [words for words in self.checkpoints if words <= kept]


def _reason(last: Event) -> str:
    """Return why training ended, by its last event."""
    if last["event"] == "stopped":
        return "time was over" if last.get("reason") == "time" else "stopped"
    return "failed" if last["event"] == "failed" else "broke off"


def _add(points: list[tuple[int, float]], words: int, value: float) -> None:
    """Add a measurement; one at the same place, before an interruption, gives way to it."""
    words, value = int(words), float(value)
    if points and points[-1][0] == words:
        points.pop()
    if math.isfinite(value):
        points.append((words, value))
