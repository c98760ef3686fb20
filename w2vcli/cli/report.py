"""`w2v report`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from w2vcli.cli.options import AnalogyFiles, PairFiles, Projection, Quiet, ShownWords, Top
from w2vcli.cli.output import note
from w2vcli.cli.plot import choice_of
from w2vcli.errors import ConfigError


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN", help="Run directories, finished or not, or models; several are compared to the first."
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write the page here; - is standard output.  [default: report.html]"
        ),
    ] = None,
    words: ShownWords = None,
    top: Top = 2_000,
    projection: Projection = "pca",
    analogies: AnalogyFiles = None,
    pairs: PairFiles = None,
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Show curves and tables in the terminal; takes --words.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show them in the terminal while a run is training, until it ends.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write one page about a run, or one that compares several.

    Is the text sane, did training converge, are the vectors good, and what was run?

    Example: w2v report runs/novels -o novels.html --words 'king queen london paris'

    The page is a single file that needs no network: for a browser, a telephone, or a printer. A run that is still
    training is shown as far as it has come, with the vectors of its latest checkpoint. Scores are of Google's
    analogies, WordSim-353 and SimLex-999, all English, unless other sets are named. Needs
    pip install 'w2vcli[report]'; --terminal does not.
    """
    if terminal or watch:
        from w2vcli.cli import terminal as shown

        if output is not None:
            raise ConfigError(["-o is for the page; --terminal and --watch write no file"])
        if watch and not sys.stdout.isatty():
            raise ConfigError(["--watch needs a terminal; without it --terminal shows the run once"])
        if watch:
            shown.watch(runs)
        else:
            shown.show(runs, words)
        return
    from w2vcli import report as reports
    from w2vcli.observed import observe

    output = output or "report.html"
    choice = choice_of(words, top, projection, analogies, pairs)
    reports.check(output, len(runs), choice)
    size = reports.write(observe(runs), output, choice)
    if not quiet and output != "-":
        note(f"{output}: {size / 1e6:.1f} MB; open it in a browser")
