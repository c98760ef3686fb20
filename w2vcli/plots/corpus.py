"""Figures of a run's text: how much of it goes where, its words, their counts, and its sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from w2vcli.observed import MissingError, Observed
from w2vcli.plots.drawing import Choice, Drawing, Numbers
from w2vcli.plots.style import (
    INK,
    MARKERS,
    MUTED,
    SERIES,
    in_legend,
    is_narrow,
    legend_above,
    log_spaced,
    percents,
    quantities,
)
from w2vcli.vocab import CountArray, keep_probabilities, kept, least_count
from w2vcli.wording import label, percent, plural, quantity

_TOP = 20
_RANKS = 120
_LEAST_FITTED, _FEWEST_FITTED = 10, 5
"""Rarer words have counts too coarse to fit a line to."""
_BINS = 50
_MIN_COUNTS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1_000)


# ---------------------------------------------------------------- from text to vectors


def pipeline(run: Observed, choice: Choice) -> Drawing:
    """Prepare the way from the text to the vectors, with the run's own numbers."""
    steps = _steps(run)
    return Drawing(lambda figure: _draw_steps(figure, steps), Numbers(("step", "what", "and"), steps))


def _steps(run: Observed) -> list[tuple[str, str, str]]:
    settings, start = run.config.word2vec, run.history.start
    counts, all_counts = run.kept_counts, run.counts
    left = share_left(counts, settings.sample)
    an_epoch = left * trained_words(run)
    reach = (settings.window + 1) / 2 if settings.shrink_windows else settings.window
    examples, example = (2 * reach * an_epoch, "pair") if settings.sg else (an_epoch, "window")
    sentences = start.get("sentences")
    noise = f"{settings.negative} for each {example}" if settings.negative else ""
    return [
        ("Text", f"{_short(text_words(run))} words", f"{_short(sentences)} sentences" if sentences else ""),
        (
            "Vocabulary",
            f"{_short(len(counts))} of {_short(len(all_counts))}",
            f"{percent(share_kept(run))} of the text",
        ),
        ("Subsampling", f"keeps {percent(left)}", f"{quantity(an_epoch)} an epoch"),
        ("Contexts", f"{settings.window} words each side", f"≤ {quantity(examples)} {example}s"),
        ("Noise words", noise, "and Huffman codes" if settings.hs else f"by count ^ {settings.ns_exponent:g}")
        if noise
        else ("Huffman codes", "hierarchical softmax", ""),
        (
            f"SGD, {'skip-gram' if settings.sg else 'CBOW'}",
            plural(settings.epochs, "epoch"),
            f"{settings.alpha:g} to {settings.min_alpha:g}",
        ),
        ("Vectors", f"{_short(len(counts))} × {settings.vector_size}", "words × dimensions"),
    ]


def _short(number: int) -> str:
    return f"{number:,}" if number < 1_000_000 else quantity(number)


def text_words(run: Observed) -> int:
    """Return how many words the text of a run has: of one that grew from another model, the new text alone."""
    words = run.history.start.get("words") if run.run else None
    return words if isinstance(words, int) else int(run.counts.sum())


def share_kept(run: Observed) -> float:
    """Return which share of the occurrences are of words that are kept."""
    return float(run.kept_counts.sum() / run.counts.sum())


def trained_words(run: Observed) -> float:
    """Return how many words of the text are of the vocabulary, before subsampling.

    (Of a run that grew, the counts are those of its model and its text together; so it is a guess.)
    """
    return share_kept(run) * text_words(run)


def share_left(counts: CountArray, sample: float) -> float:
    """Return which share of the occurrences of words subsampling keeps on average."""
    return float((counts * keep_probabilities(counts, sample)).sum() / counts.sum())


