"""`w2v bench`: train, batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2vcli.cli.options import ConfigFile, Json, Overrides, Quiet, Tsv
from w2vcli.cli.output import Format, format_of, note, print_json, print_table, print_tsv
from w2vcli.wording import quantity

if TYPE_CHECKING:
    from w2vcli.bench.batches import Trial
    from w2vcli.bench.comparison import Summary

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure speed, memory and quality.")


@app.callback()
def bench() -> None:
    """Measure speed, memory and quality."""


@app.command()
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
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write every run to this JSON file.")
    ] = None,
    plot: Annotated[str | None, typer.Option("--plot", metavar="FILE", help="Draw a plot: .svg, .pdf or .png.")] = None,
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
    _check_files(output, plot)
    runs = []
    for run in benchmarks.bench_train(corpus, settings, chosen, rounds, quality):
        runs.append(run)
        _write(output, benchmarks.as_json(runs, settings, compared_to))
        if not quiet:
            speed = f", {quantity(run.words_per_second)} words/s" if run.words_per_second else ""
            note(f"round {run.round + 1} {run.trainer}: {run.seconds:.1f} s{speed}")
    found = benchmarks.summaries(runs, compared_to)
    if plot is not None:
        benchmarks.plot(found, Path(plot))
    if form is Format.JSON:
        for summary in found:
            print_json(vars(summary))
        return
    columns = (
        "trainer",
        "words/s",
        "speedup",
        "seconds",
        "total speedup",
        "MB",
        *(found[0].scores if quality else ()),
    )
    rows = [
        (
            summary.trainer,
            None if summary.words_per_second is None else round(summary.words_per_second),
            *(None if value is None else f"{value:.2f}" for value in _times(summary)),
            round(summary.peak_megabytes),
            *(summary.scores.values() if quality else ()),
        )
        for summary in found
    ]
    print_tsv([columns, *rows]) if form is Format.TSV else print_table(columns, rows)


def _times(summary: Summary) -> tuple[float | None, float, float | None]:
    return summary.speed_ratio, summary.seconds, summary.time_ratio


@app.command()
def batch(
    corpus: Annotated[list[str], typer.Argument(metavar="CORPUS", help="Tokenised text: files, globs, folders, URLs.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    sizes: Annotated[
        list[int] | None,
        typer.Option("--size", min=1, metavar="N", help="A batch size; may be given several times.  [1 to 65536]"),
    ] = None,
    words: Annotated[
        int, typer.Option("--words", min=1, metavar="N", help="Train on about so many words of the text.")
    ] = 200_000,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write every trial to this JSON file.")
    ] = None,
    plot: Annotated[str | None, typer.Option("--plot", metavar="FILE", help="Draw a plot: .svg, .pdf or .png.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Compare batch sizes of the torch engine, on each device.

    Every size trains the same pairs, once. Shown are its speed and the held-out loss after that: with the engine's
    steps, which are the sum of the batch's gradients but cut where a row would overshoot; with their mean, as
    minibatches have it elsewhere; and with their sum, uncut. The first line is a DataLoader whose items are single
    pairs, for its speed. A loss near (negative + 1) log 2 has hardly begun to fall: raise --words. Small sizes take
    long.

    Example: w2v bench batch novels.txt --set word2vec.sg=1 --plot batches.svg
    """
    from w2vcli.bench import batches
    from w2vcli.config import resolve

    form = format_of(as_json, as_tsv)
    settings = resolve(config, overrides or ()).config
    _check_files(output, plot)
    trials = []
    for trial in batches.bench_batch(corpus, settings, sizes or batches.SIZES, words):
        trials.append(trial)
        _write(output, {"config": settings.model_dump(), "trials": [vars(one) for one in trials]})
        if not quiet:
            measured = _loss(trial)
            loss = f", held-out loss {measured}" if measured else ""
            name = f"{trial.device}, batches of {trial.batch_size}, {trial.rule}"
            note(f"{name}: {quantity(trial.pairs_per_second)} pairs/s{loss}")
    if plot is not None:
        batches.plot(trials, Path(plot))
    if form is Format.JSON:
        for trial in trials:
            print_json({**vars(trial), "ms_a_step": trial.ms_a_step, "pairs_per_second": trial.pairs_per_second})
        return
    columns = ("device", "batch", "ms/step", "pairs/s", "words/s", "loss", "loss (mean)", "loss (sum)")
    rows = [_trial_row(trial, trials) for trial in trials if trial.rule in (batches.NAIVE, batches.LIMITED)]
    print_tsv([columns, *rows]) if form is Format.TSV else print_table(columns, rows)


def _trial_row(trial: Trial, trials: list[Trial]) -> tuple[object, ...]:
    from w2vcli.bench import batches

    beside = {
        other.rule: _loss(other)
        for other in trials
        if (other.device, other.batch_size) == (trial.device, trial.batch_size)
    }
    is_naive = trial.rule == batches.NAIVE
    return (
        f"{trial.device}, {batches.NAIVE}" if is_naive else trial.device,
        trial.batch_size,
        f"{trial.ms_a_step:.3f}",
        round(trial.pairs_per_second),
        round(trial.words / trial.seconds),
        *((None,) * 3 if is_naive else map(beside.get, (batches.LIMITED, batches.MEAN, batches.SUM))),
    )


def _loss(trial: Trial) -> str | None:
    return "diverged" if trial.diverged else None if trial.loss is None else f"{trial.loss:.4f}"


def _check_files(output: str | None, plot: str | None) -> None:
    """Make sure, before anything is measured, that the results can be written."""
    from w2vcli import outputs
    from w2vcli.plots import saving

    if output is not None:
        outputs.check_folder(output)
    if plot is not None:
        saving.check(Path(plot))


def _write(output: str | None, results: dict[str, Any]) -> None:
    """Write the results so far, if they are wanted; after every run, so that a failure of the next loses nothing."""
    from w2vcli import outputs

    if output is not None:
        outputs.write_text(Path(output), json.dumps(results, indent=1) + "\n")
