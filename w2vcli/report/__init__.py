"""A report on a run, or a comparison of several: one page in one file that works without a network."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import w2vcli
from w2vcli import outputs, projection
from w2vcli.errors import ConfigError, UnknownWordError, W2VError
from w2vcli.observed import MissingError, Observed
from w2vcli.plots import MOST_RUNS, PLOTS, Choice, saving
from w2vcli.plots.vectors import chosen_words
from w2vcli.report import one, several
from w2vcli.report.neighbours import word_map
from w2vcli.report.page import Page, Section, render
from w2vcli.report.parts import drawn
from w2vcli.sources import STDIN as STDOUT
from w2vcli.sources import is_url

ENDINGS = (".html", ".htm")


def check(destination: str, runs: int, choice: Choice) -> None:
    """Make sure that a report can be made and written, before anything takes long.

    Raises:
        ConfigError: when there are too many runs, or the file is no HTML file.
        W2VError: when a library is not installed, or the file's folder is not there.
    """
    if runs > MOST_RUNS:
        raise ConfigError([f"a report compares {MOST_RUNS} runs at most; here are {runs}"])
    check_libraries()
    projection.check(choice.projection)
    if destination == STDOUT or is_url(destination):
        return
    if Path(destination).suffix not in ENDINGS and not outputs.is_device(Path(destination)):
        raise ConfigError([f"{destination}: a report's name ends in .html; w2v plot draws single figures"])
    outputs.check_folder(destination)


def check_libraries() -> None:
    """Make sure that pages can be made.

    Raises:
        W2VError: when a library is not installed.
    """
    if find_spec("jinja2") is None:
        raise W2VError("a report needs jinja2", "pip install 'w2vcli[report]'")
    saving.check_library()


def write(runs: Sequence[Observed], destination: str, choice: Choice | None = None) -> int:
    """Write the report on a run, or on several compared to the first, as an HTML file; return its bytes.

    Args:
        runs: finished or not.
        destination: a file, a URL, or `-` for standard output.
        choice: what is shown.

    Raises:
        ConfigError: when there are too many runs.
        UnknownWordError: when a word that is to be shown is not in the first run's vocabulary.
        W2VError: when a library is not installed, a run cannot be read, or the file cannot be written.
    """
    choice = choice or Choice()
    check(destination, len(runs), choice)
    if choice.words:
        try:
            with suppress(MissingError):  # of vectors, which the page says
                chosen_words(runs[0], choice)
        except UnknownWordError as error:
            raise UnknownWordError(f"{runs[0].path}: {error}") from error
    found = one.sections(runs[0], choice) if len(runs) == 1 else several.sections(runs, choice)
    return _deliver(Page(_title(runs), _subtitle(runs), found, _made()), destination)


def write_figure(name: str, runs: Sequence[Observed], destination: str, choice: Choice) -> int:
    """Write a page with a single figure; return its bytes.

    Raises:
        MissingError: when the runs do not have what it shows.
        W2VError: as `write`.
    """
    part = word_map(runs[0], choice) if name == "map" and len(runs) == 1 else drawn(name, runs, choice)
    section = Section(name, _title(runs), _subtitle(runs), [part])
    return _deliver(Page(PLOTS[name].title, "", [section], _made()), destination)


def _deliver(page: Page, destination: str) -> int:
    text = render(page)
    with outputs.open_text(destination) as stream:
        stream.write(text)
    return len(text.encode())


def _title(runs: Sequence[Observed]) -> str:
    *others, last = (run.name for run in runs)
    return f"{', '.join(others)} and {last}" if others else last


def _subtitle(runs: Sequence[Observed]) -> str:
    if len(runs) > 1:
        return f"{len(runs)} runs compared"
    state = runs[0].about.get("state")
    return f"Word2Vec, {state}" if state else "Word vectors"


def _made() -> str:
    return f"Made by w2v {w2vcli.__version__}, {datetime.now().astimezone().isoformat(' ', 'minutes')}"
