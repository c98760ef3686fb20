"""`w2v analogy`."""

from __future__ import annotations

from typing import Annotated

import typer

from w2vcli.cli.options import IgnoreCase, Json, Model, Number, Tsv
from w2vcli.cli.output import format_of
from w2vcli.cli.queries import Answers


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
    """Solve an analogy: three words, or a sum of words written out.

    Examples: w2v analogy runs/novels man king woman, or the same as w2v analogy runs/novels 'king - man + woman'

    The answer are the words nearest to the sum of the unit vectors (3CosAdd); the words of the question are left out.
    """
    from w2vcli import model as models

    form = format_of(as_json, as_tsv)
    expression = models.parse_analogy(terms)
    vectors = models.load(model)
    found = models.analogy(vectors, expression, number, ignore_case)
    Answers(form).show(str(expression), found, formula=models.ANALOGY_FORMULA)
