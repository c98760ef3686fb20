"""Lines of numbers, many at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from w2vcli.vectors import Rows

LONGEST = 1 << 24  # bytes of a line


def blocks_of_lines(stream: BinaryIO, rest: bytes = b"") -> Iterator[list[bytes]]:
    """Yield lines without their ends, some MB at once; the last need not have an end.

    Args:
        stream: what follows.
        rest: what was read of it already.

    Raises:
        ValueError: at a line that is too long to be one.
    """
    while piece := stream.read(LONGEST):
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > LONGEST:
            raise ValueError(f"has a line of over {LONGEST >> 20} MB")
        yield [line.rstrip(b" \r\t") for line in lines]
    yield [line.rstrip(b" \r\t") for line in rest.split(b"\n") if line.strip()]


def numbers_of(text: bytes) -> Rows | None:
    """Return the numbers of a text with spaces between, float32 (n,); None if something else is there."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # older NumPys only warn of what is no number
        try:
            return np.fromstring(text, dtype=np.float32, sep=" ")
        except (ValueError, DeprecationWarning):
            return None
