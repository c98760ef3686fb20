"""Words and vectors as they are read from a file, one block after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from w2vcli.formats.repairs import Repairs
from w2vcli.vectors import Rows, Vectors
from w2vcli.words import ListedWords

_SHOWN = 40  # characters of a word, in messages


class Collected:
    """Takes words and vectors in, and sees to it that each word is there once and each number finite.

    Args:
        dimensions: d.
        repairs: takes note of what is wrong.
    """

    def __init__(self, dimensions: int, repairs: Repairs) -> None:
        self._repairs = repairs
        self._numbers: dict[str, int] = {}
        self._rows = np.empty((0, dimensions), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, words: Sequence[bytes], rows: Rows, where: Callable[[int], str]) -> None:
        """Take words in UTF-8 and their vectors (n, d); `where` tells at which place one of them stands.

        Raises:
            W2VError: when something is wrong with them, and nothing is to be repaired.
        """
        wanted = np.asarray(np.isfinite(rows).all(axis=1))
        for place in np.flatnonzero(~wanted).tolist():
            self._repairs.need(where(place), f"{shown(words[place])} has numbers that are not finite", "left out")
        first = len(self._numbers)
        for place, encoded in enumerate(words):
            if not wanted[place]:
                continue
            word = decoded(encoded, self._repairs, partial(where, place))
            if word in self._numbers:
                self._repairs.need(where(place), f"{shown(encoded)} is there a second time", "only the first kept")
                wanted[place] = False
                continue
            self._numbers[word] = len(self._numbers)
        if len(self._numbers) > len(self._rows):
            self._grow(len(self._numbers))
        self._rows[first : len(self._numbers)] = rows[wanted] if not wanted.all() else rows

    def _grow(self, needed: int) -> None:
        """Make room, in place: memory for twice as many rows would be too much to ask."""
        self._rows.resize((max(needed, len(self._rows) * 5 // 4), self._rows.shape[1]), refcheck=False)

    def vectors(self) -> Vectors:
        """Return what has come in."""
        self._rows.resize((len(self._numbers), self._rows.shape[1]), refcheck=False)
        return Vectors(ListedWords(list(self._numbers), self._numbers), self._rows)


def sound(vectors: Vectors, repairs: Repairs, place: str = "word") -> Vectors:
    """Return vectors of which each word is there once and each number finite.

    Args:
        vectors: words and vectors.
        repairs: takes note of what is wrong.
        place: what words are counted by, for a message.

    Raises:
        W2VError: when there are others, and nothing is to be repaired.
    """
    wanted = np.ones(len(vectors), dtype=bool)
    seen: set[str] = set()
    for number, word in enumerate(vectors.words):
        if word in seen:
            wanted[number] = False
            repairs.need(f"{place} {number + 1:,}", f"{word!r} is there a second time", "only the first kept")
        seen.add(word)
    finite = np.concatenate([np.isfinite(block).all(axis=1) for block in vectors.in_blocks()] or [wanted])
    for number in np.flatnonzero(~finite & wanted).tolist():
        wanted[number] = False
        wrong = f"{vectors.words[number]!r} has numbers that are not finite"
        repairs.need(f"{place} {number + 1:,}", wrong, "left out")
    return vectors if wanted.all() else vectors.only(np.flatnonzero(wanted))


def decoded(encoded: bytes, repairs: Repairs, where: Callable[[], str]) -> str:
    """Return a word that is in UTF-8; `where` tells at which place it stands.

    Raises:
        W2VError: when it is not, and nothing is to be repaired.
    """
    try:
        return encoded.decode("utf-8")
    except UnicodeDecodeError:
        repairs.need(where(), f"{shown(encoded)} is not UTF-8", "bytes that are not UTF-8 became U+FFFD")
        return encoded.decode("utf-8", "replace")


def shown(word: bytes) -> str:
    """Return a word for a message, in quotation marks."""
    text = word.decode("utf-8", "replace")
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
