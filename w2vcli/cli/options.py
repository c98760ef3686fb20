"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

ConfigFile = Annotated[
    str | None, typer.Option("--config", "-c", metavar="FILE", help="A YAML config; see w2v config init.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a setting; may be given several times."),
]
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster", metavar="ADDRESS", help="Work on a Ray cluster: HOST:PORT of its head, ray://HOST:PORT, or auto."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")]
Tsv = Annotated[bool, typer.Option("--tsv", help="Print tab-separated values with a header line.")]
IgnoreCase = Annotated[
    bool,
    typer.Option("--ignore-case", "-i", help="If a word is unknown, take its most frequent spelling in another case."),
]
Method = Annotated[
    Literal["3cosadd", "3cosmul"],
    typer.Option("--method", help="How several words are put together: by a sum, or by a product of similarities."),
]
RestrictVocab = Annotated[
    int | None,
    typer.Option("--restrict-vocab", min=1, metavar="N", help="Look among the N most frequent words only."),
]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="WORD", help="Never an answer; may be given several times.")
]
Threshold = Annotated[float | None, typer.Option("--threshold", metavar="X", help="Only answers that score X or more.")]
Oov = Annotated[
    Literal["fail", "skip", "nearest-spelling"],
    typer.Option(
        "--oov",
        help="What to do about unknown words: report them and exit with 3, leave them out, or take another spelling.",
    ),
]
Approximate = Annotated[
    bool, typer.Option("--approximate", help="Use the index that w2v index has built: faster, may miss a word.")
]
Number = Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many words to show.")]
Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A run directory, a file of any format of w2v convert, or gensim:NAME."),
]
ShownWords = Annotated[
    list[str] | None,
    typer.Option(
        "--words",
        metavar="WORDS",
        help="Show these words: on the map, in the heatmap, with neighbours; several in quotation marks, or again.",
    ),
]
Top = Annotated[
    int,
    typer.Option("--top", min=1, max=5_000, metavar="N", help="So many of the most frequent words are on the map."),
]
Projection = Annotated[
    Literal["pca", "umap", "tsne"],
    typer.Option("--projection", help="How vectors become points; all but pca need pip install 'w2vcli[maps]'."),
]
AnalogyFiles = Annotated[
    list[str] | None,
    typer.Option("--analogies", metavar="PATH", help="Score these analogies, as for w2v evaluate."),
]
PairFiles = Annotated[
    list[str] | None,
    typer.Option("--pairs", metavar="FILE", help="Score these word pairs, as for w2v evaluate."),
]
