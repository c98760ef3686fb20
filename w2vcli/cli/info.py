"""`w2v info`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from w2vcli.cli.options import IgnoreCase, Json, Model, Tsv
from w2vcli.cli.output import (
    Format,
    error_line,
    format_of,
    note,
    print_json,
    print_table,
    print_tsv,
    setting_text,
    show,
)
from w2vcli.errors import ConfigError, UnknownWordError


def info(
    model: Model,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD", help="Tell of these words instead; --words before them says so, too."),
    ] = None,
    about_words: Annotated[
        bool, typer.Option("--words", help="Tell of words: their ranks, counts and the lengths of their vectors.")
    ] = False,
    ignore_case: IgnoreCase = False,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Tell what a run or a model is, or what it knows of words.

    Sizes, config, corpus, progress, and when and with which versions it was made.

    Examples: w2v info runs/novels, or w2v info runs/novels --words king queen
    """
    form = format_of(as_json, as_tsv)
    if about_words and not words:
        raise ConfigError(["words are told of as in: w2v info MODEL --words king queen"])
    if words:
        _tell_of_words(model, words, ignore_case, form)
    else:
        _tell_of_model(model, form)


def _tell_of_model(model: str, form: Format) -> None:
    from w2vcli.describe import describe

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


def _tell_of_words(model: str, words: list[str], ignore_case: bool, form: Format) -> None:
    from w2vcli.describe import describe_word
    from w2vcli.model import load
    from w2vcli.queries import Options, Questions

    questions = Questions(load(model, say=note), Options(ignore_case=ignore_case))
    found: list[dict[str, Any]] = []
    failed: UnknownWordError | None = None
    for word in words:
        try:
            found.append(describe_word(questions, word))
        except UnknownWordError as error:
            error_line(str(error))
            failed = error
    if found:
        show(form, found, tuple(found[0]), [tuple(about.values()) for about in found])
    if failed:
        raise typer.Exit(failed.exit_code)
