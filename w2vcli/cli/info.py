"""`w2v info`."""

from __future__ import annotations

from w2vcli.cli.options import Json, Model, Tsv
from w2vcli.cli.output import Format, format_of, print_json, print_table, print_tsv, setting_text


def info(model: Model, as_json: Json = False, as_tsv: Tsv = False) -> None:
    """Tell what a run or a model is.

    Sizes, config, corpus, progress, and when and with which versions it was made.

    Example: w2v info runs/novels
    """
    from w2vcli.describe import describe

    form = format_of(as_json, as_tsv)
    about = describe(model)
    if form is Format.JSON:
        print_json(about)
        return
    config = {path: setting_text(value) for path, value in about.pop("config", {}).items()}
    rows = [(name, value) for name, value in [*about.items(), *config.items()] if value is not None]
    if form is Format.TSV:
        print_tsv([("name", "value"), *rows])
    else:
        print_table(("name", "value"), rows)
