"""What a plot is: something prepared from runs once, and drawn as often and as large as wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from w2vcli.errors import ConfigError
from w2vcli.evaluate import AnySet
from w2vcli.observed import Observed

Made = TypeVar("Made")


@dataclass(frozen=True)
class Numbers:
    """The numbers behind a figure, as a table."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Drawing:
    """A figure that is prepared.

    Args:
        draw: draws it on an empty matplotlib Figure of any width.
        numbers: what is behind it.
        remark: what it says of these runs, in a sentence or two.
    """

    draw: Callable[[Any], None]
    numbers: Numbers
    remark: str = ""


@dataclass(frozen=True, eq=False)
class Choice:
    """What is to be shown, where there is a choice.

    Args:
        words: those asked for; if there are none, some are chosen.
        top: how many of the most frequent words are on the map.
        projection: how vectors become points; one of `projection.PROJECTIONS`.
        sets: of questions for scores; if not given, those that are built in.
    """

    words: tuple[str, ...] = ()
    top: int = 2_000
    projection: str = "pca"
    sets: Sequence[AnySet] | None = None
    _made: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, what: str, runs: Sequence[Observed], make: Callable[[], Made]) -> Made:
        """Return what a function makes of runs for this choice, made once."""
        key = what, *map(id, runs)
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made


@dataclass(frozen=True)
class Plot:
    """A kind of figure.

    Args:
        title: what it shows.
        look_for: what to look for in it, in a sentence.
        prepare: makes the drawing of some runs; raises MissingError when they do not have what it shows.
        several: whether it compares runs; others show a single one.
        aspect: its height by its width; `narrow_aspect`: where it is narrower than `wide_from` inches.
        full: whether it wants the whole width of a page.
    """

    title: str
    look_for: str
    prepare: Callable[[Sequence[Observed], Choice], Drawing]
    several: bool = False
    aspect: float = 0.62
    narrow_aspect: float = 0.8
    wide_from: float = 4.5
    full: bool = False


def of_one(prepare: Callable[[Observed, Choice], Drawing]) -> Callable[[Sequence[Observed], Choice], Drawing]:
    """Return what prepares a figure of a single run."""

    def prepared(runs: Sequence[Observed], choice: Choice) -> Drawing:
        if len(runs) != 1:
            raise ConfigError([f"this plot shows one run; here are {len(runs)}"])
        return prepare(runs[0], choice)

    return prepared
