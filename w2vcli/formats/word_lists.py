"""Words in a text file beside a file of vectors alone: NAME.words.txt, a word a line."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from w2vcli.formats.collecting import decoded, sound
from w2vcli.formats.repairs import Repairs
from w2vcli.vectors import Vectors
from w2vcli.words import ListedWords, Words

ENDING = ".words.txt"


def place(path: Path, ending: str = ENDING) -> Path:
    """Return where the words of a file of vectors are."""
    return path.with_name(path.stem + ending)


def write(path: Path, words: Words) -> None:
    """Write the words of a file of vectors beside it.

    Raises:
        OSError: when they cannot be written.
    """
    with place(path).open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{word}\n" for word in words)


def read(file: Path, repairs: Repairs) -> list[str]:
    """Read lines, each of which is a word.

    Raises:
        W2VError: when one is not UTF-8, and nothing is to be repaired.
        OSError: when the file cannot be read.
    """
    content = file.read_bytes()
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    return [
        decoded(line.removesuffix(b"\r"), repairs, partial("{}, line {:,}".format, file.name, number))
        for number, line in enumerate(lines, 1)
    ]


def beside(path: Path, rows: NDArray[Any], repairs: Repairs) -> Vectors:
    """Return rows (n, d) with the words that are beside their file.

    Raises:
        W2VError: when something is wrong with them, and nothing is to be repaired.
        ValueError: when there are not as many words as rows.
        OSError: when there are no words.
    """
    return joined(read(place(path), repairs), rows, place(path).name, repairs)


def joined(words: list[str], rows: NDArray[Any], name: str, repairs: Repairs) -> Vectors:
    """Return words and their rows, each word once and each number finite.

    Raises:
        W2VError: when something is wrong with them, and nothing is to be repaired.
        ValueError: when there are not as many words as rows.
    """
    if len(words) != len(rows):
        raise ValueError(f"{name} has {len(words):,} words, but there are {len(rows):,} vectors")
    return sound(Vectors(ListedWords(words), rows), repairs, f"{name}, line")
