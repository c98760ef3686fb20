"""`w2v evaluate` as a process: what is printed where, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gensim.models import KeyedVectors

from .conftest import W2V

PAIRS = "a\tb\t4\na\tc\t2\nb\tc\t3\nc\td\t1\n"
ANALOGIES = ": gram1\na b c d\nd c b a\n: towns\na c b d\na zzz b d\n"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models and questions: `one` solves all the analogies that it knows, `other` answers e to all."""
    folder = tmp_path_factory.mktemp("evaluate")
    for name, rows in {
        "one": [[3, 0.3, 0], [3, 2, 0], [0.3, 0, 3], [0.3, 1.7, 3], [-3, -9, -3]],
        "other": [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, -1, -1], [0, 1, 1]],
    }.items():
        vectors = KeyedVectors(3)
        vectors.add_vectors(["a", "b", "c", "d", "e"], rows)
        vectors.save_word2vec_format(str(folder / name))
    (folder / "pairs.tsv").write_text(PAIRS)
    (folder / "analogies.txt").write_text(ANALOGIES)
    (folder / "odd.txt").write_text("a b e\na b c\n")
    return folder


def cells(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_one_model(w2v: W2V, room: Path) -> None:
    result = w2v("evaluate", "one", "--analogies", "analogies.txt", "--odd-one-out", "odd.txt", cwd=room)
    assert (result.code, result.err) == (0, "")
    assert "\x1b" not in result.out
    header, *rows = cells(result.out)
    assert header == ["set", "section", "score", "95", "%", "interval", "asked", "total"]
    assert rows[0] == ["analogies.txt", "1.0000", "1.0000", "to", "1.0000", "3", "4"]
    assert [row[1] for row in rows[1:5]] == ["syntactic", "semantic", "gram1", "towns"]
    assert rows[5][:2] == ["odd.txt", "1.0000"]
    assert len(rows) == 6
    without = w2v("evaluate", "one", "--analogies", "analogies.txt", "--no-sections", cwd=room)
    assert cells(without.out)[0][1] == "score"
    assert len(cells(without.out)) == 2
    pairs = w2v("evaluate", "one", "--pairs", "pairs.tsv", cwd=room)
    assert cells(pairs.out)[0][-1] == "Pearson"


def test_json_and_tsv_hold_the_same(w2v: W2V, room: Path) -> None:
    sets = ["--analogies", "analogies.txt", "--pairs", "pairs.tsv", "--sections"]
    as_json = w2v("evaluate", "one", "other", *sets, "--json", cwd=room)
    as_tsv = w2v("evaluate", "one", "other", *sets, "--tsv", cwd=room)
    objects = [json.loads(line) for line in as_json.out.splitlines()]
    header, *rows = [line.split("\t") for line in as_tsv.out.splitlines()]
    assert len(objects) == len(rows) == 2 * (5 + 1)
    analogies, other = objects[0], objects[6]
    assert {key: analogies[key] for key in ("model", "set", "section", "score", "asked", "total", "right")} == {
        "model": "one",
        "set": "analogies.txt",
        "section": None,
        "score": 1,
        "asked": 3,
        "total": 4,
        "right": 3,
    }
    assert (analogies["interval"], analogies["pearson"], analogies["difference"]) == ([1, 1], None, None)
    assert other["difference"]["value"] == pytest.approx(other["score"] - 1, abs=1e-6)
    assert other["difference"]["asked"] == 3
    assert 0 < other["difference"]["p"] <= 1
    assert objects[5]["pearson"] is not None
    for one, row in zip(objects, rows, strict=True):
        shown = dict(zip(header, row, strict=True))
        assert (shown["model"], shown["set"], shown["section"]) == (one["model"], one["set"], one["section"] or "")
        assert float(shown["score"]) == pytest.approx(one["score"], abs=1e-5)
        p = one["difference"] and one["difference"]["p"]
        assert (float(shown["p"]) if shown["p"] else None) == (p and pytest.approx(p, abs=1e-6))


def test_several_models(w2v: W2V, room: Path) -> None:
    sets = ["--analogies", "analogies.txt", "--pairs", "pairs.tsv"]
    result = w2v("evaluate", "one", "other", *sets, cwd=room)
    header, *rows = cells(result.out)
    assert header == ["set", "one", "other", "difference", "p", "asked"]
    assert [row[0] for row in rows] == ["analogies.txt", "pairs.tsv"]
    assert rows[0][1:5] == ["1.0000", "(1.0000", "to", "1.0000)"]
    assert rows[0][-3:] == ["3", "of", "4"]
    assert any(cell.startswith(("+", "-")) for cell in rows[1])
    with_sections = w2v("evaluate", "one", "other", *sets, "--sections", cwd=room)
    assert len(cells(with_sections.out)) == 1 + 5 + 1
    assert cells(with_sections.out)[0][1] == "section"


def test_significant_differences_are_marked(w2v: W2V, room: Path, tmp_path: Path) -> None:
    (tmp_path / "many.txt").write_text("a b c d\n" * 30)
    result = w2v("evaluate", "one", "other", "--analogies", tmp_path / "many.txt", cwd=room)
    assert cells(result.out)[1][-6:] == ["-1.0000", "*", "0.0004", "30", "of", "30"]


def test_unknown_words_may_be_wrong(w2v: W2V, room: Path) -> None:
    asked = ["evaluate", "one", "--analogies", "analogies.txt", "--no-sections", "--json"]
    skipped, wrong = (json.loads(w2v(*asked, *more, cwd=room).out) for more in ([], ["--unknown", "wrong"]))
    assert (skipped["score"], skipped["asked"], wrong["score"], wrong["asked"]) == (1, 3, 0.75, 3)


def test_methods_and_restrictions(w2v: W2V, room: Path) -> None:
    asked = ["evaluate", "one", "--analogies", "analogies.txt", "--no-sections", "--json"]
    assert json.loads(w2v(*asked, "--method", "3cosmul", cwd=room).out)["asked"] == 3
    assert json.loads(w2v(*asked, "--restrict-vocab", "3", cwd=room).out)["asked"] == 0
    assert w2v(*asked, "--method", "3cosplus", cwd=room).code == 2


def test_fail_under(w2v: W2V, room: Path) -> None:
    sets = ["--analogies", "analogies.txt", "--odd-one-out", "odd.txt"]
    fine = w2v("evaluate", "one", *sets, "--fail-under", "0.9", cwd=room)
    assert (fine.code, fine.err) == (0, "")
    below = w2v("evaluate", "other", *sets, "--fail-under", "0.9", "--fail-under", "odd.txt=0", cwd=room)
    assert below.code == 4
    (line,) = below.error_lines
    assert line == "w2v: error: below --fail-under: other: analogies.txt: 0.0000, required is 0.9"
    assert cells(below.out)[1][0] == "analogies.txt"
    assert w2v("evaluate", "one", *sets, "--fail-under", "odd.txt=1", cwd=room).code == 0
    wrong = w2v("evaluate", "one", *sets, "--fail-under", "odds=1", cwd=room)
    assert (wrong.code, wrong.err) == (
        2,
        "w2v: error: --fail-under odds: no such set is asked; did you mean odd.txt?\n",
    )
    percent = w2v("evaluate", "one", *sets, "--fail-under", "30", cwd=room)
    assert percent.error_lines == [
        "w2v: error: --fail-under 30: should be a number between -1 and 1, or SET=NUMBER",
    ]


def test_nothing_asked_is_said_and_has_no_score(w2v: W2V, room: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text(PAIRS.upper())
    cased = w2v("evaluate", "one", "--pairs", tmp_path / "pairs.tsv", "--case", "exact", cwd=room)
    assert cased.code == 0
    assert cased.error_lines == [
        f"warning: one: {tmp_path}/pairs.tsv: nothing could be asked, because the case of the words differs; "
        "give --case fold"
    ]
    assert cells(cased.out)[1][1:] == ["0", "4"]
    english = w2v("evaluate", "one", "--pairs", "SimLex-999", "--fail-under", "0", cwd=room)
    assert english.code == 4
    assert english.error_lines == [
        "warning: one: SimLex-999: nothing could be asked: its words are not among the first 5; "
        "is the language another?",
        "w2v: error: below --fail-under: one: SimLex-999: no score, required is 0",
    ]


def test_bad_files_are_one_line(w2v: W2V, room: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tsv").write_bytes(b"a\tb\t1\na\xff\tb\t1\n")
    bad = w2v("evaluate", "one", "--pairs", tmp_path / "bad.tsv", cwd=room)
    assert bad.code == 1
    assert bad.error_lines == [f"w2v: error: {tmp_path}/bad.tsv: line 2: not text in UTF-8; save it in that encoding"]
    missing = w2v("evaluate", "one", "--analogies", "missing.txt", cwd=room)
    assert missing.code == 2
    assert missing.error_lines == [
        "w2v: error: --analogies: missing.txt: neither a file nor a set that is built in; known are analogies"
    ]
    assert "no such file or run" in w2v("evaluate", "zzz", "--pairs", "pairs.tsv", cwd=room).err


def test_the_built_in_sets_agree_with_training(w2v: W2V, lee_run: Path) -> None:
    from w2vcli.evaluate import METRICS, metric
    from w2vcli.model import load

    found = [json.loads(line) for line in w2v("evaluate", lee_run, "--json", "--no-sections").out.splitlines()]
    assert [row["set"] for row in found] == list(METRICS)
    for row in found:
        score = metric(row["set"])(load(lee_run))
        assert (row["score"], row["asked"], row["total"]) == (
            pytest.approx(score.value, abs=1e-6),
            score.asked,
            score.total,
        )
