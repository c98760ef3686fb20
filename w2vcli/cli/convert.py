"""`w2v convert`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from w2vcli.cli.options import Json, Quiet
from w2vcli.cli.output import note, print_json
from w2vcli.errors import ConfigError


def convert(
    source: Annotated[
        str,
        typer.Argument(metavar="SRC", help="A run directory, a file of any format, a URL, or - for standard input."),
    ],
    destination: Annotated[str, typer.Argument(metavar="DST", help="A file, a URL, or - for standard output.")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="FORMAT", help="Its format, if the ending of DST does not tell.")
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=1, metavar="N", help="Only the N most frequent words.")
    ] = None,
    words: Annotated[
        str | None, typer.Option("--words", metavar="FILE", help="Only the words of a file, a word a line.")
    ] = None,
    normalize: Annotated[bool, typer.Option("--normalize", help="Divide each vector by its length.")] = False,
    dtype: Annotated[
        Literal["float32", "float16", "int8"] | None,
        typer.Option("--dtype", help="Store smaller numbers; what that costs is measured and said."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what is wrong with SRC, and say what, instead of refusing it.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write words and vectors in another format.

    Example: w2v convert runs/novels novels.safetensors --dtype float16

    Formats by their endings: .kv and .model (Gensim), .vec and .txt (word2vec text, as fastText has it too), .bin
    (word2vec binary), .glove (GloVe text), .npy (NumPy; the words are beside it in NAME.words.txt), .safetensors,
    .tsv (TensorBoard's projector; words in NAME.metadata.tsv), .parquet. fastText's own .bin can be read. What SRC is,
    is told by its first bytes.
    """
    from w2vcli.convert import Choice
    from w2vcli.convert import convert as write

    if as_json and destination == "-":
        raise ConfigError(["--json: standard output is for the vectors, as DST is -"])
    done = write(source, destination, to, Choice(top, words, normalize, dtype, repair), note)
    for remark in done.remarks:
        note(remark)
    if as_json:
        about: dict[str, Any] = {name: getattr(done, name) for name in ("format", "words", "dimensions", "dtype")}
        print_json({"written": destination, **about, "loss": done.loss and done.loss._asdict()})
    if quiet:
        return
    note(f"{destination}: {done.words:,} words of {done.dimensions} dimensions, {done.format}, {done.dtype}")
    if done.loss is not None:
        note(
            f"{done.dtype} keeps {100 * done.loss.kept:.1f}% of the 10 nearest of {done.loss.asked} words; "
            f"similarities differ by up to {done.loss.apart:.1g}"
        )
