"""Figures of a run's vectors: words in the plane, their similarities, and what they make of analogies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from w2vcli.evaluate import question_sets
from w2vcli.evaluate.questions import Asking
from w2vcli.evaluate.rows import Row, score_models
from w2vcli.observed import MissingError, Observed
from w2vcli.plots.drawing import Choice, Drawing, Numbers
from w2vcli.plots.style import (
    INK,
    MARKERS,
    MUTED,
    PAPER,
    SEQUENTIAL,
    SERIES,
    in_legend,
    is_narrow,
    legend_above,
    percents,
)
from w2vcli.projection import Points, project
from w2vcli.queries import Questions
from w2vcli.vectors import Ids, Rows, Vectors
from w2vcli.wording import label

AMONG = 200_000
"""Of a larger vocabulary, neighbours are looked for among so many of the most frequent words: the others' are mostly
chance, and looking through all of them would take long."""
_CHOSEN = 12
_HEATED, _MOST_HEATED = 24, 60  # words, chosen here, and asked for
_SHADES = 32  # of more, matplotlib makes a bitmap
_FIRST_DRAWN = 100  # the rank of the most frequent word that may be drawn
_PAIRS, _BINS = 20_000, 60
_LISTED = 200  # points
_TOO_FREQUENT = 1e-3  # a share of the text; such words are mostly function words
_AT_ONCE = 250  # words whose nearest are looked for
_LETTERS = 0.6  # a letter's width, by its height


def chosen_words(run: Observed, choice: Choice, number: int = _CHOSEN) -> Ids:
    """Return the words that were asked for; or else the most frequent ones that make less than 1/1000 of the text.

    Raises:
        UnknownWordError: when a word is not in the vocabulary, with the nearest spellings.
        MissingError: when there are no vectors.
    """
    vectors = run.vectors
    if choice.words:
        questions = Questions(vectors)
        wanted = [word for text in choice.words for word in ([text] if text in vectors.words else text.split())]
        return np.array(list(dict.fromkeys(map(questions.find, wanted))), dtype=np.int64)
    first = min(first_after_function_words(run), max(0, len(vectors) - number))
    return np.arange(first, min(first + number, len(vectors)))


def first_after_function_words(run: Observed) -> int:
    """Return the first word that makes less than 1/1000 of the text; 0 where counts are not known."""
    counts = run.vectors.counts
    return 0 if counts is None else int(np.searchsorted(-np.asarray(counts[:AMONG]), -_TOO_FREQUENT * run.counts.sum()))


def random_words(vectors: Vectors, number: int, seed: int = 1) -> Ids:
    """Return words drawn at random, evenly over the logarithm of their ranks, the most frequent ones left out."""
    rng = np.random.default_rng(seed)
    number = min(number, len(vectors))
    first = min(_FIRST_DRAWN, max(1, len(vectors) // 10))
    edges = np.geomspace(first, len(vectors) + 1, number + 1)
    drawn = {min(int(rng.uniform(*edges[place : place + 2])) - 1, len(vectors) - 1) for place in range(number)}
    return np.array(sorted(drawn), dtype=np.int64)


# ---------------------------------------------------------------- the map


class Map(NamedTuple):
    """Words in the plane: their numbers, int64 (n,), points, float64 (n, 2), which are chosen, and a remark."""

    ids: Ids
    points: Points
    chosen: list[int]
    remark: str


def map_of(run: Observed, choice: Choice) -> Map:
    """Return the most frequent words and those that were asked for as points.

    Raises:
        UnknownWordError: when one is not in the vocabulary.
        MissingError: when there are no vectors.
    """
    return choice.once("map", [run], lambda: _map_of(run, choice))


def _map_of(run: Observed, choice: Choice) -> Map:
    vectors = run.vectors
    asked = chosen_words(run, choice) if choice.words else np.zeros(0, dtype=np.int64)
    top = np.arange(min(choice.top, len(vectors)))
    ids = np.concatenate([top, np.setdiff1d(asked, top)])
    points, remark = project(vectors.units(ids), choice.projection)
    places = [int(np.flatnonzero(ids == word)[0]) for word in asked]
    return Map(ids, points, places, f"{len(ids):,} words of {run.vectors_of}. {remark}")


def word_map(run: Observed, choice: Choice) -> Drawing:
    """Prepare the map of the most frequent words and of those that were asked for."""
    found = map_of(run, choice)
    words = [run.vectors.words[number] for number in found.ids.tolist()]
    order = [*found.chosen, *(place for place in range(len(words)) if place not in set(found.chosen))]

    def draw(figure: Any) -> None:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.margins(0.06)
        axes.scatter(*found.points.T, s=3, color=SERIES[0], alpha=0.35, linewidths=0)
        if found.chosen:
            axes.scatter(*found.points[found.chosen].T, s=14, color=SERIES[1], linewidths=0)
        size = 6.5 if is_narrow(figure.get_figwidth()) else 7.5
        places = axes.transData.transform(found.points) * 72 / figure.dpi
        for place, side in _beside(places, words, order, len(found.chosen), 72 * figure.get_figwidth(), size):
            bold = place in found.chosen
            axes.annotate(
                label(words[place], 16), found.points[place], xytext=(3 * side, 0), textcoords="offset points",
                ha="left" if side > 0 else "right", va="center", size=size, color=SERIES[1] if bold else INK,
                weight="bold" if bold else "normal",
            )  # fmt: skip

    points = found.points.round(4).tolist()[:_LISTED]
    rows = [(word, *point) for word, point in zip(words, points, strict=False)]
    return Drawing(draw, Numbers(("word", "x", "y"), rows), found.remark)


def _beside(
    places: Points, words: Sequence[str], order: Sequence[int], always: int, width: float, size: float
) -> Iterator[tuple[int, int]]:
    """Yield which words can be written beside their points, and on which side of them, 1 for the right and -1.

    Args:
        places: where the points are in a figure, in points of its letters, (n, 2).
        words: what is to be written.
        order: which words have the first choice.
        always: so many of these are written in any case.
        width: of the figure, in the same unit.
        size: of letters.
    """
    taken: set[tuple[int, int]] = set()
    for turn, place in enumerate(order):
        x, y = places[place]
        long = size * _LETTERS * len(label(words[place], 16)) + 3
        fitting = [side for side, left in ((1, x), (-1, x - long)) if left >= 0 and left + long <= width] or [1]
        for side in fitting:
            left = x if side > 0 else x - long
            columns = range(int(left // size), int((left + long) // size) + 1)
            cells = {(column, row) for column in columns for row in (int(y // size), int(y // size) + 1)}
            if not cells & taken or (turn < always and side == fitting[-1]):
                taken |= cells
                yield place, side
                break


# ---------------------------------------------------------------- similarities


def clustered(units: Rows) -> list[int]:
    """Return an order of unit vectors in which similar ones stand together: that of the leaves of a tree of clusters.

    Average linkage of cosine distances, each branch turned so that neighbouring leaves are near (Bar-Joseph et al.
    2001, https://doi.org/10.1093/bioinformatics/17.suppl_1.S22).
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(units) < 3:
        return list(range(len(units)))
    distances = np.clip(1 - units.astype(np.float64) @ units.T, 0, 2)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform((distances + distances.T) / 2, checks=False), "average", optimal_ordering=True)
    return [int(leaf) for leaf in leaves_list(tree)]


