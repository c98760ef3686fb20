"""`w2v cluster check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from w2vcli.cli.options import Json, Tsv
from w2vcli.cli.output import format_of, note, show
from w2vcli.wording import plural

if TYPE_CHECKING:
    from w2vcli.cluster import Node

app = typer.Typer(no_args_is_help=True)
_COLUMNS = ("node", "address", "cores", "GPUs", "memory", "python", "w2vcli", "torch", "MB/s")


@app.callback()
def cluster() -> None:
    """Look at a Ray cluster before it is to work."""


@app.command()
def check(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="HOST:PORT of its head, ray://HOST:PORT, or auto.")],
    storage: Annotated[
        list[str] | None,
        typer.Option(
            "--storage",
            metavar="PLACE",
            help="A folder that every node is to write in, or a file or URL that it is to read; several times.",
        ),
    ] = None,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Say what the nodes of a cluster have, and whether they can work together.

    They need the same versions of w2vcli and its libraries, and storage that all of them see. MB/s is how fast data
    goes from here to a node and back. If anything will not do, it is said, and the exit code is 1.

    Example: w2v cluster check head:6379 --storage /mnt/corpora --storage s3://bucket/novels.txt.gz
    """
    from w2vcli.cluster import connected, nodes
    from w2vcli.errors import W2VError

    form = format_of(as_json, as_tsv)
    with connected(address):
        found = list(nodes(storage or ()))
    show(form, map(vars, found), _COLUMNS, [_row(node) for node in found])
    for node in found:
        for problem in node.problems:
            note(f"{node.host} ({node.address}): {problem}")
    broken = sum(bool(node.problems) for node in found)
    if broken:
        raise W2VError(f"--cluster {address}: {plural(broken, 'node')} of {len(found)} cannot work with the others")


def _row(node: Node) -> tuple[object, ...]:
    return (
        node.host,
        node.address,
        node.cores,
        node.gpus,
        f"{node.memory / 1e9:.1f} GB",
        node.python,
        node.versions.get("w2vcli"),
        node.versions.get("torch"),
        None if node.megabytes_per_second is None else round(node.megabytes_per_second),
    )
