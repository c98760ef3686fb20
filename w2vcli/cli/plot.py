"""`w2v plot`."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any

import typer

from w2vcli.cli.options import AnalogyFiles, PairFiles, Projection, Quiet, ShownWords, Top
from w2vcli.cli.output import note
from w2vcli.errors import ConfigError

_NAMES = (
    "pipeline, top-words, zipf, sentence-lengths, coverage, subsampling, windows, noise, training, throughput, scores, "
    "map, heatmap, similarities, analogies"
)


def plot(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of {_NAMES}.")],
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="A run directory, finished or not, or a model; zipf, training, throughput, scores, analogies: several",
        ),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Write it here: .svg, .png, .pdf or .html.")
    ],
    words: ShownWords = None,
    top: Top = 2_000,
    projection: Projection = "pca",
    analogies: AnalogyFiles = None,
    pairs: PairFiles = None,
    width: Annotated[
        float | None,
        typer.Option("--width", min=2.0, max=20.0, metavar="INCHES", help="Of a drawing; 3.3 fits a paper's column."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Draw a single figure of a run, as in the report.

    Example: w2v plot zipf runs/novels -o zipf.pdf

    Letters are of one size, whatever the width; colours can be told apart by the colour-blind. Needs
    pip install 'w2vcli[report]'.
    """
    from w2vcli import plots, report
    from w2vcli import projection as projections
    from w2vcli.observed import observe
    from w2vcli.plots import saving

    if name not in plots.PLOTS:
        close = difflib.get_close_matches(name, plots.PLOTS, 1, 0.4)
        raise ConfigError([f"{name} is no plot; {f'did you mean {close[0]}?' if close else f'there are {_NAMES}'}"])
    is_page = Path(output).suffix in report.ENDINGS
    saving.check(Path(output), (*saving.ENDINGS, *report.ENDINGS))
    if is_page:
        report.check_libraries()
    projections.check(projection)
    choice = choice_of(words, top, projection, analogies, pairs)
    observed = observe(runs)
    if is_page:
        report.write_figure(name, observed, output, choice)
    else:
        drawing = plots.prepare(name, observed, choice)
        with plots.style():
            problem = saving.save(plots.figure_of(name, drawing, width), Path(output))
        if problem:
            note(f"warning: {problem}")
        if drawing.remark and not quiet:
            note(drawing.remark)
    if not quiet:
        note(f"{output}: {plots.PLOTS[name].title}")


def choice_of(
    words: list[str] | None, top: int, projection: str, analogies: list[str] | None, pairs: list[str] | None
) -> Any:
    """Return the options of what is shown as a `plots.Choice`."""
    from w2vcli.evaluate import question_sets
    from w2vcli.plots import Choice

    sets = question_sets(analogies or (), pairs or ()) if analogies or pairs else None
    return Choice(tuple(words or ()), top, projection, sets)
