"""Where the commands of `w2v bench` write what they measure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="Write every run to this JSON file.")
]
Plot = Annotated[str | None, typer.Option("--plot", metavar="FILE", help="Draw a plot: .svg, .pdf or .png.")]


def check_files(output: str | None, plot: str | None) -> None:
    """Make sure, before anything is measured, that the results can be written."""
    from w2vcli import outputs
    from w2vcli.plots import saving

    if output is not None:
        outputs.check_folder(output)
    if plot is not None:
        saving.check(Path(plot))


def write(output: str | None, results: dict[str, Any]) -> None:
    """Write the results so far, if they are wanted; after every run, so that a failure of the next loses nothing."""
    from w2vcli import outputs

    if output is not None:
        outputs.write_text(Path(output), json.dumps(results, indent=1) + "\n")
