"""Questions as they come: as arguments, as lines of standard input, or at a prompt."""

from __future__ import annotations

import dataclasses
import os
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from w2vcli.cli.output import error_line, note
from w2vcli.errors import ConfigError, W2VError

if TYPE_CHECKING:
    from w2vcli.queries import Questions
    from w2vcli.vectors import Vectors

_PROMPT = "word> "
_MOST_AT_ONCE = 512
_COMPLETIONS = 200
_REMEMBERED = 1000
_HELP = "Tab completes a word, the arrows bring back earlier lines; :oov skip, fail or nearest-spelling; :q leaves"
_HELP_TO_SEARCH = ":n 20   :method 3cosmul   :restrict-vocab 30000   :threshold 0.5   (off ends the last two)"


def batches(
    arguments: Sequence[str] | None,
    questions: Questions,
    wanted: str,
    searches: bool = False,
    keep_empty: bool = False,
) -> Iterator[list[str]]:
    """Yield what is asked, as many questions at once as are there: whoever waits for an answer gets it at once.

    Args:
        arguments: of the command.
        questions: what a prompt changes, and where it finds words.
        wanted: what a line is to be, for a person.
        searches: whether the nearest words are looked for, so that a prompt can change how.
        keep_empty: yield empty lines of standard input, too.

    Raises:
        ConfigError: when an argument is empty.
    """
    if arguments:
        if not all(argument.strip() for argument in arguments):
            raise ConfigError(["an empty word among the arguments; is a variable of the shell unset?"])
        yield list(arguments)
    elif at_prompt(arguments):
        yield from ([line] for line in _Prompt(questions, wanted, searches))
    else:
        yield from ([line for line in lines if line or keep_empty] for lines in _piped())


def tell_of_unknown(replaced: Mapping[str, str], passed_over: Sequence[str]) -> None:
    """Say what was done about words that are not in the vocabulary."""
    for word, taken in replaced.items():
        note(f"{word}: taken as {taken}")
    for word in passed_over:
        note(f"{word}: not in the vocabulary, left out")


def unknown_as_json(replaced: Mapping[str, str], passed_over: Sequence[str]) -> dict[str, Any]:
    """Return what was done about words that are not in the vocabulary, as JSON has it: only where there are such."""
    told = {"replaced": dict(replaced), "unknown": list(passed_over)}
    return {name: value for name, value in told.items() if value}


def load_model(model: str, arguments: Sequence[str] | None) -> Vectors:
    """Open the model that is asked.

    Raises:
        ConfigError: when standard input is to be both the model and the questions.
    """
    from w2vcli.model import load

    if model == "-" and not arguments:
        raise ConfigError(["with the model on standard input, the words must be arguments"])
    return load(model, say=note)


def exit_if(failed: W2VError | None, arguments: Sequence[str] | None) -> None:
    """End the command after all was asked.

    Raises:
        typer.Exit: if something could not be answered and nobody was at a prompt to see it.
    """
    if failed and not at_prompt(arguments):
        raise typer.Exit(failed.exit_code)


def at_prompt(arguments: Sequence[str] | None) -> bool:
    """Return whether a person is asked for words."""
    return not arguments and sys.stdin.isatty()


def _piped() -> Iterator[list[str]]:
    """Yield the lines that have come; waits only when there are none."""
    rest, first = b"", True
    while piece := sys.stdin.buffer.read1(1 << 16):  # type: ignore[union-attr]
        rest += piece
        if first and len(rest) >= len(BOM_UTF8):
            rest, first = rest.removeprefix(BOM_UTF8), False
        *lines, rest = rest.split(b"\n")
        yield from _decoded(lines)
    if rest:
        yield from _decoded([rest])


def _decoded(lines: Sequence[bytes]) -> Iterator[list[str]]:
    texts = [line.decode("utf-8", "replace").strip() for line in lines]
    for start in range(0, len(texts), _MOST_AT_ONCE):
        yield texts[start : start + _MOST_AT_ONCE]


class _Prompt:
    """Asks a person for lines; those that begin with a colon change how the next are answered."""

    def __init__(self, questions: Questions, wanted: str, searches: bool) -> None:
        self._questions, self._wanted, self._searches = questions, wanted, searches

    def __iter__(self) -> Iterator[str]:
        with_history = _History()
        self._complete_words()
        note(f"{self._wanted}; :help says more")
        try:
            while (line := self._line()) not in (None, ":q", ":quit"):
                assert line is not None
                if line.startswith(":") and line not in self._questions.vectors.words:
                    self._command(line)
                elif line:
                    yield line
        finally:
            with_history.save()

    def _line(self) -> str | None:
        try:
            if sys.stdout.isatty():
                return input(_PROMPT).strip()
            print(_PROMPT, end="", file=sys.stderr, flush=True)  # the answers go elsewhere, and only they
            return input().strip()
        except EOFError:
            note("")
            return None

    def _complete_words(self) -> None:
        import readline

        found: list[str] = []

        def complete(start: str, state: int) -> str | None:
            if state == 0:
                found[:] = self._questions.vectors.words.beginning_with(start, _COMPLETIONS)
            return found[state] if state < len(found) else None

        readline.set_completer(complete)
        readline.set_completer_delims(" \t\n")
        libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")

    def _command(self, line: str) -> None:
        name, _, value = line[1:].partition(" ")
        if name in ("h", "help", "?"):
            note(f"{_HELP}\n{_HELP_TO_SEARCH}" if self._searches else _HELP)
            return
        commands = _commands(self._searches)
        if name not in commands:
            error_line(f"{line}: not a command; :help shows them")
            return
        option, read = commands[name]
        try:
            change: dict[str, Any] = {option: read(value.strip())}
        except ValueError:
            error_line(f"{line}: not a value of :{name}; :help shows examples")
            return
        self._questions.options = dataclasses.replace(self._questions.options, **change)


def _commands(searches: bool) -> dict[str, tuple[str, Callable[[str], Any]]]:
    """Return what there is to change at a prompt: the option, and what reads its value."""
    from w2vcli.queries import METHODS, UNKNOWN

    commands: dict[str, tuple[str, Callable[[str], Any]]] = {"oov": ("unknown", _one_of(UNKNOWN))}
    if searches:
        commands |= {
            "n": ("number", _positive),
            "method": ("method", _one_of(METHODS)),
            "restrict-vocab": ("among", _or_off(_positive)),
            "threshold": ("threshold", _or_off(float)),
        }
    return commands


def _positive(value: str) -> int:
    number = int(value.replace(",", ""))
    if number < 1:
        raise ValueError(value)
    return number


def _or_off(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda value: None if value == "off" else read(value)


def _one_of(known: Sequence[str]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in known:
            raise ValueError(value)
        return value

    return read


class _History:
    """The lines of earlier prompts, kept in the user's own folder of state."""

    def __init__(self) -> None:
        import readline

        folder = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        self._file = Path(folder) / "w2v" / "history"
        self._readline = readline
        readline.set_history_length(_REMEMBERED)
        try:
            readline.read_history_file(self._file)
        except OSError:  # the first time, or it is not to be read
            return

    def save(self) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._readline.write_history_file(self._file)
        except OSError:
            return  # a history that cannot be kept is no reason to fail
