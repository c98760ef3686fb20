"""Figures of what training draws from the text: words that subsampling keeps, contexts, and noise words."""

from __future__ import annotations

from typing import Any

import numpy as np

from w2vcli.observed import MissingError, Observed
from w2vcli.plots.corpus import share_left, trained_words
from w2vcli.plots.drawing import Choice, Drawing, Numbers
from w2vcli.plots.style import INK, MARKERS, SERIES, is_narrow, legend_above, log_spaced, percents
from w2vcli.vocab import FloatArray, keep_probabilities, noise_probabilities
from w2vcli.wording import label, percent, quantity

_CURVE = 200  # points
_MARKED, _LABELLED = 60, 14
_NOISE_WORDS = 10
_BARS = 60
_EXPONENTS = (0.0, 0.75, 1.0)


def subsampling(run: Observed, choice: Choice) -> Drawing:
    """Prepare the probability that an occurrence is kept, by how frequent the word is."""
    counts, sample = run.kept_counts, run.config.word2vec.sample
    total = int(counts.sum())
    keep = keep_probabilities(counts, sample)
    curve = np.geomspace(max(1, counts[-1] / 3), min(counts[0] * 1.5, total), _CURVE)
    kept = keep_probabilities(curve, sample, total)
    marked = log_spaced(min(len(counts), len(run.top)), _MARKED)
    labelled = log_spaced(min(len(counts), len(run.top)), _LABELLED)

    def draw(figure: Any) -> None:
        from matplotlib.ticker import LogLocator

        axes = figure.subplots()
        axes.plot(curve / total, kept, color=SERIES[0])
        axes.plot(counts[marked] / total, keep[marked], "o", ms=3.2, color=SERIES[1])
        narrow = is_narrow(figure.get_figwidth())
        for place in _apart(counts / total, keep, labelled.tolist(), 0.2 if narrow else 0.15):
            where = (counts[place] / total, keep[place])
            axes.annotate(label(run.top.words[place], 12), where, xytext=(5, 4), textcoords="offset points", size=8)
        axes.set(xscale="log", ylim=(0, 1.09), xlabel="share of the text", ylabel="probability of being kept")
        axes.margins(x=0.12)
        axes.xaxis.set_major_locator(LogLocator(numticks=4 if narrow else 8))
        percents(axes.xaxis)
        percents(axes.yaxis)

    left = share_left(counts, sample)
    remark = (
        f"With sample = {sample:g}, {percent(left)} of the occurrences are kept: {quantity(left * trained_words(run))} "
        "words an epoch."
        if sample
        else "sample is 0: every occurrence is kept."
    )
    rows = [
        (run.top.words[place], int(counts[place]), float(counts[place] / total), float(keep[place])) for place in marked
    ]
    return Drawing(draw, Numbers(("word", "count", "share", "kept"), rows), remark)


def _apart(shares: FloatArray, keep: FloatArray, places: list[int], least: float) -> list[int]:
    """Return those of the places, in their order, whose names would not stand on one another."""
    width = np.log(shares[0] / shares[-1]) or 1.0
    found: list[int] = []
    for place in places:
        across = [abs(np.log(shares[place] / shares[other])) / width for other in found]
        along = [abs(keep[place] - keep[other]) for other in found]
        if all(x > least or y > 0.06 for x, y in zip(across, along, strict=True)):
            found.append(place)
    return found


def windows(run: Observed, choice: Choice) -> Drawing:
    """Prepare the probability that a word is in the context, by its distance from the centre."""
    settings = run.config.word2vec
    distances = np.arange(1, settings.window + 1)
    inclusion = 1 - (distances - 1) / settings.window if settings.shrink_windows else np.ones(settings.window)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        if settings.window > _BARS:
            axes.fill_between(distances, inclusion, step="mid", color=SERIES[0])
        else:
            bars = axes.bar(distances, inclusion, 0.72, color=SERIES[0])
        if settings.window <= 12:
            axes.bar_label(bars, [f"{share:.0%}" for share in inclusion], padding=2, size=8, color=INK)
            axes.set_xticks(distances)
        axes.set(xlabel="distance from the centre, in words", ylabel="probability", ylim=(0, 1.1))
        axes.grid(axis="x", visible=False)
        percents(axes.yaxis)

    shrinks = "Each window is as wide as a number drawn from 1 to" if settings.shrink_windows else "Each window is"
    remark = (
        f"{shrinks} {settings.window} words to each side; rare words and those that subsampling drops do not count."
    )
    some = np.unique(np.linspace(0, len(distances) - 1, _BARS).astype(np.int64))
    rows = list(zip(distances[some].tolist(), inclusion[some].tolist(), strict=True))
    return Drawing(draw, Numbers(("distance", "probability"), rows), remark)


def noise(run: Observed, choice: Choice) -> Drawing:
    """Prepare the probabilities of the most frequent words as noise words, under several exponents."""
    counts, settings = run.kept_counts, run.config.word2vec
    if not settings.negative:
        raise MissingError(f"{run.path}: was trained by hierarchical softmax, without noise words")
    exponents = sorted({*_EXPONENTS, settings.ns_exponent})
    words = run.top.head(min(_NOISE_WORDS, len(counts))).words
    found = [noise_probabilities(counts, exponent)[: len(words)].copy() for exponent in exponents]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, (exponent, chances) in enumerate(zip(exponents, found, strict=True)):
            used = exponent == settings.ns_exponent
            text = f"count ^ {exponent:g}{' (used)' if used else ''}"
            axes.plot(chances, MARKERS[number] + "-", color=SERIES[number], lw=2 if used else 0.8, ms=4.5, label=text)
        axes.set_xticks(range(len(words)), [label(word, 12) for word in words], rotation=45, ha="right", color=INK)
        axes.set(yscale="log", ylabel="probability")
        percents(axes.yaxis)
        legend_above(figure)

    place = exponents.index(settings.ns_exponent)
    times = found[place][0] / noise_probabilities(counts, settings.ns_exponent)[-1]
    remark = (
        f"With the exponent {settings.ns_exponent:g}, “{label(words[0])}” is drawn {_times(times)} times as often as "
        f"the rarest word; in the text it is {_times(counts[0] / counts[-1])} times as frequent."
    )
    columns = ("word", *(f"count ^ {exponent:g}" for exponent in exponents))
    rows = [(word, *(float(chances[at]) for chances in found)) for at, word in enumerate(words)]
    return Drawing(draw, Numbers(columns, rows), remark)


def _times(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