def _draw_steps(figure: Any, steps: Sequence[tuple[str, str, str]]) -> None:
    """Draw boxes with arrows between them: in a row, or in a column where it is narrow."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    number, narrow = len(steps), figure.get_figheight() > figure.get_figwidth()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    for place, (name, *details) in enumerate(steps):
        across, along = (0.86, 0.66 / number) if narrow else (0.8, 0.84 / number)
        middle = (place + 0.5) / number
        x, y, width, height = (0.5, 1 - middle, across, along) if narrow else (middle, 0.5, along, across)
        axes.add_patch(_box(x - width / 2, y - height / 2, width, height))
        lines = [f"{name}:  {details[0]}", details[1]] if narrow else [name, *details]
        step = 0.044 if narrow else 0.22
        for line, text in enumerate(lines):
            below = y + step * ((len(lines) - 1) / 2 - line)
            weight, colour = ("bold", INK) if not line else ("normal", MUTED)
            size = 8 if narrow else 7.6
            axes.text(x, below, text, ha="center", va="center", size=size, weight=weight, color=colour)
        if place + 1 < number:
            start, end = (place + 0.5) / number + along / 2, (place + 1.5) / number - along / 2
            first, last = ((0.5, 1 - start), (0.5, 1 - end)) if narrow else ((start, 0.5), (end, 0.5))
            axes.annotate("", last, first, arrowprops={"arrowstyle": "-|>", "color": MUTED, "shrinkA": 0, "shrinkB": 0})


def _box(x: float, y: float, width: float, height: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, facecolor="none", edgecolor=SERIES[0], linewidth=1.2)


# ---------------------------------------------------------------- words


def top_words(run: Observed, choice: Choice) -> Drawing:
    """Prepare bars of the counts of the most frequent words."""
    top, total = run.top.head(_TOP), int(run.counts.sum())
    shares = top.counts / total

    def draw(figure: Any) -> None:
        number = min(len(top), 15 if is_narrow(figure.get_figwidth()) else _TOP)
        axes = figure.subplots()
        bars = axes.barh(range(number), top.counts[:number], color=SERIES[0], height=0.72)
        axes.bar_label(bars, [percent(share) for share in shares[:number]], padding=3, size=7.5, color=MUTED)
        axes.set_yticks(range(number), [label(word, 14) for word in top.words[:number]])
        axes.tick_params(axis="y", labelcolor=INK, length=0)
        axes.grid(axis="y", visible=False)
        axes.invert_yaxis()
        axes.margins(x=0.14, y=0.01)
        axes.set_xlabel("count, and share of the text")
        quantities(axes.xaxis)

    rows = list(zip(top.words, top.counts.tolist(), shares.tolist(), strict=True))
    most = f"“{label(top.words[0])}” alone is {percent(shares[0])} of the text" if len(top) else ""
    remark = f"{most}; the {plural(len(top), 'most frequent word')} make {percent(float(shares.sum()))}."
    return Drawing(draw, Numbers(("word", "count", "share"), rows), remark)


class _Line(NamedTuple):
    """A power law: count = factor * rank ** slope."""

    slope: float
    factor: float


def fit_zipf(counts: CountArray) -> _Line | None:
    """Return the line through counts by rank on logarithmic axes, if there are enough words that occur ten times.

    Least squares over ranks that are evenly spaced on the logarithmic axis, so that the many rare words do not decide
    alone.
    """
    fitted = kept(counts, _LEAST_FITTED)
    if fitted < _FEWEST_FITTED:
        return None
    places = log_spaced(fitted, _RANKS)
    slope, intercept = np.polyfit(np.log(places + 1), np.log(counts[places]), 1)
    return _Line(float(slope), float(np.exp(intercept)))


def zipf(runs: Sequence[Observed], choice: Choice) -> Drawing:
    """Prepare counts by rank on logarithmic axes, with a line fitted to them."""
    found = [(run.name, run.counts, fit_zipf(run.counts)) for run in runs]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, (name, counts, line) in enumerate(found):
            places = log_spaced(len(counts), _RANKS)
            slope = f"slope {line.slope:.2f}" if line else "no slope"
            text = f"{in_legend(name)}, {slope}" if len(found) > 1 else None
            axes.plot(places + 1, counts[places], MARKERS[number], ms=2.6, color=SERIES[number], label=text)
            if line:
                ends = np.array([1, kept(counts, _LEAST_FITTED)])
                colour = SERIES[number] if len(found) > 1 else SERIES[1]
                heights = line.factor * ends**line.slope
                axes.plot(ends, heights, "--", color=colour, lw=1.2, label=None if len(found) > 1 else slope)
        axes.set(xscale="log", yscale="log", xlabel="rank", ylabel="count")
        quantities(axes.xaxis)
        quantities(axes.yaxis)
        legend_above(figure)

    rows = [
        (name, place + 1, run.top.words[place] if place < len(run.top) else "", int(counts[place]))
        for run, (name, counts, _) in zip(runs, found, strict=True)
        for place in log_spaced(len(counts), 25).tolist()
    ]
    remarks = [
        f"{f'{name}: ' if len(found) > 1 else ''}{_zipf_remark(counts, line, run.run is not None)}"
        for run, (name, counts, line) in zip(runs, found, strict=True)
    ]
    return Drawing(draw, Numbers(("run", "rank", "word", "count"), rows), " ".join(remarks))


def _zipf_remark(counts: CountArray, line: _Line | None, of_text: bool) -> str:
    """Return what the line is; and, of a text and not only of the words that a model has kept, how many occur once."""
    once = len(counts) - kept(counts, 2)
    rare = f" {once:,} of {plural(len(counts), 'distinct word')} occur once." if of_text else ""
    if line is None:
        return f"Too few words occur {_LEAST_FITTED} times to fit a line.{rare}"
    return f"The fitted slope, over words that occur {_LEAST_FITTED} times or more, is {line.slope:.2f}.{rare}"


# ---------------------------------------------------------------- sentences


def sentence_lengths(run: Observed, choice: Choice) -> Drawing:
    """Prepare a histogram of the sentences' lengths."""
    lengths = run.lengths
    if not lengths.looked_at:
        raise MissingError(f"{run.path}: the text has no sentences")
    marks = {name: lengths.quantile(share) for name, share in (("half", 0.5), ("95 %", 0.95), ("99 %", 0.99))}
    longest = len(lengths.sentences) - 1
    width = max(1, -(-max(marks["99 %"], 1) // _BINS))
    shown = lengths.sentences[: marks["99 %"] + 1]
    bins = np.add.reduceat(shown, np.arange(0, len(shown), width)) / lengths.looked_at

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.bar(np.arange(len(bins)) * width - 0.5, bins, width * 0.92, align="edge", color=SERIES[0])
        for name, height in (("half", 0.97), ("95 %", 0.88)):
            axes.axvline(marks[name] + 0.5, color=SERIES[1], ls="--", lw=1.2)
            axes.annotate(
                f"{name}: ≤ {marks[name]}", (marks[name] + 0.5, height), xycoords=("data", "axes fraction"),
                xytext=(4, 0), textcoords="offset points", va="top", size=8,
            )  # fmt: skip
        axes.set(xlabel="words in a sentence", ylabel="share of the sentences")
        axes.set_xlim(-0.5, max(len(bins) * width, marks["95 %"] + 2) - 0.5)
        percents(axes.yaxis)
        axes.grid(axis="x", visible=False)

    single = float(lengths.sentences[:2].sum() / lengths.looked_at)
    sampled = "" if lengths.looked_at == lengths.total else f" Of {lengths.total:,}, {lengths.looked_at:,} were read."
    remark = (
        f"Half of the sentences have up to {marks['half']} words, 95 % up to {marks['95 %']}; the longest has "
        f"{longest:,}. {percent(single)} have a single word, and teach nothing.{sampled}"
    )
    rows = [
        (f"{place * width}" if width == 1 else f"{place * width}-{min((place + 1) * width, len(shown)) - 1}", share)
        for place, share in enumerate(bins.tolist())
    ]
    return Drawing(draw, Numbers(("words", "share of the sentences"), rows), remark)


# ---------------------------------------------------------------- what min_count leaves


def _limit(run: Observed, least: int) -> str:
    if run.run is None or run.config.word2vec.min_count == least:
        return f"min_count {least}"
    return f"max_final_vocab, which makes min_count {least},"


def _least_count(run: Observed) -> int:
    if run.run is None:
        return 1
    settings = run.config.word2vec
    return least_count(run.counts, settings.min_count, settings.max_final_vocab)


def coverage(run: Observed, choice: Choice) -> Drawing:
    """Prepare how much of the text, and how many words, each min_count leaves."""
    counts = run.counts
    chosen = _least_count(run)
    values = sorted({chosen, *(value for value in _MIN_COUNTS if value <= max(int(counts[0]), 1))})
    words = np.array([kept(counts, value) for value in values])
    covered = np.concatenate([[0], np.cumsum(counts)])[words] / counts.sum()

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        number = axes.twinx()
        axes.plot(values, covered, "o-", ms=4, color=SERIES[0])
        number.plot(values, words, "s--", ms=3.5, color=SERIES[1])
        axes.axvline(chosen, color=MUTED, ls=":", lw=1.2)
        axes.set(xscale="log", xlabel="min_count", ylim=(min(0.9, float(covered.min()) - 0.02), 1.005))
        axes.set_ylabel("● share of the text", color=SERIES[0])
        number.set_yscale("log")
        number.set_ylabel("■ words in the vocabulary", color=SERIES[1])
        number.spines["right"].set_visible(True)
        number.grid(visible=False)
        narrow = is_narrow(figure.get_figwidth())
        axes.set_xticks([value for value in values if str(value)[0] in ("1" if narrow else "125")], minor=False)
        axes.minorticks_off()
        percents(axes.yaxis)
        quantities(axes.xaxis)
        quantities(number.yaxis)

    place = values.index(chosen)
    remark = (
        f"{_limit(run, chosen)} leaves {words[place]:,} of {len(counts):,} words, which are {percent(covered[place])} "
        "of the text."
    )
    rows = list(zip(values, words.tolist(), covered.tolist(), strict=True))
    return Drawing(draw, Numbers(("min_count", "words", "share of the text"), rows), remark)
