"""CSV and TSV: rows of cells, with the text in one column."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from w2vcli.errors import W2VError
from w2vcli.preprocessing import records
from w2vcli.preprocessing.quoted_rows import QuotedRows
from w2vcli.preprocessing.records import Batch, Records, lines_of, no_such

_NO_TEXT = "\ufffd".encode()  # in place of a NUL byte, which older versions of csv refuse


@dataclass(frozen=True)
class TableReader:
    """Reads tables whose cells are split by commas (.csv) or by tabs (.tsv).

    With a column's name the first row that is not empty is the header. With a number there is none and every row is
    text, as `cut -f` has it: a table is asked for by number where it has no names, and a header read as text does no
    harm. A number is never a name: in a table without header, the first row of data may well have that number in it.

    In CSV, cells may be in quotes, and then have commas, newlines and doubled quotes in them. In TSV, quotes are
    letters like any other: most such files have them as they are, and where they stand around a cell the tokeniser
    drops them; a cell can have neither tabs nor newlines.

    Empty lines are passed over, NUL bytes become U+FFFD.

    Args:
        field: the column of the texts: its name in the header, or its number from 1.
        tabs: whether it is TSV.
    """

    field: str
    tabs: bool = False

    def batches(self, pieces: Iterator[bytes], size: int, *, name: str) -> Iterator[Batch]:
        """Yield batches of whole rows below the header, each of about `size` bytes; `first` is a line.

        Raises:
            W2VError: when there is no such column, a row is too long, or a quote is not closed.
        """
        source = Records(pieces, name) if self.tabs else QuotedRows(pieces, name)
        column = self._number(name)
        while column is None:
            first = source.first
            if not (data := source.take(1)):
                return
            header, rest = self._header(data)
            column = _place(self.field, header, name) if header else None
            if column is not None and rest:
                yield Batch(rest, first, column)
        while True:
            first = source.first
            if not (data := source.take(size)):
                return
            yield Batch(data, first, column)

    def _header(self, data: bytes) -> tuple[list[str], bytes]:
        """Return the first row of a line, and what follows: rows may also end with a carriage return alone."""
        if self.tabs:
            return next(self._rows(data), []), b""
        stream = io.StringIO(data.decode("utf-8", "replace"), newline="")
        row = next(filter(None, _csv_rows(line.replace("\0", "\ufffd") for line in stream)), [])
        return row, stream.read().encode()

    def _number(self, name: str) -> int | None:
        if not self.field.isdecimal() or len(self.field) > 9:
            return None
        if not int(self.field):
            raise W2VError(f"{name}: has no column 0", "columns are counted from 1")
        return int(self.field) - 1

    def documents(self, batch: Batch, counts: Counter[str], *, name: str) -> Iterator[str]:
        """Yield the texts of a batch; counts `rows_too_short`, those that end before the column.

        Raises:
            W2VError: when a row cannot be read.
        """
        column = batch.column
        try:
            for row in self._rows(batch.data):
                if len(row) > column:
                    yield row[column]
                elif row:
                    counts["rows_too_short"] += 1
        except csv.Error as error:
            raise W2VError(f"{name}: line {batch.first} or below: not CSV: {error}") from error

    def _rows(self, data: bytes) -> Iterator[list[str]]:
        data = data.replace(b"\0", _NO_TEXT)
        if self.tabs:
            return (line.split("\t") if line else [] for line in lines_of(data))
        return _csv_rows(io.StringIO(data.decode("utf-8", "replace"), newline=""))


def _csv_rows(lines: Iterable[str]) -> Iterator[list[str]]:
    csv.field_size_limit(max(csv.field_size_limit(), records.RECORD_LIMIT))  # 131,072 letters of a cell are few
    return csv.reader(lines)


def _place(field: str, header: list[str], name: str) -> int:
    cells = [cell.strip() for cell in header]
    columns = [cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell for cell in cells]
    if field not in columns:
        raise no_such(name, field, columns)
    return columns.index(field)
