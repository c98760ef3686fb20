"""The loop: it alone owns the schedule, the position, the seeds and the checkpoints.

What it does next depends on its position and on what was measured so far, both of which every checkpoint holds, and on
nothing else; so a run that was interrupted goes on exactly where it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import Any

from w2vcli import checkpoint, outputs, seal
from w2vcli.background import ahead
from w2vcli.checkpoint import Checkpoint
from w2vcli.config import Config
from w2vcli.corpus import Corpus
from w2vcli.engines import Engine
from w2vcli.errors import W2VError
from w2vcli.formats import lookup
from w2vcli.gensim_model import arrays_of, check_finite, diverged
from w2vcli.growing import Growth
from w2vcli.measuring import LOSS, Course, Measuring
from w2vcli.provenance import Provenance
from w2vcli.resuming import Start, State
from w2vcli.run_directory import META_FILE, MODEL_FILE, Event, RunDirectory
from w2vcli.schedule import Position, Schedule, Turn
from w2vcli.vectors import Vectors


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
        self._longest_step = self._longest_save = 0.0  # seconds
        self._loss: float | None = None  # the last one measured, and where
        self._loss_blocks = -1
        self._has_doubted = False
        workers = config.word2vec.workers
        if start is None:
            self.state = State(made_from, Position(), Course(), workers)
            return
        before = start.state
        self._follows_anew = measuring.follows is not None and not _measures_alike(before.made_from, made_from)
        position = replace(before.position, words=schedule.words_before(before.position.blocks))
        self.state = State(made_from, position, _comparable(before, made_from), max(workers, before.workers))

    def events(self) -> Iterator[Event]:
        """Train, and yield an event for everything that is done, from the first block to `done` or `stopped`."""
        if self._began:
            yield from self._measured(scores=False)
        elif self._measuring.follows and (self._follows_anew or not self._is_over()):
            yield from self._secure_start()
        with closing(ahead(self._schedule.turns(self.state.position.blocks))) as turns:
            stopped = yield from self._train(turns)
        if not stopped:
            yield from self._finish()

    def _train(self, turns: Iterator[Turn]) -> Generator[Event, None, bool]:
        """Train, measure and save checkpoints until it is over; return whether it was stopped before that."""
        saved = self.state.position.words, time.monotonic()
        while not self._is_over():
            began, before = time.monotonic(), self.state.position
            yield self._train_block(next(turns))
            if self.state.position.blocks % self._schedule.blocks == 0:
                epoch = self.state.position.blocks // self._schedule.blocks
                yield {"event": "epoch", "epoch": epoch, "of": self._config.word2vec.epochs}
            is_best = yield from self._measure_when_due(before)
            self._longest_step = max(self._longest_step, time.monotonic() - began)
            reason = None if self._is_over() else self._reason_to_stop()
            if is_best or reason or (not self._is_over() and self._is_checkpoint_due(*saved)):
                yield from self._save_checkpoint()
                saved = self.state.position.words, time.monotonic()
            if reason:
                path = checkpoint.path_of(self._directory.checkpoints, self.state.position.blocks)
                yield {
                    "event": "stopped",
                    "reason": reason,
                    "checkpoint": str(path),
                    "words": self.state.position.words,
                    "total_words": self._schedule.total_words,
                }
                return True
        return False

    def _is_over(self) -> bool:
        return self.state.position.blocks >= self._schedule.total_blocks or self._measuring.is_over(self.state.course)

    def _reason_to_stop(self) -> str | None:
        """Return why training should be left now: it was `asked` for, or there may be no `time` for another block."""
        if self._should_stop():
            return "asked"
        needed = self._longest_step + 2 * self._longest_save  # the next checkpoint, and the one when it is left
        if self._deadline is not None and time.monotonic() + needed >= self._deadline:
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
        yield from self._follow(scores)
        best = self.state.course.best
        return best is not None and best.blocks == now.blocks and now.blocks < schedule.total_blocks

    def _follow(self, scores: Mapping[str, float | None]) -> Iterator[Event]:
        """Let early stopping take note of the last measurement."""
        course = self._measuring.course_after(self.state.course, self._loss, scores, self.state.position)
        self.state = replace(self.state, course=course)
        if course.best is None:
            followed = self._measuring.follows
            yield {
                "event": "warning",
                "message": f"train.early_stopping: {followed} has no value, so nothing is stopped",
            }

    def _secure_start(self) -> Iterator[Event]:
        """See to it that what training goes on from is kept, if it is the best so far: nothing after it may be better.

        Where early stopping begins only now, it is measured first; what was measured before does not wear patience out.
        """
        if self._follows_anew:
            yield from self._follow((yield from self._measured(scores=True)))
            self.state = replace(self.state, course=replace(self.state.course, since=0))
        best, blocks = self.state.course.best, self.state.position.blocks
        there = checkpoint.path_of(self._directory.checkpoints, blocks).exists()
        if self._follows_anew or (best is not None and best.blocks == blocks and not there):
            yield from self._save_checkpoint()

    def _measured(self, scores: bool) -> Generator[Event, None, Mapping[str, float | None]]:
        """Measure the loss, and the scores if they are asked for; return the latter."""
        position = self.state.position
        self._engine.sync(self._model)
        self._loss, self._loss_blocks = self._measuring.loss(self._model), position.blocks
        if self._loss is not None:
            if not math.isfinite(self._loss):
                raise diverged()
            yield {"event": "loss", **self._place(), "loss": self._loss}
            doubt = self._measuring.doubt(self._loss)
            if doubt and not self._has_doubted:
                self._has_doubted = True
                yield {"event": "warning", "message": doubt}
        found = self._measuring.scores(self._model) if scores else {}
        if found:
            yield {"event": "scores", **self._place(), "scores": found}
        return found

    def _place(self) -> Event:
        position = self.state.position
        return {"epochs": round(position.blocks / self._schedule.blocks, 4), "words": position.words}

    # ------------------------------------------------------------ saving

    def _is_checkpoint_due(self, saved_words: int, saved_time: float) -> bool:
        seconds, words = self._config.train.checkpoint_seconds(), self._config.train.checkpoint_words()
        if seconds is not None:
            return time.monotonic() - saved_time >= seconds
        return words is not None and self.state.position.words - saved_words >= words

    def _save_checkpoint(self) -> Iterator[Event]:
        """Save one. Unless early stopping decides by its own measurements, the one with the lowest loss is the best."""
        self._engine.sync(self._model)
        check_finite(self._model)
        if self._loss_blocks != self.state.position.blocks:
            yield from self._measured(scores=False)
        if self._measuring.follows is None:
            course = self._measuring.course_after(self.state.course, self._loss, {}, self.state.position)
            self.state = replace(self.state, course=course)
        self._directory.check_held()
        began, best = time.monotonic(), self.state.course.best
        path = checkpoint.save(
            self._directory.checkpoints,
            self.state.position.blocks,
            {**arrays_of(self._model), **self._engine.state()},
            self.state.saved(),
            self._config.train.keep_checkpoints,
            best.blocks if best else None,
        )
        self._longest_save = max(self._longest_save, time.monotonic() - began)
        yield {"event": "checkpoint", "path": str(path), "words": self.state.position.words}

    def _finish(self) -> Iterator[Event]:
        """Save the model: as it is, or what early stopping found best; a grown one averaged with its base."""
        self._engine.sync(self._model)
        check_finite(self._model)
        last = model_blocks = self.state.position.blocks
        best = self.state.course.best if self._measuring.follows else None
        takes_best = best is not None and best.blocks != last
        has_more_state = bool(self._engine.state())
        if takes_best or self._growth or has_more_state:
            # the last state is kept: more epochs, or more patience, go on from it
            yield from self._save_checkpoint()
        if best is not None and takes_best:
            try:
                Start.from_checkpoint(self._kept(best.blocks)).fit(self._model, self._engine)
                model_blocks = best.blocks
            except W2VError as error:
                yield {"event": "warning", "message": f"the best model is lost, the last one is saved: {error}"}
        about = self._growth.finish(self._model) if self._growth else {}
        if "drift" in about:
            yield {"event": "drift", **about["drift"]}
        altered = model_blocks != last or bool(self._growth and self._growth.averages)
        if altered or self._loss_blocks != last:
            self._loss = self._measuring.loss(self._model)
        self._save_model(about | {"is_last_state": not altered and not has_more_state, "model_blocks": model_blocks})
        yield {
            "event": "done",
            "model": str(self._directory.model_file),
            "vocabulary": len(self._model.wv),
            "seconds": round(self.state.position.seconds, 3),
            "words": self.state.position.words,
            "loss": self._loss,
            "best": asdict(self.state.course.best) if self.state.course.best else None,
            "blocks": last,
            "model_blocks": model_blocks,
            "stopped_early": last < self._schedule.total_blocks,
        }

    def _kept(self, blocks: int) -> Checkpoint:
        found = checkpoint.load(checkpoint.path_of(self._directory.checkpoints, blocks))
        if isinstance(found, str):
            raise W2VError(found)
        return found

    def _save_model(self, about: Mapping[str, Any]) -> None:
        about = {
            **about,
            "state": self.state.saved(),
            "total_blocks": self._schedule.total_blocks,
            "blocks": self._schedule.blocks,
            "loss": self._loss,
            "config": self._config.model_dump(),
            "corpus": {name: value for name, value in self._corpus.meta.items() if name != "checksums"},
            "vocabulary": len(self._model.wv),
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        self._directory.check_held()
        with outputs.atomic_folder(self._directory.model) as temporary:
            self._model.save(str(temporary / MODEL_FILE))
            lookup.write(temporary / MODEL_FILE, Vectors.of(self._model.wv))
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
