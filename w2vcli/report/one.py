"""The sections of a report on one run."""

from __future__ import annotations

from collections.abc import Callable

from w2vcli.config import Config, yaml_scalar
from w2vcli.observed import MissingError, Observed
from w2vcli.plots import Choice, Numbers
from w2vcli.plots.vectors import scored
from w2vcli.report.neighbours import neighbour_tables, word_map
from w2vcli.report.page import Facts, Part, Remark, Section
from w2vcli.report.parts import facts_of, figure, shown, table
from w2vcli.wording import limits

_WARNINGS = 20


def sections(run: Observed, choice: Choice) -> list[Section]:
    """Return all sections of the report on a run; of a model alone, those that it has something for."""
    every = _sections(run, choice)
    if run.run is not None:
        return every
    return [section for section in every if any(not isinstance(part, Remark) for part in section.parts)]


def _sections(run: Observed, choice: Choice) -> list[Section]:
    return [
        Section(
            "summary",
            "Summary",
            "Is this the text and are these the settings that you meant, and has the run come to its end?",
            _summary(run),
        ),
        Section(
            "corpus",
            "Corpus",
            "Is the text sane: as long as it should be, in words of one language, in sentences?",
            [figure(name, [run], choice) for name in ("pipeline", "top-words", "zipf", "sentence-lengths", "coverage")],
        ),
        Section(
            "subsampling",
            "Subsampling",
            "Are the words that you care about kept, and those that carry nothing thinned out?",
            [figure("subsampling", [run], choice)],
        ),
        Section(
            "contexts",
            "Context windows and noise words",
            "What a word is trained to tell apart: the words near it from words drawn at random.",
            [figure(name, [run], choice) for name in ("windows", "noise")],
        ),
        Section(
            "training",
            "Training",
            "Has the loss flattened out, at a steady speed, or would more epochs help?",
            [figure(name, [run], choice) for name in ("training", "throughput", "scores")],
        ),
        Section(
            "map",
            "Embeddings in the plane",
            "Do words of a kind lie together? Search for a word you know well, and look at its neighbours.",
            _where_there_are_vectors(lambda: [word_map(run, choice)]),
        ),
        Section(
            "similarities",
            "Similarities and neighbours",
            "Are the neighbours words that you would expect? Rare words show first where the text is too short.",
            _where_there_are_vectors(lambda: _similarities(run, choice)),
        ),
        Section(
            "scores",
            "Analogies and similarity judgements",
            "High scores on the kinds of relations your task needs matter more than the total.",
            [figure("analogies", [run], choice), *_scores(run, choice)],
        ),
    ]


def _similarities(run: Observed, choice: Choice) -> list[Part]:
    figures = [figure(name, [run], choice) for name in ("heatmap", "similarities")]
    return [*figures, *neighbour_tables(run, choice)]


def _where_there_are_vectors(parts: Callable[[], list[Part]]) -> list[Part]:
    try:
        return parts()
    except MissingError as error:
        return [Remark(str(error))]


def _summary(run: Observed) -> list[Part]:
    settings = run.about.get("config", {})
    parts: list[Part] = [Facts([*facts_of(run), *_speed(run)])]
    if run.run is None:
        parts.append(Remark("A model alone does not tell how it was trained: what would be of that is left out."))
    parts += [Remark(f"Failed: {run.history.failed}")] if run.run and run.history.failed else []
    if settings:
        defaults = Config().flat()
        rows = [
            (name, yaml_scalar(value), "" if value == defaults.get(name) else "changed")
            for name, value in settings.items()
        ]
        parts.append(table(Numbers(("setting", "value", "from the default"), rows), "All settings", folded=True))
    warnings = list(dict.fromkeys(run.history.warnings)) if run.run else []
    if warnings:
        rows_of_warnings = [(warning,) for warning in warnings[-_WARNINGS:]]
        parts.append(table(Numbers(("warning",), rows_of_warnings), "Warnings during training"))
    return parts


def _speed(run: Observed) -> list[tuple[str, str]]:
    if run.run is None or not run.history.seconds:
        return []
    return [("words a second", shown(round(run.history.words / run.history.seconds)))]


def _scores(run: Observed, choice: Choice) -> list[Part]:
    """Return the totals of all sets as a table; the figure has the sections, and says why where there are none."""
    try:
        (rows,) = scored([run], choice)
    except MissingError:
        return []
    totals = [
        (row.set, row.score.value, limits(row.interval), row.score.asked, row.score.total)
        for row in rows
        if row.section is None
    ]
    return [table(Numbers(("set", "score", "95 % interval", "asked", "of"), totals), "Totals")]
