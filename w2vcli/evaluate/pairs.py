"""Pairs of words whose similarity people have judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from w2vcli.errors import W2VError
from w2vcli.evaluate.answers import Similarities
from w2vcli.evaluate.questions import KnownWords, QuestionSet, Section, numbered_lines

Pair = tuple[str, str, float]


class PairSet(QuestionSet[Pair]):
    """Pairs of words and people's judgements."""

    def ask(self, known: KnownWords) -> Similarities:
        """Return the cosine similarities of the pairs: what Gensim's `evaluate_word_pairs` correlates."""
        questions = self.questions
        ids = [known.find_all((a, b)) for a, b, _ in questions]
        is_known = np.array([len(pair) == 2 for pair in ids], dtype=np.bool_)
        found = np.array([pair for pair in ids if len(pair) == 2], dtype=np.int64).reshape(-1, 2)
        values = np.zeros(len(questions))
        first, second = (known.units(column).astype(np.float64) for column in found.T)
        values[is_known] = np.einsum("ij,ij->i", first, second)
        judged = np.array([judged for *_, judged in questions], dtype=np.float64)
        return Similarities(is_known, values, known.asking.unknown_is_wrong, judged)


def read_pairs(file: Path, name: str | None = None) -> PairSet:
    """Read a file of lines with two words and a number, with tabs between.

    Args:
        file: the file.
        name: of the set; the file's if not given.

    Raises:
        W2VError: when the file cannot be read or holds something else.
    """
    pairs = []
    for number, line in numbered_lines(file):
        if line.strip():
            try:
                a, b, judged = line.split("\t")[:3]
                pairs.append((a, b, float(judged)))
            except ValueError:
                raise W2VError(
                    f"{file}: line {number}: not two words and a number",
                    "they should have tabs between them, and a heading should begin with #",
                ) from None
    if not pairs:
        raise W2VError(f"{file}: holds no pairs", "a line should be two words and a number, with tabs between them")
    return PairSet(name or str(file), [Section(None, pairs)])
