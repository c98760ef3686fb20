from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from w2vcli.bench import comparison as bench
from w2vcli.bench import rounds
from w2vcli.bench.comparison import Run, bench_train, summaries, trainers
from w2vcli.config import Config
from w2vcli.errors import ConfigError, W2VError
from w2vcli.evaluate import METRICS, evaluate
from w2vcli.plots import saving
from w2vcli.sources import expand

from .conftest import W2V, need

SMALL = Config.model_validate(
    {"word2vec": {"vector_size": 10, "epochs": 1, "workers": 1, "sg": 1, "seed": 7}, "train": {"block_words": 20_000}}
)


def run(trainer: str, number: int, seconds: float, train: float | None, score: float | None) -> Run:
    return Run(trainer, number, seconds, train, 1000, 5_000_000, {"analogies": score})


def test_summaries_by_hand() -> None:
    """Ratios within a round: the machine is half as fast in the second, and the ratio does not notice."""
    runs = [
        run("ours", 0, 2, 1, 0.3), run("theirs", 0, 8, 4, 0.2),
        run("theirs", 1, 16, 8, None), run("ours", 1, 4, 2, 0.5),
        run("ours", 2, 2, 1, 0.4), run("theirs", 2, 10, 5, 0.4),
        run("dumb", 0, 4, None, None),
    ]  # fmt: skip
    ours, theirs, dumb = summaries(runs, "theirs")
    assert (ours.words_per_second, ours.speed_ratio, ours.seconds, ours.time_ratio) == (1000, 4, 2, 4)
    assert ours.scores["analogies"] == pytest.approx(0.4)
    assert (theirs.speed_ratio, theirs.time_ratio, theirs.peak_megabytes) == (1, 1, 5)
    assert theirs.scores["analogies"] == pytest.approx(0.3)
    assert (dumb.words_per_second, dumb.speed_ratio, dumb.time_ratio) == (None, None, 2)
    assert summaries(runs, "nobody")[0].speed_ratio is None


