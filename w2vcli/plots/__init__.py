"""Figures of runs, in one style, for reports and papers.

To add one, write a function that prepares it (see `drawing`) and its line in PLOTS.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from w2vcli.errors import ConfigError
from w2vcli.observed import Observed
from w2vcli.plots import corpus, course, sampling, vectors
from w2vcli.plots.drawing import Choice, Drawing, Numbers, Plot, of_one
from w2vcli.plots.style import FULL, SERIES, WIDE, style

__all__ = ["MOST_RUNS", "PLOTS", "Choice", "Drawing", "Numbers", "Plot", "figure_of", "prepare", "style"]

MOST_RUNS = len(SERIES)
"""That can be told apart."""

PLOTS: dict[str, Plot] = {
    "pipeline": Plot(
        "From text to vectors",
        "Where words are lost: what is left of the text after min_count and after subsampling.",
        of_one(corpus.pipeline),
        aspect=0.13,
        narrow_aspect=1.15,
        wide_from=9.0,
        full=True,
    ),
    "top-words": Plot(
        "The most frequent words",
        "Words that do not belong here, such as markup, headers or pieces of words, show that the text needs cleaning.",
        of_one(corpus.top_words),
        aspect=0.75,
        narrow_aspect=0.9,
    ),
    "zipf": Plot(
        "Zipf's law",
        "Natural text falls in a nearly straight line with a slope near -1, steeper if long; bumps may be repeats.",
        corpus.zipf,
        several=True,
    ),
    "sentence-lengths": Plot(
        "Sentence lengths",
        "Very short sentences teach little, a bar at one length is often a line's end in the text, not a sentence's.",
        of_one(corpus.sentence_lengths),
    ),
    "coverage": Plot(
        "What min_count leaves",
        "A min_count is good where the vocabulary has shrunk much, but the covered share of the text hardly.",
        of_one(corpus.coverage),
    ),
    "subsampling": Plot(
        "Subsampling",
        "Function words should lie low on the curve, the words you care about at the top.",
        of_one(sampling.subsampling),
        aspect=0.38,
        full=True,
    ),
    "windows": Plot(
        "Context windows",
        "Narrow windows teach more of what a word does in a sentence, wide ones more of what it is about.",
        of_one(sampling.windows),
    ),
    "noise": Plot(
        "Noise words",
        "The steeper the line, the more often frequent words are the wrong answers; 0 draws all words alike.",
        of_one(sampling.noise),
    ),
    "training": Plot(
        "Held-out loss and learning rate",
        "The loss should fall steeply, then slowly; where it rises and goes on rising, the model may be overfitting.",
        course.training,
        several=True,
        aspect=0.4,
        narrow_aspect=0.95,
        full=True,
    ),
    "throughput": Plot(
        "Speed",
        "The line should be flat; where it sinks for long, look whether something else was using the machine.",
        course.throughput,
        several=True,
    ),
    "scores": Plot(
        "Scores during training",
        "Scores that are flat long before the learning rate is low say that more epochs would hardly help.",
        course.scores,
        several=True,
    ),
    "map": Plot(
        "Map of words",
        "Words of a kind should lie together: names, numbers, verbs, places; words asked for are orange.",
        of_one(vectors.word_map),
        aspect=0.75,
        narrow_aspect=1.1,
        full=True,
    ),
    "heatmap": Plot(
        "Cosine similarities",
        "Words of a kind should form dark squares on the diagonal; other pairs should be lighter.",
        of_one(vectors.heatmap),
        aspect=0.9,
        narrow_aspect=0.95,
    ),
    "similarities": Plot(
        "Similarities of words",
        "The nearest should lie well to the right of random pairs; all near 1 means that little was learnt.",
        of_one(vectors.similarities),
        aspect=0.9,
    ),
    "analogies": Plot(
        "Scores by section",
        "Sections of few questions are uncertain; of none or all right, the interval has no width and says little.",
        vectors.analogies,
        several=True,
        aspect=0.5,
        narrow_aspect=1.0,
        full=True,
    ),
}


def prepare(name: str, runs: Sequence[Observed], choice: Choice | None = None) -> Drawing:
    """Prepare the plot of that name.

    Raises:
        MissingError: when the runs do not have what it shows.
        ConfigError: when it shows fewer runs.
    """
    if len(runs) > MOST_RUNS:
        raise ConfigError([f"a plot compares {MOST_RUNS} runs at most; here are {len(runs)}"])
    return PLOTS[name].prepare(runs, choice or Choice())


def figure_of(name: str, drawing: Drawing, width: float | None = None) -> Any:
    """Return a prepared plot as a matplotlib Figure, in the project's style; to be saved within `style`.

    Args:
        name: of the plot.
        drawing: what `prepare` returned.
        width: inches; if not given, as wide as it should be.
    """
    from matplotlib.figure import Figure

    plot = PLOTS[name]
    width = width or (FULL if plot.full else WIDE)
    aspect = plot.aspect if width >= plot.wide_from else plot.narrow_aspect
    with style():
        figure = Figure(figsize=(width, width * aspect), layout="constrained")
        drawing.draw(figure)
    return figure
