"""`w2v vocab`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from w2vcli.cli.options import ConfigFile, Json, Overrides, Tsv
from w2vcli.cli.output import Format, format_of, note, print_json, print_table, print_tsv

_PREVIEWED = (1, 2, 5, 10, 20, 50, 100)
_COLUMNS = ("word", "count", "share", "keep", "noise")


def vocab(
    corpus: Annotated[
        list[str],
        typer.Argument(metavar="CORPUS", help="Tokenised text, as for w2v train; or one run directory."),
    ],
    number: Annotated[int, typer.Option("-n", min=0, metavar="N", help="How many words to show; 0: all.")] = 20,
    min_count: Annotated[
        int | None,
        typer.Option("--min-count", min=1, metavar="N", help="The same as --set word2vec.min_count=N."),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Count the words of a corpus.

    Shows what training would keep of them, and the memory it would need.

    Example: w2v vocab novels.tokens.txt.gz --min-count 10 -n 50

    For each word: its count, its share of all kept words, the probability that subsampling keeps an occurrence, and
    its probability as a noise word. Then what different values of min_count would leave. TSV has the words alone.
    """
    from w2vcli import vocab as vocabs
    from w2vcli.config import resolve
    from w2vcli.encoding import count
    from w2vcli.sources import expand
    from w2vcli.vocab import Vocab

    form = format_of(as_json, as_tsv)
    extra = [f"word2vec.min_count={min_count}"] if min_count is not None else []
    run = _run_of(corpus)
    file = str(run.config) if run and config is None and run.config.is_file() else config
    resolved = resolve(file, [*(overrides or ()), *extra]).config
    settings = resolved.word2vec
    full = Vocab.load(run.vocab) if run else count(expand(corpus), settings.workers, resolved.train.vocab_bytes())
    kept = full.head(full.kept(settings.min_count, settings.max_final_vocab))
    if not len(kept):
        note(f"warning: no word occurs {settings.min_count} times; lower word2vec.min_count")
    shares = kept.counts / max(kept.counts.sum(), 1)
    keep = vocabs.keep_probabilities(kept.counts, settings.sample)
    noise = vocabs.noise_probabilities(kept.counts, settings.ns_exponent)
    rows = list(zip(kept.words, kept.counts.tolist(), shares.tolist(), keep.tolist(), noise.tolist(), strict=True))[
        : number or None
    ]
    if form is Format.TSV:
        print_tsv([_COLUMNS, *rows])
        return
    previews = [_preview(full, settings, value) for value in sorted({*_PREVIEWED, max(settings.min_count, 1)})]
    if form is Format.JSON:
        print_json({"min_count": previews, "words": [dict(zip(_COLUMNS, row, strict=True)) for row in rows]})
        return
    print_table(_COLUMNS, rows)
    print()
    print_table(
        ("min_count", "words", "tokens covered", "model memory"),
        [
            (
                p["min_count"],
                p["words"],
                f"{100 * p['tokens_covered']:.2f}%",
                f"{p['model_bytes'] / 1e6:,.1f} MB",
            )
            for p in previews
        ],
    )


def _run_of(corpus: list[str]) -> Any:
    """Return the run directory if that is what is named."""
    from w2vcli.run_directory import RunDirectory

    run = RunDirectory(corpus[0])
    return run if len(corpus) == 1 and run.path.is_dir() and run.is_run() else None


def _preview(full: Any, settings: Any, min_count: int) -> dict[str, Any]:
    from w2vcli.vocab import model_bytes

    words = full.kept(min_count, settings.max_final_vocab)
    return {
        "min_count": min_count,
        "words": words,
        "tokens_covered": float(full.counts[:words].sum() / full.counts.sum()),
        "model_bytes": model_bytes(words, settings.vector_size, bool(settings.hs), settings.negative > 0),
    }
