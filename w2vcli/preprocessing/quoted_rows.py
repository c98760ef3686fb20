"""Where the rows of CSV end: at newlines that do not stand in quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from w2vcli.errors import W2VError
from w2vcli.preprocessing.records import Records

_BLOCK = 1 << 16  # bytes looked at together
_QUOTE = ord('"')
_MAY_OPEN = np.zeros(256, dtype=bool)  # what may stand before a quote that opens a cell, or the half of a doubled one
_MAY_OPEN[list(b',\n\r"')] = True
_OPENING = re.compile(rb'(?:^|[,\r\n])"')
_QUOTES = re.compile(rb'"+')


class QuotedRows(Records):
    """Rows of CSV, taken a few at a time.

    Agrees with Python's csv: a quote opens a cell only at its start, and is a letter like any other further on; in
    a cell that was opened, doubled quotes stand for one, and a single one closes it.
    """

    def __init__(self, pieces: Iterator[bytes], name: str) -> None:
        super().__init__(pieces, name)
        self._opened: int | None = None  # the quote that has opened a cell, if that goes on where the look ended

    def _stop(self, least: int) -> int | None:
        while (end := self._block_end(least)) > self._looked_at:
            if (stop := self._look(end, least)) is not None:
                return stop
        return None

    def _block_end(self, least: int) -> int:
        """Return how far to look: never into quotes in a row, and not after the last where there may come more."""
        end = min(max(self._looked_at, least) + _BLOCK, len(self._held))
        if quotes := _QUOTES.match(self._held, end):
            end = quotes.end()
        if end < len(self._held) or self._ended:
            return end
        return self._looked_at + len(self._held[self._looked_at :].rstrip(b'"'))

    def _look(self, end: int, least: int) -> int | None:
        """Return the end of the first row that has `least` bytes before it, if it comes before `end`.

        In nearly all files every other quote opens or goes on, and that is enough to know.
        """
        start, was_open = self._looked_at, self._opened is not None
        data = np.frombuffer(bytes(self._held[start - 1 : end]) if start else b"\n" + self._held[:end], dtype=np.uint8)
        quotes = np.flatnonzero(data[1:] == _QUOTE)
        openings = quotes[int(was_open) :: 2]
        before = data[openings]
        if not _MAY_OPEN[before].all():
            return self._look_closely(end, least)
        quotes += start
        at = max(start, least - 1)
        while (newline := self._held.find(b"\n", at, end)) >= 0:
            passed = int(np.searchsorted(quotes, newline))
            if (passed + was_open) % 2 == 0:
                self._opened = None
                return newline + 1
            if passed == len(quotes):
                break
            at = int(quotes[passed])
        openings = openings[before != _QUOTE]
        if (len(quotes) + was_open) % 2 == 0:
            self._opened = None
        elif len(openings):
            self._opened = start + int(openings[-1])
        self._looked_at = end
        return None

    def _look_closely(self, end: int, least: int) -> int | None:
        """Do the same where some quotes are letters."""
        while True:
            if self._opened is None:
                newline = self._held.find(b"\n", max(self._looked_at, least - 1), end)
                stop = end if newline < 0 else newline
                opening = _OPENING.search(self._held, max(self._looked_at - 1, 0), stop)
                if opening is None:
                    self._looked_at = stop
                    return None if newline < 0 else newline + 1
                self._looked_at = opening.end()
                self._opened = opening.end() - 1
            else:
                quotes = _QUOTES.search(self._held, self._looked_at, end)
                self._looked_at = quotes.end() if quotes else end
                if quotes is None:
                    return None
                if (quotes.end() - quotes.start()) % 2:  # the doubled ones stand for quotes
                    self._opened = None

    def _finish(self) -> None:
        self._stop(len(self._held) + 1)
        if self._opened is not None:
            number = self.first + self._held.count(b"\n", 0, self._opened)
            raise W2VError(f"{self.name}: line {number}: a quote that opens a cell is never closed", self._hint())

    def _last_start(self) -> int:
        return super()._last_start() if self._opened is None else self._opened

    def _hint(self) -> str:
        return "a quote at the start of a cell ends at the next that is not doubled: is one of them missing?"
