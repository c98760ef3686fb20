"""`w2v bench preprocess`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from w2vcli.cli.bench.results import Output, Plot, check_files, collected
from w2vcli.cli.options import ConfigFile, Json, Overrides, Quiet, Tsv
from w2vcli.cli.output import format_of, show

if TYPE_CHECKING:
    from w2vcli.bench.preprocessing import Summary

_COLUMNS = ("tokenizer", "MB/s", "speedup", "seconds", "total speedup", "MB", "tokens")


def preprocess(
    text: Annotated[
        list[str],
        typer.Argument(metavar="TEXT", help="Plain text, compressed or not: files, globs, folders, URLs."),
    ],
    config: ConfigFile = None,
    overrides: Overrides = None,
    workers: Annotated[
        list[int] | None,
        typer.Option(
            "--workers",
            min=1,
            max=1024,
            metavar="N",
            help="Processes of ours; may be given several times.  [1 and the number of cores]",
        ),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, metavar="N", help="Runs of each.")] = 5,
    baseline: Annotated[
        str, typer.Option("--baseline", metavar="NAME", help="The tokenizer that the others are compared to.")
    ] = "gensim simple_preprocess",
    output: Output = None,
    plot: Plot = None,
    quiet: Quiet = False,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Compare our preprocessing with the usual ways from text to tokens.

    These are Gensim's simple_preprocess and a regular expression, each a call a line. All read the same text,
    decompressed and put into one file, and write their tokens to another. MB/s is millions of bytes of text a second,
    from opening the text to the complete output, with the start of worker processes; seconds are of the whole program,
    with its imports; MB is the peak memory of its largest process. A speedup says how many times as fast as the
    baseline it is. It is taken within a round, in which all of them run; shown are medians over the rounds.

    Example: w2v bench preprocess 'novels/*.txt.gz' --set preprocess.unit=paragraph --workers 1 --workers 4
    """
    from w2vcli.bench import preprocessing as benchmarks
    from w2vcli.config import resolve

    form = format_of(as_json, as_tsv)
    settings = resolve(config, overrides or ()).config
    chosen = benchmarks.tokenizers(settings, workers or ())
    compared_to = benchmarks.baseline_of(chosen, baseline)
    check_files(output, plot)
    runs = collected(
        benchmarks.bench_preprocess(text, settings, chosen, rounds),
        lambda run: f"round {run.round + 1} {run.tokenizer}: {run.seconds:.1f} s, {run.megabytes_per_second:.1f} MB/s",
        lambda runs: benchmarks.as_json(runs, settings, compared_to),
        output,
        quiet,
    )
    found = benchmarks.summaries(runs, compared_to)
    if plot is not None:
        benchmarks.plot(found, Path(plot))
    show(form, map(vars, found), _COLUMNS, [_row(summary) for summary in found])


def _row(summary: Summary) -> tuple[object, ...]:
    speedups = [None if ratio is None else f"{ratio:.2f}" for ratio in (summary.speed_ratio, summary.time_ratio)]
    return (
        summary.tokenizer,
        f"{summary.megabytes_per_second:.1f}",
        speedups[0],
        f"{summary.seconds:.2f}",
        speedups[1],
        round(summary.peak_megabytes),
        summary.tokens,
    )
