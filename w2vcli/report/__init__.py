"""A report on a run, or a comparison of several: one page in one file that works without a network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import w2vcli
from w2vcli import outputs, projection
from w2vcli.errors import ConfigError, W2VError
from w2vcli.observed import Observed
from w2vcli.plots import Choice, saving
from w2vcli.plots.style import SERIES, label
from w2vcli.plots.vectors import chosen_words
from w2vcli.report import one, several
from w2vcli.report.page import Page, render

MOST_RUNS = len(SERIES)


def check(path: Path, runs: int, choice: Choice) -> None:
    """Make sure that a report can be made and written, before anything takes long.

    Raises:
        ConfigError: when there are too many runs.
        W2VError: when a library is not installed, or the file's folder is not there.
    """
    if runs > MOST_RUNS:
        raise ConfigError([f"a report compares {MOST_RUNS} runs at most; here are {runs}"])
    if find_spec("jinja2") is None:
        raise W2VError("a report needs jinja2", "pip install 'w2vcli[report]'")
    saving.check_library()
    projection.check(choice.projection)
    outputs.check_folder(path)


def write(runs: Sequence[Observed], path: Path, choice: Choice | None = None) -> None:
    """Write the report on a run, or on several compared to the first, as an HTML file.

    Raises:
        ConfigError: when there are too many runs.
        UnknownWordError: when a word that is to be shown is not in the vocabulary.
        W2VError: when a library is not installed, a run cannot be read, or the file cannot be written.
    """
    choice = choice or Choice()
    check(path, len(runs), choice)
    if choice.words:
        chosen_words(runs[0], choice)
    found = one.sections(runs[0], choice) if len(runs) == 1 else several.sections(runs, choice)
    text = render(Page(_title(runs), _subtitle(runs), found, _made()))
    with outputs.atomic_file(path) as stream:
        stream.write(text.encode())


def _title(runs: Sequence[Observed]) -> str:
    return " and ".join(label(run.name, 60) for run in runs)


def _subtitle(runs: Sequence[Observed]) -> str:
    if len(runs) > 1:
        return f"{len(runs)} runs compared"
    state = runs[0].about.get("state")
    return f"Word2Vec, {state}" if state else "Word vectors"


def _made() -> str:
    return f"Made by w2v {w2vcli.__version__}, {datetime.now().astimezone().isoformat(' ', 'minutes')}"
