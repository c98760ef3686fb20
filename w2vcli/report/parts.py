"""Parts of pages from figures and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from w2vcli.errors import UnknownWordError, W2VError
from w2vcli.observed import MissingError, Observed
from w2vcli.plots import PLOTS, Choice, Numbers, figure_of, prepare, style
from w2vcli.plots.style import NARROW, inline_svg
from w2vcli.report.page import Column, Figure, Part, Remark, Table
from w2vcli.wording import duration, label, number, plural, size

LETTERS = 60
"""Of a word, or of another text of a user's, on a page; so that no page becomes large by one of them."""
_CELL = 400


def figure(name: str, runs: Sequence[Observed], choice: Choice) -> Part:
    """Return the figure of that name with its numbers; or, where the runs have none, a remark that says why."""
    try:
        return drawn(name, runs, choice)
    except UnknownWordError:
        raise
    except W2VError as error:  # a part of a run that is missing, or damaged, is no reason not to show the others
        return Remark(f"{PLOTS[name].title}: {error}")


def drawn(name: str, runs: Sequence[Observed], choice: Choice) -> Figure:
    """Return the figure of that name with its numbers.

    Raises:
        MissingError: when the runs do not have what it shows.
    """
    plot, drawing = PLOTS[name], prepare(name, runs, choice)
    wide, narrow = (figure_of(name, drawing, width) for width in (None, NARROW))
    with style():
        svgs = inline_svg(wide), inline_svg(narrow)
    numbers = table(drawing.numbers, "The numbers", folded=True)
    return Figure(f"figure-{name}", plot.title, plot.look_for, *svgs, drawing.remark, numbers, plot.full)


def table(numbers: Numbers, caption: str = "", folded: bool = False) -> Table:
    """Return numbers as a table; a list in a cell is one of texts that each stay in one piece."""
    columns = [
        Column(label(name, LETTERS) if name else "", _is_numeric([row[place] for row in numbers.rows]))
        for place, name in enumerate(numbers.columns)
    ]
    rows = [
        [[*map(shown, value)] if isinstance(value, list) else shown(value) for value in row] for row in numbers.rows
    ]
    return Table(columns, rows, caption, folded)


def facts_of(run: Observed) -> list[tuple[str, str]]:
    """Return what `w2v info` tells of a run, settings aside, for people; the method of training first."""
    facts = {name: value for name, value in run.about.items() if name != "config" and value is not None}
    found = [("trained as", _method(run))] if run.run else []
    for name, value in facts.items():
        if name == "bytes":
            found.append(("size", size(value)))
        elif name == "training seconds":
            found.append(("training time", duration(value)))
        else:
            found.append((name, shown(value)))
    return found


def _method(run: Observed) -> str:
    try:
        settings = run.config.word2vec
    except MissingError:
        return "unknown"
    losses = [f"{settings.negative} noise words"] if settings.negative else []
    losses += ["hierarchical softmax"] if settings.hs else []
    architecture, epochs = "skip-gram" if settings.sg else "CBOW", plural(settings.epochs, "epoch")
    return ", ".join([architecture, f"{settings.vector_size} dimensions", f"window {settings.window}", *losses, epochs])


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) for value in known)


def shown(value: Any) -> str:
    """Return a value as text for people.

    >>> [shown(value) for value in (1234567, 0.123456, 1e-7, None, True, "king")]
    ['1,234,567', '0.1235', '1e-07', '', 'yes', 'king']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    return label(value, _CELL) if value not in (None, "") else ""
