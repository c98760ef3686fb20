from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from gensim.utils import simple_preprocess

from w2vcli.bench import preprocessing as bench
from w2vcli.bench import rounds
from w2vcli.bench import tokenizers as programs
from w2vcli.bench.preprocessing import Run, bench_preprocess, summaries, tokenizers
from w2vcli.cli.bench import preprocess as command
from w2vcli.config import Config
from w2vcli.errors import ConfigError, W2VError
from w2vcli.preprocessing import preprocess

from .conftest import W2V, need

TEXT = "The Queen's rook\r\nmoves A1\n\nStraße, well-known  ÉTÉ 1984; don't!\nlast \xff line".encode("latin-1")
LINES = ["The Queen's rook", "moves A1", "", "Stra\ufffde, well-known  \ufffdT\ufffd 1984; don't!", "last \ufffd line"]

COLUMNS = ["tokenizer", "MB/s", "speedup", "seconds", "total speedup", "MB", "tokens"]


def run(tokenizer: str, number: int, seconds: float, text_seconds: float, peak: int = 5_000_000) -> Run:
    return Run(tokenizer, number, seconds, text_seconds, 10_000_000, 7, peak)


def peer(name: str, folder: Path) -> str:
    (folder / "in.txt").write_bytes(TEXT)
    seconds = programs.PEERS[name]({"input": str(folder / "in.txt"), "output": str(folder / "out.txt")})
    assert seconds > 0
    return (folder / "out.txt").read_text(encoding="utf-8")


def test_gensims_tokens_are_gensims(tmp_path: Path) -> None:
    expected = "".join(" ".join(simple_preprocess(line)) + "\n" for line in LINES)
    assert peer("gensim simple_preprocess", tmp_path) == expected
    assert expected.startswith("the queen rook\nmoves\n\n")


def test_the_regular_expressions_tokens(tmp_path: Path) -> None:
    found = peer("regex a line", tmp_path)
    assert found == "the queen's rook\nmoves a1\n\nstra e well-known t 1984 don't\nlast line\n"
    assert found == "".join(" ".join(re.findall(r"\w+(?:['-]\w+)*", line.lower())) + "\n" for line in LINES)


def test_summaries_by_hand() -> None:
    """Ratios within a round: the machine is half as fast in the second, and the ratio does not notice."""
    runs = [
        run("ours", 0, 2, 1), run("theirs", 0, 8, 5),
        run("theirs", 1, 16, 10), run("ours", 1, 4, 2, 9_000_000),
        run("ours", 2, 2, 1), run("theirs", 2, 10, 6),
    ]  # fmt: skip
    ours, theirs = summaries(runs, "theirs")
    assert (ours.tokenizer, ours.megabytes_per_second, ours.speed_ratio) == ("ours", 10, 5)
    assert (ours.seconds, ours.time_ratio, ours.peak_megabytes, ours.tokens) == (2, 4, 5, 7)
    assert (theirs.speed_ratio, theirs.time_ratio, theirs.seconds) == (1, 1, 10)
    assert summaries(runs, "nobody")[0].speed_ratio is None


def test_what_is_compared() -> None:
    peers = ["gensim simple_preprocess", "regex a line"]
    assert list(tokenizers(Config(), [2, 1, 2])) == ["w2v, 2 workers", "w2v, 1 worker", *peers]
    config = Config.model_validate({"preprocess": {"workers": 3, "lowercase": False, "format": "text"}})
    chosen = tokenizers(config, [])
    assert list(chosen) == ["w2v, 1 worker", "w2v, 3 workers", *peers]
    own = chosen["w2v, 3 workers"].settings["preprocess"]
    assert (own["workers"], own["lowercase"]) == (3, False)
    assert bench.baseline_of(chosen, "w2v, 3 workers") == "w2v, 3 workers"


def test_all_tokenize_the_same_text(lee_raw: Path, tmp_path: Path) -> None:
    """Compressed and in another encoding, as it may be; ours writes what `preprocess` does."""
    texts = lee_raw.read_text()[:100_000].rpartition("\n")[0], "Où est Élodie ?\n"
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(texts[0].encode("latin-1")))
    (tmp_path / "b.txt").write_text(texts[1], encoding="latin-1")
    inputs = [str(tmp_path / "a.txt.gz"), str(tmp_path / "b.txt")]
    config = Config.model_validate({"preprocess": {"encoding": "latin-1", "min_token_length": 2, "unit": "paragraph"}})
    ours, gensims, regex = bench_preprocess(inputs, config, tokenizers(config, [1]), 1)
    text = "\n".join(texts)
    assert (ours.tokenizer, ours.tokens) == ("w2v, 1 worker", preprocess(inputs, tmp_path / "out.txt", config).tokens)
    assert gensims.tokens == sum(len(simple_preprocess(line)) for line in text.splitlines())
    assert regex.tokens == len(re.findall(r"\w+(?:['-]\w+)*", text.lower()))
    for one in (ours, gensims, regex):
        assert one.bytes == len(text.encode())
        assert 0 < one.text_seconds < one.seconds
        assert 5e6 < one.peak_bytes < 4e9
        assert one.megabytes_per_second == pytest.approx(one.bytes / one.text_seconds / 1e6)


