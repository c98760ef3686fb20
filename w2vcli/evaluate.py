"""Scores of word vectors: analogies and word pairs, from test sets of English that ship with Gensim or own files.

To add one, write a function and its line in METRICS.
"""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w2vcli.errors import ConfigError, W2VError
from w2vcli.vectors import Vectors

# of the words only the most frequent, as in word2vec's own demo; Gensim's default is ten times as many
_MOST_FREQUENT = 30_000
_QUESTIONS_AT_ONCE = 500


@dataclass(frozen=True)
class Score:
    """A score between 0 and 1 (-1 and 1 for a correlation), None where no question could be asked.

    `asked`: how many questions all of whose words are in the vocabulary.
    """

    value: float | None
    asked: int


Metric = Callable[[Vectors], Score]


def _shipped(file: str) -> Path:
    """Return a test set that ships with Gensim."""
    from gensim.test.utils import datapath

    return Path(datapath(file))


def _ids(vectors: Vectors) -> dict[str, int]:
    """Return the ids of the most frequent words by their upper case; of several spellings, the most frequent one's."""
    words = vectors.words[:_MOST_FREQUENT]
    return {word.upper(): number for number, word in reversed(list(enumerate(words)))}


# ---------------------------------------------------------------- analogies


def analogies(vectors: Vectors, questions: Sequence[list[str]] | None = None) -> Score:
    """Return the share of right answers to analogy questions: a is to b as c is to d, d the word nearest to b - a + c.

    3CosAdd (Mikolov et al. 2013, https://aclanthology.org/N13-1090) among the most frequent words, a, b and c left
    out, words of any case alike: what Gensim's `evaluate_word_analogies` computes, in matrix products.

    Args:
        vectors: words and vectors.
        questions: four words each, in upper case; Google's (arXiv:1301.3781) if not given.
    """
    ids = _ids(vectors)
    words = [word.upper() for word in vectors.words[:_MOST_FREQUENT]]
    same = np.array([ids[word] for word in words])
    asked = [
        [ids[word] for word in question]
        for question in (read_questions(_shipped("questions-words.txt")) if questions is None else questions)
        if all(word in ids for word in question)
    ]
    if not asked:
        return Score(None, 0)
    units = vectors.units(slice(0, len(words)))
    right = sum(
        int(_right(units, same, np.array(asked[first : first + _QUESTIONS_AT_ONCE])).sum())
        for first in range(0, len(asked), _QUESTIONS_AT_ONCE)
    )
    return Score(right / len(asked), len(asked))


def _right(units: NDArray[np.float32], same: NDArray[np.int64], questions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which questions, ids (n, 4), are answered right; `same` (V,): the word that each counts as."""
    a, b, c, d = questions.T
    scores = (units[b] - units[a] + units[c]) @ units.T
    order = np.argsort(same, kind="stable")
    starts = np.searchsorted(same[order], np.arange(len(same) + 1))
    for place, given in enumerate(questions[:, :3].tolist()):
        for word in given:
            scores[place, order[starts[word] : starts[word + 1]]] = -np.inf
    return np.asarray(same[scores.argmax(axis=1)] == d)


def read_questions(file: Path) -> list[list[str]]:
    """Return the questions of a file of `a b c d` lines and `: section` lines.

    Raises:
        W2VError: when the file cannot be read or holds something else.
    """
    questions = []
    for number, line in enumerate(_lines(file), 1):
        words = line.upper().split()
        if words and not line.startswith((":", "#")):
            if len(words) != 4:
                raise W2VError(f"{file}: line {number}: not four words", "an analogy is: man king woman queen")
            questions.append(words)
    return questions


# ---------------------------------------------------------------- pairs


Pairs = Sequence[tuple[str, str, float]]


def word_pairs(vectors: Vectors, pairs: Pairs) -> Score:
    """Return Spearman's correlation of cosine similarities and people's judgements; words of any case alike.

    What Gensim's `evaluate_word_pairs` computes, among the most frequent words. `pairs`: words in upper case.
    """
    from scipy.stats import spearmanr

    ids = _ids(vectors)
    known = [(ids[a], ids[b], judged) for a, b, judged in pairs if a in ids and b in ids]
    if len(known) < 2:
        return Score(None, len(known))
    places = np.array([pair[:2] for pair in known])
    first, second = (vectors.units(place) for place in places.T)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about vectors that are all alike; they have no correlation
        value = float(spearmanr([judged for *_, judged in known], np.einsum("ij,ij->i", first, second)).statistic)
    return Score(None if math.isnan(value) else value, len(known))


def read_pairs(file: Path) -> list[tuple[str, str, float]]:
    """Return the pairs of a file of lines with two words and a number, with tabs between.

    Raises:
        W2VError: when the file cannot be read or holds something else.
    """
    pairs = []
    for number, line in enumerate(_lines(file), 1):
        if line.strip() and not line.startswith("#"):
            try:
                a, b, judged = line.upper().split("\t")[:3]
                pairs.append((a, b, float(judged)))
            except ValueError:
                raise W2VError(
                    f"{file}: line {number}: not two words and a number", "they should have tabs between them"
                ) from None
    return pairs


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file in UTF-8"
        raise W2VError(f"{file}: cannot be read: {reason}") from error


# ---------------------------------------------------------------- all of them

METRICS: dict[str, Metric] = {
    "analogies": analogies,
    "WordSim-353": lambda vectors: word_pairs(vectors, read_pairs(_shipped("wordsim353.tsv"))),
    "SimLex-999": lambda vectors: word_pairs(vectors, read_pairs(_shipped("simlex999.txt"))),
}


def metric(name: str, setting: str = "train.evaluate", others: Sequence[str] = ()) -> Metric:
    """Return the metric of that name, or the one for a file of analogies or pairs.

    Args:
        name: of a metric or a file.
        setting: where it was named, for a message.
        others: what might have been meant besides.

    Raises:
        ConfigError: when there is neither.
        W2VError: when it is a file that holds something else.
    """
    if name in METRICS:
        return METRICS[name]
    file = Path(name)
    if not file.is_file():
        known = [*others, *METRICS]
        close = difflib.get_close_matches(name, known, 1, 0.4)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
        raise ConfigError([f"{setting}: {name} is neither a score nor a file; {hint}"])
    first = next((line for line in _lines(file) if line.strip() and not line.startswith("#")), "")
    fields = first.split("\t")
    if first.startswith(":") or len(first.split()) == 4:
        return partial(analogies, questions=read_questions(file))
    if len(fields) == 3 and fields[2].strip().replace(".", "", 1).replace("-", "", 1).isdigit():
        return partial(word_pairs, pairs=read_pairs(file))
    raise W2VError(
        f"{file}: neither analogies nor pairs",
        "a line should be four words, or two words and a number with tabs between",
    )


def evaluate(vectors: Vectors) -> dict[str, Score]:
    """Return the scores of vectors by the name of the metric."""
    return {name: metric(vectors) for name, metric in METRICS.items()}