def heatmap(run: Observed, choice: Choice) -> Drawing:
    """Prepare the cosine similarities of some words, similar words together."""
    vectors = run.vectors
    ids = _heated(run, choice)
    if len(ids) < 2:
        raise MissingError(f"{run.path}: has a single word, which is similar to nothing but itself")
    ids = ids[clustered(vectors.units(ids))]
    words = [vectors.words[number] for number in ids.tolist()]
    units = vectors.units(ids)
    cosines = units @ units.T

    def draw(figure: Any) -> None:
        from matplotlib import colormaps

        axes = figure.subplots()
        shades = colormaps[SEQUENTIAL].resampled(_SHADES)
        lines = {"edgecolors": PAPER, "linewidth": 0.4}
        cells = axes.pcolormesh(cosines, cmap=shades, vmin=0, vmax=1, **lines)
        names = [label(word, 12) for word in words]
        size = 7 if len(words) > 12 else 8
        axes.set_xticks(np.arange(len(words)) + 0.5, names, rotation=90, size=size, color=INK)
        axes.set_yticks(np.arange(len(words)) + 0.5, names, size=size, color=INK)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.grid(visible=False)
        axes.invert_yaxis()
        axes.set_aspect("equal")
        bar = figure.colorbar(cells, ax=axes, shrink=0.7, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label("cosine similarity", color=MUTED)

    rows = [(word, *(round(float(value), 3) for value in line)) for word, line in zip(words, cosines, strict=True)]
    mean = float((cosines.sum() - len(words)) / (len(words) * (len(words) - 1)))
    remark = f"The mean similarity of two of these words is {mean:.2f}."
    if not choice.words:
        remark += " They are some frequent words, each with its two nearest."
    return Drawing(draw, Numbers(("", *words), rows), remark)


def similarities(run: Observed, choice: Choice) -> Drawing:
    """Prepare the cosine similarities of words drawn at random, and of words and their nearest neighbours."""
    vectors = run.vectors
    if len(vectors) < 3:
        raise MissingError(f"{run.path}: has too few words to draw pairs of")
    size = min(len(vectors), AMONG)
    pairs = np.random.default_rng(1).integers(0, size, (2, _PAIRS))
    one, other = (vectors.units(ids) for ids in pairs[:, pairs[0] != pairs[1]])
    random = np.einsum("ij,ij->i", one, other)
    drawn = np.unique(pairs[0])
    asked = drawn[:: max(1, len(drawn) // _AT_ONCE)][:_AT_ONCE]
    found = vectors.nearest(vectors.take(asked), 1, [[int(word)] for word in asked], among=AMONG)
    nearest = np.concatenate([answer.scores for answer in found])
    edges = np.linspace(min(-0.2, float(random.min())), 1.0, _BINS + 1)
    shares = [  # by rounding some of vectors that are alike are above 1
        np.histogram(np.clip(values, edges[0], 1.0), edges)[0] / len(values) for values in (random, nearest)
    ]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, (values, name) in enumerate(
            zip(shares, ("two words at random", "a word and its nearest"), strict=True)
        ):
            axes.stairs(values, edges, fill=True, color=SERIES[number], alpha=0.35)
            axes.stairs(values, edges, color=SERIES[number], label=name)
        axes.set(xlabel="cosine similarity", ylabel="share of the pairs")
        percents(axes.yaxis)
        axes.legend()

    remark = (
        f"Two words drawn at random have a similarity of {float(random.mean()):.2f} on average, a word and its nearest "
        f"one of {float(nearest.mean()):.2f}."
    )
    columns = ("from", "to", "share of random pairs", "share of nearest")
    rows = [tuple(round(float(value), 4) for value in row) for row in zip(edges[:-1], edges[1:], *shares, strict=True)]
    return Drawing(draw, Numbers(columns, rows), remark)


def _heated(run: Observed, choice: Choice) -> Ids:
    """Return the words asked for; or else some frequent ones, each with its nearest, so that there are clusters."""
    vectors = run.vectors
    seeds = chosen_words(run, choice, 8)
    if choice.words and len(seeds) > 1:
        return seeds[:_MOST_HEATED]
    number = 2 if len(seeds) > 1 else 9
    near = vectors.nearest(vectors.take(seeds), number, [[int(seed)] for seed in seeds], among=AMONG)
    found = [*seeds.tolist(), *(int(word) for answer in near for word in answer.ids)]
    return np.array(list(dict.fromkeys(found))[:_HEATED], dtype=np.int64)


# ---------------------------------------------------------------- analogies


def scored(runs: Sequence[Observed], choice: Choice) -> list[list[Row]]:
    """Return the rows of scores of each run, sections included, compared to the first run.

    Raises:
        MissingError: when there are no vectors, or nothing could be asked of any run.
    """
    return choice.once("scores", runs, lambda: _scored(runs, choice))


def _scored(runs: Sequence[Observed], choice: Choice) -> list[list[Row]]:
    sets = choice.sets if choice.sets is not None else question_sets()
    models = [(run.name, run.vectors) for run in runs]
    found = [one.rows for one in score_models(models, sets, Asking(), sections=True)]
    if not any(row.score.asked for rows in found for row in rows):
        raise MissingError(
            f"{runs[0].path}: none of the questions could be asked; these sets are English, --analogies names others"
        )
    return found


def analogies(runs: Sequence[Observed], choice: Choice) -> Drawing:
    """Prepare the scores of sections of analogies, or of sets that have no sections, with their intervals."""
    found = scored(runs, choice)
    asked = {(row.set, row.section) for rows in found for row in rows if row.interval}
    names = [(row.set, row.section) for row in found[0] if _is_drawn(row, found[0])]
    names = [name for name in names if name in asked]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        step = 0.7 / len(found)
        for number, (run, rows) in enumerate(zip(runs, found, strict=True)):
            own = {(row.set, row.section): row for row in rows if row.interval}
            places = [place for place, name in enumerate(names) if name in own]
            values = np.array([own[names[place]].score.value for place in places], dtype=np.float64)
            limits = np.array([own[names[place]].interval for place in places], dtype=np.float64).reshape(-1, 2)
            heights = np.array(places) + step * (number - (len(found) - 1) / 2)
            spread = np.maximum(0, np.abs(limits.T - values))
            axes.errorbar(
                values, heights, xerr=spread, fmt=MARKERS[number], ms=4, lw=1.2, capsize=2, color=SERIES[number],
                label=in_legend(run.name),
            )  # fmt: skip
        axes.set_yticks(range(len(names)), [_asked(name, found) for name in names], color=INK)
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlabel("share right, or correlation, and 95 % interval", loc="right")
        axes.margins(y=0.03)
        if len(found) > 1:
            legend_above(figure)

    columns = ("model", "set", "section", "score", "low", "high", "asked", "total")
    return Drawing(draw, Numbers(columns, [_row(row) for rows in found for row in rows]))


def _asked(name: tuple[str, str | None], found: Sequence[Sequence[Row]]) -> str:
    """Return the name of a section, or of a set, and how many questions were asked, at the least."""
    asked = min(row.score.asked for rows in found for row in rows if (row.set, row.section) == name)
    return f"{label(name[1] or name[0], 30)} ({asked:,})"


def _row(row: Row) -> tuple[Any, ...]:
    score, limits = row.score, row.interval or (None, None)
    return (row.model, row.set, row.section or "", score.value, *limits, score.asked, score.total)


def _is_drawn(row: Row, rows: Sequence[Row]) -> bool:
    """Return whether a row is a section, a group, or a set without sections."""
    return row.section is not None or not any(other.set == row.set and other.section is not None for other in rows)
