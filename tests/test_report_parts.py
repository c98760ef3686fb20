"""The parts of reports: numbers as tables, figures or why there are none, neighbours, and what differs between runs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors

from w2vcli import report
from w2vcli.convert import convert
from w2vcli.errors import ConfigError, UnknownWordError, W2VError
from w2vcli.evaluate import built_in
from w2vcli.evaluate.analogies import read_analogies
from w2vcli.observed import Observed
from w2vcli.plots import PLOTS, Choice, Numbers
from w2vcli.report import neighbours, one, several
from w2vcli.report.page import Column, Facts, Figure, Part, Remark, Section, Table
from w2vcli.report.parts import figure, shown, table

from .made_runs import block, event, made_run, start

WORDS = [f"w{place}" for place in range(40)]
COUNTS = {word: 1000 - place for place, word in enumerate(WORDS)}


def rows_of(seed: int, words: int = 40) -> Any:
    return np.random.default_rng(seed).normal(size=(words, 6)).astype(np.float32)


def gensims(rows: Any, words: list[str] = WORDS) -> KeyedVectors:
    vectors = KeyedVectors(rows.shape[1])
    vectors.add_vectors(words, rows)
    return vectors


def of_rows(folder: Path, rows: Any, name: str = "mine", **made: Any) -> Observed:
    return Observed(made_run(folder, COUNTS, rows=rows, **made), name)


def tables(parts: Any) -> list[Table]:
    return [part for part in parts if isinstance(part, Table)]


def as_table(part: Part) -> Table:
    assert isinstance(part, Table)
    return part


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (-1234567, "-1,234,567"),
        (0.0, "0"),
        (0.5, "0.5000"),
        (-0.12345, "-0.1235"),
        (0.00012345, "0.0001234"),
        (12345.678, "12345.6780"),
        (np.float64(0.25), "0.2500"),
        ("a\u202eb\n", r"a\u202eb\n"),
        ("w" * 500, "w" * 399 + "…"),
        (("a", 1), "('a', 1)"),
    ],
)
def test_values_as_people_read_them(value: Any, text: str) -> None:
    assert shown(value) == text


def test_a_table_by_hand() -> None:
    """Numbers stand at the right: a column of them, as far as they are known."""
    columns = ("", "count", "of", "mixed", "none", "n" * 61)
    found = table(Numbers(columns, [("a", 1, None, 1, None, "x"), ("b", 2500, 0.5, "2", None, "y")]), "caption", True)
    assert found.columns == [
        Column("", False),
        Column("count", True),
        Column("of", True),
        Column("mixed", False),
        Column("none", False),
        Column("n" * 59 + "…", False),
    ]
    assert found.rows == [["a", "1", "", "1", "", "x"], ["b", "2,500", "0.5000", "2", "", "y"]]
    assert (found.caption, found.folded) == ("caption", True)
    assert table(Numbers(("a",), [])).columns == [Column("a", False)]


# ---------------------------------------------------------------- figures


def test_a_figure_with_its_numbers(tmp_path: Path) -> None:
    found = figure("windows", [Observed(made_run(tmp_path / "run", window=2))], Choice())
    assert isinstance(found, Figure)
    assert (found.name, found.title, found.look_for) == ("figure-windows", "Context windows", PLOTS["windows"].look_for)
    assert found.remark.startswith("Each window is as wide as a number drawn from 1 to 2 words")
    assert found.table is not None
    assert found.table.rows == [["1", "1.0000"], ["2", "0.5000"]]
    assert (found.table.folded, found.full) == (True, False)
    widths = [float(ET.fromstring(svg).attrib["viewBox"].split()[2]) for svg in (found.wide, found.narrow)]
    assert widths == pytest.approx([72 * 5.8, 72 * 3.5])


def test_why_there_is_no_figure(tmp_path: Path) -> None:
    run = Observed(made_run(tmp_path / "run"))
    found = figure("training", [run], Choice())
    assert found == Remark(f"Held-out loss and learning rate: {run.path}: nothing has been trained yet")


# ---------------------------------------------------------------- neighbours


def test_neighbours_are_gensims(tmp_path: Path) -> None:
    """In pieces, too, and never the word itself."""
    rows = rows_of(1, 600)
    words = [f"w{place}" for place in range(600)]
    run = Observed(made_run(tmp_path / "run", dict.fromkeys(words, 5), rows=rows))
    vectors = gensims(rows, words)
    found = neighbours.nearest(run.vectors, np.arange(600), 4)
    assert len(found) == 600
    for word, answer in zip(words, found, strict=True):
        theirs = vectors.most_similar(word, topn=4)
        assert [words[number] for number in answer.ids] == [other for other, _ in theirs]
        np.testing.assert_allclose(answer.scores, [cosine for _, cosine in theirs], atol=1e-6)


def test_tables_of_neighbours(tmp_path: Path) -> None:
    rows = rows_of(2)
    asked, drawn = tables(neighbours.neighbour_tables(of_rows(tmp_path / "run", rows), Choice(words=("w7",))))
    line = [f"{word} {cosine:.2f}" for word, cosine in gensims(rows).most_similar("w7", topn=10)]
    assert asked.rows == [["w7", "993", line]]
    assert asked.caption == "Words that were asked for"
    assert [column.numeric for column in asked.columns] == [False, True, False]
    assert 5 < len(drawn.rows) <= 12
    ranks = [WORDS.index(str(row[0])) for row in drawn.rows]
    assert ranks[0] > 2
    assert ranks == sorted(ranks)


def test_the_map_has_the_neighbours_of_its_words(tmp_path: Path) -> None:
    rows = rows_of(3)
    found = neighbours.word_map(of_rows(tmp_path / "run", rows), Choice(top=5, words=("w30", "w2")))
    assert found.words == [*WORDS[:5], "w30"]
    assert [found.words[place] for place in found.chosen] == ["w30", "w2"]
    assert (found.ranks, found.counts) == ([1, 2, 3, 4, 5, 31], [1000, 999, 998, 997, 996, 970])
    for word, near in zip(found.words, found.neighbours, strict=True):
        theirs = gensims(rows).most_similar(word, topn=10)
        assert [found.names[number] for number, _ in near] == [other for other, _ in theirs]
        np.testing.assert_allclose([cosine for _, cosine in near], [cosine for _, cosine in theirs], atol=1e-6)
    assert max(map(abs, (*found.x, *found.y))) == pytest.approx(1)
    written = {"".join(node.itertext()) for node in ET.fromstring(found.static).iter("text")}
    assert {"w30", "w2"} <= written <= set(WORDS)


# ---------------------------------------------------------------- two runs


def test_a_run_compared_to_itself(tmp_path: Path) -> None:
    run = of_rows(tmp_path / "run", rows_of(4))
    remark, asked = neighbours.compare(run, run, Choice(words=("w3",)))
    assert remark == Remark(
        "Among the 40 most frequent words that both know, 100 % of the ten nearest of a word are the same in mine and "
        "in mine, on average over 40 words."
    )
    assert as_table(asked).rows == [["w3", "100%", [], []]]


def test_changed_neighbours_by_gensim(tmp_path: Path) -> None:
    """The same vectors but for those of twelve words; the other run does not know the last three."""
    before = rows_of(5)
    after = before.copy()
    after[:12] = rows_of(6)[:12]
    one_run = of_rows(tmp_path / "a", before, "a")
    counts = dict(list(COUNTS.items())[:37])
    other = Observed(made_run(tmp_path / "b", counts, rows=after[:37]), "b")
    theirs = gensims(before[:37], WORDS[:37]), gensims(after[:37], WORDS[:37])
    near = {  # among the words that both know
        word: tuple([found for found, _ in vectors.most_similar(word, topn=10)] for vectors in theirs)
        for word in WORDS[:37]
    }
    same = {word: len(set(first) & set(second)) / 10 for word, (first, second) in near.items()}
    remark, asked, most = neighbours.compare(one_run, other, Choice(words=("w20", "w39", "w0")))
    assert isinstance(remark, Remark)
    mean = 100 * sum(same.values()) / 37
    assert 20 < mean < 90
    assert f"the 37 most frequent words that both know, {mean:.3g} % of the ten nearest of a word are" in remark.text
    for found, words in ((asked, ["w20", "w0"]), (most, sorted(WORDS[:37], key=lambda word: same[word])[:20])):
        assert as_table(found).rows == [
            [
                word,
                f"{10 * round(10 * same[word])}%",
                [one for one in near[word][0] if one not in near[word][1]],
                [one for one in near[word][1] if one not in near[word][0]],
            ]
            for word in words
        ]
    assert [as_table(found).caption for found in (asked, most)] == [
        "a and b: neighbours of some words",
        "a and b: words whose neighbours differ most",
    ]
    assert [column.name for column in as_table(asked).columns] == ["word", "the same", "only in a", "only in b"]


def test_runs_that_have_no_word_in_common(tmp_path: Path) -> None:
    one_run = of_rows(tmp_path / "a", rows_of(7), "a")
    other = Observed(made_run(tmp_path / "b", {"x": 2, "y": 1}, rows=np.eye(2)), "b")
    assert neighbours.compare(one_run, other, Choice()) == [Remark("a and b have too few words in common.")]


# ---------------------------------------------------------------- reports

EVENTS = [
    event("warning", message="it is odd"),
    event("warning", message="it is odd"),
    start(vocabulary=40, words=5000),
    event("loss", words=0, loss=4.0),
    block(1000, speed=500),
    event("loss", words=1000, loss=3.0),
    event("failed", message="the disk is full"),
]


def parts_of(sections: list[Section], id: str) -> list[Part]:
    (found,) = (section for section in sections if section.id == id)
    return list(found.parts)


def test_the_report_on_a_run(tmp_path: Path) -> None:
    """One that failed: with figures of what there is, and remarks on what there is not."""
    questions = tmp_path / "own.txt"
    questions.write_text(": some\n" + "".join(f"w{place} w{place + 1} w{place + 2} w9\n" for place in range(5)))
    choice = Choice(words=("w7", "w8"), sets=[read_analogies(questions, "own")])
    run = of_rows(tmp_path / "run", rows_of(8), events=EVENTS, alpha=0.05)
    found = one.sections(run, choice)
    assert len({section.id for section in found}) == len(found) == 8
    assert all(section.look_for[-1] in ".?" for section in found)
    facts, failed, settings, warnings = parts_of(found, "summary")
    assert isinstance(facts, Facts)
    assert {("state", "unfinished"), ("vocabulary", "40"), ("words a second", "500")} <= set(facts.rows)
    assert facts.rows[0] == ("trained as", "CBOW, 100 dimensions, window 5, 5 noise words, 5 epochs")
    assert failed == Remark("Failed: the disk is full")
    changed = {row[0]: row[1] for row in as_table(settings).rows if row[2] == "changed"}
    assert changed == {"word2vec.min_count": "1", "word2vec.alpha": "0.05"}
    assert as_table(settings).folded
    assert as_table(warnings).rows == [["it is odd"]]
    kinds = {section.id: [type(part).__name__ for part in section.parts] for section in found[1:]}
    assert kinds == {
        "corpus": ["Figure", "Figure", "Figure", "Remark", "Figure"],  # there is no encoded text
        "subsampling": ["Figure"],
        "contexts": ["Figure", "Figure"],
        "training": ["Figure", "Figure", "Remark"],  # no scores were taken
        "map": ["WordMap"],
        "similarities": ["Figure", "Figure", "Table", "Table"],
        "scores": ["Figure", "Table"],
    }
    figures = [part for section in found for part in section.parts if isinstance(part, Figure)]
    assert len({part.name for part in figures}) == len(figures)
    (totals,) = tables(parts_of(found, "scores"))
    assert [row[0] for row in totals.rows] == ["own"]
    assert [row[3:] for row in totals.rows] == [["5", "5"]]


def test_the_report_on_a_run_that_has_just_begun(tmp_path: Path) -> None:
    found = one.sections(Observed(made_run(tmp_path / "run")), Choice())
    assert [type(part).__name__ for part in parts_of(found, "contexts")] == ["Figure", "Remark"]
    for section, why in (
        ("map", "there are no vectors before the first checkpoint"),
        ("similarities", "there are no vectors before the first checkpoint"),
        ("scores", "there are no vectors before the first checkpoint"),
        ("training", "nothing has been trained yet"),
        ("subsampling", "the words of this run's corpus are not counted yet"),
    ):
        first, *_ = parts_of(found, section)
        assert isinstance(first, Remark)
        assert first.text.endswith(why)


def test_several_runs_side_by_side(tmp_path: Path) -> None:
    questions = tmp_path / "own.txt"
    questions.write_text("".join(f"w{place} w{place + 1} w{place + 2} w9\n" for place in range(5)))
    choice = Choice(words=("w7",), sets=[read_analogies(questions, "own")])
    runs = [
        of_rows(tmp_path / "a", rows_of(9), "a", events=EVENTS),
        of_rows(tmp_path / "b", rows_of(9), "b", window=9),
        Observed(made_run(tmp_path / "c", COUNTS, rows=rows_of(10), window=9, seed=4), "c"),
    ]
    found = several.sections(runs, choice)
    (summary,) = tables(parts_of(found, "summary"))
    assert [column.name for column in summary.columns] == ["", "a", "b", "c"]
    assert ["vocabulary", "40", "–", "–"] in summary.rows
    assert [row[1:] for row in summary.rows if row[0] == "trained as"] == [
        [f"CBOW, 100 dimensions, window {window}, 5 noise words, 5 epochs" for window in (5, 9, 9)]
    ]
    (settings,) = tables(parts_of(found, "settings"))
    assert settings.rows == [["word2vec.window", "5", "9", "9"], ["word2vec.seed", "1", "1", "4"]]
    (scores,) = tables(parts_of(found, "scores"))
    names = ["set", "section", "a", "b", "difference", "p", "of", "c", "difference", "p", "of"]
    assert [column.name for column in scores.columns] == names
    ((_, _, first, second, difference, *_),) = scores.rows
    assert (first, difference) == (second, "+0.0000")
    changes = parts_of(found, "neighbours")
    same, other = (part.text for part in changes if isinstance(part, Remark))
    assert "that both know, 100 % of the ten nearest of a word are the same in a and in b" in same
    assert " of the ten nearest of a word are the same in a and in c" in other
    assert "100 %" not in other
    assert len(tables(changes)) == 3  # where nothing changed there is nothing to list


def test_runs_of_the_same_settings(tmp_path: Path) -> None:
    runs = [Observed(made_run(tmp_path / name), name) for name in "ab"]
    found = several.sections(runs, Choice())
    assert parts_of(found, "settings") == [Remark("No setting differs.")]
    (remark,) = parts_of(found, "neighbours")
    assert isinstance(remark, Remark)
    assert remark.text.endswith("a: there are no vectors before the first checkpoint")


# ---------------------------------------------------------------- the file


def test_a_report_in_a_file(tmp_path: Path) -> None:
    run = Observed(made_run(tmp_path / "run", {"<b>": 9, "b": 5}), "<i>mine</i>")
    size = report.write([run], str(tmp_path / "a.html"))
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert size == (tmp_path / "a.html").stat().st_size
    assert "&lt;i&gt;mine" in page
    assert "<i>mine" not in page
    assert "<b>" not in page
    assert page.count("&lt;b&gt;") > 3


def test_reports_that_cannot_be_made(tmp_path: Path) -> None:
    run = of_rows(tmp_path / "run", rows_of(1))
    with pytest.raises(ConfigError, match="a report compares 8 runs at most; here are 9"):
        report.write([run] * 9, str(tmp_path / "a.html"))
    with pytest.raises(UnknownWordError, match="w99"):
        report.write([run], str(tmp_path / "a.html"), Choice(words=("w99",)))
    with pytest.raises(ConfigError, match="lda is no projection"):
        report.write([run], str(tmp_path / "a.html"), Choice(projection="lda"))
    with pytest.raises(W2VError, match="gone"):
        report.write([run], str(tmp_path / "gone" / "a.html"))
    with pytest.raises(ConfigError, match=r"a\.svg: a report's name ends in \.html"):
        report.write([run], str(tmp_path / "a.svg"))
    assert not (tmp_path / "a.html").exists()


def test_a_damaged_vocabulary_costs_only_what_is_made_of_it(tmp_path: Path) -> None:
    path = made_run(tmp_path / "run", {"a": 3}, lengths=[3, 4])
    (path / "vocab.tsv").write_text("a three\n")
    parts = parts_of(one.sections(Observed(path), Choice()), "corpus")
    assert [type(part) for part in parts] == [Remark, Remark, Remark, Figure, Remark]
    assert all("not a vocabulary file" in part.text for part in parts if isinstance(part, Remark))


def test_settings_that_are_unknown_are_not_called_equal(lee_run: Path, tmp_path: Path) -> None:
    convert(str(lee_run), str(tmp_path / "lee.vec"))
    runs = [Observed(lee_run, "run"), Observed(tmp_path / "lee.vec", "file")]
    assert parts_of(several.sections(runs, Choice(sets=[built_in("SimLex-999")])), "settings") == [
        Remark("The settings of file are not known.")
    ]


@pytest.mark.slow
def test_no_words_make_a_page_large(tmp_path: Path) -> None:
    """As many words on the map as there may be, of 300 letters of four bytes each, some of which become escapes."""
    digits = [chr(0x1F600 + number) for number in range(9)] + ["\U000e0001"]
    words = ["".join(digits[int(digit)] for digit in f"{number:05}") * 60 for number in range(6_000)]
    rows = np.random.default_rng(1).normal(size=(6_000, 4))
    run = Observed(made_run(tmp_path / "run", {word: 6_000 - place for place, word in enumerate(words)}, rows=rows))
    size = report.write([run], str(tmp_path / "page.html"), Choice(top=5_000, sets=[built_in("SimLex-999")]))
    assert size == (tmp_path / "page.html").stat().st_size < 6_000_000
