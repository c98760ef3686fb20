"""Reports on real runs, in a real browser, and what the commands say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from xml.etree import ElementTree

import pytest
from selenium.webdriver.common.keys import Keys

from w2vcli import load, neighbours, report
from w2vcli.errors import ConfigError, W2VError
from w2vcli.observed import observe
from w2vcli.plots import PLOTS, Choice, saving

from .browser import Browser, started
from .conftest import W2V
from .terminal import at_terminal

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img/src=x/onerror=alert(2)>',
    "</script><script>alert(3)//",
    "$\\frac{x}$",
    "{{7*7}}",
    "&amp;",
    "__proto__",
    "مرحبا",
    "a\u202eb",
    "w" * 300,
]
SECTIONS = [
    "Summary",
    "Corpus",
    "Subsampling",
    "Context windows and noise words",
    "Training",
    "Embeddings in the plane",
    "Similarities and neighbours",
    "Analogies and similarity judgements",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as running:
        yield running


Train = Callable[..., Path]


@pytest.fixture(scope="module")
def train(w2v: W2V, tmp_path_factory: pytest.TempPathFactory) -> Train:
    def trained(text: str, name: str, *settings: str) -> Path:
        folder = tmp_path_factory.mktemp("run")
        (folder / "text.txt").write_text(text)
        changed = [part for setting in ("word2vec.workers=1", *settings) for part in ("--set", setting)]
        done = w2v("train", folder / "text.txt", "-o", folder / name, *changed)
        assert done.code == 0, done.err
        return folder / name

    return trained


@pytest.fixture(scope="module")
def run(train: Train, lee: Path) -> Path:
    """A run with everything that a report shows."""
    return train(
        lee.read_text(), "news", "word2vec.epochs=4", "word2vec.sg=1", "train.evaluate=SimLex-999",
        "train.block_words=20000", "train.checkpoint_every=60000 words",
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(run: Path, w2v: W2V) -> Path:
    path = run.parent / "report.html"
    done = w2v("report", run, "-o", path, "--words", "police government", "--words", "cricket")
    assert (done.code, done.out) == (0, ""), done.err
    assert re.fullmatch(rf"{re.escape(str(path))}: \d\.\d MB; open it in a browser\n", done.err)
    return path


def texts(browser: Browser, selector: str) -> list[str]:
    found: list[str] = browser.ask(
        "return [...document.querySelectorAll(arguments[0])].map(one => one.textContent.trim())", selector
    )
    return found


def rows(browser: Browser, selector: str) -> list[list[str]]:
    """Return the cells of the rows of tables."""
    script = (
        "return [...document.querySelectorAll(arguments[0])].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    found: list[list[str]] = browser.ask(script, selector)
    return found


# ---------------------------------------------------------------- one run


def test_every_section_is_there_with_data(browser: Browser, page: Path) -> None:
    browser.open(page, width=1400)
    assert texts(browser, "main h2") == SECTIONS
    assert texts(browser, ".remark") == []  # which would say what is missing
    figures = browser.ask("return [...document.querySelectorAll('figure')].map(one => one.id)")
    assert figures == [f"figure-{name}" if name != "map" else "word-map" for name in PLOTS]
    for name in figures:
        marks = f"#{name} .map-points [data-place]" if name == "word-map" else f"#{name} .wide svg path"
        assert browser.ask("return document.querySelectorAll(arguments[0]).length", marks) > 3, name
        if name != "word-map":
            assert texts(browser, f"#{name} tbody td"), name
    facts = dict(zip(texts(browser, "dt"), texts(browser, "dd"), strict=True))
    assert facts["trained as"] == "skip-gram, 100 dimensions, window 5, 5 noise words, 4 epochs"
    assert facts["state"] == "finished"
    words = facts["corpus words"]
    assert f"{words} words" in texts(browser, "#figure-pipeline .wide text")
    assert browser.requests() == [page.as_uri()]
    assert browser.messages() == []
    assert page.stat().st_size < 3_000_000


def test_searching_a_word_moves_the_map_to_it(browser: Browser, page: Path) -> None:
    browser.open(page, width=1400)
    browser.ask("document.querySelector('.map-search input').focus()")
    browser.press("cricket", Keys.ENTER)
    plot, point = browser.ask(
        """const words = JSON.parse(document.querySelector('#word-map script').textContent).words;
        const point = document.querySelector(`.map-points [data-place="${words.indexOf("cricket")}"]`);
        return [document.querySelector(".map-plot"), point].map(one => {
            const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })"""
    )
    assert point == pytest.approx(plot, abs=1)
    assert texts(browser, ".map-panel h4") == ["cricket"]


def test_hovering_shows_the_neighbours_that_similar_finds(browser: Browser, page: Path, run: Path) -> None:
    browser.open(page, width=1400)
    words = browser.ask("return JSON.parse(document.querySelector('#word-map script').textContent).words")
    x, y = browser.ask(
        """const point = document.querySelector(`.map-points [data-place="${arguments[0]}"]`);
        document.querySelector(".map-plot").scrollIntoView({block: "center", behavior: "instant"});
        const box = point.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]""",
        words.index("police"),
    )
    browser.point(x, y)
    over = texts(browser, ".map-panel h4")[0]  # another's point may lie on it
    panel = texts(browser, ".map-panel")[0]
    for word, score in neighbours(load(run), over):
        assert word in panel
        assert f"{score:.3f}" in panel


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_readable_on_a_telephone_and_in_the_dark(browser: Browser, page: Path, dark: bool) -> None:
    browser.open(page, width=400, dark=dark)
    assert browser.ask("return document.documentElement.scrollWidth") == 400
    paper, ink = (
        browser.ask("return getComputedStyle(document.body)[arguments[0]]", name)
        for name in ("backgroundColor", "color")
    )
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (paper, ink)]
    assert (brightness[0] < 150 < 600 < brightness[1]) == dark
    label = browser.ask("return getComputedStyle(document.querySelector('#figure-zipf .narrow text')).fill")
    assert (sum(map(int, re.findall(r"\d+", label)[:3])) > 400) == dark
    letters = browser.ask("return document.querySelector('#figure-zipf .narrow text').getBoundingClientRect().height")
    assert letters > 10  # pixels
    assert browser.messages() == []


def test_hostile_words_are_words(browser: Browser, train: Train, lee: Path, w2v: W2V) -> None:
    lines = lee.read_text().splitlines()
    text = "".join(f"{line} {HOSTILE[number % len(HOSTILE)]} said\n" for number, line in enumerate(lines * 2))
    run = train(text, "<img src=x onerror=alert(4)>", "word2vec.epochs=1")
    path = run.parent / "hostile.html"
    asked = [part for word in HOSTILE for part in ("--words", word)]
    done = w2v("report", run, "-o", path, "--top", "100", "--pairs", "SimLex-999", *asked)
    assert done.code == 0, done.err
    browser.open(path, width=400)
    assert browser.ask("return [document.scripts.length, document.images.length]") == [2, 0]
    assert browser.ask("return document.documentElement.scrollWidth") == 400
    assert texts(browser, "h1") == [run.name]
    cells = texts(browser, "#similarities td:first-child")
    for word in HOSTILE:
        shown = "w" * 59 + "…" if len(word) > 60 else word.replace("\u202e", "\\u202e")
        assert shown in cells
    labels = texts(browser, "#figure-heatmap .wide text")
    assert "{{7*7}}" in labels
    assert "$\\frac{x}$" in labels
    assert browser.messages() == []
    assert browser.requests() == [path.as_uri()]


# ---------------------------------------------------------------- several runs


@pytest.mark.slow
def test_a_comparison(browser: Browser, run: Path, train: Train, lee: Path, w2v: W2V) -> None:
    other = train(lee.read_text(), "cbow", "word2vec.epochs=2", "train.evaluate=SimLex-999")
    path = run.parent / "both.html"
    done = w2v("report", run, other, "-o", path, "--words", "police", "--pairs", "SimLex-999")
    assert done.code == 0, done.err
    browser.open(path, width=1400)
    assert texts(browser, "main h2") == [
        "Summary",
        "Settings that differ",
        "Corpus",
        "Training",
        "Analogies and similarity judgements",
        "Neighbours that changed",
    ]
    differing = rows(browser, "#settings tbody tr")
    assert ["word2vec.sg", "1", "0"] in differing
    assert ["word2vec.epochs", "4", "2"] in differing
    assert "word2vec.window" not in [row[0] for row in differing]
    for name in ("zipf", "training", "throughput", "scores", "analogies"):
        named = texts(browser, f"#figure-{name} .wide text")
        assert any(text.startswith("news") for text in named), name
        assert any(text.startswith("cbow") for text in named), name
    scored = json.loads(w2v("evaluate", run, other, "--pairs", "SimLex-999", "--json").out.splitlines()[1])
    (row,) = (row for row in rows(browser, "#scores .full tbody tr") if row[0] == "SimLex-999")
    assert row[3:5] == [f"{scored['score']:.4f}", f"{scored['difference']['value']:+.4f}"]
    vectors = [load(one) for one in (run, other)]
    near = [{word for word, _ in neighbours(one, "police")} for one in vectors]
    police = next(row for row in rows(browser, "#neighbours tbody tr") if row[0] == "police")
    assert police[1] == f"{len(near[0] & near[1]) / 10:.0%}"
    assert set(police[2].split(" · ")) == near[0] - near[1]
    assert set(police[3].split(" · ")) == near[1] - near[0]
    assert browser.messages() == []


# ---------------------------------------------------------------- runs that are not finished, and models


def interrupted(lee: Path, folder: Path, w2v: W2V) -> Path:
    """Return a run that was stopped after its first block."""
    done = w2v(
        "train", lee, "-o", folder / "cut", "--max-time", "1s", "--set", "word2vec.workers=1",
        "--set", "train.block_words=20000",
    )  # fmt: skip
    assert "unfinished" in done.err
    return folder / "cut"


def test_a_run_that_is_not_finished(browser: Browser, lee: Path, tmp_path: Path, w2v: W2V) -> None:
    run = interrupted(lee, tmp_path, w2v)
    assert w2v("report", run, "-o", tmp_path / "cut.html", "--top", "100", "--pairs", "SimLex-999").code == 0
    browser.open(tmp_path / "cut.html", width=1400)
    assert texts(browser, "main h2") == SECTIONS
    facts = dict(zip(texts(browser, "dt"), texts(browser, "dd"), strict=True))
    assert facts["state"] == "unfinished"
    trained = int(facts["words trained"].replace(",", ""))
    assert f"of the checkpoint after {trained:,} words" in texts(browser, "#word-map figcaption")[0]
    said = texts(browser, ".remark")
    assert len(said) == 1
    assert "no scores were taken during training" in said[0]


def test_a_run_without_vectors_or_corpus_says_so(lee_run: Path, tmp_path: Path, w2v: W2V) -> None:
    for name in ("config.yaml", "vocab.tsv", "events.jsonl"):
        (tmp_path / name).write_bytes((lee_run / name).read_bytes())
    done = w2v("report", tmp_path, "-o", "-", "--words", "police")
    found = done.out
    assert (done.code, done.err) == (0, "")
    assert found.startswith("<!DOCTYPE html>")
    assert "there are no vectors before the first checkpoint" in found
    assert "Sentence lengths: " in found
    assert "the encoded text, RUN/corpus, is not there (any more)" in found
    assert "The fitted slope" in found
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "events.jsonl", "vocab.tsv"]


def test_a_model_alone(lee_run: Path, tmp_path: Path, w2v: W2V) -> None:
    assert w2v("convert", lee_run, tmp_path / "lee.vec").code == 0
    assert (
        w2v("report", tmp_path / "lee.vec", "-o", tmp_path / "vec.html", "--top", "100", "--pairs", "SimLex-999").code
        == 0
    )
    found = (tmp_path / "vec.html").read_text()
    assert "A model alone does not tell how it was trained" in found
    assert 'id="training"' not in found
    assert 'id="word-map"' in found
    assert 'id="figure-heatmap"' in found


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--words", "polise"], 3, "polise: not in the vocabulary; did you mean police"),
        (["-o", "nowhere/report.html"], 1, "the folder"),
        (["-o", "report.pdf"], 2, "a report's name ends in .html; w2v plot draws single figures"),
        (["--analogies", "nothing.txt"], 2, "nothing.txt: neither a file nor a set that is built in"),
        (["--watch"], 2, "--watch needs a terminal"),
    ],
)
def test_mistakes(arguments: list[str], code: int, message: str, lee_run: Path, tmp_path: Path, w2v: W2V) -> None:
    done = w2v("report", lee_run, *arguments, cwd=tmp_path)
    assert (done.code, len(done.error_lines)) == (code, 1)
    assert message in done.err
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_run(tmp_path: Path, w2v: W2V) -> None:
    done = w2v("report", "runs/nothing", cwd=tmp_path)
    assert (done.code, done.err) == (1, "w2v: error: runs/nothing: no such file or run\n")


def test_libraries_that_are_missing_are_named(lee_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "report.html")
    for module, name in ((report, "jinja2"), (saving, "matplotlib")):
        with monkeypatch.context() as patch:
            patch.setattr(module, "find_spec", lambda name: None)
            with pytest.raises(W2VError, match=rf"needs {name}; pip install 'w2vcli\[report\]'"):
                report.check(path, 1, Choice())
    with pytest.raises(ConfigError, match="compares 8 runs at most"):
        report.write(observe([str(lee_run)] * 9), path)


# ---------------------------------------------------------------- w2v plot


def test_every_plot_as_a_page_or_a_drawing(run: Path, tmp_path: Path, w2v: W2V) -> None:
    done = w2v("plot", "zipf", run, run, "-o", tmp_path / "zipf.svg", "--width", "3.3")
    assert done.code == 0, done.err
    drawing = ElementTree.parse(tmp_path / "zipf.svg").getroot()
    assert float(drawing.attrib["width"].removesuffix("pt")) == pytest.approx(3.3 * 72)
    assert w2v("plot", "map", run, "-o", tmp_path / "map.html", "-q").err == ""
    assert (tmp_path / "map.html").read_text().count('class="map full"') == 1
    assert w2v("plot", "training", run, "-o", tmp_path / "training.png").code == 0
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")
    assert w2v("plot", "heatmap", run, "-o", tmp_path / "heatmap.pdf", "--words", "police army").code == 0
    assert (tmp_path / "heatmap.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["zip", "RUN", "-o", "a.svg"], 2, "zip is no plot; did you mean zipf?"),
        (["zipf", "RUN", "-o", "a.gif"], 1, "a.gif: a plot's name ends in .svg, .pdf, .png, .html, .htm"),
        (["map", "RUN", "RUN", "-o", "a.svg"], 2, "this plot shows one run; here are 2"),
        (["map", "RUN", "RUN", "-o", "a.html"], 2, "this plot shows one run; here are 2"),
        (["scores", "RUN", "-o", "a.svg"], 1, "no scores were taken during training; train.evaluate asks for them"),
        (["heatmap", "RUN", "-o", "a.svg", "--words", "polise"], 3, "polise: not in the vocabulary"),
    ],
)
def test_mistakes_with_plots(
    arguments: list[str], code: int, message: str, lee_run: Path, tmp_path: Path, w2v: W2V
) -> None:
    done = w2v("plot", *(str(lee_run) if part == "RUN" else part for part in arguments), cwd=tmp_path)
    assert (done.code, len(done.error_lines)) == (code, 1)
    assert message in done.err
    assert list(tmp_path.iterdir()) == []


def test_the_help_names_every_plot(w2v: W2V) -> None:
    assert ", ".join(PLOTS) in " ".join(w2v("plot", "--help").out.split())


# ---------------------------------------------------------------- in the terminal


def test_curves_and_tables_in_the_terminal(run: Path, w2v: W2V, tmp_path: Path) -> None:
    done = w2v("report", run, "--terminal", "--words", "police", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    about: dict[str, Any] = json.loads(w2v("info", run, "--json").out)
    assert re.search(rf"^corpus words +{about['corpus words']:,} *$", done.out, re.MULTILINE)
    loss = f"{about['held-out loss']:.4f}"
    assert re.search(rf"^held-out loss +[▁-█]+▁[▁-█]*  \d\.\d{{4}} → {loss} *$", done.out, re.MULTILINE)
    assert re.search(r"^learning rate +█[▁-█]*▁  0\.02\d* → 0\.0001 *$", done.out, re.MULTILINE)
    nearest = " · ".join(f"{word} {score:.2f}" for word, score in neighbours(load(run), "police"))
    assert nearest in done.out
    assert list(tmp_path.iterdir()) == []


def test_watching_ends_with_the_training(lee: Path, tmp_path: Path) -> None:
    settings = [part for setting in ("word2vec.epochs=99999", "train.block_words=5000") for part in ("--set", setting)]
    command = [sys.executable, "-m", "w2vcli", "train", str(lee), "-o", str(tmp_path / "run"), *settings, "--log-json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as training:
        assert training.stderr is not None
        for line in training.stderr:
            if json.loads(line)["event"] == "block":
                break
        rest = Thread(target=training.stderr.read)  # or the pipe would fill, and training wait
        rest.start()

        stopped: list[bool] = []

        def stop_when_it_is_shown(screen: bytes) -> None:
            if not stopped and "words a second" in screen.decode(errors="replace"):
                stopped.append(True)
                training.terminate()  # once: a second signal would end it without a checkpoint

        code, screen = at_terminal([], "report", tmp_path / "run", "--watch", watched=stop_when_it_is_shown)
        rest.join()
    assert (training.returncode, code) == (143, 0)
    shown = re.findall(r"state +(\w+)", re.sub(r"\x1b\[[\d;?]*\w", "", screen))
    assert shown[0] == "training"
    assert shown[-1] == "unfinished"
