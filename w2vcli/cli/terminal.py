"""A run in the terminal: its state, curves of its course, and tables; once, or again and again while it trains."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from w2vcli.cli.output import print_table
from w2vcli.errors import ConfigError
from w2vcli.wording import duration, quantity

if TYPE_CHECKING:
    from w2vcli.observed import Observed

_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 50  # of a curve
_EVERY = 1.0  # seconds


def sparkline(values: Sequence[float]) -> str:
    """Return values as a line of blocks, the lowest one at the bottom.

    >>> sparkline([0, 1, 2, 7])
    '▁▂▃█'
    """
    low, high = min(values), max(values)
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round(steps * (value - low) / (high - low)) if high > low else 0] for value in values)


def show(paths: Sequence[str], words: Sequence[str] | None) -> None:
    """Print what there is to see of runs.

    Raises:
        W2VError: when one cannot be read.
        UnknownWordError: when a word is not in a run's vocabulary.
    """
    from w2vcli.observed import observe
    from w2vcli.plots import Choice

    for number, run in enumerate(observe(paths)):
        if number:
            print()
        heading, *rows = _state(run)
        print_table(heading, rows)
        for title, columns, rows in _tables(run, Choice(tuple(words or ()))):
            print(f"\n{title}")
            print_table(columns, rows)


def watch(paths: Sequence[str]) -> None:
    """Show the state and the curves of a run while it trains, until it ends.

    Raises:
        ConfigError: when several runs are named.
        W2VError: when it cannot be read.
    """
    if len(paths) != 1:
        raise ConfigError(["--watch shows one run at a time"])
    from rich.live import Live

    from w2vcli.observed import Observed

    with Live(auto_refresh=False) as live:
        while True:
            run = Observed(paths[0])
            training = run.is_training
            live.update(_grid(_state(run)), refresh=True)
            if not training:
                return
            time.sleep(_EVERY)


def _grid(rows: Sequence[tuple[str, str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in rows:
        grid.add_row(Text(name, style="dim"), Text(value))
    return grid


def _state(run: Observed) -> list[tuple[str, str]]:
    """Return the state of a run and its curves, as names and values."""
    rows = [("run", run.path)]
    about = run.about
    for name in ("state", "progress", "failed", "vocabulary", "dimensions", "corpus words"):
        value = about.get(name)
        if value is not None:
            rows.append((name, f"{value:,}" if isinstance(value, int) else str(value)))
    if run.run is None:
        return rows
    return [*rows, *_left(run), *_curves(run)]


def _left(run: Observed) -> list[tuple[str, str]]:
    """Return how long a run that is training has still to go, at the speed so far."""
    history = run.history
    total = history.start.get("total_words")
    if not (run.is_training and total and history.words and history.seconds):
        return []
    return [("time left", duration((total - history.words) * history.seconds / history.words))]


def _curves(run: Observed) -> list[tuple[str, str]]:
    from w2vcli.plots.style import thinned

    history = run.history
    losses = [loss for words, loss in history.losses if words] or [loss for _, loss in history.losses]
    curves = [
        ("held-out loss", losses, ".4f"),
        ("learning rate", [block.alpha for block in history.blocks], ".4g"),
        ("words a second", [block.words_per_second for block in history.blocks], ""),
        *((name, [value for _, value in points], ".3f") for name, points in history.scores.items()),
    ]
    return [
        (name, f"{sparkline(thinned(values, _WIDTH).tolist())}  {_ends(values, form)}")
        for name, values, form in curves
        if values
    ]


def _ends(values: Sequence[float], form: str) -> str:
    first, last = (format(value, form) if form else quantity(value) for value in (values[0], values[-1]))
    return f"{first} → {last}"


def _tables(run: Observed, choice: Any) -> list[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    """Return tables of a run, with their titles; of what is not there yet, none."""
    from w2vcli.observed import MissingError
    from w2vcli.plots import corpus
    from w2vcli.report.neighbours import neighbour_rows

    found: list[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]] = []
    for title, prepare in (("The most frequent words", corpus.top_words), ("What min_count leaves", corpus.coverage)):
        try:
            drawing = prepare(run, choice)
        except MissingError:
            continue
        found.append((f"{title}: {drawing.remark}", drawing.numbers.columns, list(drawing.numbers.rows[:12])))
    try:
        rows = [(word, count, " · ".join(near)) for word, count, near in neighbour_rows(run, choice)]
        found.append(("Neighbours", ("word", "count", "nearest words"), list(rows)))
    except MissingError as error:
        found.append((str(error), (), []))
    return found
