"""How the commands of `w2v bench` give what they measure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from w2vcli.cli.output import note

Measured = TypeVar("Measured")

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


def collected(
    measured: Iterable[Measured],
    line: Callable[[Measured], str],
    as_json: Callable[[list[Measured]], dict[str, Any]],
    output: str | None,
    quiet: bool,
) -> list[Measured]:
    """Return all that is measured; after each, write what there is so far: a failure of the next loses nothing.

    Args:
        measured: made as it is asked for.
        line: what is said of one, unless `quiet`.
        as_json: what is written to `output`, if there is one.
    """
    from w2vcli import outputs

    found = []
    for one in measured:
        found.append(one)
        if output is not None:
            outputs.write_text(Path(output), json.dumps(as_json(found), indent=1) + "\n")
        if not quiet:
            note(line(one))
    return found
