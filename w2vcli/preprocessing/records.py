"""Sources cut into batches of whole records, which other processes can read on their own."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass

from w2vcli.errors import W2VError
from w2vcli.wording import label, size

RECORD_LIMIT = 256_000_000  # bytes of one record: what is longer has lost its end
_NAMED = 20  # columns at most, in a message


@dataclass(frozen=True)
class Batch:
    """Whole records of a source; goes to another process as it is."""

    data: bytes
    first: int
    """The number of its first record in the source, from 1: a line, a row, a page."""
    column: int = 0
    """Of a table: the column of the texts, from 0."""


class Records:
    """A source's bytes, taken a few whole records at a time; never much more than one of these takes is in memory.

    Args:
        pieces: the bytes, cut anywhere; a byte-order mark they begin with is dropped.
        name: the source's, for messages.
        end: what a record ends with.
        unit: what a record is called, for messages.
    """

    def __init__(self, pieces: Iterator[bytes], name: str, end: bytes = b"\n", unit: str = "line") -> None:
        self.first = 1
        """The number of the record that is taken next."""
        self.name, self.unit = name, unit
        self._pieces, self._end = pieces, end
        self._held = bytearray()
        while len(self._held) < len(BOM_UTF8) and (piece := next(pieces, None)) is not None:
            self._held += piece
        if self._held.startswith(BOM_UTF8):
            del self._held[: len(BOM_UTF8)]
        self._looked_at = 0  # bytes held in which a take has found no end
        self._ended = False

    def take(self, least: int) -> bytes:
        """Return as few records as have `least` bytes together; all there are, if that is less; nothing at the end.

        Raises:
            W2VError: when a record goes on for more than RECORD_LIMIT bytes beyond them.
        """
        while (stop := self._stop(least)) is None:
            self._check(len(self._held) - least)
            piece = next(self._pieces, None)
            if piece is None:
                if not self._ended:
                    self._ended = True
                    self._finish()
                stop = len(self._held)
                break
            self._held += piece
        self._check(stop - least)
        taken = bytes(self._held[:stop])
        del self._held[:stop]
        self._looked_at = 0
        self.first += taken.count(self._end)
        return taken

    def _stop(self, least: int) -> int | None:
        """Return the end of the first record that ends at or after byte `least`, or None if it is not held yet."""
        found = self._held.find(self._end, max(self._looked_at, least - len(self._end), 0))
        self._looked_at = max(0, len(self._held) - len(self._end) + 1)
        return None if found < 0 else found + len(self._end)

    def _finish(self) -> None:
        """Object to the bytes that are held when there are no more."""

    def _check(self, beyond: int) -> None:
        """Refuse a record that goes on for too many bytes beyond those that were wanted."""
        if beyond > RECORD_LIMIT:
            start = self._last_start()
            number = self.first + self._held.count(self._end, 0, start)
            raise W2VError(f"{self.name}: {self.unit} {number}: longer than {size(RECORD_LIMIT)}", self._hint())

    def _last_start(self) -> int:
        """Return where the last record begins of those that are held."""
        end = self._held.rfind(self._end, 0, len(self._held) - len(self._end))
        return 0 if end < 0 else end + len(self._end)

    def _hint(self) -> str:
        return "is the format the right one?"


def lines_of(data: bytes) -> list[str]:
    r"""Return the lines of a batch without their ends; what is no UTF-8 becomes U+FFFD.

    >>> lines_of(b"one\r\ntwo\n")
    ['one', 'two']
    """
    lines = data.decode("utf-8", "replace").split("\n")
    if not lines[-1]:
        del lines[-1]
    return [line.removesuffix("\r") for line in lines]


def no_such(name: str, column: str, columns: list[str]) -> W2VError:
    """Return the error for a column that is not there.

    >>> print(no_such("a.csv", "txet", ["id", "text"]))
    a.csv: has no column txet; did you mean text? its columns are id, text
    """
    import difflib

    close = difflib.get_close_matches(column.casefold(), [known.casefold() for known in columns], 1)
    meant = next((f"did you mean {label(known)}? " for known in columns if known.casefold() in close), "")
    shown = ", ".join(label(known) for known in columns[:_NAMED]) + (", …" if len(columns) > _NAMED else "")
    return W2VError(f"{name}: has no column {label(column)}", f"{meant}its columns are {shown}")
