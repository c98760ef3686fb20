"""Scores of word vectors on test sets of English that ship with Gensim.

To add one, write a function and its line in METRICS.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# of the words only the most frequent, as in word2vec's own demo; Gensim's default is ten times as many
_MOST_FREQUENT = 30_000


@dataclass(frozen=True)
class Score:
    """A score between 0 and 1 (-1 and 1 for a correlation), None where no question could be asked.

    `asked`: how many questions all of whose words are in the vocabulary.
    """

    value: float | None
    asked: int


def analogies(vectors: Any) -> Score:
    """Return the share of right answers to Google's analogy questions (Mikolov et al. 2013, arXiv:1301.3781)."""
    from gensim.test.utils import datapath

    value, sections = vectors.evaluate_word_analogies(datapath("questions-words.txt"), restrict_vocab=_MOST_FREQUENT)
    asked = len(sections[-1]["correct"]) + len(sections[-1]["incorrect"])
    return Score(float(value) if asked else None, asked)


def word_pairs(vectors: Any, file: str) -> Score:
    """Return Spearman's correlation of cosine similarities and people's judgements, in a file of Gensim's."""
    from gensim.test.utils import datapath

    lines = Path(datapath(file)).read_text(encoding="utf-8").splitlines()
    pairs = sum(1 for line in lines if line.strip() and not line.startswith("#"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about vectors that are all alike; they have no correlation
        try:
            _, spearman, unknown = vectors.evaluate_word_pairs(datapath(file), restrict_vocab=_MOST_FREQUENT)
        except ValueError:  # not a single pair is known
            return Score(None, 0)
    value = float(spearman.statistic)
    return Score(None if math.isnan(value) else value, round(pairs * (1 - unknown / 100)))


METRICS: dict[str, Callable[[Any], Score]] = {
    "analogies": analogies,
    "WordSim-353": lambda vectors: word_pairs(vectors, "wordsim353.tsv"),
    "SimLex-999": lambda vectors: word_pairs(vectors, "simlex999.txt"),
}


def evaluate(vectors: Any) -> dict[str, Score]:
    """Return the scores of a KeyedVectors by the name of the metric."""
    return {name: metric(vectors) for name, metric in METRICS.items()}
