"""`w2v preprocess`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from w2vcli.cli.options import ClusterAddress, ConfigFile, Overrides, Quiet
from w2vcli.cli.output import ProgressLine, note, print_json, print_table
from w2vcli.wording import plural

if TYPE_CHECKING:
    from w2vcli.config import Config
    from w2vcli.preprocessing import Summary


def preprocess(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT", help="Files, globs, folders, URLs, or - for standard input; compressed or not."
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The file to write, compressed by its extension; - is stdout.",
        ),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    format: Annotated[
        Literal["text", "jsonl", "csv", "tsv", "parquet", "wikipedia"] | None,
        typer.Option("--format", help="What the inputs are, if their names do not say."),
    ] = None,
    phrases: Annotated[
        str | None,
        typer.Option("--phrases", metavar="FILE", help="Join the phrases that another text was found to have."),
    ] = None,
    top_phrases: Annotated[
        int | None,
        typer.Option(
            "--top-phrases", min=1, metavar="N", help="Show the N best phrases that would be joined, and write nothing."
        ),
    ] = None,
    on_error: Annotated[
        Literal["fail", "skip"],
        typer.Option("--on-error", help="What to do about files that cannot be read: stop, or leave them out."),
    ] = "fail",
    shard_size: Annotated[
        str | None,
        typer.Option(
            "--shard-size",
            metavar="SIZE",
            help="Write files of about this size (500MB, 2GB; uncompressed); run again, it goes on where it was.",
        ),
    ] = None,
    cluster: ClusterAddress = None,
    quiet: Quiet = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as a JSON object.")] = False,
) -> None:
    """Turn raw text into sentences of tokens.

    The output has a sentence a line, its tokens split by one space.

    Example: w2v preprocess 'novels/*.txt.gz' -o novels.tokens.txt.gz --set preprocess.unit=paragraph
    """
    from w2vcli import preprocessing
    from w2vcli.config import resolve, size_in_bytes
    from w2vcli.errors import ConfigError

    format_override = [] if format is None else [f"preprocess.format={format}"]
    settings = resolve(config, [*(overrides or ()), *format_override]).config
    if top_phrases is not None:
        if output or shard_size or phrases:
            raise ConfigError(["--top-phrases writes nothing: it goes without -o, --shard-size and --phrases"])
        _show_phrases(inputs, settings, top_phrases, cluster, quiet, as_json)
        return
    if output is None:
        raise ConfigError(["Missing option '--output' / '-o'; w2v preprocess --help shows how it is used"])
    shard_bytes = None if shard_size is None else size_in_bytes(shard_size)
    if shard_size is not None and not shard_bytes:
        raise ConfigError([f"--shard-size {shard_size}: should be a size such as 500MB or 2GB"])
    if as_json and output == "-":
        raise ConfigError(["--json and -o - would both print to stdout; write to a file"])
    with ProgressLine("preprocess", quiet) as line:
        summary = preprocessing.preprocess(
            inputs,
            output,
            settings,
            phrases=phrases,
            shard_size=shard_bytes,
            on_error=on_error,
            cluster=cluster,
            progress=_shower(line),
        )
    for warning in summary.warnings:
        note(f"warning: {warning}")
    if as_json:
        print_json({"output": output, **vars(summary)})
    elif not quiet:
        _show(summary, output)


def _shower(line: ProgressLine) -> Callable[[str, int, int | None], None]:
    """Return what shows the progress of a line, with its rate."""
    started = time.monotonic()

    def show(what: str, done: int, total: int | None) -> None:
        nonlocal started
        description = None if what == line.description else what
        if description:
            started = time.monotonic()
        rate = done / 1e6 / max(time.monotonic() - started, 1e-9)
        line.update(done, total, f"{done / 1e6:,.0f} MB, {rate:.1f} MB/s", description)

    return show


def _show_phrases(
    inputs: list[str], settings: Config, number: int, cluster: str | None, quiet: bool, as_json: bool
) -> None:
    from w2vcli import preprocessing

    with ProgressLine("preprocess", quiet) as line:
        found = preprocessing.top_phrases(inputs, number, settings, cluster=cluster, progress=_shower(line))
    if as_json:
        for phrase in found:
            print_json(vars(phrase))
    else:
        rows = [(phrase.text, round(phrase.score, 3), phrase.count, phrase.pass_number) for phrase in found]
        print_table(("phrase", "score", "count", "pass"), rows)


def _show(summary: Summary, output: str) -> None:
    if summary.shards and summary.shards_kept == len(summary.shards):
        note(f"{output}: up to date, in {plural(len(summary.shards), 'shard')}")
        return
    where = f"{summary.shards[0]} to {summary.shards[-1]}" if len(summary.shards) > 1 else (*summary.shards, output)[0]
    kept = f", {summary.shards_kept} of the shards were there" if summary.shards_kept else ""
    note(
        f"{where}: {plural(summary.sentences, 'sentence')}, {plural(summary.tokens, 'token')}; "
        f"from {plural(summary.files, 'file')}, {summary.bytes:,} bytes, "
        f"in {summary.seconds:.1f} s ({summary.megabytes_per_second:.1f} MB/s){kept}"
    )
    shown = {what: number for what, number in summary.counts.items() if number}
    if shown:
        note("; ".join(f"{what.replace('_', ' ')}: {number:,}" for what, number in shown.items()))
    if summary.phrases:
        note(f"{summary.phrases}: the phrases, for --phrases")
