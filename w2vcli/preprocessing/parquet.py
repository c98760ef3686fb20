"""Parquet: a table stored by columns, one of which holds the texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from w2vcli.errors import NotHereError, W2VError
from w2vcli.preprocessing.records import Batch, no_such

_ROWS_AT_ONCE = 1024  # at most, whatever a file says of their size: what repeats itself takes little room in it
_BUFFER = 1 << 20  # bytes read of a column at once


@dataclass(frozen=True)
class ParquetReader:
    """Reads one column of Parquet files (.parquet): strings, as dictionaries or not, or lists of strings.

    A list of strings is a text of several paragraphs.

    Args:
        field: the column; one inside a struct by its path, joined by dots.
    """

    field: str

    def row_groups(self, file: IO[bytes] | str | Path, *, name: str) -> int:
        """Return how many row groups a file has; several processes can read some of them each.

        Args:
            file: a path, or a stream that can seek.
            name: the source's, for messages.

        Raises:
            NotHereError: when pyarrow is not installed.
            W2VError: when it is no Parquet, has no such column or one of another type.
        """
        with _opened(file, name) as parquet:
            _path(parquet.schema_arrow, self.field, name)
            return int(parquet.num_row_groups)

    def batches_of(self, file: IO[bytes] | str | Path, groups: range, size: int, *, name: str) -> Iterator[Batch]:
        """Yield the column's rows in some of the row groups, in batches of about `size` bytes.

        Args:
            file: a path, or a stream that can seek.
            groups: the numbers of the row groups, from 0.
            size: bytes of text.
            name: the source's, for messages.

        Raises:
            NotHereError: when pyarrow is not installed.
            W2VError: when it is damaged, has no such column or one of another type.
        """
        with _opened(file, name) as parquet:
            path = _path(parquet.schema_arrow, self.field, name)
            first = 1 + sum(parquet.metadata.row_group(group).num_rows for group in range(groups.start))
            columns: list[Any] = []
            rows = parquet.iter_batches(
                _rows_at_once(parquet.metadata, groups, self.field, size), list(groups), [self.field]
            )
            for batch in rows:
                columns.append(_as_bytes(_column(batch, path)))
                if sum(column.nbytes for column in columns) >= size:
                    yield Batch(_packed(columns), first)
                    first += sum(map(len, columns))
                    columns = []
            if columns:
                yield Batch(_packed(columns), first)

    def documents(self, batch: Batch, counts: Counter[str], *, name: str) -> Iterator[str]:
        """Yield the texts of a batch; counts `records_without_text`."""
        with _pyarrow().ipc.open_stream(batch.data) as stream:
            for rows in stream:
                for value in rows.column(0).to_pylist():
                    if value is None:
                        counts["records_without_text"] += 1
                    else:
                        parts = value if isinstance(value, list) else [value]
                        yield "\n\n".join(part.decode("utf-8", "replace") for part in parts if part is not None)


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise NotHereError(["Parquet needs pyarrow: pip install 'w2vcli[parquet]'"]) from error
    return pyarrow


@contextmanager
def _opened(file: IO[bytes] | str | Path, name: str) -> Iterator[Any]:
    pa = _pyarrow()
    try:
        with pa.parquet.ParquetFile(file, buffer_size=_BUFFER) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise W2VError(f"{name}: cannot be read as Parquet: {reason}") from error


def _path(schema: Any, field: str, name: str) -> list[str]:
    """Return the names that lead to a column of texts, from the outermost struct on."""
    pa = _pyarrow()
    path = _found(pa, schema, field.split("."))
    if not path:
        raise no_such(name, field, list(_names(pa, schema, "")))
    kind = path[-1].type
    if not _is_text(pa, kind, lists=True):
        inside = [f"{field}.{inner.name}" for inner in kind] if pa.types.is_struct(kind) else []
        hint = f"name one of {', '.join(inside)}" if inside else "it must be strings, or lists of strings"
        raise W2VError(f"{name}: column {field} is of type {kind}", hint)
    return [step.name for step in path]


def _found(pa: Any, fields: Any, names: list[str]) -> list[Any]:
    """Return the fields that names joined by dots lead to, or none; a name may have dots itself."""
    for length in range(len(names), 0, -1):
        for field in fields:
            if field.name == ".".join(names[:length]):
                if length == len(names):
                    return [field]
                if pa.types.is_struct(field.type) and (inside := _found(pa, field.type, names[length:])):
                    return [field, *inside]
    return []


def _names(pa: Any, fields: Any, before: str) -> Iterator[str]:
    for field in fields:
        if pa.types.is_struct(field.type):
            yield from _names(pa, field.type, f"{before}{field.name}.")
        else:
            yield before + field.name


def _is_text(pa: Any, kind: Any, lists: bool = False) -> bool:
    if pa.types.is_dictionary(kind) or (lists and _is_list(pa, kind)):
        return _is_text(pa, kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(pa: Any, kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _rows_at_once(metadata: Any, groups: range, field: str, size: int) -> int:
    """Return how many rows make about `size` bytes, as far as the file tells."""
    rows = stored = 0
    for group in map(metadata.row_group, groups):
        rows += group.num_rows
        columns = map(group.column, range(group.num_columns))
        stored += sum(
            column.total_uncompressed_size for column in columns if f"{column.path_in_schema}.".startswith(f"{field}.")
        )
    return min(max(1, size * rows // max(1, stored)), _ROWS_AT_ONCE)


def _column(batch: Any, path: list[str]) -> Any:
    column = batch.column(batch.schema.names.index(path[0]))
    for name in path[1:]:
        column = column.field(name)  # as Parquet stores it: null where its struct is
    return column


def _as_bytes(column: Any) -> Any:
    """Return texts as bytes, which need not be UTF-8."""
    pa = _pyarrow()
    kind = pa.large_list(pa.large_binary()) if _is_list(pa, column.type) else pa.large_binary()
    return column.cast(kind)


def _packed(columns: list[Any]) -> bytes:
    pa = _pyarrow()
    sink = pa.BufferOutputStream()
    rows = [pa.record_batch([column], ["text"]) for column in columns]
    with pa.ipc.new_stream(sink, rows[0].schema) as stream:
        for batch in rows:
            stream.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())
