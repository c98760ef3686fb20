"""Formats of raw text: JSON Lines, CSV, TSV, Parquet and Wikipedia's dumps, each as a stream of texts.

Reading takes two steps. `batches`, cheap, goes through a source from its beginning and cuts it into whole records;
`documents`, which costs the time, makes texts of a batch, in any process. Bytes that are no UTF-8, NUL bytes in
tables and halves of surrogate pairs in JSON become U+FFFD, which whoever reads the texts can count.

What `documents` counts:

- `records_without_text`: JSON values, rows of Parquet and articles where the text is missing, null or of another
  type; they are left out.
- `rows_too_short`: rows of CSV and TSV that end before the column of the texts; they are left out.
- `redirects`, `non_articles`: pages of a dump that are left out.
- `articles`: pages of a dump that are not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from w2vcli.preprocessing.json_lines import JsonLinesReader
from w2vcli.preprocessing.parquet import ParquetReader
from w2vcli.preprocessing.records import Batch
from w2vcli.preprocessing.tables import TableReader
from w2vcli.preprocessing.wikipedia import WikipediaReader
from w2vcli.sources import compression_of, is_url

__all__ = ["Batch", "ParquetReader", "Reader", "format_of", "reader"]

_FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".xml": "wikipedia",
}
_PART_OF_A_DUMP = re.compile(r"\.xml-p\d+p\d+[^.]*$", re.IGNORECASE)  # large dumps come in several files


class Reader(Protocol):
    """Reads a format from a stream; goes to another process as it is."""

    def batches(self, pieces: Iterator[bytes], size: int, *, name: str) -> Iterator[Batch]:
        """Cut a source into batches of whole records.

        Args:
            pieces: its bytes, decompressed, as UTF-8, cut anywhere.
            size: about how many bytes a batch is to have; one has more if a record has.
            name: the source's, for messages.

        Raises:
            W2VError: when it cannot be cut; begins with the name, and says which record it was.
        """

    def documents(self, batch: Batch, counts: Counter[str], *, name: str) -> Iterator[str]:
        """Yield the texts of a batch's records, in order; add to `counts` what is left out.

        Raises:
            W2VError: when a record cannot be read; begins with the name, and says which record it was.
        """


def format_of(name: str, wanted: str = "auto") -> str:
    """Return the format of a source: text, jsonl, csv, tsv, parquet or wikipedia.

    Args:
        name: a path or a URL; its extension counts, or the one before that of a compression.
        wanted: a format that is taken whatever the name, or `auto`.

    >>> format_of("a.jsonl.gz"), format_of("https://host/a.CSV?v=2"), format_of("a.txt"), format_of("a.txt", "tsv")
    ('jsonl', 'csv', 'text', 'tsv')
    """
    if wanted != "auto":
        return wanted
    if is_url(name):
        name = urlsplit(name).path
    plain = name.removesuffix(compression_of(name))
    return "wikipedia" if _PART_OF_A_DUMP.search(plain) else _FORMATS.get(Path(plain).suffix.lower(), "text")


def reader(format: str, field: str) -> Reader:
    """Return the reader of a format that is read as a stream; Parquet has `ParquetReader`.

    Args:
        format: jsonl, csv, tsv or wikipedia.
        field: where a record has its text: a path in JSON, a column's name or number. Of no account for wikipedia.

    Raises:
        ValueError: when the format is another one.
    """
    if format == "jsonl":
        return JsonLinesReader(field)
    if format in ("csv", "tsv"):
        return TableReader(field, tabs=format == "tsv")
    if format == "wikipedia":
        return WikipediaReader()
    raise ValueError(f"{format} is not read as a stream of records")
