"""Figures of a run's course: learning rate, held-out loss, speed and scores over the words trained."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from w2vcli.observed import MissingError, Observed
from w2vcli.plots.drawing import Choice, Drawing, Numbers
from w2vcli.plots.style import MARKERS, MUTED, SERIES, in_legend, legend_above, quantities, spread, thinned
from w2vcli.wording import label

_POINTS, _LISTED, _MARKS, _TOLD = 400, 200, 60, 5  # of a line, in a table, on an axis, in sentences


def training(runs: Sequence[Observed], choice: Choice) -> Drawing:
    """Prepare the held-out loss and the learning rate over the words trained, with checkpoints and interruptions."""
    seen = [(number, run) for number, run in enumerate(runs) if run.history.blocks or run.history.losses]
    if not seen:
        raise MissingError(f"{runs[0].path}: nothing has been trained yet")

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        rate = axes.twinx()
        for number, run in seen:
            _draw_course(axes, rate, run, number, len(seen) == 1)
        axes.set(xlabel="words trained", ylabel="● held-out loss")
        _leave_out_the_start(axes, [run.history.losses for _, run in seen])
        rate.set_ylabel("- - learning rate", color=SERIES[1] if len(seen) == 1 else MUTED)
        rate.set_ylim(bottom=0)
        rate.spines["right"].set_visible(True)
        rate.grid(visible=False)
        quantities(axes.xaxis)
        if len(seen) == 1:
            axes.yaxis.label.set_color(SERIES[0])
        if not any(run.history.losses for _, run in seen):
            axes.set_ylabel("")
            axes.set_yticks([])
        legend_above(figure)

    rows = [
        (run.name, words, loss, _rate_at(run, words))
        for _, run in seen
        for words, loss in spread(run.history.losses, _LISTED)
    ]
    remarks = [_course_remark(run, len(runs) > 1) for _, run in seen]
    return Drawing(draw, Numbers(("run", "words", "held-out loss", "learning rate"), rows), " ".join(remarks))


def _draw_course(axes: Any, rate: Any, run: Observed, number: int, alone: bool) -> None:
    history, colour = run.history, SERIES[number]
    if history.blocks:
        words = [0, *thinned([block.words for block in history.blocks], _POINTS)]
        alphas = [_rate_at(run, 0), *thinned([block.alpha for block in history.blocks], _POINTS)]
        rate.plot(words, alphas, "--", lw=1.1, color=SERIES[1] if alone else colour)
    if history.losses:
        name = "held-out loss" if alone else in_legend(run.name)
        axes.plot(
            *zip(*spread(history.losses, _POINTS), strict=True), MARKERS[number] + "-", ms=3.5, color=colour, label=name
        )
    if not alone:
        return
    bottom = ("data", "axes fraction")
    if history.checkpoints:
        places = {"xycoords": bottom, "ha": "center", "va": "bottom", "color": SERIES[2], "size": 7}
        for saved in spread(history.checkpoints, _MARKS):
            axes.annotate("▲", (saved, 0), **places)
        axes.plot([], [], "^", color=SERIES[2], ms=4, label="checkpoint")
    for place, one in enumerate(spread(history.interruptions, _MARKS)):
        named = {"label": "interruption"} if not place else {}
        axes.axvline(one.words, color=SERIES[3], ls=":", lw=1.6, **named)
    best = _best(run)
    if best:
        axes.plot(*best, "o", ms=9, mfc="none", mec=SERIES[1], label="lowest")


def _leave_out_the_start(axes: Any, curves: Sequence[Sequence[tuple[int, float]]]) -> None:
    """Where the losses fall steeply at first, let the axis begin below that, and say where they began."""
    after = [loss for curve in curves for words, loss in curve if words]
    starts = [curve[0][1] for curve in curves if curve and not curve[0][0]]
    if len(after) < 2 or not starts:
        return
    low, high = min(after), max(after)
    top = high + 0.25 * (high - low)
    if low < high and top < max(starts):
        axes.set_ylim(low - 0.08 * (high - low), top)
        text = f"↑ {max(starts):.4f} at the start"
        axes.annotate(text, (0.985, 0.98), xycoords="axes fraction", ha="right", va="top", size=8, color=MUTED)


def _best(run: Observed) -> tuple[int, float] | None:
    """Return where the loss was lowest."""
    return min(run.history.losses, key=lambda point: point[1], default=None)


def _rate_at(run: Observed, words: int) -> float:
    """Return the learning rate after so many words; nan before the first block of a run whose settings are unknown."""
    blocks = run.history.blocks
    place = bisect_right(blocks, words, key=lambda block: block.words)
    try:
        return blocks[place - 1].alpha if place else run.config.word2vec.alpha
    except MissingError:
        return float("nan")


def _course_remark(run: Observed, named: bool) -> str:
    history, best = run.history, _best(run)
    who = f"{run.name}: " if named else ""
    if best is None:
        return f"{f'{who}no' if named else 'No'} loss was measured: no sentences are held out (train.heldout)."
    last = history.losses[-1][1]
    parts = [f"{who}the loss went from {history.losses[0][1]:.4f} to {last:.4f}"]
    if best[1] < last:
        parts.append(f"and was lowest, {best[1]:.4f}, after {best[0]:,} words")
    sentence = ", ".join(parts) + "."
    if len(history.interruptions) > _TOLD:
        lost_words = sum(one.lost for one in history.interruptions)
        sentence += f" It was interrupted {len(history.interruptions)} times; {lost_words:,} words were trained anew."
    for one in history.interruptions if len(history.interruptions) <= _TOLD else ():
        lost = f", {one.lost:,} words were trained anew" if one.lost else ""
        sentence += f" After {one.words:,} words training went on again ({one.reason}){lost}."
    saved = history.checkpoints[-1] if history.checkpoints else 0
    if not (history.done or run.is_training) and history.words > saved:
        where = f"the checkpoint after {saved:,} words" if saved else "its beginning"
        sentence += f" It is not finished, and goes on from {where}."
    return sentence[0].upper() + sentence[1:] if not named else sentence


def throughput(runs: Sequence[Observed], choice: Choice) -> Drawing:
    """Prepare the words trained a second, over the words trained."""
    seen = [(number, run) for number, run in enumerate(runs) if run.history.blocks]
    if not seen:
        raise MissingError(f"{runs[0].path}: nothing has been trained yet")

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, run in seen:
            blocks = run.history.blocks
            words = thinned([block.words for block in blocks], _POINTS)
            speeds = thinned([block.words_per_second for block in blocks], _POINTS)
            axes.plot(
                words, speeds, MARKERS[number] + "-", ms=2.4, lw=1, color=SERIES[number], label=in_legend(run.name)
            )
        axes.set(xlabel="words trained", ylabel="words a second")
        axes.set_ylim(bottom=0)
        quantities(axes.xaxis)
        quantities(axes.yaxis)
        if len(seen) > 1:
            legend_above(figure)

    rows: list[tuple[str, int, int, int, int]] = []
    for _, run in seen:
        speeds = np.array([block.words_per_second for block in run.history.blocks])
        slow, half, fast = np.percentile(speeds, [10, 50, 90]).round().astype(int).tolist()
        rows.append((run.name, slow, half, fast, len(speeds)))
    remark = " ".join(
        f"{f'{name}: ' * (len(runs) > 1)}Half of the blocks ran at {half:,} words a second or more."
        for name, _, half, *_ in rows
    )
    return Drawing(draw, Numbers(("run", "slowest tenth", "half", "fastest tenth", "blocks"), rows), remark)


def scores(runs: Sequence[Observed], choice: Choice) -> Drawing:
    """Prepare the scores that were taken while training went on."""
    names = list(dict.fromkeys(name for run in runs for name in run.history.scores))
    if not names:
        raise MissingError(f"{runs[0].path}: no scores were taken during training; train.evaluate asks for them")

    def draw(figure: Any) -> None:
        if len(runs) == 1:
            _draw_scores(figure, figure.subplots(), {name: runs[0].history.scores[name] for name in names})
            return
        for name, axes in zip(names, figure.subplots(len(names), 1, squeeze=False)[:, 0], strict=True):
            curves = {run.name: run.history.scores.get(name, []) for run in runs}
            _draw_scores(figure, axes, curves, label(name))

    rows = [
        (run.name, name, words, value)
        for run in runs
        for name, points in run.history.scores.items()
        for words, value in spread(points, _LISTED)
    ]
    return Drawing(draw, Numbers(("run", "score of", "words", "score"), rows))


def _draw_scores(
    figure: Any, axes: Any, curves: Mapping[str, Sequence[tuple[int, float]]], name: str = "score"
) -> None:
    """Draw curves by their names; on the first axes of a figure with a legend above."""
    for number, (of, points) in enumerate(curves.items()):
        if points:
            marker, colour = MARKERS[number % len(MARKERS)], SERIES[number % len(SERIES)]
            line = spread(points, _POINTS)
            axes.plot(*zip(*line, strict=True), marker + "-", ms=3.5, color=colour, label=in_legend(of))
    axes.set(xlabel="words trained", ylabel=name)
    quantities(axes.xaxis)
    if axes is figure.axes[0]:
        legend_above(figure)
