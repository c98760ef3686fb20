"""`w2v preprocess`."""

from __future__ import annotations

from typing import Annotated

import typer

from w2vcli.cli.options import ConfigFile, Overrides, Quiet
from w2vcli.cli.output import ProgressLine, note
from w2vcli.wording import plural


def preprocess(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT", help="Files, globs, folders, URLs, or - for standard input; compressed or not."
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The file to write, compressed by its extension; - is stdout.",
        ),
    ],
    config: ConfigFile = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
) -> None:
    """Turn raw text into sentences of tokens.

    The output has a sentence a line, its tokens split by one space.

    Example: w2v preprocess 'novels/*.txt.gz' -o novels.tokens.txt.gz --set preprocess.unit=paragraph
    """
    from w2vcli import preprocessing
    from w2vcli.config import resolve

    settings = resolve(config, overrides or ()).config
    with ProgressLine("preprocess", quiet) as line:
        summary = preprocessing.preprocess(
            inputs,
            output,
            settings,
            progress=lambda read, total: line.update(read, total, f"{read / 1e6:.0f} MB read"),
        )
    if summary.split:
        note(f"warning: {plural(summary.split, 'sentence')} of over 10,000 tokens split")
    if summary.undecodable:
        note(
            f"warning: {summary.undecodable_in}: {plural(summary.undecodable, 'place')} not valid text, taken for "
            "spaces; is it another encoding?"
        )
    if summary.skipped:
        note(f"warning: {plural(len(summary.skipped), 'file')} without text skipped: {', '.join(summary.skipped[:3])}")
    if not quiet:
        note(
            f"{output}: {plural(summary.sentences, 'sentence')}, {plural(summary.tokens, 'token')}, "
            f"{summary.distinct:,} distinct; from {plural(summary.files, 'file')}, {summary.bytes:,} bytes, "
            f"{plural(summary.lines, 'line')}, "
            f"in {summary.seconds:.1f} s ({summary.megabytes_per_second:.1f} MB/s)"
        )
