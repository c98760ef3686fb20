"""What TensorBoard's Embedding Projector takes: vectors as tab-separated values, and their words in a second file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from w2vcli.formats import word_lists
from w2vcli.formats.lines import blocks_of_lines, numbers_of
from w2vcli.formats.repairs import Repairs
from w2vcli.vectors import Rows, Vectors

ENDING = ".metadata.tsv"


def read(path: Path, repairs: Repairs) -> Vectors:
    """Read such a pair of files; of several columns of metadata the first is the word.

    Raises:
        W2VError: when something is wrong with the words, and nothing is to be repaired.
        ValueError: when there are other things than numbers, or not as many words as vectors.
        OSError: when one of the two files cannot be read.
    """
    words = word_lists.read(word_lists.place(path, ENDING), repairs)
    if words and "\t" in words[0]:  # then there is a header
        words = [line.partition("\t")[0] for line in words[1:]]
    return word_lists.joined(words, _rows(path), word_lists.place(path, ENDING).name, repairs)


def _rows(path: Path) -> Rows:
    blocks: list[Rows] = []
    number, columns = 1, 0
    with path.open("rb") as stream:
        for lines in blocks_of_lines(stream):
            columns = columns or (lines[0].count(b"\t") + 1 if lines else 0)
            for place, line in enumerate(lines):
                if line.count(b"\t") != columns - 1:
                    raise ValueError(f"line {number + place:,}: not {columns} numbers with tabs between")
            numbers = numbers_of(b" ".join(lines).replace(b"\t", b" "))
            if numbers is None or numbers.size != len(lines) * columns:
                raise ValueError(f"lines {number:,} to {number + len(lines) - 1:,}: not all of it is numbers")
            blocks.append(numbers.reshape(len(lines), columns))
            number += len(lines)
    return np.concatenate(blocks) if blocks else np.zeros((0, 0), dtype=np.float32)


def write(path: Path, vectors: Vectors) -> None:
    """Write such a pair of files.

    Raises:
        OSError: when one of them cannot be written.
    """
    with word_lists.place(path, ENDING).open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{word}\n" for word in vectors.words)
    form = "\t".join(["%.9g"] * vectors.dimensions) + "\n"
    with path.open("w", encoding="ascii", newline="\n") as stream:
        for rows in vectors.in_blocks():
            stream.writelines(form % tuple(row) for row in rows.tolist())
