"""`w2v similar`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from w2vcli.cli.options import IgnoreCase, Json, Model, Number, Tsv
from w2vcli.cli.output import error_line, format_of
from w2vcli.cli.queries import Answers
from w2vcli.errors import UnknownWordError


def similar(
    model: Model,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD", help="Words to look up; without any they are read from stdin, one a line."),
    ] = None,
    number: Number = 10,
    ignore_case: IgnoreCase = False,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Show the nearest neighbours of each word, by cosine similarity.

    Example: w2v similar runs/novels king queen -n 5

    Without words they come from standard input, one a line; on a terminal there is a prompt. A word that is not in
    the vocabulary is reported and the others are answered; the exit code is then 3.
    """
    from w2vcli import model as models

    answers = Answers(format_of(as_json, as_tsv))
    vectors = models.load(model)
    at_prompt = not words and sys.stdin.isatty()
    unknown: UnknownWordError | None = None
    for word in words or (_prompted() if at_prompt else _piped()):
        try:
            found = models.find_word(vectors, word, ignore_case)
            answers.show(found, models.neighbours(vectors, found, number))
        except UnknownWordError as error:
            error_line(str(error))
            unknown = error
    if unknown and not at_prompt:
        raise typer.Exit(unknown.exit_code)


def _piped() -> Iterator[str]:
    for line in sys.stdin:
        if word := line.strip():
            yield word


def _prompted() -> Iterator[str]:
    import readline  # noqa: F401 - gives input() its line editing and history

    while True:
        try:
            line = input("word> ")
        except EOFError:
            print()
            return
        yield from line.split()
