"""The sections of a report that compares runs; each is compared to the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from w2vcli.config import yaml_scalar
from w2vcli.evaluate.answers import Difference
from w2vcli.evaluate.rows import Row
from w2vcli.observed import MissingError, Observed
from w2vcli.plots import Choice, Numbers
from w2vcli.plots.vectors import scored
from w2vcli.report.neighbours import compare
from w2vcli.report.page import Part, Remark, Section
from w2vcli.report.parts import facts_of, figure, table

_ABSENT = "–"
_SIGNIFICANT, _FEWEST = 0.05, 20  # questions, of which a bootstrap can say something


def sections(runs: Sequence[Observed], choice: Choice) -> list[Section]:
    """Return all sections of the report that compares runs."""
    return [
        Section("summary", "Summary", "Are these the runs that you meant to compare?", [_side_by_side(runs)]),
        Section(
            "settings",
            "Settings that differ",
            "A difference in quality is a setting's only if it alone differs, and other seeds show it too.",
            [_differing_settings(runs)],
        ),
        Section(
            "corpus",
            "Corpus",
            "Lines that lie on one another are of texts of one kind and length; longer texts have steeper ones.",
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
            "Differences have p-values: of which questions were asked, not of another training.",
            [figure("analogies", runs, choice), *_scores(runs, choice)],
        ),
        Section(
            "neighbours",
            "Neighbours that changed",
            "Even another seed changes some neighbours: those of rare words, and of small texts, most.",
            [part for other in runs[1:] for part in _compared(runs[0], other, choice)],
        ),
    ]


def _side_by_side(runs: Sequence[Observed]) -> Part:
    about = [dict(facts_of(run)) for run in runs]
    names = dict.fromkeys(name for one in about for name in one)
    rows = [(name, *(one.get(name, _ABSENT) for one in about)) for name in names]
    return table(Numbers(("", *(run.name for run in runs)), rows))


def _differing_settings(runs: Sequence[Observed]) -> Part:
    settings: list[dict[str, str]] = []
    for run in runs:
        try:
            flat = run.config.flat()
        except MissingError:
            return Remark(f"The settings of {run.name} are not known.")
        settings.append(
            {name: yaml_scalar(value) for name, value in flat.items() if not name.startswith("preprocess.")}
        )
    rows = [
        (name, *(one[name] for one in settings)) for name in settings[0] if len({one[name] for one in settings}) > 1
    ]
    if not rows:
        return Remark("No setting differs.")
    return table(Numbers(("setting", *(run.name for run in runs)), rows))


def _scores(runs: Sequence[Observed], choice: Choice) -> list[Part]:
    try:
        found = scored(runs, choice)
    except MissingError:
        return []
    columns = ["set", "section", runs[0].name]
    for run in runs[1:]:
        columns += [run.name, "difference", "p", "of"]
    rows = [_score_row(same) for same in zip(*found, strict=True)]
    return [
        table(
            Numbers(tuple(columns), rows),
            "Scores, and differences to the first run on what both know; * marks p below 0.05: one in twenty by chance",
        )
    ]


def _score_row(same: Sequence[Row]) -> tuple[Any, ...]:
    cells: list[Any] = [same[0].set, same[0].section or ""]
    for number, row in enumerate(same):
        cells.append(row.score.value)
        if number:
            cells += _compared_score(row.difference)
    return tuple(cells)


def _compared_score(difference: Difference | None) -> list[Any]:
    """Return a difference, its p-value, and of how many questions it is."""
    if difference is None:
        return ["", "", None]
    mark = " *" if difference.p < _SIGNIFICANT and difference.asked >= _FEWEST else ""
    p = "< 0.001" if difference.p < 0.001 else f"{difference.p:.3f}"
    return [f"{difference.value:+.4f}{mark}", p, difference.asked]


def _compared(one: Observed, other: Observed, choice: Choice) -> list[Part]:
    try:
        return compare(one, other, choice)
    except MissingError as error:
        return [Remark(str(error))]
