"""JSON Lines: a JSON value on each line, with the text in one of its fields."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from w2vcli.errors import W2VError
from w2vcli.preprocessing.records import Batch, Records, lines_of
from w2vcli.text import BYTE_ORDER_MARK

_HINT = "a line must be JSON of its own; of an array, jq -c '.[]' makes such lines"
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class JsonLinesReader:
    """Reads JSON Lines (.jsonl, .ndjson).

    A list of strings is a text of several paragraphs. Lines without anything on them are passed over.

    Args:
        field: the path of the text: keys and, in lists, numbers from 0, joined by dots. A key that has dots itself
            goes before a path.
    """

    field: str

    def batches(self, pieces: Iterator[bytes], size: int, *, name: str) -> Iterator[Batch]:
        """Yield batches of whole lines, each of about `size` bytes.

        Raises:
            W2VError: when a line is too long.
        """
        records = Records(pieces, name)
        while True:
            first = records.first
            if not (data := records.take(size)):
                return
            yield Batch(data, first)

    def documents(self, batch: Batch, counts: Counter[str], *, name: str) -> Iterator[str]:
        """Yield the texts of a batch; counts `records_without_text`.

        Raises:
            W2VError: when a line is not JSON.
        """
        # Numbers are not looked at: as floats they may have any number of digits. Tabs and the like may stand in a
        # string: they should be escaped, but do no harm.
        decode = json.JSONDecoder(parse_int=float, strict=False).decode
        path = self.field.split(".")
        for number, line in enumerate(lines_of(batch.data), batch.first):
            line = line.removeprefix(BYTE_ORDER_MARK)  # of a file that was appended to another
            if not line or line.isspace():
                continue
            try:
                text = _text(_found(decode(line), path))
            except (ValueError, RecursionError) as error:
                raise W2VError(f"{name}: line {number}: not JSON: {_reason(error)}", _HINT) from error
            if text is None:
                counts["records_without_text"] += 1
            else:
                yield _SURROGATE.sub("\ufffd", text) if "\\u" in line else text


def _found(value: Any, path: list[str]) -> Any:
    """Return what a path leads to, or None.

    >>> _found({"a.b": 1, "a": {"b": 2, "c": [3]}}, ["a", "b"]), _found({"a": {"c": [3]}}, ["a", "c", "0"])
    (1, 3)
    """
    if not path:
        return value
    if isinstance(value, dict):
        for length in range(len(path), 0, -1):
            key = ".".join(path[:length])
            if key in value:
                return _found(value[key], path[length:])
    elif isinstance(value, list) and path[0].isdecimal() and len(path[0]) < 10 and int(path[0]) < len(value):
        return _found(value[int(path[0])], path[1:])
    return None


def _text(value: Any) -> str | None:
    if isinstance(value, list) and all(part is None or isinstance(part, str) for part in value):
        return "\n\n".join(part for part in value if part is not None)
    return value if isinstance(value, str) else None


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
