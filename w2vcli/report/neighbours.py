"""The neighbours of words, of one run or compared between runs, and the map of words with theirs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from w2vcli.observed import Observed
from w2vcli.plots import PLOTS, Choice, Numbers, figure_of, prepare, style
from w2vcli.plots.style import FULL, inline_svg
from w2vcli.plots.vectors import AMONG, chosen_words, map_of, random_words
from w2vcli.report.page import Part, Remark, Table, WordMap
from w2vcli.report.parts import LETTERS, table
from w2vcli.vectors import Found, Ids, Vectors
from w2vcli.wording import label

_SHOWN = 10
_COLUMNS = ("word", "count", "nearest words, with their cosine similarities")
_AT_ONCE = 250  # words whose neighbours are looked for in one search
_RANDOM = 12
_COMPARED, _LISTED = 1_000, 20


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


def neighbour_rows(run: Observed, choice: Choice) -> list[tuple[str, int | None, str]]:
    """Return chosen words, their counts, and their neighbours in a line.

    Raises:
        UnknownWordError: when a word is not in the vocabulary.
        MissingError: when there are no vectors.
    """
    return _rows(run.vectors, chosen_words(run, choice))


def _searched_among(vectors: Vectors) -> list[Part]:
    if len(vectors) <= AMONG:
        return []
    return [Remark(f"Neighbours are looked for among the {AMONG:,} most frequent words.")]


def _rows(vectors: Vectors, ids: Ids) -> list[tuple[str, int | None, str]]:
    return [
        (
            label(vectors.words[number], LETTERS),
            None if vectors.counts is None else int(vectors.counts[number]),
            _listed(vectors, found),
        )
        for number, found in zip(ids.tolist(), nearest(vectors, ids), strict=True)
    ]


def _listed(vectors: Vectors, found: Found) -> str:
    """Return words and their similarities in a line."""
    return " · ".join(
        f"{label(vectors.words[number], LETTERS // 2)} {score:.2f}"
        for number, score in zip(found.ids.tolist(), found.scores.tolist(), strict=True)
    )


# ---------------------------------------------------------------- the map


def word_map(run: Observed, choice: Choice) -> WordMap:
    """Return the map of a run's words, to move about in."""
    vectors, drawn, plot = run.vectors, map_of(run, choice), PLOTS["map"]
    found = nearest(vectors, drawn.ids)
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
    return [label(vectors.words[number], LETTERS) for number in ids.tolist()]


# ---------------------------------------------------------------- two runs


class Changes(NamedTuple):
    """How the neighbours of words differ between two runs: the words, and the share of the ten nearest in both."""

    words: list[str]
    kept: list[float]
    before: list[str]
    after: list[str]


def compare(one: Observed, other: Observed, choice: Choice) -> list[Part]:
    """Return which neighbours changed from one run to another: of chosen words, and where most did."""
    words, known = one.vectors.words[:AMONG], other.vectors.words
    shared = list(islice((word for word in words if word in known), _COMPARED))
    chosen = [one.vectors.words[number] for number in chosen_words(one, choice).tolist()]
    chosen = [word for word in chosen if word in other.vectors.words]
    if not shared:
        return [Remark(f"{one.name} and {other.name} have no word in common.")]
    changes, asked = _changes(one, other, shared), _changes(one, other, chosen)
    mean = sum(changes.kept) / len(changes.kept)
    most = np.argsort(changes.kept, kind="stable")[:_LISTED].tolist()
    return [
        Remark(
            f"Of the ten nearest words of the {len(shared):,} most frequent words that both know, {100 * mean:.3g} % "
            f"are the same in {one.name} and in {other.name}."
        ),
        _change_table(asked, range(len(chosen)), one, other, "neighbours of some words"),
        _change_table(changes, most, one, other, "the words whose neighbours differ most"),
    ]


def _changes(one: Observed, other: Observed, words: Sequence[str]) -> Changes:
    near: list[list[list[str]]] = []
    for vectors in (one.vectors, other.vectors):
        ids = np.array([vectors.words.find(word) for word in words], dtype=np.int64)
        near.append([[vectors.words[number] for number in found.ids.tolist()] for found in nearest(vectors, ids)])
    kept = [len(set(before) & set(after)) / max(1, len(before)) for before, after in zip(*near, strict=True)]
    lost, new = _only_in(near[0], near[1]), _only_in(near[1], near[0])
    return Changes(list(words), kept, lost, new)


def _only_in(mine: Sequence[Sequence[str]], theirs: Sequence[Sequence[str]]) -> list[str]:
    """Return, in a line for each word, those of its neighbours that are not among the others."""
    lines = []
    for some, others in zip(mine, theirs, strict=True):
        lines.append(" · ".join(label(word, LETTERS // 2) for word in some if word not in others))
    return lines


def _change_table(changes: Changes, places: Sequence[int], one: Observed, other: Observed, caption: str) -> Table:
    rows = [
        (
            label(changes.words[place], LETTERS),
            f"{changes.kept[place]:.0%}",
            changes.before[place],
            changes.after[place],
        )
        for place in places
    ]
    columns = ("word", "the same", f"only in {one.name}", f"only in {other.name}")
    return table(Numbers(columns, rows), f"{one.name} and {other.name}: {caption}")
