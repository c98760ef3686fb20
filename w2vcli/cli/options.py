"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

ConfigFile = Annotated[
    str | None, typer.Option("--config", "-c", metavar="FILE", help="A YAML config; see w2v config init.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a setting; may be given several times."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")]
Tsv = Annotated[bool, typer.Option("--tsv", help="Print tab-separated values with a header line.")]
IgnoreCase = Annotated[
    bool,
    typer.Option("--ignore-case", "-i", help="If a word is unknown, take its most frequent spelling in another case."),
]
Number = Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many words to show.")]
Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A run directory, a Gensim .model or .kv, or word2vec text or binary."),
]
