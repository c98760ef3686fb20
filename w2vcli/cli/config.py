"""`w2v config`: init, check, show, schema."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from w2vcli.cli.options import ConfigFile, Json, Overrides, Tsv
from w2vcli.cli.output import Format, format_of, note, print_json, print_table, print_tsv, setting_text

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make, check and show configs.")


@app.command()
def init(
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write it; stdout if not given."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
) -> None:
    """Write a config with every setting in it.

    Each has its default and a comment.

    Example: w2v config init -o w2v.yaml
    """
    from pathlib import Path

    from w2vcli import outputs
    from w2vcli.config import template
    from w2vcli.errors import W2VError

    if output is None:
        print(template(), end="")
        return
    if Path(output).exists() and not force:
        raise W2VError(f"{output}: exists already", "--force replaces it")
    outputs.write_text(output, template())


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="YAML configs.")],
    overrides: Overrides = None,
) -> None:
    """Check configs and report every mistake.

    Example: w2v config check configs/*.yaml
    """
    from w2vcli import engines
    from w2vcli.config import resolve
    from w2vcli.errors import ConfigError, NotHereError

    problems: list[str] = []
    for file in files:
        try:
            engines.choose(resolve(file, overrides or ()).config)
            note(f"{file}: ok")
        except NotHereError as error:
            note(f"{file}: ok, but not on this machine: {', '.join(error.problems)}")
        except ConfigError as error:
            problems += [problem if problem.startswith(file) else f"{file}: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(problems)


@app.command()
def show(config: ConfigFile = None, overrides: Overrides = None, as_json: Json = False, as_tsv: Tsv = False) -> None:
    """Show every setting and where it comes from.

    Example: w2v config show -c configs/cbow.yaml --set word2vec.epochs=10
    """
    from w2vcli.config import resolve

    form = format_of(as_json, as_tsv)
    resolved = resolve(config, overrides or ())
    rows = [(path, setting_text(value), resolved.origins[path]) for path, value in resolved.config.flat().items()]
    if form is Format.JSON:
        values = resolved.config.flat()
        print_json({path: {"value": values[path], "from": origin} for path, _, origin in rows})
    elif form is Format.TSV:
        print_tsv([("setting", "value", "from"), *rows])
    else:
        print_table(("setting", "value", "from"), rows)


@app.command()
def schema() -> None:
    """Print the JSON schema, for editors of YAML."""
    from w2vcli.config import Config

    print(json.dumps(Config.model_json_schema(), indent=2))