def test_rounds_and_what_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.txt").write_text("one two\n" * 5)
    told: list[dict[str, Any]] = []

    def timed(command: Sequence[str]) -> tuple[float, int, str, str]:
        told.append(json.loads(command[-1]))
        Path(told[-1]["output"]).write_text("a b c\n")
        return 8.0, 3_000_000, 'a warning\n{"seconds": 0.5}\n', ""

    monkeypatch.setattr(rounds, "timed", timed)
    chosen = tokenizers(Config(), [1, 2])
    runs = list(bench_preprocess([str(tmp_path / "in.txt")], Config(), chosen, 2))
    first = "w2v, 1 worker"
    others = ["w2v, 2 workers", "gensim simple_preprocess", "regex a line"]
    assert [one.tokenizer for one in runs] == [first, *others, *others, first]
    assert runs[4] == Run("w2v, 2 workers", 1, 8, 0.5, 40, 3, 3_000_000)
    assert [one.get("preprocess", {}).get("workers") for one in told] == [1, 2, None, None, 2, None, None, 1]


def test_the_command(w2v: W2V, lee_raw: Path, tmp_path: Path) -> None:
    need("matplotlib", "matplotlib")
    files = "-o", tmp_path / "bench.json", "--plot", tmp_path / "bench.svg"
    options = ["--workers", "1", "--rounds", "1", "--baseline", "regex a line", "--set", "preprocess.sentences=false"]
    result = w2v("bench", "preprocess", lee_raw, *options, *files, "--tsv")
    assert result.code == 0, result.err
    header, *rows = (line.split("\t") for line in result.out.splitlines())
    assert header == COLUMNS
    assert [row[0] for row in rows] == ["w2v, 1 worker", "gensim simple_preprocess", "regex a line"]
    assert (rows[2][2], rows[2][4]) == ("1.00", "1.00")
    assert "round 1 w2v, 1 worker: " in result.err
    written = json.loads((tmp_path / "bench.json").read_text())
    assert [one["tokenizer"] for one in written["runs"]] == [row[0] for row in rows]
    assert [str(one["tokens"]) for one in written["summaries"]] == [row[6] for row in rows]
    assert (written["baseline"], written["config"]["preprocess"]["sentences"]) == ("regex a line", False)
    assert (tmp_path / "bench.svg").read_text().lstrip().startswith("<?xml")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [run("w2v, 1 worker", 0, 2, 0.5), run("gensim simple_preprocess", 0, 5, 4)]
    monkeypatch.setattr(bench, "bench_preprocess", lambda *arguments: iter(runs))


@pytest.mark.usefixtures("measured")
def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    command.preprocess(["a.txt"])
    out, err = capsys.readouterr()
    assert [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()] == [
        COLUMNS,
        ["w2v, 1 worker", "20.0", "8.00", "2.00", "2.50", "5", "7"],
        ["gensim simple_preprocess", "2.5", "1.00", "5.00", "1.00", "5", "7"],
    ]
    assert err.splitlines()[0] == "round 1 w2v, 1 worker: 2.0 s, 20.0 MB/s"


@pytest.mark.usefixtures("measured")
def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    command.preprocess(["a.txt"], quiet=True, as_json=True)
    out, err = capsys.readouterr()
    ours, _ = (json.loads(line) for line in out.splitlines())
    assert err == ""
    assert ours == {
        "tokenizer": "w2v, 1 worker",
        "megabytes_per_second": 20,
        "speed_ratio": 8,
        "seconds": 2,
        "time_ratio": 2.5,
        "peak_megabytes": 5,
        "tokens": 7,
    }


def test_what_was_measured_before_a_failure_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: Any) -> Iterator[Run]:
        yield run("w2v, 1 worker", 0, 2, 0.5)
        raise W2VError("the disk is full")

    monkeypatch.setattr(bench, "bench_preprocess", failing)
    with pytest.raises(W2VError, match="full"):
        command.preprocess(["a.txt"], output=str(tmp_path / "bench.json"), quiet=True)
    (kept,) = json.loads((tmp_path / "bench.json").read_text())["runs"]
    assert kept == vars(run("w2v, 1 worker", 0, 2, 0.5))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"baseline": "x"}, ConfigError, "--baseline x: is not among the tokenizers: w2v, 1 worker; gensim simple_pre"),
        ({"plot": "speed.gif"}, W2VError, "speed.gif: a plot's name ends in .svg, .pdf, .png"),
        ({"output": "nowhere/bench.json"}, W2VError, "does not exist"),
        ({"overrides": ["preprocess.stop_words=nowhere.txt"]}, W2VError, "nowhere.txt"),
        ({"overrides": ["preprocess.tokenizer=nowhere:f"]}, ConfigError, "nowhere"),
        ({"overrides": ["preprocess.format=jsonl"]}, W2VError, "is jsonl; what is measured is plain text"),
    ],
)
def test_mistakes_are_found_before_the_first_round(
    lee_raw: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any], error: type[W2VError], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        command.preprocess([str(lee_raw)], workers=[1], **options)
    assert capsys.readouterr().err == ""


def test_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(W2VError, match=r"empty\.txt: no text in the input"):
        list(bench_preprocess([str(tmp_path / "empty.txt")], Config(), tokenizers(Config(), [1]), 1))
