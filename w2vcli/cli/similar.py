"""`w2v similar` and `w2v analogy`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from w2vcli.cli.options import IgnoreCase, Json, Model, Number, Tsv
from w2vcli.cli.output import Format, error_line, format_of, print_json, print_table, print_tsv
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
    """Show the nearest neighbours of words.

    Nearest are those with the largest cosine similarity.

    Example: w2v similar runs/novels king queen -n 5

    Without words they come from standard input, one a line; on a terminal there is a prompt. A word that is not in
    the vocabulary is reported and the others are answered; the exit code is then 3.
    """
    from w2vcli import model as models

    answers = _Answers(format_of(as_json, as_tsv))
    vectors = models.load(model)
    at_prompt = not words and sys.stdin.isatty()
    unknown: UnknownWordError | None = None
    for word in words or (_prompted() if at_prompt else _piped()):
        try:
            found = vectors.words[models.find_word(vectors, word, ignore_case)]
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
        if word := line.strip():
            yield word


def analogy(
    model: Model,
    terms: Annotated[
        list[str],
        typer.Argument(metavar="TERM", help="A B C (A is to B as C is to ...), or words with + and - between them."),
    ],
    number: Number = 10,
    ignore_case: IgnoreCase = False,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Solve an analogy: man is to king as woman to ...

    Examples: w2v analogy runs/novels man king woman, or the same as w2v analogy runs/novels 'king - man + woman'

    The answer are the words nearest to the sum of the unit vectors (3CosAdd); the words of the question are left out.
    """
    from w2vcli import model as models

    form = format_of(as_json, as_tsv)
    expression = models.parse_analogy(terms)
    vectors = models.load(model)
    found = models.analogy(vectors, expression, number, ignore_case)
    _Answers(form).show(str(expression), found, formula=models.ANALOGY_FORMULA)


class _Answers:
    """Prints the answer to one query after another, each as soon as it is known."""

    def __init__(self, form: Format) -> None:
        self.form = form
        self._header_due = form is Format.TSV

    def show(self, query: str, neighbours: list[tuple[str, float]], **about: Any) -> None:
        """Print the neighbours of `query`; `about` is what else is to be said of it."""
        if self.form is Format.JSON:
            found = [{"word": word, "similarity": round(similarity, 6)} for word, similarity in neighbours]
            print_json({"query": query, **about, "neighbours": found})
        elif self.form is Format.TSV:
            header = [("query", "word", "similarity")] if self._header_due else []
            print_tsv([*header, *((query, word, similarity) for word, similarity in neighbours)])
            self._header_due = False
        else:
            title = query + "".join(f" ({value})" for value in about.values())
            print_table((title, "similarity"), neighbours)
