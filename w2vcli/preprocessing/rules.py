"""The rules of `text` that settings ask for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from w2vcli.config import Preprocess
from w2vcli.errors import ConfigError, W2VError
from w2vcli.sources import Source, open_text
from w2vcli.text import Rules, Tokenizer
from w2vcli.wording import label


def rules_of(settings: Preprocess) -> Rules:
    """Return the rules that settings ask for.

    Raises:
        ConfigError: when the tokenizer or the stop words cannot be had.
    """
    name = settings.tokenizer
    rules = Rules(
        normalization=settings.normalization,
        urls=settings.urls,
        emails=settings.emails,
        tokenizer=cast("Any", name) if ":" not in name else OwnTokenizer(name),
        lowercase=settings.lowercase,
        strip_accents=settings.strip_accents,
        digits=settings.digits,
    )
    stop_words = frozenset() if settings.stop_words is None else rules.folded_words(_stop_words(settings.stop_words))
    return replace(
        rules, stop_words=stop_words, min_length=settings.min_token_length, max_length=settings.max_token_length
    )


def _stop_words(file: str) -> list[str]:
    try:
        return words_in(file)
    except W2VError as error:
        raise ConfigError([f"preprocess.stop_words: {error}"]) from error


def words_in(file: str) -> list[str]:
    """Return the words of a file, one a line; blank lines and those that begin with `#` are none.

    Raises:
        W2VError: when it cannot be read.
    """
    with open_text(Source(file)) as lines:
        words = [line.strip() for line in lines]
    return [word for word in words if word and not word.startswith("#")]


class OwnTokenizer:
    """A user's function, found by its name: `package.module:function`; loaded anew in every process.

    Raises:
        ConfigError: when there is no such function.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._function: Callable[[str], Any] = _loaded(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return OwnTokenizer, (self.name,)

    def __call__(self, text: str) -> Sequence[str]:
        """Return the tokens of text without white space.

        Raises:
            W2VError: when the function fails, or returns something else.
        """
        try:
            with redirect_stdout(sys.stderr):  # the data may go to stdout
                found = self._function(text)
                tokens = [] if isinstance(found, str) else list(found)
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
            raise W2VError(f"preprocess.tokenizer: {self.name} failed on {label(text)}: {reason}") from error
        if isinstance(found, str) or not all(isinstance(token, str) for token in tokens):
            raise W2VError(
                f"preprocess.tokenizer: {self.name} should return a list of strings; of {label(text)} it did not"
            )
        return tokens


def _loaded(name: str) -> Tokenizer:
    module_name, _, path = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:  # as python itself has it; a script like ours does not
        sys.path.insert(0, here)
    try:
        with redirect_stdout(sys.stderr):
            found: Any = importlib.import_module(module_name)
        for attribute in path.split("."):
            found = getattr(found, attribute)
    except ModuleNotFoundError as error:
        is_it = f"{module_name}.".startswith(f"{error.name}.")
        hint = "is it installed, or in this folder?" if is_it else f"pip install {error.name}?"
        raise ConfigError([f"preprocess.tokenizer: {name}: there is no module {error.name}; {hint}"]) from error
    except AttributeError as error:
        raise ConfigError([f"preprocess.tokenizer: {name}: {error}"]) from error
    except (Exception, SystemExit) as error:
        raise ConfigError(
            [f"preprocess.tokenizer: {name}: cannot be imported: {type(error).__name__}: {error}"]
        ) from error
    if not callable(found):
        raise ConfigError([f"preprocess.tokenizer: {name}: is no function"])
    return cast("Tokenizer", found)
