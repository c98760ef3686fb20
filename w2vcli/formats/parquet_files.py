"""Parquet: a column of words and one of vectors, as dataframes have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from w2vcli.errors import NotHereError
from w2vcli.formats import word_lists
from w2vcli.formats.opening import LARGE, MOST_TIMES
from w2vcli.formats.repairs import Repairs
from w2vcli.vectors import Vectors

_ROWS_AT_ONCE = 1 << 14


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise NotHereError(["Parquet needs pyarrow: pip install 'w2vcli[parquet]'"]) from error
    return pyarrow


def write(path: Path, vectors: Vectors) -> None:
    """Write the columns `word` and `vector`, and `count` where it is known.

    Raises:
        NotHereError: when pyarrow is not installed.
        OSError: when it cannot be written.
    """
    pa = _pyarrow()
    kind = pa.float16() if vectors.rows.dtype == np.float16 else pa.float32()
    fields = [("word", pa.string()), ("vector", pa.list_(kind, vectors.dimensions))]
    fields += [("count", pa.int64())] if vectors.counts is not None else []
    schema = pa.schema(fields)
    with pa.parquet.ParquetWriter(path, schema) as writer:
        for first in range(0, len(vectors), _ROWS_AT_ONCE):
            piece = slice(first, min(first + _ROWS_AT_ONCE, len(vectors)))
            numbers = vectors.take(piece).ravel().astype(kind.to_pandas_dtype())
            columns = [pa.array(vectors.words[piece], pa.string())]
            columns.append(pa.FixedSizeListArray.from_arrays(pa.array(numbers, kind), vectors.dimensions))
            columns += [pa.array(vectors.counts[piece])] if vectors.counts is not None else []
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def read(path: Path, repairs: Repairs) -> Vectors:
    """Read the first column of strings and the first of lists of floats, and `count` if there is one.

    Raises:
        NotHereError: when pyarrow is not installed.
        W2VError: when something is wrong with the words, and nothing is to be repaired.
        ValueError: when it is damaged or has no such columns.
    """
    pa = _pyarrow()
    with pa.parquet.ParquetFile(path) as file:
        word, vector = _columns(pa, file.schema_arrow)
        _check_size(file.metadata, path.stat().st_size)
        names = [word, vector, *(["count"] if _has_counts(pa, file.schema_arrow) else [])]
        words: list[str] = []
        blocks, counts = [], []
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=names):
            words += batch.column(word).cast(pa.string()).to_pylist()
            blocks.append(_matrix(pa, batch.column(vector), len(batch)))
            if "count" in names:
                counts.append(batch.column("count").to_numpy(zero_copy_only=False))
    if any(word is None for word in words):
        raise ValueError(f"its column {word} has empty places")
    widths = {block.shape[1] for block in blocks} or {0}
    if len(widths) > 1:
        raise ValueError(f"its column {vector} has vectors of {', '.join(map(str, sorted(widths)))} dimensions")
    rows = np.concatenate(blocks) if blocks else np.zeros((0, 0), dtype=np.float32)
    vectors = word_lists.joined(words, rows, path.name, repairs)
    if counts and len(vectors) == len(words):
        found = np.concatenate(counts)
        vectors.counts = found.astype(np.int64) if found.dtype.kind == "i" else None  # floats have empty places
    return vectors


def _has_counts(pa: Any, schema: Any) -> bool:
    return "count" in schema.names and pa.types.is_integer(schema.field("count").type)


def _check_size(metadata: Any, size: int) -> None:
    """Refuse a file that would grow as no model does, before memory is taken for it."""
    claimed = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if claimed > LARGE and claimed > MOST_TIMES * size:
        raise ValueError(f"grows to over {MOST_TIMES} times its size, which no model does")


def _columns(pa: Any, schema: Any) -> tuple[str, str]:
    strings = [field.name for field in schema if _is_text(pa, field.type)]
    lists = [
        field.name
        for field in schema
        if (
            pa.types.is_list(field.type)
            or pa.types.is_large_list(field.type)
            or pa.types.is_fixed_size_list(field.type)
        )
        and pa.types.is_floating(field.type.value_type)
    ]
    if not strings or not lists:
        raise ValueError("has not a column of strings and one of lists of floats")
    return strings[0], lists[0]


def _is_text(pa: Any, kind: Any) -> bool:
    if pa.types.is_dictionary(kind):  # as dataframes have categories
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _matrix(pa: Any, column: Any, number: int) -> Any:
    """Return a column of lists as float32 or float16, (n, d)."""
    if column.null_count:
        raise ValueError("its vectors have empty places")
    numbers = column.flatten().to_numpy(zero_copy_only=False)
    lengths = set(pa.compute.list_value_length(column).unique().to_pylist())
    if len(lengths) > 1:
        raise ValueError("its vectors differ in their dimensions")
    rows = numbers.reshape(number, len(numbers) // number if number else 0)
    return rows if rows.dtype == np.float16 else rows.astype(np.float32)
