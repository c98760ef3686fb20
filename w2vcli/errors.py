"""The errors a user can meet, each with the exit code of the command line."""

from __future__ import annotations

from collections.abc import Sequence


class W2VError(Exception):
    """Something failed: says what and where, and after a semicolon what to do; one line, fit to be shown to a user."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}; {hint}")


class ConfigError(W2VError):
    """The config or the usage is wrong; `problems` has a line for each mistake."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class NotHereError(ConfigError):
    """The config is right, but asks for a library or a device that is not on this machine."""


class UnknownWordError(W2VError):
    """A word is not in the vocabulary."""

    exit_code = 3


class BelowError(W2VError):
    """A score is below what was required of it."""

    exit_code = 4


class LockedError(W2VError):
    """Another process is writing the same output."""

    exit_code = 75


class InterruptedRunError(W2VError):
    """A signal ended the work; `exit_code` is 128 + the signal's number."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
