"""The neighbours of words, of one run or compared between runs, and the map of words with theirs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from w2vcli.observed import Observed
from w2vcli.plots import PLOTS, Choice, Numbers, figure_of, prepare, style
from w2vcli.plots.style import FULL, inline_svg
from w2vcli.plots.vectors import AMONG, chosen_words, first_after_function_words, map_of, random_words
from w2vcli.report.page import Part, Remark, Table, WordMap
from w2vcli.report.parts import LETTERS, table
from w2vcli.vectors import Found, Ids, Vectors
from w2vcli.wording import label, percent

_SHOWN = 10
_COLUMNS = ("word", "count", "nearest words, with their cosine similarities")
_AT_ONCE = 250  # words whose neighbours are looked for in one search
_ON_A_MAP, _MAP_LETTERS = 20_000, 32  # neighbours of all words, and of a word: a page is to be small whatever they are
_RANDOM = 12
_CANDIDATES, _COMPARED, _LISTED = 30_000, 1_000, 20


def nearest(vectors: Vectors, ids: Ids, number: int = _SHOWN) -> list[Found]:
    """Return the nearest words of each of some words, among the most frequent ones of a large vocabulary."""
    found: list[Found] = []
    for first in range(0, len(ids), _AT_ONCE):
        some = ids[first : first + _AT_ONCE]
        found += vectors.nearest(vectors.take(some), number, [[word] for word in some.tolist()], among=AMONG)
    return found


def neighbour_tables(run: Observed, choice: Choice) -> list[Part]:
    """Return the neighbours of chosen words and of random ones."""
    vectors = run.vectors
    drawn = random_words(vectors, _RANDOM)
    caption = "Words that were asked for" if choice.words else "Frequent words"
    return [
        table(Numbers(_COLUMNS, neighbour_rows(run, choice)), caption),
        table(Numbers(_COLUMNS, _rows(vectors, drawn)), "Words drawn at random, frequent and rare ones alike"),
        *_searched_among(vectors),
    ]


def neighbour_rows(run: Observed, choice: Choice) -> list[tuple[str, int | None, list[str]]]:
    """Return chosen words, their counts, and their neighbours with their similarities.

    Raises:
        UnknownWordError: when a word is not in the vocabulary.
        MissingError: when there are no vectors.
    """
    return _rows(run.vectors, chosen_words(run, choice))


def _searched_among(vectors: Vectors) -> list[Part]:
    if len(vectors) <= AMONG:
        return []
    return [Remark(f"Neighbours are looked for among the {AMONG:,} most frequent words.")]


def _rows(vectors: Vectors, ids: Ids) -> list[tuple[str, int | None, list[str]]]:
    return [
        (
            label(vectors.words[number], LETTERS),
            None if vectors.counts is None else int(vectors.counts[number]),
            _listed(vectors, found),
        )
        for number, found in zip(ids.tolist(), nearest(vectors, ids), strict=True)
    ]


def _listed(vectors: Vectors, found: Found) -> list[str]:
    return [
        f"{label(vectors.words[number], LETTERS // 2)} {score:.2f}"
        for number, score in zip(found.ids.tolist(), found.scores.tolist(), strict=True)
    ]


# ---------------------------------------------------------------- the map


def word_map(run: Observed, choice: Choice) -> WordMap:
    """Return the map of a run's words, to move about in."""
    vectors, drawn, plot = run.vectors, map_of(run, choice), PLOTS["map"]
    found = nearest(vectors, drawn.ids, max(4, min(_SHOWN, _ON_A_MAP // len(drawn.ids))))
    every = np.unique(np.concatenate([answer.ids for answer in found]))
    place = {number: at for at, number in enumerate(every.tolist())}
    on_map = {number: at for at, number in enumerate(drawn.ids.tolist())}
    static = figure_of("map", prepare("map", [run], choice), FULL)
    with style():
        svg = inline_svg(static)
    return WordMap(
        title=plot.title,
        look_for=plot.look_for,
        remark=drawn.remark,
        words=_labels(vectors, drawn.ids),
        x=drawn.points[:, 0].tolist(),
        y=drawn.points[:, 1].tolist(),
        counts=None if vectors.counts is None else vectors.counts[drawn.ids].tolist(),
        chosen=drawn.chosen,
        names=_labels(vectors, every),
        neighbours=[
            [(place[number], score) for number, score in zip(answer.ids.tolist(), answer.scores.tolist(), strict=True)]
            for answer in found
        ],
        static=svg,
        ranks=(drawn.ids + 1).tolist(),
        places=[on_map.get(number, -1) for number in every.tolist()],
    )


def _labels(vectors: Vectors, ids: Ids) -> list[str]:
    return [label(vectors.words[number], _MAP_LETTERS) for number in ids.tolist()]


# ---------------------------------------------------------------- two runs


class Changes(NamedTuple):
    """How the neighbours of words differ between two runs.

    `kept`: the share of each word's ten nearest that are the same. `before`, `after`: those that are only in one.
    """

    words: list[str]
    kept: list[float]
    before: list[list[str]]
    after: list[list[str]]


def compare(one: Observed, other: Observed, choice: Choice) -> list[Part]:
    """Return which neighbours, among the words that both know, changed from one run to another.

    Raises:
        MissingError: when one has no vectors.
        UnknownWordError: when a word that is to be shown is not in the first one's vocabulary.
    """
    words, known = one.vectors.words[:AMONG], other.vectors.words
    both = list(islice((word for word in words if word in known), _CANDIDATES))
    chosen = [one.vectors.words[number] for number in chosen_words(one, choice).tolist()]
    chosen = [word for word in chosen if word in known]
    pair = _of(one, [*both, *chosen]), _of(other, [*both, *chosen])
    if len(both) < 3:
        return [Remark(f"{one.name} and {other.name} have too few words in common.")]
    function_words = set(one.vectors.words[: first_after_function_words(one)])
    content = [word for word in both if word not in function_words][:_COMPARED] or both[:_COMPARED]
    changes, asked = _changes(*pair, content), _changes(*pair, chosen)
    most = [place for place in np.argsort(changes.kept, kind="stable")[:_LISTED].tolist() if changes.kept[place] < 1]
    mean = sum(changes.kept) / len(changes.kept)
    return [
        Remark(
            f"Among the {len(both):,} most frequent words that both know, {percent(mean)} of the ten nearest of a word "
            f"are the same in {one.name} and in {other.name}, on average over {len(content):,} words."
        ),
        _change_table(asked, range(len(asked.words)), one, other, "neighbours of some words"),
        *([_change_table(changes, most, one, other, "words whose neighbours differ most")] if most else ()),
    ]


def _of(run: Observed, words: Sequence[str]) -> Vectors:
    """Return a run's vectors of these words alone."""
    places = [run.vectors.words.find(word) for word in dict.fromkeys(words)]
    return run.vectors.only(np.array(places, dtype=np.int64))


def _changes(one: Vectors, other: Vectors, words: Sequence[str]) -> Changes:
    near = []
    for vectors in (one, other):
        ids = np.array([vectors.words.find(word) for word in words], dtype=np.int64)
        near.append([[vectors.words[number] for number in found.ids.tolist()] for found in nearest(vectors, ids)])
    kept = [len(set(before) & set(after)) / max(1, len(before)) for before, after in zip(*near, strict=True)]
    return Changes(list(words), kept, _only_in(near[0], near[1]), _only_in(near[1], near[0]))


def _only_in(mine: Sequence[Sequence[str]], theirs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return, for each word, those of its neighbours that are not among the others."""
    return [
        [label(word, LETTERS // 2) for word in some if word not in others]
        for some, others in zip(mine, theirs, strict=True)
    ]


def _change_table(changes: Changes, places: Sequence[int], one: Observed, other: Observed, caption: str) -> Table:
    rows = [
        (label(changes.words[at], LETTERS), f"{changes.kept[at]:.0%}", changes.before[at], changes.after[at])
        for at in places
    ]
    columns = ("word", "the same", f"only in {one.name}", f"only in {other.name}")
    return table(Numbers(columns, rows), f"{one.name} and {other.name}: {caption}")
