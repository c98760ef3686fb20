"""The sections of a report that compares runs; each is compared to the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from w2vcli.config import yaml_scalar
from w2vcli.evaluate.rows import Row
from w2vcli.observed import MissingError, Observed
from w2vcli.plots import Choice, Numbers
from w2vcli.plots.vectors import scored
from w2vcli.report.neighbours import compare
from w2vcli.report.page import Part, Remark, Section
from w2vcli.report.parts import facts_of, figure, table

_ABSENT = "–"


def sections(runs: Sequence[Observed], choice: Choice) -> list[Section]:
    """Return all sections of the report that compares runs."""
    return [
        Section("summary", "Summary", "Are these the runs that you meant to compare?", [_side_by_side(runs)]),
        Section(
            "settings",
            "Settings that differ",
            "Only where a single setting differs can a difference in quality be put down to it.",
            [_differing_settings(runs)],
        ),
        Section(
            "corpus",
            "Corpus",
            "Texts of one kind have lines of one slope.",
            [figure("zipf", runs, choice)],
        ),
        Section(
            "training",
            "Training",
            "Compare losses only of runs with the same held-out sentences, vocabulary, noise words and architecture.",
            [figure(name, runs, choice) for name in ("training", "throughput", "scores")],
        ),
        Section(
            "scores",
            "Analogies and similarity judgements",
            "Compare where intervals do not overlap, and differences whose p-value is small.",
            [figure("analogies", runs, choice), *_scores(runs, choice)],
        ),
        Section(
            "neighbours",
            "Neighbours that changed",
            "Two runs of the same settings share most of their neighbours; of rare words, fewer.",
            [part for other in runs[1:] for part in _compared(runs[0], other, choice)],
        ),
    ]


def _side_by_side(runs: Sequence[Observed]) -> Part:
    about = [dict(facts_of(run)) for run in runs]
    names = dict.fromkeys(name for one in about for name in one)
    rows = [(name, *(one.get(name, _ABSENT) for one in about)) for name in names]
    return table(Numbers(("", *(run.name for run in runs)), rows))


def _differing_settings(runs: Sequence[Observed]) -> Part:
    settings: list[dict[str, Any]] = []
    for run in runs:
        try:
            settings.append(run.config.flat())
        except MissingError:
            settings.append({})
    names = dict.fromkeys(name for one in settings for name in one if not name.startswith("preprocess."))
    rows = [
        (name, *(yaml_scalar(one[name]) if name in one else _ABSENT for one in settings))
        for name in names
        if len({yaml_scalar(one.get(name)) for one in settings}) > 1
    ]
    if not rows:
        return Remark("No setting differs.")
    return table(Numbers(("setting", *(run.name for run in runs)), rows))


def _scores(runs: Sequence[Observed], choice: Choice) -> list[Part]:
    try:
        found = scored(tuple(runs), choice)
    except MissingError:
        return []
    columns = ["set", "section", runs[0].name]
    for run in runs[1:]:
        columns += [run.name, "difference", "p"]
    rows = [_score_row(same) for same in zip(*found, strict=True)]
    return [table(Numbers(tuple(columns), rows), "Scores, and differences to the first run; * marks p below 0.05")]


def _score_row(same: Sequence[Row]) -> tuple[Any, ...]:
    cells: list[Any] = [same[0].set, same[0].section or ""]
    for number, row in enumerate(same):
        cells.append(row.score.value)
        if number:
            difference = row.difference
            mark = " *" if difference and difference.p < 0.05 else ""
            cells += [f"{difference.value:+.4f}{mark}", difference.p] if difference else ["", None]
    return tuple(cells)


def _compared(one: Observed, other: Observed, choice: Choice) -> list[Part]:
    try:
        return compare(one, other, choice)
    except MissingError as error:
        return [Remark(str(error))]
