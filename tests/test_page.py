"""The report's page, in a real browser."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from w2vcli.report.page import Column, Facts, Figure, Page, Part, Remark, Section, Table, WordMap, render

from .browser import Browser, started

SVG = (
    '<svg viewBox="0 0 {0} 200"><defs><clipPath id="box"><path d="M0 0h{0}v200h-{0}z"/></clipPath></defs>'
    '<g clip-path="url(#box)"><path d="M10 10L90 90" style="stroke: var(--c1)"/></g>'
    '<text x="10" y="190" style="fill: var(--ink)">id="mine" {0}</text></svg>'
)
LONG = "w" * 200
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "'><svg onload=alert(4)>",
    "javascript:alert(5)",
    "<!--<script>",
    "]]>",
    "&amp;",
    "a\u2028b\u2029c",
    "{{ 7 * 7 }}",
    "constructor",
    "__proto__",
    "مرحبا",
    "\\u003cb\\u003e",
    LONG,
]
USUAL = ["king", "queen", "Queen", "man", "woman", *(f"word{number}" for number in range(40))]
WORDS = USUAL + HOSTILE
AWAY = "elsewhere"
"""A neighbour that is not on the map."""


def word_map(words: Sequence[str] = WORDS) -> WordMap:
    """Place words on a grid, far from each other; a word's neighbours are the next two and one that is not there."""
    return WordMap(
        title="Words by meaning",
        look_for="Words alike stand together.",
        remark="It is a grid.",
        words=words,
        x=[float(place % 8) for place in range(len(words))],
        y=[float(place // 8) for place in range(len(words))],
        counts=[1000 * (len(words) - place) for place in range(len(words))],
        chosen=[3],
        names=[*words, AWAY],
        neighbours=[
            [((place + 1) % len(words), 0.9), (len(words), 0.8), ((place + 2) % len(words), 0.712)]
            for place in range(len(words))
        ],
        static='<svg viewBox="0 0 10 10"><text>a static map</text></svg>',
    )


def figure(name: str, title: str = "Loss", look_for: str = "It falls.") -> Figure:
    numbers = Table([Column("epoch", numeric=True), Column("loss", numeric=True)], [["1", "3.21"]], "Its numbers", True)
    return Figure(name, title, look_for, SVG.format(640), SVG.format(370), "It fell.", numbers)


def page_of(*parts: Part) -> Page:
    return Page("A run", "of nothing", [Section("only", "Only", "", parts)], "Made by hand")


PAGE = Page(
    title="A run",
    subtitle="/tmp/run",
    sections=[
        Section("summary", "Summary", "What it is.", [Facts([("state", "finished")]), Remark("It was good.")]),
        Section(
            "course",
            "Course",
            "How it went.",
            [figure("loss"), figure("speed", "Speed", "Long. " * 40)],
        ),
        Section("words", "Words", "Which there are.", [Table([Column("word")], [["king"]], "Some", words=True)]),
        Section("map", "Map", "Where they are.", [word_map()]),
    ],
    made="Made by hand",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all parts."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(PAGE), encoding="utf-8")
    return path


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A page that has hostile words wherever there can be text."""
    path = tmp_path / "hostile.html"
    cells = [[word, word] for word in HOSTILE]
    section = Section(
        "only",
        HOSTILE[0],
        HOSTILE[1],
        [
            Facts([(word, word) for word in HOSTILE]),
            Remark(" ".join(HOSTILE)),
            Table([Column(HOSTILE[1]), Column(LONG, numeric=True)], cells, HOSTILE[2]),
            replace(figure("a", HOSTILE[2], HOSTILE[1]), remark=HOSTILE[0]),
            word_map(),
        ],
    )
    path.write_text(render(Page(HOSTILE[1], LONG, [section], HOSTILE[2])), encoding="utf-8")
    return path


def box_of(browser: Browser, selector: str) -> dict[str, float]:
    """Return where an element is on the screen."""
    found: dict[str, float] = browser.ask(
        "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", selector
    )
    return found


def centre_of(browser: Browser, selector: str) -> tuple[float, float]:
    """Return where the middle of an element is on the screen, after scrolling to it."""
    x, y = browser.ask(
        """const found = document.querySelector(arguments[0]);
        const {top, bottom} = found.getBoundingClientRect();
        if (top < 0 || bottom > innerHeight) found.scrollIntoView({block: "center", behavior: "instant"});
        const box = found.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2]""",
        selector,
    )
    return x, y


def place_of(browser: Browser, word: str, words: Sequence[str] = WORDS) -> tuple[float, float]:
    """Return where a word's point is on the screen, with the map in sight."""
    centre_of(browser, ".map-plot")
    return centre_of(browser, f'.map-points [data-place="{words.index(word)}"]')


def shown(browser: Browser) -> str | None:
    """Return the word that the panel is about."""
    word: str | None = browser.ask("return document.querySelector('.map-panel h4')?.textContent")
    return word


def find(browser: Browser, word: str) -> None:
    browser.ask("const box = arguments[0]; document.querySelector(box).value = ''", ".map-search input")
    browser.ask("document.querySelector('.map-search input').focus()")
    browser.press(word, Keys.ENTER)


def is_centred(browser: Browser, word: str) -> bool:
    x, y = place_of(browser, word)
    middle = centre_of(browser, ".map-plot")
    return (x, y) == pytest.approx(middle, abs=1)


def distance(browser: Browser, first: str = "king", second: str = "word3") -> float:
    """Return how far apart two points are on the screen: how near the map is looked at."""
    apart: float = browser.ask(
        """const [first, second] = arguments[0].map(place => document.querySelector(
            `.map-points [data-place="${place}"]`).getBoundingClientRect());
        return Math.hypot(first.x - second.x, first.y - second.y)""",
        [WORDS.index(first), WORDS.index(second)],
    )
    return apart


def colour(browser: Browser, selector: str, name: str) -> tuple[int, ...]:
    value = browser.ask("return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]", selector, name)
    return tuple(map(int, re.findall(r"\d+", value)[:3]))


def details_open(browser: Browser) -> list[bool]:
    found: list[bool] = browser.ask("return [...document.querySelectorAll('.folded')].map(details => details.open)")
    return found


def contrast(first: Sequence[int], second: Sequence[int]) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""

    def luminance(parts: Sequence[int]) -> float:
        shares = [part / 255 for part in parts]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted([luminance(first), luminance(second)])
    return (lighter + 0.05) / (darker + 0.05)


# ---------------------------------------------------------------- the page


def test_the_page_has_its_parts_and_asks_nobody(browser: Browser, path: Path) -> None:
    browser.open(path, width=1400)
    assert browser.ask("return [...document.querySelectorAll('main h2')].map(found => found.textContent)") == [
        "Summary",
        "Course",
        "Words",
        "Map",
    ]
    assert browser.ask("return [...document.querySelectorAll('nav a')].map(link => link.getAttribute('href'))") == [
        "#summary",
        "#course",
        "#words",
        "#map",
    ]
    assert browser.ask("return document.documentElement.lang + document.title") == "enA run"
    levels = browser.ask("return [...document.querySelectorAll('h1, h2, h3, h4')].map(found => +found.tagName[1])")
    assert levels == [1, 2, 2, 3, 3, 2, 2, 3]
    ids = browser.ask("return [...document.querySelectorAll('[id]')].map(found => found.id)")
    assert len(ids) == len(set(ids))
    assert {"loss", "loss-wide-box", "loss-narrow-box", "word-map"} <= set(ids)
    assert browser.requests() == [path.as_uri()]
    assert browser.messages() == []


def test_the_policy_forbids_what_the_page_does_not_do(browser: Browser, path: Path, tmp_path: Path) -> None:
    """A script that got in all the same would not run, and no picture would be loaded."""
    forged = tmp_path / "forged.html"
    forged.write_text(
        path.read_text().replace("</main>", "<script>document.title = 'run'</script><img src='http://a.invalid/'>")
    )
    browser.open(forged)
    assert browser.ask("return document.title") == "A run"
    refused = browser.messages()
    assert len(refused) == 2
    assert all("violates the following Content Security Policy directive" in message for message in refused)


def test_a_figure_shows_the_drawing_that_fits(browser: Browser, path: Path) -> None:
    visible = """return [...document.querySelectorAll('#loss .drawing > div')].filter(drawing => drawing.offsetWidth)
        .map(drawing => drawing.textContent.trim())"""
    browser.open(path, width=1400)
    assert browser.ask(visible) == ['id="mine" 640']
    for row in ("h3", ".drawing", "figcaption"):
        assert box_of(browser, f"#loss {row}")["y"] == box_of(browser, f"#speed {row}")["y"], row
    assert box_of(browser, "#loss")["right"] < box_of(browser, "#speed")["left"]
    browser.open(path, width=400)
    assert browser.ask(visible) == ['id="mine" 370']
    assert box_of(browser, "#loss")["y"] < box_of(browser, "#speed")["y"]


@pytest.mark.parametrize("width", [400, 1400])
def test_the_contents_are_folded_where_there_is_no_room(browser: Browser, path: Path, width: int) -> None:
    browser.open(path, width=width)
    assert browser.ask("return document.getElementById('contents').open") == (width == 1400)
    assert (box_of(browser, "nav")["right"] < box_of(browser, "main")["left"]) == (width == 1400)


def test_tab_leads_past_the_contents_to_tables_and_map(browser: Browser, path: Path) -> None:
    browser.open(path, width=400)
    browser.press(Keys.TAB)
    assert browser.ask("return document.activeElement.textContent") == "Skip to the content"
    assert box_of(browser, ".skip")["x"] >= 0
    browser.press(Keys.ENTER)
    stops = []
    for _ in range(6):
        browser.press(Keys.TAB)
        stops.append(browser.ask("const {tagName, ariaLabel} = document.activeElement; return ariaLabel ?? tagName"))
    assert stops[:4] == ["SUMMARY", "SUMMARY", "Some", "INPUT"]
    assert stops[4].startswith("Map of words.")
    assert stops[5] == "Zoom in"


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_readable_in_both_themes(browser: Browser, path: Path, dark: bool) -> None:
    browser.open(path, dark=dark)
    paper = colour(browser, "body", "backgroundColor")
    assert (paper == (255, 255, 255)) == (not dark)
    for selector in ("body", ".lead", "nav a", "dt", "thead th", "summary", ".hint", "footer"):
        assert contrast(colour(browser, selector, "color"), paper) >= 4.5, selector
    find(browser, "king")
    for selector, name in (
        (".map-panel button", "color"),
        (".map-labels text", "fill"),
        (".map-labels .chosen", "fill"),
    ):
        assert contrast(colour(browser, selector, name), paper) >= 4.5, selector
    for number in range(1, 9) if dark else (1, 2, 3, 4, 7, 8):  # Okabe and Ito's orange and sky are lighter
        browser.ask(f"document.body.style.outlineColor = 'var(--c{number})'")
        assert contrast(colour(browser, "body", "outlineColor"), paper) >= 3, number
    assert colour(browser, "#loss .wide path[style]", "stroke") == ((79, 168, 232) if dark else (0, 114, 178))


def test_the_button_changes_the_theme(browser: Browser, path: Path) -> None:
    """From the system's to light to dark, which is the same as the system's dark."""
    names = [*(f"--c{number}" for number in range(1, 9)), "--ink", "--muted", "--grid", "--paper", "--tint", "--rule"]
    colours = """const style = getComputedStyle(document.documentElement);
        return [...arguments[0], "--link", "color-scheme"].map(name => style.getPropertyValue(name))"""
    browser.open(path, dark=True)
    seen = []
    for label in ("Theme: auto", "Theme: light", "Theme: dark", "Theme: auto"):
        assert browser.ask("return document.getElementById('theme').textContent") == label
        seen.append(browser.ask(colours, names))
        browser.click(*centre_of(browser, "#theme"))
    assert seen[0] == seen[2] == seen[3]
    assert all(dark != light for dark, light in zip(seen[0], seen[1], strict=True))
    browser.emulate(dark=False)
    browser.click(*centre_of(browser, "#theme"))  # dark, whatever the system wishes
    assert browser.ask(colours, names) == seen[0]


def test_paper_is_light_and_has_everything_unfolded(browser: Browser, path: Path) -> None:
    browser.open(path, dark=True)
    find(browser, "king")
    assert [details_open(browser), colour(browser, "body", "color")] == [[False, False], (227, 231, 235)]
    browser.emulate(dark=True, paper=True)
    browser.wait(lambda: details_open(browser) == [True, True])
    assert colour(browser, "body", "backgroundColor") == (255, 255, 255)
    assert colour(browser, "body", "color") == (28, 33, 39)
    assert colour(browser, "#loss path[style]", "stroke") == (0, 114, 178)
    for selector in ("nav", ".skip", "#theme", ".map-search", ".map-buttons"):
        assert box_of(browser, selector)["height"] == 0, selector
    assert box_of(browser, "#loss table")["height"] > 0
    assert box_of(browser, ".map-plot")["height"] > 0
    browser.emulate(dark=True)
    browser.wait(lambda: details_open(browser) == [False, False])


def test_without_a_script_there_is_a_static_map(path: Path) -> None:
    """And neither controls that do nothing, nor anything folded for good."""
    html = path.read_text()
    assert re.search(r"<noscript>.*a static map.*</noscript>", html)
    assert '<div class="map-body" hidden>' in html
    assert 'id="theme" hidden' in html
    assert '<details id="contents" open>' in html


# ---------------------------------------------------------------- hostile text


@pytest.mark.parametrize("width", [400, 1400])
def test_hostile_words_are_words(browser: Browser, hostile: Path, width: int) -> None:
    browser.open(hostile, width=width)
    assert browser.ask("return document.querySelectorAll('img, iframe, main a, [onerror], [onload]').length") == 0
    assert browser.ask("return document.querySelectorAll('script').length") == 2
    assert browser.ask("return [...document.querySelectorAll('tbody tr')].map(row => row.cells[1].textContent)") == [
        *HOSTILE,
        "3.21",
    ]
    assert browser.ask("return [...document.querySelectorAll('dd')].map(found => found.textContent)") == HOSTILE
    assert browser.ask("return document.querySelector('.remark').textContent") == " ".join(HOSTILE)
    assert browser.ask("return document.title") == HOSTILE[1]
    assert browser.ask("return document.documentElement.scrollWidth") <= width
    assert browser.requests() == [hostile.as_uri()]
    assert browser.messages() == []


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_words_are_found_on_the_map(browser: Browser, path: Path, word: str) -> None:
    browser.open(path, width=400)
    typed = word.replace("\u2028", " ").replace("\u2029", " ")  # what a box of one line leaves of it
    if typed == word:
        find(browser, word)
    else:
        browser.click(*place_of(browser, word))
    assert shown(browser) == word
    neighbours = browser.ask("return [...document.querySelectorAll('.map-panel bdi')].map(found => found.textContent)")
    place = WORDS.index(word)
    assert neighbours == [word, WORDS[(place + 1) % len(WORDS)], AWAY, WORDS[(place + 2) % len(WORDS)]]
    label = browser.ask("return document.querySelector('.map-labels .shown').textContent")
    assert label == (word if len(word) <= 28 else word[:28] + "…")
    assert browser.ask("return document.querySelectorAll('img').length") == 0
    assert browser.ask("return document.documentElement.scrollWidth") <= 400
    assert browser.messages() == []


@pytest.mark.parametrize("word", ["toString", "hasOwnProperty", "<b>no</b>", "zebra"])
def test_a_word_that_is_not_on_the_map(browser: Browser, path: Path, word: str) -> None:
    browser.open(path)
    find(browser, word)
    message = browser.ask("return document.querySelector('[role=status]').textContent")
    assert (
        message
        == f"“{word}” is not among the {len(WORDS)} words of this map; --words and --top of w2v report add others."
    )
    assert shown(browser) is None


def test_half_a_character_does_not_keep_a_page_from_being_written() -> None:
    html = render(page_of(Facts([("path", "caf\udce9")]), word_map(["caf\udce9"])))
    assert html.encode().count(b"caf?") == 3


# ---------------------------------------------------------------- the map


def test_searching_a_word_centres_it_with_its_neighbours(browser: Browser, path: Path) -> None:
    browser.open(path)
    before = distance(browser)
    find(browser, "queen")
    assert is_centred(browser, "queen")
    assert distance(browser) > before
    assert shown(browser) == "queen"
    assert browser.ask("return document.querySelector('.about').textContent") == "rank 2 · occurs 59,000 times"
    rows = browser.ask("return [...document.querySelectorAll('.map-panel li')].map(found => found.innerText)")
    assert [row.split() for row in rows] == [["Queen", "0.900"], [AWAY, "0.800"], ["man", "0.712"]]
    bars = "return [...document.querySelectorAll('.bar i')].map(bar => bar.offsetWidth / bar.parentNode.offsetWidth)"
    assert browser.ask(bars) == pytest.approx([0.9, 0.8, 0.712], abs=0.02)
    buttons = browser.ask("return [...document.querySelectorAll('.map-panel button')].map(found => found.textContent)")
    assert buttons == ["Queen", "man"]
    assert browser.ask("return document.querySelector('[role=status]').textContent") == (
        "“queen”: 2 of its 3 nearest words are on this map."
    )
    lines = browser.ask(
        """return [...document.querySelectorAll('.map-links line')].map(line => {
        const {x, y} = new DOMPoint(line.x2.baseVal.value, line.y2.baseVal.value).matrixTransform(line.getScreenCTM());
        return [x, y]})"""
    )
    for end, word in zip(lines, ["Queen", "man"], strict=True):
        assert end == pytest.approx(place_of(browser, word), abs=1)


def test_suggestions(browser: Browser, path: Path) -> None:
    """As it is written first, then otherwise; the arrow keys choose, and so does the mouse."""
    suggestions = "return [...document.querySelectorAll('[role=option]')].map(found => found.textContent)"
    browser.open(path)
    browser.click(*centre_of(browser, ".map-search input"))
    browser.press("Q")
    assert browser.ask(suggestions) == ["Queen", "queen"]
    assert browser.ask("return document.querySelector('.map-search input').ariaExpanded") == "true"
    browser.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert browser.ask(
        "return document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).textContent"
    ) == ("queen")
    browser.press(Keys.ENTER)
    assert (shown(browser), browser.ask("return document.querySelector('[role=listbox]').hidden")) == ("queen", True)
    browser.ask("document.activeElement.select()")
    browser.press("word1")
    assert browser.ask(suggestions) == ["word1", *(f"word{number}" for number in range(10, 17))]
    browser.click(*centre_of(browser, "[role=option]:nth-child(3)"))
    assert shown(browser) == "word11"
    find(browser, "KING")
    assert shown(browser) == "king"


def test_the_mouse_shows_a_word_and_a_click_keeps_it(browser: Browser, path: Path) -> None:
    browser.open(path)
    assert shown(browser) is None
    browser.point(*place_of(browser, "king"))
    assert shown(browser) == "king"
    browser.point(*place_of(browser, "word20"))
    assert shown(browser) == "word20"
    browser.point(5, 5)
    assert shown(browser) == "word20"  # so that the mouse can go to its neighbours
    browser.click(*place_of(browser, "woman"))
    browser.point(*place_of(browser, "king"))
    assert shown(browser) == "king"
    browser.point(5, 5)
    assert shown(browser) == "woman"
    assert browser.ask("return document.querySelectorAll('.map-marks .near').length") == 2


def test_a_finger_keeps_a_word_and_two_fingers_zoom(browser: Browser, path: Path) -> None:
    browser.open(path, width=400)
    browser.touch(*place_of(browser, "word7"))
    assert shown(browser) == "word7"
    before = distance(browser)
    browser.pinch(*centre_of(browser, ".map-plot"), 60, 180)
    assert distance(browser) == pytest.approx(3 * before, rel=0.1)


def test_a_click_on_a_neighbour_goes_to_it(browser: Browser, path: Path) -> None:
    browser.open(path)
    browser.click(*place_of(browser, "king"))
    browser.click(*centre_of(browser, ".map-panel button"))
    assert shown(browser) == "queen"
    assert is_centred(browser, "queen")
    assert browser.ask("return document.activeElement.textContent") == "queen"
    browser.press(Keys.TAB, Keys.TAB, Keys.ENTER)  # the second of its neighbours
    assert shown(browser) == "man"
    assert is_centred(browser, "man")


def test_going_to_a_word_is_a_motion_for_who_likes_it(browser: Browser, path: Path) -> None:
    browser.open(path, still=False)
    find(browser, "king")
    assert not is_centred(browser, "king")
    browser.wait(lambda: is_centred(browser, "king"))


def test_the_whole_map_is_in_sight_upright_and_undistorted(browser: Browser, path: Path) -> None:
    browser.open(path)
    (x, y), right, up = (place_of(browser, WORDS[number]) for number in (0, 1, 8))
    assert right == pytest.approx((x + (y - up[1]), y), abs=0.5)
    assert up[0] == pytest.approx(x, abs=0.5)
    assert up[1] < y
    plot = box_of(browser, ".map-plot")
    for number in (0, 7, 56):
        x, y = place_of(browser, WORDS[number])
        assert plot["left"] < x < plot["right"]
        assert plot["top"] < y < plot["bottom"]


def test_buttons_zoom(browser: Browser, path: Path) -> None:
    browser.open(path)
    whole = distance(browser)
    browser.click(*centre_of(browser, "[data-do=in]"))
    assert distance(browser) == pytest.approx(1.5 * whole, abs=0.01)
    browser.click(*centre_of(browser, "[data-do=in]"))
    browser.click(*centre_of(browser, "[data-do=out]"))
    assert distance(browser) == pytest.approx(1.5 * whole, abs=0.01)
    browser.click(*centre_of(browser, "[data-do=all]"))
    assert distance(browser) == pytest.approx(whole, abs=0.01)
    browser.click(*centre_of(browser, "[data-do=out]"))
    assert distance(browser) == pytest.approx(whole, abs=0.01)  # there is nothing more to see


def test_keys_zoom_move_and_choose(browser: Browser, path: Path) -> None:
    browser.open(path)
    whole = distance(browser)
    browser.ask("document.querySelector('.map-plot').focus()")
    browser.press("+", "+", "-")
    assert distance(browser) == pytest.approx(1.5 * whole, abs=0.01)
    x, y = place_of(browser, "word9")
    step = box_of(browser, ".map-plot")["height"] / 6
    browser.press(Keys.ARROW_RIGHT)
    assert place_of(browser, "word9") == pytest.approx((x - step, y), abs=1)
    browser.press(Keys.ARROW_DOWN, Keys.ARROW_LEFT)
    assert place_of(browser, "word9") == pytest.approx((x, y - step), abs=1)
    browser.press(Keys.ENTER)
    middle = centre_of(browser, ".map-plot")
    nearest = min(WORDS, key=lambda word: math.dist(place_of(browser, word), middle))
    assert shown(browser) == nearest
    browser.press("0")
    assert distance(browser) == pytest.approx(whole, abs=0.01)
    browser.press(Keys.ESCAPE)
    assert shown(browser) is None


def test_the_wheel_scrolls_past_the_map_until_it_is_clicked(browser: Browser, path: Path) -> None:
    browser.open(path, height=700)
    where = place_of(browser, "word9")
    before, scrolled = distance(browser), browser.ask("return scrollY")
    browser.turn_wheel(*where, -100)
    browser.wait(lambda: browser.ask("return scrollY") == scrolled - 100)
    assert distance(browser) == pytest.approx(before)
    where = place_of(browser, "word9")
    browser.turn_wheel(*where, -100, Keys.CONTROL)
    browser.wait(lambda: distance(browser) > 1.1 * before)
    browser.click(*where)
    before = distance(browser)
    scrolled = browser.ask("return scrollY")
    browser.turn_wheel(*where, -100)
    browser.wait(lambda: distance(browser) > 1.1 * before)
    assert browser.ask("return scrollY") == scrolled
    assert place_of(browser, "word9") == pytest.approx(where, abs=1)  # it zooms about the mouse


def test_the_mouse_drags_the_map(browser: Browser, path: Path) -> None:
    browser.open(path)
    browser.click(*centre_of(browser, "[data-do=in]"))
    x, y = place_of(browser, "word9")
    browser.drag(*centre_of(browser, ".map-plot"), 60, -40)
    assert place_of(browser, "word9") == pytest.approx((x + 60, y - 40), abs=1)
    assert shown(browser) is None


def test_labels_do_not_overlap_and_the_frequent_come_first(browser: Browser, tmp_path: Path) -> None:
    """At every zoom; of five thousand words too, which take a moment at most."""
    words = [f"w{number:04}" for number in range(5000)]
    x, y = ([(number * factor) % 4999 for number in range(5000)] for factor in (7919, 104729))
    part = replace(word_map(words), x=x, y=y)
    path = tmp_path / "many.html"
    path.write_text(render(page_of(part)))
    browser.open(path)
    centre_of(browser, ".map-plot")
    browser.next_frame()
    labels = """return [...document.querySelectorAll('.map-labels text')].map(label => {
        const {left, right, bottom} = label.getBoundingClientRect();
        return [label.textContent, left, right, bottom]})"""
    counts, firsts = [], []
    for _ in range(2):
        found = browser.ask(labels)
        counts.append(len(found))
        for number, (first, left, right, bottom) in enumerate(found):
            for second, other_left, other_right, other_bottom in found[:number]:
                apart = left >= other_right or right <= other_left or abs(bottom - other_bottom) >= 12
                assert apart, (first, second)
        firsts.append(found[0][0])
        browser.click(*centre_of(browser, "[data-do=in]"))
    assert min(counts) > 50
    assert firsts[0] == "w0003"  # it was asked for
    frames = """const done = arguments[0]; const begun = performance.now(); let left = 20;
        const step = () => { if (!left--) return done((performance.now() - begun) / 20);
        document.querySelector('[data-do=' + (left % 2 ? 'in' : 'out') + ']').click(); requestAnimationFrame(step); };
        step()"""
    assert browser.driver.execute_async_script(frames) < 500  # milliseconds: 20 where nothing else runs


def test_a_map_of_one_word_and_of_none(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "few.html"
    alone = replace(word_map(["alone"]), chosen=[], neighbours=[[]], counts=None, ranks=[77])
    nothing = replace(word_map([]), chosen=[], counts=None, name="empty")
    path.write_text(render(page_of(alone, nothing)))
    browser.open(path)
    find(browser, "alone")
    assert shown(browser) == "alone"
    assert place_of(browser, "alone", ["alone"]) == pytest.approx(centre_of(browser, ".map-plot"), abs=1)
    assert browser.ask("return document.querySelector('.about').textContent") == "rank 77"
    assert browser.ask("return document.querySelector('[role=status]').textContent") == (
        "“alone”: its neighbours are not known."
    )
    assert browser.messages() == []
