"""What all sets of questions have in common: how they are asked, which words are known, sections, reading files."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from w2vcli.errors import W2VError
from w2vcli.evaluate.answers import Answers, Bools
from w2vcli.vectors import Ids, Rows, Vectors

Question = TypeVar("Question")

ALSO_CALLED = {"google": "analogies"}
"""Other names of built-in sets."""


@dataclass(frozen=True)
class Asking:
    """How questions are asked.

    `restrict_vocab`: only the first so many words, the most frequent, are known and are answers; 30,000 as in
    word2vec's own demo, a tenth of Gensim's default. `fold_case`: words of any case are alike. `unknown_is_wrong`:
    questions with unknown words count, as wrong. `method`: of analogies, one of `solving.METHODS`.
    """

    restrict_vocab: int = 30_000
    fold_case: bool = True
    unknown_is_wrong: bool = False
    method: str = "3cosadd"


class KnownWords:
    """The words of a model as questions find them.

    Args:
        vectors: words and vectors.
        asking: how many of them, and whether in any case.
    """

    def __init__(self, vectors: Vectors, asking: Asking) -> None:
        self.asking = asking
        self._vectors = vectors
        words = vectors.words[: asking.restrict_vocab]
        folded = [self._folded(word) for word in words]
        self._ids = {word: number for number, word in reversed(list(enumerate(folded)))}
        self.same: Ids = np.array([self._ids[word] for word in folded], dtype=np.int64)
        """The word that each counts as, (v,): the most frequent of its spellings."""

    def __len__(self) -> int:
        return len(self.same)

    def _folded(self, word: str) -> str:
        return word.upper() if self.asking.fold_case else word  # upper, as Gensim has it

    def find(self, word: str) -> int | None:
        """Return the number of a word, or None."""
        return self._ids.get(self._folded(word))

    def find_all(self, words: Sequence[str]) -> list[int]:
        """Return the numbers of those words that are known."""
        return [number for number in map(self.find, words) if number is not None]

    def with_any_case(self) -> KnownWords:
        """Return the same with words of any case alike."""
        return KnownWords(self._vectors, replace(self.asking, fold_case=True))

    def units(self, ids: Ids | slice) -> Rows:
        """Return unit vectors, float32 (n, d)."""
        return self._vectors.units(ids)


@dataclass(frozen=True)
class Section(Generic[Question]):
    """Questions of one kind; sections of a group have a total of their own."""

    name: str | None
    questions: Sequence[Question]
    group: str | None = None


@dataclass(frozen=True)
class QuestionSet(ABC, Generic[Question]):
    """A set of questions that vectors are asked."""

    name: str
    sections: Sequence[Section[Question]]

    @property
    def questions(self) -> list[Question]:
        """All the questions, in the order of the sections."""
        return [question for section in self.sections for question in section.questions]

    def parts(self) -> Iterator[tuple[str, Bools]]:
        """Yield the names of groups and sections, and which questions are theirs, bool (n,)."""
        of: NDArray[np.int64] = np.repeat(
            np.arange(len(self.sections)), [len(section.questions) for section in self.sections]
        )
        groups = list(dict.fromkeys(section.group for section in self.sections if section.group))
        for group in groups if len(groups) > 1 else ():
            members = [number for number, section in enumerate(self.sections) if section.group == group]
            yield f"{group} (total)", np.isin(of, members)
        for number, section in enumerate(self.sections):
            if section.name is not None:
                yield section.name, of == number

    @abstractmethod
    def ask(self, known: KnownWords) -> Answers:
        """Return what the vectors of the known words answer."""


# ---------------------------------------------------------------- reading


def numbered_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file and their numbers, from 1; those that begin with # are left out.

    Raises:
        W2VError: when it cannot be read.
    """
    try:
        content = file.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise W2VError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n") + 1
        raise W2VError(f"{file}: line {number}: not text in UTF-8", "save it in that encoding") from error
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        if not line.startswith("#"):
            yield number, line.rstrip("\n")


def files_below(folder: Path) -> list[Path]:
    """Return the files in a folder and its subfolders, in the order of their names; hidden ones left out.

    Raises:
        W2VError: when there are none.
    """
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    files = [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]
    if not files:
        raise W2VError(f"{folder}: no files of questions in this folder")
    return files


def section_name(file: Path, folder: Path) -> str:
    """Return the name of the section that a file of a folder is."""
    return file.relative_to(folder).with_suffix("").as_posix()
