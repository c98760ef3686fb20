"""Scores that are required of a model."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence

from w2vcli.errors import ConfigError
from w2vcli.evaluate.questions import ALSO_CALLED
from w2vcli.evaluate.rows import Row


def required_scores(values: Iterable[str], sets: Sequence[str]) -> dict[str, float]:
    """Read `VALUE`, of every set, and `SET=VALUE`, of that set instead; return the lowest score that each set may have.

    >>> required_scores(["0.3", "simlex-999=0.2"], ["analogies", "SimLex-999"])
    {'analogies': 0.3, 'SimLex-999': 0.2}

    Raises:
        ConfigError: when one is no number between -1 and 1, or of no set.
    """
    general: dict[str, float] = {}
    own: dict[str, float] = {}
    for text in values:
        name, equals, number = text.rpartition("=")
        value = _value(number, text)
        if equals:
            own[_set_named(name, sets)] = value
        else:
            general = dict.fromkeys(sets, value)
    return general | own


def _value(number: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not -1 <= value <= 1:
        raise ConfigError([f"--fail-under {text}: should be a number between -1 and 1, or SET=NUMBER"])
    return value


def _set_named(name: str, sets: Sequence[str]) -> str:
    for known in sets:
        if known.casefold() in (name.casefold(), ALSO_CALLED.get(name.casefold())):
            return known
    close = difflib.get_close_matches(name, sets, 1, 0.4)
    hint = f"did you mean {close[0]}?" if close else f"asked are {', '.join(sets)}"
    raise ConfigError([f"--fail-under {name}: no such set is asked; {hint}"])


def failures(rows: Iterable[Row], required: Mapping[str, float]) -> list[str]:
    """Return which sets' scores are below what is required, or have no value."""
    found = []
    for row in rows:
        if row.section is None and row.set in required:
            value, lowest = row.score.value, required[row.set]
            if value is None or value < lowest:
                shown = "no score" if value is None else f"{value:.4f}"
                found.append(f"{row.model}: {row.set}: {shown}, required is {lowest:g}")
    return found
