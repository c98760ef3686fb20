"""`w2v bench batch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from w2vcli.cli.bench.results import Output, Plot, check_files, collected
from w2vcli.cli.options import ConfigFile, Json, Overrides, Quiet, Tsv
from w2vcli.cli.output import format_of, show
from w2vcli.wording import quantity

if TYPE_CHECKING:
    from w2vcli.bench.batches import Trial

_COLUMNS = ("device", "batch", "ms/step", "pairs/s", "words/s", "loss", "loss (mean)", "loss (sum)")


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
    output: Output = None,
    plot: Plot = None,
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
    check_files(output, plot)
    trials = collected(
        batches.bench_batch(corpus, settings, sizes or batches.SIZES, words),
        _line,
        lambda trials: {"config": settings.model_dump(), "trials": [vars(trial) for trial in trials]},
        output,
        quiet,
    )
    if plot is not None:
        batches.plot(trials, Path(plot))
    records = [
        {**vars(trial), "ms_a_step": trial.ms_a_step, "pairs_per_second": trial.pairs_per_second} for trial in trials
    ]
    rows = [_row(trial, trials) for trial in trials if trial.rule in (batches.NAIVE, batches.LIMITED)]
    show(form, records, _COLUMNS, rows)


def _line(trial: Trial) -> str:
    loss = f", held-out loss {measured}" if (measured := _loss(trial)) else ""
    name = f"{trial.device}, batches of {trial.batch_size}, {trial.rule}"
    return f"{name}: {quantity(trial.pairs_per_second)} pairs/s{loss}"


def _row(trial: Trial, trials: list[Trial]) -> tuple[object, ...]:
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
