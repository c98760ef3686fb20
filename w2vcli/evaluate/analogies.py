"""Analogies: a is to b as c is to d. Reading them, in Google's layout and in BATS', and asking them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from w2vcli.errors import W2VError
from w2vcli.evaluate.answers import Choices
from w2vcli.evaluate.questions import KnownWords, QuestionSet, Section, files_below, numbered_lines, section_name
from w2vcli.evaluate.solving import solve


class Analogy(NamedTuple):
    """a is to b as c is to d: the first of `b` that is known counts, and any of `d` is right."""

    a: str
    b: Sequence[str]
    c: str
    d: Sequence[str]


class AnalogySet(QuestionSet[Analogy]):
    """Analogies in sections."""

    def ask(self, known: KnownWords) -> Choices:
        """Return which are answered right, by the method that `known.asking` has.

        With 3cosadd: what Gensim's `evaluate_word_analogies` counts.
        """
        questions = self.questions
        places: list[int] = []
        ids: list[list[int]] = []
        answers: list[list[int]] = []
        for place, (a, b, c, d) in enumerate(questions):
            given = [known.find_all(words)[:1] for words in ((a,), b, (c,))]
            right = known.find_all(d)
            if all(given) and right:
                places.append(place)
                ids.append([number for (number,) in given])
                answers.append(right)
        found = solve(known, np.array(ids, dtype=np.int64).reshape(-1, 3))
        values = np.zeros(len(questions))
        values[places] = [answer in right for answer, right in zip(found.tolist(), answers, strict=True)]
        is_known = np.zeros(len(questions), dtype=np.bool_)
        is_known[places] = True
        return Choices(is_known, values, known.asking.unknown_is_wrong)


# ---------------------------------------------------------------- reading


def read_analogies(path: Path, name: str | None = None) -> AnalogySet:
    """Read a file in Google's layout, or a folder in that of BATS.

    Google's (Mikolov et al. 2013, arXiv:1301.3781) has lines `a b c d` and `: section`. Each of BATS' files (Gladkova
    et al. 2016, https://aclanthology.org/N16-2002) is a section with lines `word answer/answer/…`, a tab or a space
    between; each two of the lines are a question, in either order.

    Args:
        path: the file or folder.
        name: of the set; the path if not given.

    Raises:
        W2VError: when a file cannot be read or holds something else.
    """
    sections = [_bats_section(file, path) for file in files_below(path)] if path.is_dir() else _google_sections(path)
    return AnalogySet(name or str(path), sections)


def _google_sections(file: Path) -> list[Section[Analogy]]:
    names: list[str | None] = [None]
    questions: list[list[Analogy]] = [[]]
    for number, line in numbered_lines(file):
        words = line.split()
        if line.startswith(":"):
            names.append(line.lstrip(": ").strip())
            questions.append([])
        elif words:
            if len(words) != 4:
                raise W2VError(f"{file}: line {number}: not four words", "an analogy is: man king woman queen")
            a, b, c, d = words
            questions[-1].append(Analogy(a, (b,), c, (d,)))
    if not any(questions):
        raise W2VError(f"{file}: holds no analogies", "a line should be four words, as in: man king woman queen")
    syntactic = any(name is not None and name.startswith("gram") for name in names)
    return [
        Section(name, asked, ("syntactic" if name.startswith("gram") else "semantic") if syntactic and name else None)
        for name, asked in zip(names, questions, strict=True)
        if name is not None or asked
    ]


def _bats_section(file: Path, folder: Path) -> Section[Analogy]:
    lines: list[tuple[str, tuple[str, ...]]] = []
    for number, line in numbered_lines(file):
        if fields := line.split(None, 1):
            answers = tuple(answer for answer in fields[-1].strip().split("/") if answer)
            if len(fields) != 2 or not answers or any(len(answer.split()) != 1 for answer in answers):
                raise W2VError(
                    f"{file}: line {number}: not a word and its answers", "a line in a folder should be: mouse mice"
                )
            lines.append((fields[0], answers))
    if len(lines) < 2:
        raise W2VError(f"{file}: holds fewer than two lines", "each two of a file's lines are an analogy")
    asked = [Analogy(a, b, c, d) for (a, b), (c, d) in permutations(lines, 2)]
    name = section_name(file, folder)
    return Section(name, asked, name.partition("/")[0] if "/" in name else None)
