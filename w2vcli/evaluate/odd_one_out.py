"""Words one of which does not belong to the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from w2vcli.errors import W2VError
from w2vcli.evaluate.answers import Choices
from w2vcli.evaluate.questions import KnownWords, QuestionSet, Section, files_below, numbered_lines, section_name

Words = tuple[str, ...]

_FEWEST = 3


class OddOneOutSet(QuestionSet[Words]):
    """Words, the odd one last."""

    def ask(self, known: KnownWords) -> Choices:
        """Return which odd ones are found: whose unit vector has the smallest dot product with the mean of them all.

        That is what Gensim's `doesnt_match` answers.
        """
        questions = self.questions
        is_known, right = np.zeros(len(questions), dtype=np.bool_), np.zeros(len(questions))
        for number, words in enumerate(questions):
            ids = known.find_all(words)
            if len(ids) == len(words):
                units = known.units(np.array(ids))
                is_known[number] = True
                right[number] = np.argmin(units @ units.mean(axis=0)) == len(ids) - 1
        return Choices(is_known, right, known.asking.unknown_is_wrong)


def read_odd_one_out(path: Path, name: str | None = None) -> OddOneOutSet:
    """Read a file of questions, or a folder of such files, each of which is then a section.

    A line is a question, its last word the odd one. Or, as in the 8-8-8 set (Camacho-Collados and Navigli 2016,
    https://aclanthology.org/W16-2508), a line is a word; after a blank line come the odd ones, and each of them with
    all the words before is a question.

    Raises:
        W2VError: when a file cannot be read or holds something else.
    """
    if path.is_dir():
        sections = [Section[Words](section_name(file, path), _read(file)) for file in files_below(path)]
    else:
        sections = [Section[Words](None, _read(path))]
    return OddOneOutSet(name or str(path), sections)


def _read(file: Path) -> list[Words]:
    lines = [(number, tuple(line.split())) for number, line in numbered_lines(file)]
    if not any(words for _, words in lines):
        raise W2VError(f"{file}: holds no questions", "a line should be some words, the odd one last")
    if all(len(words) <= 1 for _, words in lines):
        return _read_columns(file, ["".join(words) for _, words in lines])
    for number, words in lines:
        if words and len(words) < _FEWEST:
            raise W2VError(f"{file}: line {number}: fewer than three words", "the odd one should be last")
    return [words for _, words in lines if words]


def _read_columns(file: Path, lines: list[str]) -> list[Words]:
    first, *others = "\n".join(lines).strip("\n").split("\n\n", 1)
    words, odd = first.split(), "".join(others).split()
    if len(words) < _FEWEST - 1 or not odd:
        raise W2VError(f"{file}: not words, a blank line and odd ones", "or should a line be a question?")
    return [(*words, one) for one in odd]
