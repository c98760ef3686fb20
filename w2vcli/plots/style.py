"""How figures look: their colours, fonts and sizes, and how a figure becomes an SVG that follows a page's theme."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from w2vcli.wording import label, quantity

Value = TypeVar("Value")

COLOURS = {
    "ink": "#1d1f23",
    "muted": "#5f6671",
    "grid": "#dfe2e7",
    "paper": "#fefefe",
    "c1": "#0072b2",
    "c2": "#d55e00",
    "c3": "#009e73",
    "c4": "#cc79a7",
    "c5": "#e69f00",
    "c6": "#56b4e9",
    "c7": "#000000",
    "c8": "#8a8a8a",
}
"""By the names of a page's CSS variables; c1 to c8, of series, can be told apart by the colour-blind: all but the grey
are of Okabe and Ito (2008, https://jfly.uni-koeln.de/color/)."""
INK, MUTED, GRID, PAPER = (COLOURS[name] for name in ("ink", "muted", "grid", "paper"))
SERIES = [COLOURS[f"c{number}"] for number in range(1, 9)]
MARKERS = "osD^vPX*"
"""Of series, for those who see no colours."""
SEQUENTIAL = "cividis_r"
"""Of numbers: even for the colour-blind, dark for much."""

FULL, WIDE, NARROW = 9.6, 5.8, 3.5
"""Inches: across a page, half of it, and a telephone's screen or a column of a paper."""
_IS_NARROW = 4.5
_DECADES = 100  # a logarithmic axis of fewer has more than powers of ten on it

_OTHER_SCRIPTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei"),
    *("Hiragino Sans", "PingFang SC", "Microsoft YaHei", "Arial Unicode MS", "Noto Sans", "Noto Sans Devanagari"),
    *("Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Thai", "FreeSans", "Unifont"),
)
"""Fonts for letters that matplotlib's own has not, as far as they are installed."""


def in_legend(name: str) -> str:
    """Return a name as a legend shows it: matplotlib leaves out those that begin with an underscore.

    >>> in_legend("king"), in_legend("_king")
    ('king', ' _king')
    """
    return f"{' ' * name.startswith('_')}{label(name)}"


def is_narrow(width: float) -> bool:
    """Return whether a figure of so many inches is for a narrow place, where less can be shown."""
    return width < _IS_NARROW


@contextmanager
def style() -> Iterator[None]:
    """Draw and save figures in this project's style."""
    import matplotlib

    with matplotlib.rc_context(_settings()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There are no gridspecs")  # where a figure places its own axes
        yield


@cache
def _settings() -> Any:
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    return {
        "font.family": ["DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in installed)],
        "font.size": 9,
        "axes.labelsize": 9,
        "axes.titlesize": 9,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "text.color": INK,
        "text.parse_math": False,  # a word like $x$ is a word
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "lines.linewidth": 1.5,
        "figure.facecolor": PAPER,
        "axes.facecolor": "none",
        "savefig.facecolor": PAPER,
        "pdf.fonttype": 42,  # TrueType: some publishers refuse matplotlib's usual Type 3
        "svg.fonttype": "none",  # text stays text: it can be searched, and any script shown
        "svg.hashsalt": "w2v",  # the same figure is the same file
    }


# ---------------------------------------------------------------- SVG

_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def inline_svg(figure: Any) -> str:
    """Return a figure as SVG to stand in a page, whose colours, fonts and widths it takes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = io.StringIO()
    figure.patch.set_visible(False)  # the page's own ground is seen; such a figure is for nothing else
    canvas: Any = FigureCanvasSVG(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the reader's fonts are taken
        canvas.print_svg(stream, metadata=_NO_METADATA)  # savefig would draw it twice
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return re.sub(r"<[^<>]*>", lambda tag: _of_a_page(tag[0]), text)  # a word between them may look like a colour


def _of_a_page(tag: str) -> str:
    """Return an SVG's tag with a page's colours and fonts; the first one without a size, which the page gives."""
    for name, colour in COLOURS.items():
        tag = tag.replace(colour, f"var(--{name})")
    tag = re.sub(r"font: ([^;\"]*?)(\d+)px [^;\"]*", r"font: \g<1>\g<2>px sans-serif", tag)  # before matplotlib 3.11
    tag = re.sub(r"font-family: [^;\"]*", "font-family: sans-serif", tag)
    tag = re.sub(r' (xmlns(:\w+)?|version)="[^"]*"', "", tag).replace("xlink:href", "href")
    return re.sub(r' (width|height)="[^"]*"', "", tag) if tag.startswith("<svg") else tag


# ---------------------------------------------------------------- what figures have in common


def legend_above(figure: Any) -> None:
    """Put the legend of a figure's first axes above them, where it covers nothing, if there is anything in it."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if labels:
        columns = max(1, int(figure.get_figwidth() // 2))
        figure.legend(handles, labels, loc="outside upper center", ncols=min(columns, len(labels)))


def quantities(axis: Any) -> None:
    """Show an axis' numbers with k, M and G."""
    _formatted(axis, lambda number: quantity(number) if number >= 1 or not number else "")


def percents(axis: Any) -> None:
    """Show an axis' shares as percentages."""
    _formatted(axis, lambda share: f"{100 * share:.10f}".rstrip("0").rstrip(".") + "%" if share <= 1 else "")


def _formatted(axis: Any, text: Callable[[float], str]) -> None:
    """Show numbers as a function does; on a logarithmic axis, all that is on it, also those between powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda number, place: text(number)))
    axis.set_minor_formatter(NullFormatter())
    low, high = sorted(axis.get_view_interval())
    if axis.get_scale() == "log" and low > 0 and high < _DECADES * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7) if high < 10 * low else (1, 2, 5)))


def log_spaced(number: int, most: int) -> NDArray[np.int64]:
    """Return up to `most` places below `number`, evenly spaced on a logarithmic axis that begins with 1, int64.

    >>> log_spaced(1000, 4).tolist()
    [0, 9, 99, 999]
    """
    return np.unique(np.geomspace(1, number, most).round().astype(np.int64)) - 1


def spread(values: Sequence[Value], most: int) -> Sequence[Value]:
    """Return up to `most` of the values, evenly spread, the first and the last one among them.

    >>> spread("abcdefg", 3)
    ['a', 'd', 'g']
    """
    if len(values) <= most:
        return values
    return [values[place] for place in np.linspace(0, len(values) - 1, most).round().astype(int).tolist()]


def thinned(values: Sequence[float], most: int) -> NDArray[np.float64]:
    """Return the means of up to `most` stretches of equal length, float64.

    >>> thinned([1, 3, 5, 7], 2).tolist()
    [2.0, 6.0]
    """
    stretches = np.array_split(np.asarray(values, dtype=np.float64), min(most, max(1, len(values))))
    return np.array([stretch.mean() for stretch in stretches])
