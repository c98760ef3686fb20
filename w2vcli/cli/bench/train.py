"""`w2v bench train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from w2vcli.cli.bench.results import Output, Plot, check_files, collected
from w2vcli.cli.options import ConfigFile, Json, Overrides, Quiet, Tsv
from w2vcli.cli.output import format_of, show
from w2vcli.wording import quantity

if TYPE_CHECKING:
    from w2vcli.bench.comparison import Run, Summary

_COLUMNS = ("trainer", "words/s", "speedup", "seconds", "total speedup", "MB")


def train(
    corpus: Annotated[list[str], typer.Argument(metavar="CORPUS", help="Tokenised text: files, globs, folders, URLs.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    trainer: Annotated[
        list[str] | None,
        typer.Option(
            "--trainer",
            metavar="NAME",
            help="An engine, 'gensim iterator', 'gensim corpus_file' or fasttext; may be given several times.",
        ),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            "--peer",
            metavar="NAME=COMMAND",
            help="Another program, with {input} {output} {dim} {window} {negative} {sample} {min_count} {alpha} "
            "{epochs} {threads} {sg} {cbow} {seed} filled in; it writes vectors that w2v can read.",
        ),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, metavar="N", help="Runs of each; each has its seed.")] = 5,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="NAME",
            help="The trainer that the others are compared to; if not given, gensim corpus_file, or the first.",
        ),
    ] = None,
    quality: Annotated[bool, typer.Option("--quality/--no-quality", help="Score every model.")] = True,
    output: Output = None,
    plot: Plot = None,
    quiet: Quiet = False,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Compare our engines with other trainers on the same text.

    A speedup says how many times as fast as the baseline it is: in training, and in total from the start of the program
    to the saved vectors. It is taken within a round, in which all of them run; shown are medians over the rounds.

    Example: w2v bench train novels.txt --set word2vec.sg=1 --peer 'w2v.c=word2vec -train {input} -output {output}'
    """
    from w2vcli.bench import comparison as benchmarks
    from w2vcli.config import resolve

    form = format_of(as_json, as_tsv)
    settings = resolve(config, overrides or ()).config
    chosen = benchmarks.trainers(trainer or benchmarks.default_trainers(settings), peer or ())
    compared_to = benchmarks.baseline_of(chosen, baseline)
    check_files(output, plot)
    runs = collected(
        benchmarks.bench_train(corpus, settings, chosen, rounds, quality),
        _line,
        lambda runs: benchmarks.as_json(runs, settings, compared_to),
        output,
        quiet,
    )
    found = benchmarks.summaries(runs, compared_to)
    if plot is not None:
        benchmarks.plot(found, Path(plot))
    columns = (*_COLUMNS, *(found[0].scores if quality else ()))
    show(form, map(vars, found), columns, [_row(summary, quality) for summary in found])


def _line(run: Run) -> str:
    speed = f", {quantity(run.words_per_second)} words/s" if run.words_per_second else ""
    return f"round {run.round + 1} {run.trainer}: {run.seconds:.1f} s{speed}"


def _row(summary: Summary, quality: bool) -> tuple[object, ...]:
    times = summary.speed_ratio, summary.seconds, summary.time_ratio
    return (
        summary.trainer,
        None if summary.words_per_second is None else round(summary.words_per_second),
        *(None if value is None else f"{value:.2f}" for value in times),
        round(summary.peak_megabytes),
        *(summary.scores.values() if quality else ()),
    )
