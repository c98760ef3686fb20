"""`w2v index`."""

from __future__ import annotations

from typing import Annotated

import typer

from w2vcli.cli.options import Json, Model, Quiet
from w2vcli.cli.output import ProgressLine, note, print_json, print_table


def index(
    model: Model,
    dtype: Annotated[
        str,
        typer.Option("--dtype", metavar="f32|f16|i8", help="What the index keeps numbers as: i8 is the smallest."),
    ] = "f16",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Build an index for approximate neighbours.

    It lies beside the model's file, and finds neighbours without looking at every vector.

    Example: w2v index runs/novels

    It may miss a neighbour. How many it finds is measured on 1,000 random words against looking at every vector:
    recall@10 is the share of their ten nearest words that the index finds too. Needs pip install 'w2vcli[index]'.
    """
    from dataclasses import asdict

    from w2vcli import index as indexes
    from w2vcli import model as models

    file = models.file_of(model, note)
    indexes.check(file, dtype)
    vectors = models.load(file)
    with ProgressLine("index", quiet) as line:
        report = indexes.build(vectors, file, dtype, lambda done, total: line.update(done, total, f"{done:,} words"))
    if as_json:
        print_json({"model": file, **asdict(report)})
    if as_json or quiet:
        return
    rows = [
        ("model", file),
        ("words", report.words),
        ("dimensions", report.dimensions),
        ("dtype", report.dtype),
        ("bytes", report.bytes),
        ("build seconds", round(report.build_seconds, 1)),
        ("recall@10", report.recall),
        ("measured on words", report.measured),
        ("query milliseconds", 1000 * report.query_seconds),
        ("exact query milliseconds", 1000 * report.exact_query_seconds),
    ]
    print_table(("name", "value"), [(name, value) for name, value in rows if value is not None])
