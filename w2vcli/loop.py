"""The loop: it alone owns the schedule, the position, the seeds and the checkpoints.

What it does next depends on its position and on what was measured so far, both of which every checkpoint holds, and on
nothing else; so a run that was interrupted goes on exactly where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from w2vcli import checkpoint, outputs, seal
from w2vcli.background import ahead
from w2vcli.checkpoint import Checkpoint
from w2vcli.config import Config
from w2vcli.corpus import Corpus
from w2vcli.engines import Engine
from w2vcli.errors import W2VError
from w2vcli.gensim_model import arrays_of, check_finite, diverged, read_arrays, restore
from w2vcli.growing import Growth
from w2vcli.measuring import LOSS, Course, Measuring
from w2vcli.provenance import Provenance, versions
from w2vcli.run_directory import META_FILE, MODEL_FILE, Event, RunDirectory
from w2vcli.schedule import Position, Schedule, Turn


@dataclass(frozen=True)
class State:
    """What a checkpoint holds beside the arrays."""

    made_from: Provenance
    position: Position
    course: Course
    workers: int
    """The most that have trained so far."""

    def saved(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "versions": versions()}

    @classmethod
    def load(cls, saved: Mapping[str, Any]) -> State:
        """Return what `saved` gave."""
        position, course = Position(**saved["position"]), Course.from_state(saved["course"])
        return cls(saved["made_from"], position, course, saved["workers"])


@dataclass(frozen=True)
class Start:
    """A state to go on from, and where its arrays are: a checkpoint, or a finished model."""

    name: Path
    state: State
    versions: Mapping[str, str]
    read_arrays: Callable[[], Mapping[str, NDArray[Any]]]

    @classmethod
    def from_checkpoint(cls, found: Checkpoint) -> Start:
        """Return the start that a checkpoint is."""
        return cls(found.folder, State.load(found.state), found.state["versions"], found.arrays)

    @classmethod
    def from_model(cls, model_file: Path, finished: Mapping[str, Any]) -> Start:
        """Return the start that a finished model is."""
        state = State.load(finished["state"])
        return cls(model_file, state, finished["state"]["versions"], lambda: read_arrays(model_file))


class Loop:
    """Trains a model from a state to the end of its schedule.

    Args:
        config: the settings; `made_from` is what they and the text are known by.
        engine: trains the blocks.
        directory: where checkpoints and the model go.
        model: as it begins, or as `start` left it.
        corpus: the text.
        schedule: its turns.
        measuring: what is measured, and what that decides.
        made_from: see `provenance`.
        start: where training goes on, if it does not begin.
        should_stop: asked after every block.
        deadline: by `time.monotonic`, when the training should have been saved and be left.
        growth: what the run grows from, if it does.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        directory: RunDirectory,
        model: Any,
        corpus: Corpus,
        schedule: Schedule,
        measuring: Measuring,
        made_from: Provenance,
        start: Start | None,
        should_stop: Callable[[], bool],
        deadline: float | None,
        growth: Growth | None,
    ) -> None:
        self._config = config
        self._engine = engine
        self._directory = directory
        self._model = model
        self._corpus = corpus
        self._schedule = schedule
        self._measuring = measuring
        self._should_stop = should_stop
        self._deadline = deadline
        self._growth = growth
        self._began = start is None
        self._follows_anew = False
        self._longest_block = 0.0
        self._loss: float | None = None  # the last one measured, and where
        self._loss_blocks = -1
        workers = config.word2vec.workers
        if start is None:
            self.state = State(made_from, Position(), Course(), workers)
            return
        self._follows_anew = measuring.follows is not None and not _measures_alike(start.state.made_from, made_from)
        position = replace(start.state.position, words=schedule.words_before(start.state.position.blocks))
        self.state = State(made_from, position, _comparable(start.state, made_from), max(workers, start.state.workers))

    def events(self) -> Iterator[Event]:
        """Train, and yield an event for everything that is done, from the first block to `done` or `stopped`."""
        if self._began:
            yield from self._measured(scores=False)
        elif self._follows_anew and not self._is_over():
            yield from self._take_start_as_best()
        with closing(ahead(self._schedule.turns(self.state.position.blocks))) as turns:
            stopped = yield from self._train(turns)
        if not stopped:
            yield from self._finish()

    def _train(self, turns: Iterator[Turn]) -> Generator[Event, None, bool]:
        """Train, measure and save checkpoints until it is over; return whether it was stopped before that."""
        saved = self.state.position.words, time.monotonic()
        while not self._is_over():
            before = self.state.position
            yield self._train_block(next(turns))
            if self.state.position.blocks % self._schedule.blocks == 0:
                epoch = self.state.position.blocks // self._schedule.blocks
                yield {"event": "epoch", "epoch": epoch, "of": self._config.word2vec.epochs}
            is_best = yield from self._measure_when_due(before)
            reason = None if self._is_over() else self._reason_to_stop()
            if is_best or reason or (not self._is_over() and self._is_checkpoint_due(*saved)):
                yield from self._save_checkpoint()
                saved = self.state.position.words, time.monotonic()
            if reason:
                path = checkpoint.path_of(self._directory.checkpoints, self.state.position.blocks)
                yield {"event": "stopped", "reason": reason, "checkpoint": str(path), **self._progress()}
                return True
        return False

    def _is_over(self) -> bool:
        return self.state.position.blocks >= self._schedule.total_blocks or self._measuring.is_over(self.state.course)

    def _reason_to_stop(self) -> str | None:
        """Return why training should be left now: it was `asked` for, or there would not be `time` for a block."""
        if self._should_stop():
            return "asked"
        if self._deadline is not None and time.monotonic() + self._longest_block >= self._deadline:
            return "time"
        return None

    def _train_block(self, turn: Turn) -> Event:
        """Train the next block, move the position past it and return its event."""
        started = time.perf_counter()
        position, words = self.state.position, len(turn.block)
        alpha = self._schedule.alpha_after(position.words)
        alpha_end = self._schedule.alpha_after(position.words + words)
        trained = self._engine.train_block(self._model, turn.block, alpha, alpha_end, turn.rng)
        seconds = time.perf_counter() - started
        self._longest_block = max(self._longest_block, seconds)
        position = Position(
            position.blocks + 1,
            position.words + words,
            position.trained_words + trained,
            position.seconds + seconds,
        )
        self.state = replace(self.state, position=position)
        return {
            "event": "block",
            "epoch": turn.epoch + 1,
            "block": turn.place + 1,
            "words": position.words,
            "trained_words": position.trained_words,
            "alpha": alpha_end,
            "words_per_second": round(words / seconds),
        }

    # ------------------------------------------------------------ measuring

    def _measure_when_due(self, before: Position) -> Generator[Event, None, bool]:
        """Measure where it is time; return whether early stopping wants this model kept."""
        now, schedule = self.state.position, self._schedule
        if not self._measuring.is_due(before, now, schedule.blocks, schedule.total_blocks):
            return False
        scores = yield from self._measured(scores=True)
        if self._measuring.follows is None:
            return False
        course = self._measuring.course_after(self.state.course, self._loss, scores, now)
        self.state = replace(self.state, course=course)
        return course.best is not None and course.best.blocks == now.blocks and now.blocks < schedule.total_blocks

    def _take_start_as_best(self) -> Iterator[Event]:
        """Measure what training goes on from, as early stopping begins only now: nothing after it may be better."""
        scores = yield from self._measured(scores=True)
        course = self._measuring.course_after(self.state.course, self._loss, scores, self.state.position)
        self.state = replace(self.state, course=course)
        yield from self._save_checkpoint()

    def _measured(self, scores: bool) -> Generator[Event, None, Mapping[str, float | None]]:
        """Measure the loss, and the scores if they are asked for; return the latter."""
        position = self.state.position
        self._loss, self._loss_blocks = self._measuring.loss(self._model), position.blocks
        if self._loss is not None:
            if self._loss != self._loss or self._loss == float("inf"):
                raise diverged()
            yield {"event": "loss", **self._place(), "loss": self._loss}
        found = self._measuring.scores(self._model) if scores else {}
        if found:
            yield {"event": "scores", **self._place(), "scores": found}
        return found

    def _place(self) -> Event:
        position = self.state.position
        return {"epochs": round(position.blocks / self._schedule.blocks, 4), "words": position.words}

    def _progress(self) -> Event:
        return {"words": self.state.position.words, "total_words": self._schedule.total_words}

    # ------------------------------------------------------------ saving

    def _is_checkpoint_due(self, saved_words: int, saved_time: float) -> bool:
        seconds, words = self._config.train.checkpoint_seconds(), self._config.train.checkpoint_words()
        if seconds is not None:
            return time.monotonic() - saved_time >= seconds
        return words is not None and self.state.position.words - saved_words >= words

    def _save_checkpoint(self) -> Iterator[Event]:
        """Save one. Unless early stopping decides by its own measurements, the one with the lowest loss is the best."""
        check_finite(self._model)
        if self._loss_blocks != self.state.position.blocks:
            yield from self._measured(scores=False)
        if self._measuring.follows is None:
            course = self._measuring.course_after(self.state.course, self._loss, {}, self.state.position)
            self.state = replace(self.state, course=course)
        self._directory.check_held()
        best = self.state.course.best
        path = checkpoint.save(
            self._directory.checkpoints,
            self.state.position.blocks,
            arrays_of(self._model),
            self.state.saved(),
            self._config.train.keep_checkpoints,
            best.blocks if best else None,
        )
        yield {"event": "checkpoint", "path": str(path), "words": self.state.position.words}

    def _finish(self) -> Iterator[Event]:
        """Save the model: as it is, or what early stopping found best; a grown one averaged with its base."""
        check_finite(self._model)
        model_blocks = self.state.position.blocks
        best = self.state.course.best if self._measuring.follows else None
        takes_best = best is not None and best.blocks != model_blocks
        is_last_state = not takes_best and not (self._growth and self._growth.averages)
        if not is_last_state:  # which will be wanted to go on from, with more epochs or patience
            yield from self._save_checkpoint()
        if best is not None and takes_best:
            found = checkpoint.load(checkpoint.path_of(self._directory.checkpoints, best.blocks))
            if isinstance(found, Checkpoint):
                restore(self._model, found.arrays())
                model_blocks = best.blocks
            else:
                yield {"event": "warning", "message": f"the best model is lost, the last one is kept: {found}"}
        yield from self._save_model(model_blocks, is_last_state)
        yield {
            "event": "done",
            "model": str(self._directory.model_file),
            "vocabulary": len(self._model.wv),
            "seconds": round(self.state.position.seconds, 3),
            "words": self.state.position.words,
            "loss": self._measuring.loss(self._model),
            "best": asdict(self.state.course.best) if self.state.course.best else None,
            "blocks": self.state.position.blocks,
            "model_blocks": model_blocks,
            "stopped_early": self.state.position.blocks < self._schedule.total_blocks,
        }

    def _save_model(self, model_blocks: int, is_last_state: bool) -> Iterator[Event]:
        about = self._growth.finish(self._model) if self._growth else {}
        if "drift" in about:
            yield {"event": "drift", **about["drift"]}
        about |= {
            "state": self.state.saved(),
            "is_last_state": is_last_state,
            "model_blocks": model_blocks,
            "total_blocks": self._schedule.total_blocks,
            "blocks": self._schedule.blocks,
            "loss": self._measuring.loss(self._model),
            "config": self._config.model_dump(),
            "corpus": self._corpus.meta,
            "vocabulary": len(self._model.wv),
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        self._directory.check_held()
        with outputs.atomic_folder(self._directory.model) as temporary:
            self._model.save(str(temporary / MODEL_FILE))
            seal.write(temporary, META_FILE, about)


def _comparable(state: State, made_from: Provenance) -> Course:
    """Return the course so far, unless its measurements were of something else than those that follow."""
    best = state.course.best
    is_loss = best is not None and best.of == LOSS and _setting(made_from, "early_stopping") in (None, LOSS)
    same_sentences = _setting(state.made_from, "heldout") == _setting(made_from, "heldout")
    return state.course if same_sentences and (is_loss or _measures_alike(state.made_from, made_from)) else Course()


def _measures_alike(before: Provenance, now: Provenance) -> bool:
    """Return whether early stopping follows the same, measured on the same sentences."""
    return all(_setting(before, name) == _setting(now, name) for name in ("heldout", "early_stopping"))


def _setting(made_from: Provenance, name: str) -> Any:
    return made_from["settings"].get(f"train.{name}")


def fit(model: Any, start: Start) -> None:
    """Put the arrays of `start` into `model`.

    Raises:
        W2VError: when they do not fit.
    """
    try:
        restore(model, start.read_arrays())
    except (OSError, ValueError) as error:
        raise W2VError(f"{start.name}: {error}", "remove it to go on from what was before") from error
