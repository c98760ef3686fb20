"""The report's page: its parts, and the one HTML file that they become.

The file asks no host for anything: its style, its script and its figures are in it, and a content security policy that
names the script by its hash forbids the rest. Whatever is text here is escaped there; only figures are markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent

_STEPS = 10_000  # places on a map, along its longer side: a hundredth of a pixel's width at most
_IN_A_SCRIPT = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}
_TAG = re.compile(r"<[^!?<>][^<>]*>")
_ID = re.compile(r"""(\sid=["']|href=["']\#|url\(\#)""")


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand at the right."""

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table, with its own scroll bar where it is too wide.

    Args:
        columns: what stands above it.
        rows: its cells, plain text; or several texts, each of which stays in one piece.
        caption: what it is; the line to open it by if it is folded.
        folded: whether it is closed until it is asked for.
        words: whether its cells are words of the model, which are nothing to translate.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Sequence[str]]]
    caption: str = ""
    folded: bool = False
    words: bool = False


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Remark:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Figure:
    """A figure, with what to look for above it and what this run's is like below.

    Args:
        name: a name for links, unlike those of the page's other figures and sections.
        title: its heading.
        look_for: a sentence on what to look for.
        wide: its SVG for about 640 pixels, markup that is safe.
        narrow: its SVG for about 370 pixels, likewise; one of the two is shown.
        remark: a sentence on this run's numbers.
        table: the numbers behind it.
        full: whether it takes the whole width; others stand beside each other where there is room for two.
    """

    name: str
    title: str
    look_for: str
    wide: str
    narrow: str
    remark: str = ""
    table: Table | None = None
    full: bool = False


@dataclass(frozen=True)
class WordMap:
    """A map of words to move about in, with each word's neighbours.

    Args:
        title: its heading.
        look_for: a sentence on what to look for.
        remark: a sentence on this run's map.
        words: the words on it, the most frequent first.
        x: where each is, to the right.
        y: where each is, upward, in the same unit.
        counts: how often each occurs, if that is known.
        chosen: the places among `words` of those that somebody asked for.
        names: all words that are somebody's neighbours.
        neighbours: for each word numbers in `names` and cosines, the nearest first.
        static: an SVG of the map, markup that is safe, for where no script runs.
        ranks: each word's rank by frequency, from 1, if it is not its place among `words`.
        places: where on the map each of the names is, or -1, if two words may look alike.
        name: a name for links, unlike those of the page's other figures and sections.
    """

    title: str
    look_for: str
    remark: str
    words: Sequence[str]
    x: Sequence[float]
    y: Sequence[float]
    counts: Sequence[int] | None
    chosen: Sequence[int]
    names: Sequence[str]
    neighbours: Sequence[Sequence[tuple[int, float]]]
    static: str
    ranks: Sequence[int] | None = None
    places: Sequence[int] | None = None
    name: str = "word-map"


Part = Table | Facts | Remark | Figure | WordMap


@dataclass(frozen=True)
class Section:
    """A section; `id` is what links lead to, `look_for` the sentence below its heading."""

    id: str
    title: str
    look_for: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Page:
    """All of it; `made` is the line at its end."""

    title: str
    subtitle: str
    sections: Sequence[Section]
    made: str


def render(page: Page) -> str:
    """Return the page as one HTML file.

    Text that no file can hold (half a surrogate pair, as in the names of files that are not UTF-8) becomes `?`.
    """
    from markupsafe import Markup

    script, style = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.js", "page.css"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    html = (
        _environment()
        .get_template("page.html.j2")
        .render(page=page, style=Markup(style), script=Markup(script), digest=digest)
    )
    return html.lstrip().encode("utf-8", "replace").decode()


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["kind"] = lambda part: type(part).__name__
    environment.filters["svg"] = lambda svg, name: Markup(_with_own_ids(svg, name))
    environment.filters["map_data"] = lambda part: Markup(_for_script(_map_data(part)))
    return environment


def _with_own_ids(svg: str, name: str) -> str:
    """Return an SVG whose ids begin with a name: figures drawn apart call their parts the same."""
    return _TAG.sub(lambda tag: _ID.sub(rf"\g<1>{name}-", tag[0]), svg)


def _for_script(data: Any) -> str:
    """Return data as JSON that ends no `<script>` it stands in, whatever the words in it are."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_IN_A_SCRIPT)


def _map_data(part: WordMap) -> dict[str, Any]:
    """Return what the script draws a map from: whole numbers wherever they are enough, since they are short."""
    left, right, low, high = *_ends(part.x), *_ends(part.y)
    steps = _STEPS / (max(right - left, high - low) or 1)
    return {
        "words": list(part.words),
        "x": [round((x - left) * steps) for x in part.x],
        "y": [round((high - y) * steps) for y in part.y],  # a screen's y goes downward
        "counts": part.counts if part.counts is None else list(map(int, part.counts)),
        "ranks": part.ranks if part.ranks is None else list(map(int, part.ranks)),
        "chosen": list(map(int, part.chosen)),
        "names": list(part.names),
        "places": list(part.places) if part.places is not None else _places(part),
        "neighbours": [[[int(name), round(1000 * float(cosine))] for name, cosine in near] for near in part.neighbours],
    }


def _places(part: WordMap) -> list[int]:
    """Return the place on the map of each of the names, or -1."""
    found = {word: place for place, word in reversed(list(enumerate(part.words)))}
    return [found.get(name, -1) for name in part.names]


def _ends(numbers: Sequence[float]) -> tuple[float, float]:
    return (min(numbers), max(numbers)) if len(numbers) else (0.0, 0.0)
