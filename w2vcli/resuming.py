"""What a start of a run has to do: begin, go on from some state, or nothing; or refuse, with what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from w2vcli.checkpoint import Checkpoint
from w2vcli.engines import Engine
from w2vcli.errors import W2VError
from w2vcli.gensim_model import read_arrays, restore
from w2vcli.measuring import Course
from w2vcli.provenance import Provenance, accepted_changes, differences, versions
from w2vcli.schedule import Position

# what decides which of a run's states becomes its model
_STOPPING = {"train.early_stopping", "train.patience", "train.evaluate_every"}


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
    def from_model(cls, model_file: Path, about: Mapping[str, Any]) -> Start:
        """Return the start that a finished model is; `about`: its training.json."""
        state = State.load(about["state"])
        return cls(model_file, state, about["state"]["versions"], lambda: read_arrays(model_file))

    def fit(self, model: Any, engine: Engine) -> None:
        """Put the arrays into `model`, and what else there is into the engine that trains it.

        Raises:
            W2VError: when they do not fit.
        """
        try:
            arrays = self.read_arrays()
            restore(model, arrays)
            engine.restore(arrays)
        except (OSError, ValueError) as error:
            raise W2VError(f"{self.name}: {error}", "remove it to go on from what was before") from error


@dataclass(frozen=True)
class Finished:
    """A run's finished model: `about` is its training.json, `damage` what is wrong with its files, if anything."""

    model_file: Path
    about: Mapping[str, Any]
    damage: str | None = None

    @property
    def state(self) -> State:
        """The run's last state; the model is not always of it."""
        return State.load(self.about["state"])

    @property
    def start(self) -> Start | None:
        """What can be gone on from, unless the model is damaged, or not the last state."""
        if self.damage or not self.about["is_last_state"]:
            return None
        return Start.from_model(self.model_file, self.about)

    def is_what_is_asked_for(self, made_from: Provenance) -> bool:
        """Return whether nothing is to be trained, if several workers are as good as one."""
        state = self.state
        if self.damage or differences(state.made_from, made_from):
            return False
        changed = set(accepted_changes(state.made_from, made_from))
        stopped_early = state.position.blocks < self.about["total_blocks"]
        if (stopped_early or self.about["model_blocks"] != state.position.blocks) and _STOPPING & changed:
            return False
        if made_from["base"] and "train.average_base" in changed:
            return False
        return stopped_early or "word2vec.epochs" not in changed  # who stopped early does so among more epochs too


def is_up_to_date(latest: Start | None, finished: Finished | None, made_from: Provenance, force: bool) -> bool:
    """Return whether nothing is to be trained. Arguments as of `to_go_on_from`."""
    if finished is None or not finished.is_what_is_asked_for(made_from):
        return False
    return is_as_exact(finished.state, made_from) or not (force or _is_exact_part(latest, made_from))


def _is_exact_part(latest: Start | None, made_from: Provenance) -> bool:
    """Return whether the model that one worker makes is being trained, in place of one that several made."""
    return (
        latest is not None
        and not differences(latest.state.made_from, made_from)
        and is_as_exact(latest.state, made_from)
    )


def to_go_on_from(
    run: Path, latest: Start | None, finished: Finished | None, made_from: Provenance, force: bool
) -> Start | None:
    """Return the state to go on from, the latest there is, or None to begin.

    Args:
        run: its name, for a message.
        latest: the latest checkpoint.
        finished: the finished model.
        made_from: what this start is made from.
        force: begin anew where what is there was made from something else, or by several workers and one is asked for.

    Raises:
        W2VError: when what is there was made from something else, unless forced.
    """
    if latest is not None:
        refused = differences(latest.state.made_from, made_from)
    elif finished is not None:
        refused = differences(finished.state.made_from, made_from)
        if not refused and not finished.damage and finished.start is None:
            refused = ["its model is not its last state, and the checkpoint to go on from is gone"]
    else:
        return None
    if refused and not force:
        raise W2VError(
            f"{run}: was made from something else: {', '.join(refused)}", "--force starts over, another -o keeps both"
        )
    starts = [start for start in (latest, finished.start if finished else None) if start is not None]
    fitting = [start for start in starts if not differences(start.state.made_from, made_from)]
    if force or _is_exact_part(latest, made_from):
        fitting = [start for start in fitting if is_as_exact(start.state, made_from)]
    return max(fitting, key=lambda start: start.state.position.blocks, default=None)


def is_as_exact(state: State, made_from: Provenance) -> bool:
    """Return False where one worker is asked for and several have trained: that is not the repeatable model."""
    return bool(made_from["settings"]["word2vec.workers"] > 1 or state.workers == 1)
