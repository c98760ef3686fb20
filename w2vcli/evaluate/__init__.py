"""Scores of word vectors: analogies, word pairs and odd ones out; sets of English that ship with Gensim, or own files.

To add a set that everybody has, write its line in BUILT_IN.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from w2vcli.errors import ConfigError, W2VError
from w2vcli.evaluate.analogies import read_analogies
from w2vcli.evaluate.answers import Score
from w2vcli.evaluate.odd_one_out import read_odd_one_out
from w2vcli.evaluate.pairs import read_pairs
from w2vcli.evaluate.questions import ALSO_CALLED, Asking, KnownWords, QuestionSet, numbered_lines
from w2vcli.vectors import Vectors

AnySet = QuestionSet[Any]
Metric = Callable[[Vectors], Score]


@cache
def _shipped(name: str, read: Callable[[Path, str], AnySet], file: str) -> AnySet:
    """Return a set that ships with Gensim."""
    from gensim.test.utils import datapath

    return read(Path(datapath(file)), name)


BUILT_IN: dict[str, tuple[Callable[[Path, str], AnySet], str]] = {
    "analogies": (read_analogies, "questions-words.txt"),
    "WordSim-353": (read_pairs, "wordsim353.tsv"),
    "SimLex-999": (read_pairs, "simlex999.txt"),
}
"""The reader and the file of each."""


def built_in(name: str) -> AnySet:
    """Return the built-in set of that name."""
    return _shipped(name, *BUILT_IN[name])


# ---------------------------------------------------------------- what w2v evaluate asks


def question_sets(
    analogies: Iterable[str] = (), pairs: Iterable[str] = (), odd_one_out: Iterable[str] = ()
) -> list[AnySet]:
    """Return the sets of these files, folders and names; without any, all that are built in.

    Raises:
        ConfigError: when there is no such file or set.
        W2VError: when a file cannot be read or holds something else.
    """
    found = [
        *(_set_of(name, "--analogies", read_analogies) for name in dict.fromkeys(analogies)),
        *(_set_of(name, "--pairs", read_pairs) for name in dict.fromkeys(pairs)),
        *(_set_of(name, "--odd-one-out", read_odd_one_out) for name in dict.fromkeys(odd_one_out)),
    ]
    return found or [built_in(name) for name in BUILT_IN]


def _set_of(name: str, option: str, read: Callable[[Path, str], AnySet]) -> AnySet:
    names = {known.casefold(): known for known, (reader, _) in BUILT_IN.items() if reader is read}
    names |= {also: known for also, known in ALSO_CALLED.items() if known in names.values()}
    if name.casefold() in names:
        return built_in(names[name.casefold()])
    if not Path(name).exists():
        what = "neither a file nor a set that is built in" if names else "no such file"
        raise ConfigError([f"{option}: {name}: {what}{_meant(name, list(dict.fromkeys(names.values())))}"])
    return read(Path(name), name)


def _meant(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, 1, 0.4)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}" if known else ""


# ---------------------------------------------------------------- what training and the benchmark measure


def _score(questions: Callable[[], AnySet], vectors: Vectors) -> Score:
    return questions().ask(KnownWords(vectors, Asking())).score()


METRICS: dict[str, Metric] = {name: partial(_score, partial(built_in, name)) for name in BUILT_IN}


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
        raise ConfigError([f"{setting}: {name} is neither a score nor a file{_meant(name, [*others, *METRICS])}"])
    questions = _recognised(file)
    return partial(_score, lambda: questions)


def _recognised(file: Path) -> AnySet:
    """Read a file of analogies or pairs, whichever its first line shows."""
    first = next((line for _, line in numbered_lines(file) if line.strip()), "")
    fields = first.split("\t")
    if first.startswith(":") or len(first.split()) == 4:
        return read_analogies(file)
    if len(fields) == 3 and fields[2].strip().replace(".", "", 1).replace("-", "", 1).isdigit():
        return read_pairs(file)
    raise W2VError(
        f"{file}: neither analogies nor pairs",
        "a line should be four words, or two words and a number with tabs between",
    )


def evaluate(vectors: Vectors) -> dict[str, Score]:
    """Return the scores of vectors by the name of the metric."""
    known = KnownWords(vectors, Asking())
    return {name: built_in(name).ask(known).score() for name in BUILT_IN}
