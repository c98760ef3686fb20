"""What is printed, and where: data on stdout as a table, TSV or JSON; everything else on stderr."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from w2vcli.errors import ConfigError
from w2vcli.wording import duration, number

Row = Sequence[Any]

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")  # tabs and line ends, which would break rows, and a terminal's commands


class Format(Enum):
    """How data is printed."""

    TABLE = "table"
    TSV = "tsv"
    JSON = "json"


def format_of(as_json: bool, as_tsv: bool) -> Format:
    """Return the format that the two options ask for."""
    if as_json and as_tsv:
        raise ConfigError(["--json and --tsv cannot be given together"])
    return Format.JSON if as_json else Format.TSV if as_tsv else Format.TABLE


errors_as_json = False  # set where everything else on stderr is JSON too


def error_line(message: str) -> None:
    """Print one line about an error."""
    if errors_as_json:
        print(json.dumps({"event": "error", "message": message, "time": time.time()}), file=sys.stderr)
    else:
        print(f"w2v: error: {message}", file=sys.stderr)


def note(message: str) -> None:
    """Print one line of information."""
    print(message, file=sys.stderr)


def print_json(data: Any) -> None:
    """Print one JSON value on a line of its own; a number that is none is null."""
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(json.loads(json.dumps(data), parse_constant=lambda name: None), ensure_ascii=False)
    print(text, flush=True)


def print_tsv(rows: Iterable[Row]) -> None:
    """Print rows of tab-separated values."""
    for row in rows:
        print("\t".join(_plain(value) for value in row))
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Print a table: with lines and colour on a terminal, aligned columns elsewhere; nothing is ever cut off."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False)
    cells = [[_shown(value) for value in row] for row in rows]
    for place, column in enumerate(columns):
        numeric = bool(cells) and all(row[place][:1].isdigit() or row[place][:2] == "-0" for row in cells)
        table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console = Console(width=None if terminal else 10_000, highlight=False)
    console.print(table)


def show(
    form: Format, records: Iterable[Mapping[str, Any]], columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    """Print records as JSON, or the rows that are made of them as a table or as TSV."""
    if form is Format.JSON:
        for record in records:
            print_json(dict(record))
    elif form is Format.TSV:
        print_tsv([columns, *rows])
    else:
        print_table(columns, rows)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else _CONTROLS.sub(lambda found: repr(found[0])[1:-1], str(value))


def _shown(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _plain(value)
    return number(value)


def setting_text(value: object) -> str:
    """Return a setting's value as it stands in YAML.

    >>> setting_text(None), setting_text(True), setting_text("line"), setting_text(0.0001)
    ('null', 'true', 'line', '0.0001')
    """
    return value if isinstance(value, str) else json.dumps(value)


class ProgressLine:
    """Progress on stderr: a bar on a terminal; elsewhere one plain line a while. Use as a context manager.

    Args:
        description: what is being done.
        quiet: show nothing.
    """

    EVERY_SECONDS = 30.0

    def __init__(self, description: str, quiet: bool = False) -> None:
        self.description = description
        self.quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._started = self._last = time.monotonic()
        self._done_before = 0.0  # what was done when this part began, so that it does not count as speed

    def __enter__(self) -> ProgressLine:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            columns = BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[detail]}"), TimeRemainingColumn()
            console = Console(stderr=True)
            self._bar = Progress(TextColumn("{task.description}"), *columns, console=console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self.description, total=None, detail="")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: float, total: float | None, detail: str = "", description: str | None = None) -> None:
        """Show that `done` of `total` is done, with some words about it."""
        if description is not None:
            self.description, self._started, self._done_before = description, time.monotonic(), done
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, detail=detail, description=self.description)
        elif not self.quiet and time.monotonic() - self._last >= self.EVERY_SECONDS:
            self._last = time.monotonic()
            share = f" {100 * done / total:.0f}%" if total else ""
            new = done - self._done_before
            left = f", {duration((total - done) * (self._last - self._started) / new)} left" if total and new else ""
            self.say(f"{self.description}{share}{f', {detail}' if detail else ''}{left}")

    def say(self, message: str) -> None:
        """Print a line, with the time of day unless a person is watching."""
        if self.quiet:
            return
        if self._bar is not None:
            self._bar.console.print(message, markup=False, highlight=False)
        else:
            note(message if sys.stderr.isatty() else f"{time.strftime('%Y-%m-%d %H:%M:%S')} {message}")
