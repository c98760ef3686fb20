"""The command line: the app, and `main`, which catches every error and decides the exit code.

The commands import what they call only when they run, so that `--help` and shell completion stay instant.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import Annotated, Any, NoReturn

import typer

import w2vcli
from w2vcli.cli import (
    bench,
    cluster,
    config,
    convert,
    evaluate,
    index,
    info,
    output,
    plot,
    preprocess,
    report,
    similar,
    similarity,
    train,
    vocab,
)
from w2vcli.cli.output import error_line
from w2vcli.errors import ConfigError, W2VError

app = typer.Typer(
    name="w2v",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: Rich alone would take longer to import than all the rest
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(preprocess.preprocess)
app.command()(train.train)
app.command()(similar.similar)
app.command()(similar.analogy)
app.command()(evaluate.evaluate)
app.command()(similarity.similarity)
app.command()(similarity.odd_one_out)
app.command()(similarity.vectors)
app.command()(report.report)
app.command()(plot.plot)
app.command()(convert.convert)
app.command()(index.index)
app.command()(vocab.vocab)
app.command()(info.info)
app.add_typer(config.app, name="config")
app.add_typer(bench.app, name="bench")
app.add_typer(cluster.app, name="cluster")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"w2v {w2vcli.__version__}")
        raise typer.Exit


@app.callback()
def w2v(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with an error; may stand anywhere.")] = False,
) -> None:
    """Train Word2Vec embeddings from any text and ask them questions.

    The usual order: w2v preprocess, w2v train, then w2v similar and w2v analogy.
    """


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    output.errors_as_json = "--log-json" in arguments
    for number in signal.SIGTERM, signal.SIGHUP:
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda received, frame: sys.exit(128 + received))
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 - for as long as the program runs
        getattr(sys, name).reconfigure(encoding="utf-8", errors="replace")
    sys.exit(_run(arguments, debug))


def _run(arguments: list[str], debug: bool) -> int:
    """Run the app; whatever it raises ends here, as one line on stderr and an exit code."""
    try:
        code = _app_code(app(arguments, standalone_mode=False, prog_name="w2v"))
        if code == 128 + signal.SIGINT:  # Typer says nothing of it
            error_line("interrupted")
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        error_line("interrupted")
        return 128 + signal.SIGINT
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _report(error)


def _app_code(result: Any) -> int:
    return result if isinstance(result, int) else 0


def _report(error: Exception) -> int:
    """Print the error as one line and return its exit code."""
    if isinstance(error, ConfigError):
        for problem in error.problems:
            error_line(problem)
    elif isinstance(error, W2VError):
        error_line(str(error))
    elif type(error).__name__ == "NoArgsIsHelpError":
        print(error, file=sys.stderr)
    elif hasattr(error, "format_message"):  # Typer's errors of usage
        message = error.format_message().replace("Value error, ", "").rstrip(".?")
        error_line(f"{message}; {_setting_hint(error) or f'{_help_command(error)} shows how it is used'}")
    elif isinstance(error, MemoryError):
        error_line(
            "out of memory; a smaller word2vec.vector_size, a larger word2vec.min_count or fewer workers need less"
        )
    elif isinstance(error, OSError):
        error_line(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
    else:
        error_line(f"internal error: {type(error).__name__}: {error}; --debug shows where".replace("\n", " "))
    return int(getattr(error, "exit_code", 1))


def _setting_hint(error: Any) -> str | None:
    """Return how a setting that was taken for an option is given."""
    from w2vcli.config import Config

    key = getattr(error, "option_name", "").lstrip("-").replace("-", "_")
    paths = [path for path in Config().flat() if path.partition(".")[2] == key]
    return f"settings are given as --set {paths[0]}=VALUE" if paths else None


def _help_command(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'w2v'} --help"