@pytest.mark.slow
def test_every_trainer_trains(lee: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each on real text, in its turn, with a model that can be read and a seed for each round."""
    need("fasttext", "fasttext-wheel")
    names = ["numba", "gensim", "gensim iterator", "gensim corpus_file", "fasttext"]
    seen: list[int] = []

    def noted(vectors: Any) -> dict[str, Any]:
        seen.append(len(vectors))
        return {}

    monkeypatch.setattr(bench, "evaluate", noted)
    runs = list(bench_train([str(lee)], SMALL, trainers(names, ()), 2, True))
    order = ["w2v numba", "w2v gensim", *names[2:]]
    assert [one.trainer for one in runs] == [*order, *order[1:], order[0]]
    words = len(lee.read_text().split())
    for one in runs:
        assert one.words == words
        assert one.train_seconds is not None
        assert 0 < one.train_seconds < one.seconds
        assert 20e6 < one.peak_bytes < 4e9
    vocabulary, with_line_ends = seen[0], seen[0] + 1
    assert seen == [*[vocabulary] * 4, with_line_ends, *[vocabulary] * 3, with_line_ends, vocabulary]


def test_a_command_as_a_peer(tmp_path: Path, lee: Path) -> None:
    script = tmp_path / "peer.py"
    script.write_text(
        "import sys\n"
        "text, output, dim, seed, threads, cbow = sys.argv[1:]\n"
        "words = sorted(set(open(text).read().split()))\n"
        "print(len(words), dim, file=open(output + '.vec', 'w'))\n"
        "with open(output + '.vec', 'a') as out:\n"
        "    for word in words: print(word, *[float(seed)] * int(dim), file=out)\n"
        "assert (threads, cbow) == ('1', '0')\n"
    )
    template = f"mine={sys.executable} {script} {{input}} {{output}} {{dim}} {{seed}} {{threads}} {{cbow}}"
    (one,) = bench_train([str(lee)], SMALL, trainers([], [template]), 1, True)
    assert (one.trainer, one.train_seconds, one.round) == ("mine", None, 0)
    assert set(one.scores) == set(METRICS)


def test_wrong_trainers_are_all_named() -> None:
    with pytest.raises(ConfigError) as caught:
        trainers(["numba", "glove"], ["x=prog {input}", "prog {input} {output} {bar}"])
    first, second, third = caught.value.problems
    assert first.startswith("glove: no trainer of that name; known: numba, gensim, torch, reference, gensim iterator,")
    assert second.startswith("--peer x=prog {input}: should be name=command, with {input} and {output}; known: {input}")
    assert third.startswith("--peer prog {input} {output} {bar}: should be")


def test_memory_is_the_commands_own() -> None:
    """A process begins with the peak of the one that started it: here 300 MB."""
    large = np.ones(300_000_000, dtype=np.uint8)
    _, peak, printed, _ = rounds.timed([sys.executable, "-I", "-S", "-c", "print(len(b'x' * 50_000_000))"])
    assert (large[-1], printed) == (1, "50000000\n")
    assert 50e6 < peak < 100e6


def test_files_become_one_with_a_line_end_between(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a b c\nc\u00a0d")
    (tmp_path / "b.txt").write_text("e f\n")
    rounds.one_plain_file(expand([tmp_path / "a.txt", tmp_path / "b.txt"]), tmp_path / "all")
    assert (tmp_path / "all").read_text() == "a b c\nc\u00a0d\ne f\n"
    assert rounds.words_in(tmp_path / "all") == 7


@pytest.mark.slow
def test_an_interrupted_bench_leaves_no_trainer_behind(lee: Path, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    template = f'x={sys.executable} -c \'import os,time; open("{note}","w").write(str(os.getpid())); time.sleep(60)\''
    command = [sys.executable, "-m", "w2vcli", "bench", "train", str(lee), "--trainer", "numba", "--rounds", "1"]
    command += ["--peer", template + " {input} {output}", "--set", "word2vec.epochs=1", "--no-quality"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not (note.exists() and note.read_text()):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(int(note.read_text()), 0)
            time.sleep(0.05)


def test_what_an_engine_cannot_do_is_said_at_once(w2v: W2V, lee: Path) -> None:
    options = ["--trainer", "numba", "--set", "word2vec.hs=1", "--set", "word2vec.negative=0"]
    result = w2v("bench", "train", lee, *options)
    assert result.code == 2
    assert "numba cannot train with word2vec.hs: 1" in result.err
    assert "failed with" not in result.err


def test_a_program_that_is_not_there_is_found_missing_at_once() -> None:
    with pytest.raises(ConfigError, match="no-such-program: is not a program"):
        trainers([], ["x=no-such-program {input} {output}"])


@pytest.mark.slow
def test_what_was_measured_before_a_failure_is_kept(w2v: W2V, lee: Path, tmp_path: Path) -> None:
    options = ["--trainer", "numba", "--peer", "x=false {input} {output}", "--no-quality", "--set", "word2vec.epochs=1"]
    result = w2v("bench", "train", lee, *options, "--rounds", "1", "-o", tmp_path / "bench.json")
    assert result.code == 1
    assert [one["trainer"] for one in json.loads((tmp_path / "bench.json").read_text())["runs"]] == ["w2v numba"]


@pytest.mark.parametrize("name", ["", "prog -x", "numba"])
def test_names_that_a_peer_cannot_have(name: str) -> None:
    chosen = ["numba"]
    full = f"w2v {name}" if name in chosen else name
    with pytest.raises(ConfigError):
        trainers(chosen, [f"{full}=prog {{input}} {{output}}"])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("true {input} {output}", "x: wrote no vectors"),
        ("sh -c 'echo one two > \"$1\"' x {output} {input}", "x: wrote no vectors"),
        ("sh -c 'echo oh no >&2; exit 3' {input} {output}", "failed with exit code 3: oh no"),
    ],
)
def test_a_peer_that_fails(lee: Path, command: str, message: str) -> None:
    with pytest.raises(W2VError, match=message):
        list(bench_train([str(lee)], SMALL, trainers([], [f"x={command}"]), 1, False))


def test_the_command(w2v: W2V, lee: Path, tmp_path: Path) -> None:
    result = w2v(
        "bench", "train", lee, "--trainer", "numba", "--trainer", "gensim iterator", "--rounds", "1", "--no-quality",
        "--set", "word2vec.epochs=1", "--baseline", "gensim iterator", "--tsv",
        "-o", tmp_path / "bench.json", "--plot", tmp_path / "bench.svg",
    )  # fmt: skip
    assert result.code == 0, result.err
    header, ours, theirs = (line.split("\t") for line in result.out.splitlines())
    assert header == ["trainer", "words/s", "speedup", "seconds", "total speedup", "MB"]
    assert (ours[0], theirs[0], theirs[2], theirs[4]) == ("w2v numba", "gensim iterator", "1.00", "1.00")
    assert "round 1 w2v numba: " in result.err
    written = json.loads((tmp_path / "bench.json").read_text())
    assert [one["trainer"] for one in written["runs"]] == ["w2v numba", "gensim iterator"]
    assert written["config"]["word2vec"]["epochs"] == 1
    assert (tmp_path / "bench.svg").read_text().lstrip().startswith("<?xml")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--baseline", "glove"], 2, "--baseline glove: is not among the trainers: w2v numba"),
        (["--plot", "speed.gif"], 1, "speed.gif: a plot's name ends in .svg, .pdf, .png"),
        (["--plot", "nowhere/speed.svg"], 1, "does not exist"),
        (["-o", "nowhere/bench.json"], 1, "does not exist"),
    ],
)
def test_mistakes_are_found_before_the_first_round(
    w2v: W2V, lee: Path, options: list[str], code: int, message: str
) -> None:
    result = w2v("bench", "train", lee, "--trainer", "numba", *options)
    assert (result.code, message in result.err, "round" in result.err) == (code, True, False), result.err


def test_a_plot_needs_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "find_spec", lambda name: None)
    with pytest.raises(W2VError, match="needs matplotlib"):
        saving.check(tmp_path / "speed.svg")


def test_what_the_others_are_compared_to() -> None:
    chosen = trainers(["numba", "gensim corpus_file"], ["mine=true {input} {output}"])
    assert bench.baseline_of(chosen, None) == "gensim corpus_file"
    assert bench.baseline_of(trainers(["reference", "numba"], []), None) == "w2v reference"
    assert [bench.baseline_of(chosen, name) for name in ("numba", "w2v numba", "mine")] == [
        "w2v numba",
        "w2v numba",
        "mine",
    ]


def test_metrics_are_gensims(lee_run: Path) -> None:
    """The same numbers as Gensim's own evaluation, and none where there is nothing to ask."""
    from gensim.test.utils import datapath

    from w2vcli.model import load
    from w2vcli.vectors import Vectors
    from w2vcli.words import ListedWords

    scores = evaluate(load(lee_run))
    vectors = load(lee_run).to_gensim()
    value, sections = vectors.evaluate_word_analogies(datapath("questions-words.txt"), restrict_vocab=30_000)
    assert scores["analogies"].value == value
    assert scores["analogies"].asked == sum(len(s["correct"]) + len(s["incorrect"]) for s in sections[:-1]) > 50
    _, spearman, unknown = vectors.evaluate_word_pairs(datapath("wordsim353.tsv"), restrict_vocab=30_000)
    assert scores["WordSim-353"].value == spearman.statistic
    assert scores["WordSim-353"].asked == round(353 * (1 - unknown / 100)) > 30
    strange = Vectors(ListedWords(["xyzzy", "plugh"]), np.array([[1, 2], [2, 1]], dtype=np.float32))
    assert [(score.value, score.asked) for score in evaluate(strange).values()] == [(None, 0)] * 3
