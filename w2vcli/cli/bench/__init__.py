"""`w2v bench`: train, batch, preprocess."""

from __future__ import annotations

import typer

from w2vcli.cli.bench import batch, preprocess, train

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure speed, memory and quality.")
app.command()(train.train)
app.command()(batch.batch)
app.command()(preprocess.preprocess)


@app.callback()
def bench() -> None:
    """Measure speed, memory and quality."""
