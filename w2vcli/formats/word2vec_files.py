"""Words and vectors in one stream: the text and binary files of word2vec.c, fastText's .vec, and GloVe's text.

word2vec's begin with a line of two numbers: how many words and how many dimensions; GloVe's have no such line. In text
a line is the word and its numbers, with spaces between; in binary files a vector is 32-bit floats, little-endian, after
the word and a space. Words are UTF-8 and hold neither spaces nor ends of lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from w2vcli.formats.collecting import Collected, shown
from w2vcli.formats.lines import LONGEST, blocks_of_lines, numbers_of
from w2vcli.formats.repairs import Repairs
from w2vcli.vectors import Rows, Vectors

_PIECE_BYTES = 1 << 22
_LOOKED_AT = 100  # lines without a header, to see how many numbers they have
_LONGEST_HEADER = 100  # bytes
_LONGEST_WORD = 1 << 16  # bytes
_BYTES_AT_ONCE = 1 << 22  # of rows
_MOST_DIMENSIONS = 1 << 20


def header(line: bytes) -> tuple[int, int] | None:
    """Return (words, dimensions) if this is the first line of a word2vec file."""
    fields = line.split(b" ")
    if len(fields) == 2 and all(field.strip().isdigit() for field in fields) and line.endswith(b"\n"):
        return int(fields[0]), int(fields[1])
    return None


def _claimed(stream: BinaryIO) -> tuple[int, int, int]:
    """Return how many words and dimensions a header claims, and its own bytes."""
    line = stream.readline(_LONGEST_HEADER)
    words, dimensions = header(line) or (0, 0)
    if not 0 < dimensions <= _MOST_DIMENSIONS:
        raise ValueError(f"its header claims vectors of {dimensions} dimensions")
    return words, dimensions, len(line)


# ---------------------------------------------------------------- text


def read_text(stream: BinaryIO, repairs: Repairs, most: int | None = None) -> Vectors:
    """Read word2vec's text format; of what comes after so many words, no more than some MB.

    Raises:
        W2VError: when something is wrong with it, and nothing is to be repaired.
        ValueError: when it is damaged beyond repair.
    """
    words, dimensions, _ = _claimed(stream)
    collected = Collected(dimensions, repairs)
    if _read_lines(stream, dimensions, 2, collected, repairs, most=most):
        _compare(words, len(collected), repairs)
    return collected.vectors()


def read_glove(stream: BinaryIO, repairs: Repairs, most: int | None = None) -> Vectors:
    """Read GloVe's text format, which has no header; of what comes after so many words, no more than some MB.

    Raises:
        W2VError: when something is wrong with it, and nothing is to be repaired.
        ValueError: when it is damaged beyond repair.
    """
    first = stream.readline(LONGEST)
    start = first + stream.read(_PIECE_BYTES)
    lines = start.split(b"\n")[:_LOOKED_AT]
    dimensions = Counter(line.rstrip(b" \r\t").count(b" ") for line in lines if line.strip()).most_common(1)[0][0]
    collected = Collected(dimensions, repairs)
    _read_lines(stream, dimensions, 1, collected, repairs, start, most)
    return collected.vectors()


def _compare(claimed: int, found: int, repairs: Repairs) -> None:
    if claimed > found:
        repairs.need("its end", f"only {found:,} of the {claimed:,} words that its header claims", "counted anew")
    elif claimed < found:
        repairs.need("its header", f"claims {claimed:,} words, but there are {found:,}", "counted anew")


def _read_lines(
    stream: BinaryIO,
    dimensions: int,
    number: int,
    collected: Collected,
    repairs: Repairs,
    rest: bytes = b"",
    most: int | None = None,
) -> bool:
    """Read lines from here on, of which the first has this number; return whether all were read."""
    for lines in blocks_of_lines(stream, rest):
        words, rows = _parsed(lines, dimensions) or _parsed_one_by_one(lines, dimensions, number, repairs)
        places = [place for place, word in enumerate(words) if word is not None]
        collected.add(
            [word for word in words if word is not None],
            rows,
            lambda place, places=places, first=number: f"line {first + places[place]:,}",  # type: ignore[misc]
        )
        number += len(lines)
        if most is not None and len(collected) >= most:
            return False
    return True


def _parsed(lines: Sequence[bytes], dimensions: int) -> tuple[list[bytes | None], Rows] | None:
    """Return the words and vectors of lines, all parsed at once; None if something is wrong with one."""
    if any(line.count(b" ") != dimensions for line in lines):
        return None
    parts = [line.partition(b" ") for line in lines]
    rows = numbers_of(b" ".join(part[2] for part in parts))
    if rows is None or rows.size != len(lines) * dimensions:
        return None
    return [part[0] for part in parts], rows.reshape(len(lines), dimensions)


def _parsed_one_by_one(
    lines: Sequence[bytes], dimensions: int, number: int, repairs: Repairs
) -> tuple[list[bytes | None], Rows]:
    """Return the words, None for those left out, and the vectors that remain."""
    words: list[bytes | None] = []
    rows = []
    for place, line in enumerate(lines):
        where = f"line {number + place:,}"
        word, *fields = line.rsplit(b" ", dimensions)
        numbers = numbers_of(b" ".join(fields)) if len(fields) == dimensions else None
        if numbers is None or numbers.size != dimensions:
            wrong = f"not a word and {dimensions} numbers, but {shown(line)}" if line else "is empty"
            repairs.need(where, wrong, "lines that are no vectors left out")
            words.append(None)
            continue
        if b" " in word:
            repairs.need(where, f"{shown(word)} has a space in it", "words with spaces kept as they are")
        words.append(word)
        rows.append(numbers)
    return words, np.array(rows, dtype=np.float32).reshape(len(rows), dimensions)


def write_text(path: Path, vectors: Vectors) -> None:
    """Write word2vec's text format, each number in the nine digits that tell one 32-bit float from another.

    Raises:
        OSError: when it cannot be written.
    """
    _write_lines(path, vectors, f"{len(vectors)} {vectors.dimensions}\n")


def write_glove(path: Path, vectors: Vectors) -> None:
    """Write GloVe's text format.

    Raises:
        OSError: when it cannot be written.
    """
    _write_lines(path, vectors, "")


def _write_lines(path: Path, vectors: Vectors, header: str) -> None:
    form = " ".join(["%s"] + ["%.9g"] * vectors.dimensions) + "\n"
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(header)
        words = iter(vectors.words)
        for rows in vectors.in_blocks():
            stream.writelines(form % (next(words), *row) for row in rows.tolist())


# ---------------------------------------------------------------- binary


def read_binary(stream: BinaryIO, repairs: Repairs, most: int | None = None) -> Vectors:
    """Read word2vec's binary format; of what comes after so many words, no more than some MB.

    Raises:
        W2VError: when something is wrong with it, and nothing is to be repaired.
        ValueError: when it is damaged beyond repair.
    """
    words, dimensions, length = _claimed(stream)
    collected = Collected(dimensions, repairs)
    records = _Records(stream, dimensions, length)
    at_once = max(1, _BYTES_AT_ONCE // (4 * dimensions))
    while found := records.some(min(at_once, words - records.number)):
        names, rows, places = found
        collected.add(names, rows, lambda place, places=places: f"byte {places[place]:,}")  # type: ignore[misc]
        if most is not None and len(collected) >= most:
            return collected.vectors()
    if records.number < words:
        repairs.need(
            f"byte {records.end:,}",
            f"ends after {records.number:,} of the {words:,} words that its header claims",
            "counted anew",
        )
    elif not records.is_at_end():
        wrong = f"goes on after the {words:,} words that its header claims"
        repairs.need(f"byte {records.end:,}", wrong, "the rest left out")
    return collected.vectors()


class _Records:
    """A stream of words and vectors, read some at once."""

    def __init__(self, stream: BinaryIO, dimensions: int, start: int) -> None:
        self._stream, self._dimensions = stream, dimensions
        self._buffer, self._at = b"", 0
        self.end = start
        """Bytes read so far, as far as they were whole records."""
        self.number = 0

    def some(self, most: int) -> tuple[list[bytes], Rows, list[int]] | None:
        """Return up to so many words, their vectors, and where each begins; None if there is none."""
        words: list[bytes] = []
        places: list[int] = []
        rows = np.empty((most, self._dimensions), dtype=np.float32)
        while len(words) < most and (found := self._next()) is not None:
            place, word, row = found
            rows[len(words)] = row
            words.append(word)
            places.append(place)
        self.number += len(words)
        return (words, rows[: len(words)], places) if words else None

    def _next(self) -> tuple[int, bytes, Rows] | None:
        size = 4 * self._dimensions
        while True:
            space = self._buffer.find(b" ", self._at, self._at + _LONGEST_WORD)
            after = space + 1 + size
            if space >= 0 and after <= len(self._buffer):
                break
            if space < 0 and len(self._buffer) - self._at >= _LONGEST_WORD:
                return None  # no word is so long: this is something else
            if not self._fill():
                return None
        word = self._buffer[self._at : space].lstrip(b"\n")
        row = np.frombuffer(self._buffer, dtype="<f4", count=self._dimensions, offset=space + 1)
        place, self.end = self.end, self.end + after - self._at
        self._at = after
        return place, word, row

    def _fill(self) -> bool:
        piece = self._stream.read(_PIECE_BYTES)
        self._buffer, self._at = self._buffer[self._at :] + piece, 0
        return bool(piece)

    def is_at_end(self) -> bool:
        """Return whether nothing follows but ends of lines."""
        return not (self._buffer[self._at :].strip(b"\r\n") or self._stream.read(16).strip(b"\r\n"))


def write_binary(path: Path, vectors: Vectors) -> None:
    """Write word2vec's binary format.

    Raises:
        OSError: when it cannot be written.
    """
    with path.open("wb") as stream:
        stream.write(f"{len(vectors)} {vectors.dimensions}\n".encode())
        words = iter(vectors.words)
        for rows in vectors.in_blocks():
            stream.writelines(next(words).encode() + b" " + row.tobytes() for row in rows.astype("<f4"))
