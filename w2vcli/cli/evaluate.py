"""`w2v evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from w2vcli.cli.options import Json, Tsv
from w2vcli.cli.output import Format, format_of, note, print_json, print_table, print_tsv
from w2vcli.wording import limits

_SIGNIFICANT = 0.05
_TSV_COLUMNS = (
    *("model", "set", "section", "score", "low", "high", "asked", "total", "right", "pearson"),
    *("difference", "difference_low", "difference_high", "p", "compared"),
)


def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL", help="Runs or vector files, as for w2v similar; compared to the first."),
    ],
    analogies: Annotated[
        list[str] | None,
        typer.Option("--analogies", metavar="PATH", help="A file in Google's layout, a folder in BATS', or google."),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option("--pairs", metavar="FILE", help="Two words, a tab, a number; or WordSim-353 or SimLex-999."),
    ] = None,
    odd_one_out: Annotated[
        list[str] | None,
        typer.Option("--odd-one-out", metavar="PATH", help="Lines of words, the odd one last; or 8-8-8 files."),
    ] = None,
    method: Annotated[
        Literal["3cosadd", "3cosmul"], typer.Option("--method", help="How analogies are solved.")
    ] = "3cosadd",
    restrict_vocab: Annotated[
        int,
        typer.Option("--restrict-vocab", min=1, metavar="N", help="Use the N first words, the most frequent, alone."),
    ] = 30_000,
    case: Annotated[
        Literal["fold", "exact"], typer.Option("--case", help="fold: words of any case are alike.")
    ] = "fold",
    unknown: Annotated[
        Literal["skip", "wrong"], typer.Option("--unknown", help="What questions with unknown words are.")
    ] = "skip",
    sections: Annotated[
        bool | None,
        typer.Option("--sections/--no-sections", help="Show sections.  [default: for one model]", show_default=False),
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option("--fail-under", metavar="[SET=]VALUE", help="Exit with 4 if a set's score is lower."),
    ] = None,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Score models by analogies, word pairs and odd ones out.

    Example: w2v evaluate runs/old runs/new --pairs SimLex-999 --pairs mine.tsv --fail-under 0.2

    Without sets, all that are built in are asked: Google's analogies, WordSim-353 and SimLex-999, all English.
    Analogies and odd ones out are scored by the share of right answers, pairs by Spearman's correlation with
    people's judgements; each with a 95 % bootstrap interval, and how many of the questions could be asked. The
    scores are Gensim's, whose default for --restrict-vocab is 300000, however; the default here is that of
    word2vec's demo.

    Several models are compared to the first, on the questions that both know; * marks differences with p < 0.05.
    The options for sets and --fail-under may be given several times.
    """
    from w2vcli import model as loading
    from w2vcli.errors import BelowError
    from w2vcli.evaluate import question_sets
    from w2vcli.evaluate.questions import Asking
    from w2vcli.evaluate.required import failures, required_scores
    from w2vcli.evaluate.rows import score_models

    form = format_of(as_json, as_tsv)
    asking = Asking(restrict_vocab, case == "fold", unknown == "wrong", method)
    sets = question_sets(analogies or (), pairs or (), odd_one_out or ())
    required = required_scores(fail_under or (), [asked.name for asked in sets])
    wanted = len(models) == 1 if sections is None else sections
    table = []
    for scored in score_models(((model, loading.load(model, say=note)) for model in models), sets, asking, wanted):
        for warning in scored.warnings:
            note(f"warning: {warning}")
        table.append(scored.rows)
    _show(table, form)
    if low := failures([row for rows in table for row in rows], required):
        raise BelowError("below --fail-under: " + "; ".join(low))


def _show(table: Sequence[Sequence[Any]], form: Format) -> None:
    """Print the rows of each model."""
    if form is Format.JSON:
        for rows in table:
            for row in rows:
                print_json(_as_json(row))
    elif form is Format.TSV:
        print_tsv([_TSV_COLUMNS, *(_as_tsv(row) for rows in table for row in rows)])
    elif len(table) == 1:
        _print_one(table[0])
    else:
        _print_several(table)


def _as_json(row: Any) -> dict[str, Any]:
    difference = row.difference and {
        "value": round(row.difference.value, 6),
        "interval": _rounded(row.difference.interval),
        "p": round(row.difference.p, 6),
        "asked": row.difference.asked,
    }
    return {
        "model": row.model,
        "set": row.set,
        "section": row.section,
        "score": None if row.score.value is None else round(row.score.value, 6),
        "interval": row.interval and _rounded(row.interval),
        "asked": row.score.asked,
        "total": row.score.total,
        "right": row.right,
        "pearson": None if row.pearson is None else round(row.pearson, 6),
        "difference": difference,
    }


def _rounded(limits: Sequence[float]) -> list[float]:
    return [round(limit, 6) for limit in limits]


def _as_tsv(row: Any) -> tuple[Any, ...]:
    score, difference = row.score, row.difference
    compared = (difference.value, *difference.interval, difference.p, difference.asked) if difference else (None,) * 5
    limits = row.interval or (None, None)
    return (
        *(row.model, row.set, row.section, score.value, *limits, score.asked, score.total, row.right, row.pearson),
        *compared,
    )


def _print_one(rows: Sequence[Any]) -> None:
    with_sections = any(row.section is not None for row in rows)
    with_pearson = any(row.pearson is not None for row in rows)
    columns = ("set", *(("section",) if with_sections else ()), "score", "95 % interval", "asked", "total")
    cells = [
        (
            row.set,
            *((row.section or "",) if with_sections else ()),
            "" if row.score.value is None else f"{row.score.value:.4f}",
            limits(row.interval),
            row.score.asked,
            row.score.total,
            *(("" if row.pearson is None else f"{row.pearson:.4f}",) if with_pearson else ()),
        )
        for row in rows
    ]
    print_table((*columns, *(("Pearson",) if with_pearson else ())), cells)


def _print_several(table: Sequence[Sequence[Any]]) -> None:
    with_sections = any(row.section is not None for row in table[0])
    columns = ["set", *(("section",) if with_sections else ()), table[0][0].model]
    for rows in table[1:]:
        columns += [rows[0].model, "difference", "p"]
    cells = []
    for same in zip(*table, strict=True):
        cell = [same[0].set, *((same[0].section or "",) if with_sections else ())]
        for number, row in enumerate(same):
            cell.append("" if row.score.value is None else f"{row.score.value:.4f} ({limits(row.interval)})")
            if number:
                cell += _compared(row.difference)
        asked = list(dict.fromkeys(f"{row.score.asked:,}" for row in same))
        cells.append([*cell, f"{', '.join(asked)} of {same[0].score.total:,}"])
    print_table([*columns, "asked"], cells)


def _compared(difference: Any) -> tuple[str, str]:
    if difference is None:
        return "", ""
    return f"{difference.value:+.4f}{' *' if difference.p < _SIGNIFICANT else ''}", f"{difference.p:.4f}"
