"""Numbers and words as people read them."""

from __future__ import annotations

import unicodedata
from typing import Any

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode's categories of characters that show nothing, or change how their neighbours are shown."""
_JOINERS = "\u200c\u200d"  # which are part of how words of some scripts are written


def number(value: float) -> str:
    """Return a number with commas, or with the decimals that matter.

    >>> number(1234567), number(0.123456), number(0.0001)
    ('1,234,567', '0.1235', '0.0001')
    """
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if abs(value) < 1e-3 else f"{value:.4f}"


def quantity(number: float) -> str:
    """Return a number in at most three digits and a unit.

    >>> [quantity(number) for number in (950, 12_558_317, 760_000, 999_900)]
    ['950', '12.6M', '760k', '1M']
    """
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.0f}"


def percent(share: float) -> str:
    """Return a share as a percentage of three digits.

    >>> percent(0.12345), percent(1.0), percent(0.9)
    ('12.3 %', '100 %', '90 %')
    """
    return f"{100 * share:.3g} %"


def limits(interval: tuple[float, float] | None) -> str:
    """Return the two ends of an interval, nothing where there is none.

    >>> limits((0.25, 0.5)), limits(None)
    ('0.2500 to 0.5000', '')
    """
    return "{:.4f} to {:.4f}".format(*interval) if interval else ""


def plural(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> plural(1, "file"), plural(2683, "sentence")
    ('1 file', '2,683 sentences')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return seconds as h:mm:ss or m:ss.

    >>> duration(75), duration(3700)
    ('1:15', '1:01:40')
    """
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def size(bytes_: int) -> str:
    """Return a number of bytes.

    >>> size(3_400_000_000), size(120_000_000), size(900)
    ('3.4 GB', '120 MB', '1 kB')
    """
    for unit, limit in (("GB", 10**9), ("MB", 10**6)):
        if bytes_ >= limit:
            return f"{bytes_ / limit:.3g} {unit}"
    return f"{bytes_ / 1000:.0f} kB"


def label(word: Any, most: int = 24) -> str:
    """Return a word as it can be shown: cut if it is long, and what would not be seen as its code point.

    >>> label("king"), label("a\\x00b"), label("w" * 30)
    ('king', 'a\\\\x00b', 'wwwwwwwwwwwwwwwwwwwwwww…')
    """
    text = str(word)
    shown = "".join(_visible(letter) for letter in text[:most])
    if len(text) > most or len(shown) > most:
        shown = f"{shown[: most - 1]}…"
    return shown or "(empty)"


def _visible(letter: str) -> str:
    if letter not in _JOINERS and unicodedata.category(letter) in _HIDDEN:
        return ascii(letter)[1:-1]
    return letter
