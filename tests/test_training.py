from __future__ import annotations

import errno
import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import Word2Vec as GensimWord2Vec

from w2vcli import background, checkpoint, resources, training
from w2vcli.config import Config, Train, resolve
from w2vcli.describe import describe
from w2vcli.encoding import encode
from w2vcli.engines import ENGINES
from w2vcli.engines.gensim_engine import GensimEngine
from w2vcli.errors import ConfigError, LockedError, W2VError
from w2vcli.model import load
from w2vcli.run_directory import RunDirectory
from w2vcli.sources import expand

from .conftest import need
from .faults.lab import cut_after

Settings = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, lee: Path) -> Path:
    """The first 300 sentences of real text: about 7,000 words."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(lee.read_text().splitlines(keepends=True)[:300]))
    return path


def config(word2vec: dict[str, Any] | None = None, **train: Any) -> Settings:
    small = {
        "workers": 1,
        "vector_size": 10,
        "epochs": 2,
        "min_count": 2,
        "sg": 1,
        "sample": 0.01,
        "window": 3,
    }
    return {"word2vec": {**small, **(word2vec or {})}, "train": {"block_words": 1000, **train}}


def arrays(run: Path) -> dict[str, bytes]:
    model = GensimWord2Vec.load(str(run / "model" / "word2vec.model"))
    named = {
        "vectors": model.wv.vectors,
        "syn1neg": getattr(model, "syn1neg", None),
        "syn1": getattr(model, "syn1", None),
    }
    return {name: array.tobytes() for name, array in named.items() if array is not None}


def until_block(number: int, iterator: Iterator[dict[str, Any]]) -> None:
    """Follow a run for so many blocks and then drop it, as a kill would."""
    blocks = 0
    for event in iterator:
        blocks += event["event"] == "block"
        if blocks == number:
            break
    iterator.close()  # type: ignore[attr-defined]


# ---------------------------------------------------------------- what comes out


def test_the_model_is_plain_gensims(text: Path, tmp_path: Path) -> None:
    settings = config({"epochs": 3, "seed": 5, "negative": 7, "alpha": 0.03, "min_alpha": 0.001})
    training.train(text, tmp_path / "run", settings)
    model = GensimWord2Vec.load(str(tmp_path / "run" / "model" / "word2vec.model"))
    for name, value in Config.model_validate(settings).word2vec.model_dump().items():
        assert getattr(model, name) == value, name
    plain = GensimWord2Vec(min_count=2)
    sentences = [line.split() for line in text.read_text().splitlines()]
    plain.build_vocab(sentences)
    counts = {word: plain.wv.get_vecattr(word, "count") for word in plain.wv.index_to_key}
    assert {word: model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key} == counts
    assert (model.corpus_count, model.corpus_total_words) == (plain.corpus_count, plain.corpus_total_words)
    before = model.wv.vectors.copy()
    model.train(sentences, total_examples=model.corpus_count, epochs=1)
    assert (model.wv.vectors != before).any()
    model.build_vocab([["brand-new"] * 5], update=True)
    assert "brand-new" in model.wv
    model.train([["brand-new", *sentences[0]]], total_examples=1, epochs=1)


@pytest.mark.parametrize(
    "word2vec",
    [
        {"sg": 0},
        {"sg": 0, "cbow_mean": 0},
        {"hs": 1, "negative": 0},
        {"sg": 0, "hs": 1, "negative": 0},
        {"hs": 1, "negative": 2},
        {"ns_exponent": 0.5},
        {"shrink_windows": False},
        {"max_final_vocab": 50},
        {"sample": 0.0},
        {"min_alpha": 0.02},
    ],
)
def test_every_hyperparameter_reaches_gensim(text: Path, tmp_path: Path, word2vec: dict[str, Any]) -> None:
    ends = []
    for name, extra in (("a", word2vec), ("b", {})):
        training.train(text, tmp_path / name, config(extra))
        ends.append(arrays(tmp_path / name))
    assert ends[0] != ends[1]
    model = GensimWord2Vec.load(str(tmp_path / "a" / "model" / "word2vec.model"))
    assert all(getattr(model, name) == value for name, value in word2vec.items())
    if "max_final_vocab" in word2vec:
        assert 30 < len(model.wv) <= 50


def test_the_schedule_in_the_events(text: Path, tmp_path: Path) -> None:
    events = list(training.events(text, tmp_path / "run", config({"alpha": 0.05, "min_alpha": 0.01}, heldout=0)))
    kinds = [event["event"] for event in events]
    start = next(event for event in events if event["event"] == "start")
    blocks = [event for event in events if event["event"] == "block"]
    words = int(np.char.count(text.read_text(), " ")) + 300
    assert (start["words"], start["sentences"], start["total_words"]) == (words, 300, 2 * words)
    assert len(blocks) == 2 * start["blocks"]
    assert kinds.count("epoch") == 2
    assert kinds[-1] == "done"
    for event in blocks:
        assert event["alpha"] == pytest.approx(max(0.05 * (1 - event["words"] / (2 * words)), 0.01))
    assert blocks[-1]["words"] == 2 * words
    logged = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert logged == [event for event in events if event["event"] != "encode"]


def test_the_config_is_stored(text: Path, tmp_path: Path) -> None:
    """With the engine that was chosen: another version may choose another."""
    training.train(text, tmp_path / "run", config({"window": 4}))
    stored = resolve(tmp_path / "run" / "config.yaml", environment={}).config
    assert stored == Config.model_validate(config({"window": 4}, engine="numba"))


@pytest.mark.parametrize(
    ("word2vec", "engine", "reason"),
    [
        ({}, "numba", "the fastest for these settings"),
        ({"sg": 0}, "numba", "the fastest for these settings"),
        ({"hs": 1, "negative": 0}, "gensim", "numba cannot train with word2vec.hs: 1"),
    ],
)
def test_auto_takes_the_fastest_engine_that_can(
    text: Path, tmp_path: Path, word2vec: dict[str, Any], engine: str, reason: str
) -> None:
    settings = config(word2vec, engine="auto")
    start = next(event for event in training.events(text, tmp_path / "run", settings) if event["event"] == "start")
    assert (start["engine"], start["engine_reason"]) == (engine, reason)


def test_auto_and_the_engine_it_takes_are_one_run(text: Path, tmp_path: Path) -> None:
    training.train(text, tmp_path / "run", config(engine="auto"))
    assert training.train(text, tmp_path / "run", config(engine="numba"))["event"] == "up to date"
    with pytest.raises(W2VError, match=r"train.engine was numba, now gensim"):
        training.train(text, tmp_path / "run", config(engine="gensim"))


def test_without_shuffling_blocks_come_in_order(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from w2vcli.corpus import Corpus

    seen: list[int] = []
    block = Corpus.block

    def recorded(self: Corpus, first: int, last: int) -> Any:
        seen.append(first)
        return block(self, first, last)

    monkeypatch.setattr(Corpus, "block", recorded)
    training.train(text, tmp_path / "run", config(shuffle=False, heldout=0))
    half = len(seen) // 2
    assert seen == sorted(seen[:half]) * 2
    seen.clear()
    training.train(text, tmp_path / "shuffled", config(heldout=0))
    assert sorted(seen[:half]) == sorted(seen[half:])
    assert seen[:half] != sorted(seen[:half])
    assert seen[:half] != seen[half:]


# ---------------------------------------------------------------- going on


KINDS = [
    ("numba", {"sg": 1}),
    ("numba", {"sg": 0}),
    ("gensim", {"sg": 1}),
    ("gensim", {"sg": 0}),
    ("gensim", {"hs": 1, "negative": 0}),
    ("reference", {"epochs": 1}),
    ("torch", {"sg": 1}),
    ("torch", {"sg": 0}),
    ("torch", {"sg": 1, "optimizer": "adagrad", "alpha": 0.1}),
    ("torch", {"sg": 0, "optimizer": "sparse_adam", "alpha": 0.002}),
    ("torch", {"sg": 1, "shared_negatives": 16}),
]


@pytest.mark.parametrize(("engine", "word2vec"), KINDS, ids=str)
@pytest.mark.parametrize("stops", [[1], [3, 2], [2, 1, 1, 3]], ids=str)
def test_interrupted_and_resumed_is_bit_identical(
    text: Path, tmp_path: Path, engine: str, word2vec: dict[str, Any], stops: list[int]
) -> None:
    if engine == "torch":
        need("torch", "'w2vcli[torch]'")
        word2vec = {"device": "cpu", **word2vec}
    ours = {name: value for name, value in word2vec.items() if name in Train.model_fields}
    word2vec = {name: value for name, value in word2vec.items() if name not in ours}
    settings = config(word2vec, engine=engine, checkpoint_every="1 words", **ours)
    training.train(text, tmp_path / "whole", settings)
    for stop in stops:
        until_block(stop, training.events(text, tmp_path / "parts", settings))
    resumed: list[str | None] = []
    training.train(text, tmp_path / "parts", settings, progress=lambda event: resumed.append(event.get("resumed_from")))
    assert arrays(tmp_path / "parts") == arrays(tmp_path / "whole")
    if sum(stops) > len(stops):  # the checkpoint after the last block before a kill is lost
        assert any(resumed)


def test_every_engine_is_among_those_resumed() -> None:
    assert {engine for engine, _ in KINDS} == set(ENGINES)


def train_command(text: Path, run: Path, settings: Settings) -> list[str]:
    """Return the command line that trains `run`, with its events on stderr."""
    file = run.with_suffix(".yaml")
    file.write_text(Config.model_validate(settings).to_yaml())
    return [sys.executable, "-m", "w2vcli", "train", str(text), "-o", str(run), "-c", str(file), "--log-json"]


def test_sigkill_at_forty_percent(text: Path, tmp_path: Path) -> None:
    settings = config({"epochs": 10}, checkpoint_every="3000 words")
    training.train(text, tmp_path / "whole", settings)
    command = train_command(text, tmp_path / "parts", settings)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        total = 0
        for line in process.stderr:
            event = json.loads(line)
            total = event.get("total_words", total)
            if event["event"] == "block" and event["words"] >= 0.4 * total:
                process.send_signal(signal.SIGKILL)
                break
        process.stderr.read()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "parts" / "model").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    start = next(event for event in events if event["event"] != "compile")
    assert start["event"] == "start"  # the corpus is not encoded again
    assert start["done_words"] >= 0.3 * total
    assert arrays(tmp_path / "parts") == arrays(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_a_checkpoint_and_exits(text: Path, tmp_path: Path, number: signal.Signals) -> None:
    settings = config({"epochs": 50})
    command = train_command(text, tmp_path / "run", settings)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if '"event": "block"' in line:
                process.send_signal(number)
                break
        rest = process.stderr.read()
    assert process.returncode == 128 + number, rest
    error = json.loads(rest.splitlines()[-1])
    assert error["event"] == "error"
    assert error["message"] == f"{tmp_path}/run: stopped by {number.name}; the same command goes on from here"
    assert RunDirectory(tmp_path / "run").read_events()[-1]["event"] == "stopped"
    until_block(1, (event for event in training.events(text, tmp_path / "run", settings) if _resumed(event)))


@pytest.mark.slow
def test_a_second_signal_stops_at_once_and_the_last_checkpoint_is_good(lee: Path, tmp_path: Path) -> None:
    """In the middle of a slow block."""
    run, settings = tmp_path / "run", config({"vector_size": 300, "window": 50, "negative": 500}, engine="reference")
    settings["train"] |= {"block_words": 100, "checkpoint_every": "1 words", "heldout": 0}
    with subprocess.Popen(train_command(lee, run, settings), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if '"event": "checkpoint"' in line:
                break
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert process.returncode in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    found, damaged = checkpoint.latest(run / "checkpoints")
    assert found is not None
    assert not damaged
    assert found.arrays()["vectors"].shape[1] == 300
    assert not (run / "model").exists()


def test_signals_while_standard_input_is_awaited(tmp_path: Path) -> None:
    """The second one stops it at once, and Python does not complain of the thread that reads."""
    command = [sys.executable, "-m", "w2vcli", "train", "-", "-o", str(tmp_path / "run"), "--log-json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "run" / ".corpus.new").parent.exists():
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert "Fatal" not in process.stderr.read()


def test_an_error_while_standard_input_is_awaited(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(bytes(range(48, 58)) * 1000)[:30])
    command = [sys.executable, "-m", "w2vcli", "vocab", str(tmp_path / "cut.gz"), "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert process.stderr.read().count("\n") == 1


@pytest.mark.slow
def test_the_first_run_says_once_that_it_compiles(lee: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "w2vcli", "train", str(lee), "-o", str(tmp_path / "run"), "--log-json"]
    command += ["--set", "word2vec.epochs=1", "--engine", "numba"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    said = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert said.count("compile") == 1
    assert said[0] == "compile"
    assert any((tmp_path / "cache").rglob("*.nbi"))


def test_another_limit_to_the_vocabulary_encodes_again(lee: Path, tmp_path: Path) -> None:
    distinct = []
    for limit in ("1.2MB", "0.6MB"):
        settings = {"word2vec": {"epochs": 1, "workers": 1}, "train": {"vocab_memory": limit}}
        training.train(lee, tmp_path / "run", settings, force=True)
        distinct.append(len((tmp_path / "run" / "vocab.tsv").read_text().splitlines()))
    assert 0 < distinct[1] < distinct[0]


def _resumed(event: dict[str, Any]) -> bool:
    assert event["event"] != "start" or event["resumed_from"]
    return True


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(text: Path, tmp_path: Path) -> None:
    settings = config(checkpoint_every="1 words")
    training.train(text, tmp_path / "whole", settings)
    until_block(4, training.events(text, tmp_path / "parts", settings))
    newest = sorted((tmp_path / "parts" / "checkpoints").iterdir())[-1]
    (newest / "vectors.npy").write_bytes(b"")
    events = list(training.events(text, tmp_path / "parts", settings))
    assert events[0]["event"] == "warning"
    assert str(newest) in events[0]["message"]
    assert events[1]["resumed_from"] < str(newest)
    assert arrays(tmp_path / "parts") == arrays(tmp_path / "whole")


def test_a_line_of_events_that_a_crash_cut_off(text: Path, tmp_path: Path) -> None:
    until_block(1, training.events(text, tmp_path / "run", config()))
    with (tmp_path / "run" / "events.jsonl").open("a") as stream:
        stream.write('{"event": "blo')
    training.train(text, tmp_path / "run", config())
    assert RunDirectory(tmp_path / "run").read_events()[-1]["event"] == "done"


@pytest.mark.parametrize(
    "lost",
    [
        "corpus",
        "corpus/ids.npy",
        "corpus/identities.npy",
        "corpus/corpus.json",
        "vocab.tsv",
        "config.yaml",
        "lock",
        "events.jsonl",
    ],
)
def test_what_is_deleted_by_hand_is_made_again(text: Path, tmp_path: Path, lost: str) -> None:
    settings = config(checkpoint_every="1 words")
    training.train(text, tmp_path / "whole", settings)
    until_block(3, training.events(text, tmp_path / "parts", settings))
    path = tmp_path / "parts" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    events = list(training.events(text, tmp_path / "parts", settings))
    assert any(event.get("resumed_from") for event in events)
    assert arrays(tmp_path / "parts") == arrays(tmp_path / "whole")


def test_an_encoded_text_that_was_never_installed_is_not_taken(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    training.train(text, run, config())
    other = tmp_path / "other.txt"
    other.write_text("other words\n" * 100)
    for _ in encode(expand([other]), run / ".corpus.new", run / ".vocab.new.tsv"):
        pass
    for folder in ("corpus", "model"):
        shutil.rmtree(run / folder)
    training.train(text, run, config())
    assert "the" in GensimWord2Vec.load(str(run / "model" / "word2vec.model")).wv


def test_a_vocabulary_of_another_text(text: Path, tmp_path: Path) -> None:
    until_block(1, training.events(text, tmp_path / "run", config()))
    with (tmp_path / "run" / "vocab.tsv").open("a") as stream:
        stream.write("word\t1\n")
    with pytest.raises(W2VError, match=r"vocab.tsv: is not the encoded text's; remove it to encode the text again"):
        training.train(text, tmp_path / "run", config())


# ---------------------------------------------------------------- running again


def last_event(*arguments: Any, **keywords: Any) -> str:
    return str(training.train(*arguments, **keywords)["event"])


def test_finished_and_unchanged_is_up_to_date(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert last_event(text, run, config()) == "done"
    before = arrays(run)
    free = config({"workers": 2}, checkpoint_every="1h", keep_checkpoints=9)
    for settings in (config(), free):
        assert last_event(text, run, settings) == "up to date"
    copy = tmp_path / "elsewhere.txt"
    copy.write_bytes(text.read_bytes())
    assert last_event(copy, run, config()) == "up to date"  # other file, same text
    assert (run / "model" / "word2vec.model").stat().st_mtime >= copy.stat().st_mtime
    assert arrays(run) == before


@pytest.mark.parametrize("finished", [True, False])
def test_changed_is_refused_and_told_apart(text: Path, tmp_path: Path, finished: bool) -> None:
    run = tmp_path / "run"
    if finished:
        training.train(text, run, config())
    else:
        until_block(2, training.events(text, run, config(checkpoint_every="1 words")))
    other = tmp_path / "other.txt"
    other.write_text(text.read_text() + "one more line\n")
    before = sorted(path for path in run.rglob("*") if path.name not in ("lock", "events.jsonl"))
    for corpus, settings, message in (
        (
            text,
            config({"window": 4, "epochs": 1}),
            "word2vec.window was 3, now 4, word2vec.epochs was 2, now 1",
        ),
        (other, config(), "the text is another"),
    ):
        with pytest.raises(W2VError) as caught:
            training.train(corpus, run, settings)
        assert (
            str(caught.value)
            == f"{run}: was made from something else: {message}; --force starts over, another -o keeps both"
        )
        assert sorted(path for path in run.rglob("*") if path.name not in ("lock", "events.jsonl")) == before
    assert last_event(other, run, config({"window": 4}), force=True) == "done"
    training.train(other, tmp_path / "fresh", config({"window": 4}))
    assert arrays(run) == arrays(tmp_path / "fresh")


def test_force_keeps_the_old_model_until_the_new_one_is_whole(text: Path, tmp_path: Path) -> None:
    run, settings = tmp_path / "run", config({"window": 4}, checkpoint_every="1 words")
    training.train(text, run, config())
    before = arrays(run)
    with pytest.raises(W2VError, match="no such file"):
        training.train(tmp_path / "none.txt", run, settings, force=True)
    until_block(2, training.events(text, run, settings, force=True))
    assert arrays(run) == before
    events = list(training.events(text, run, settings))  # goes on without --force
    assert any(event.get("resumed_from") for event in events)
    assert arrays(run) != before


def test_force_without_a_change_changes_nothing(text: Path, tmp_path: Path) -> None:
    training.train(text, tmp_path / "run", config())
    assert last_event(text, tmp_path / "run", config(), force=True) == "up to date"


def test_one_writer_a_run(text: Path, tmp_path: Path) -> None:
    iterator = training.events(text, tmp_path / "run", config())
    next(iterator)
    assert RunDirectory(tmp_path / "run").is_locked()
    with pytest.raises(LockedError, match=r"run: process \d+ on .+ is training this run"):
        training.train(text, tmp_path / "run", config())
    iterator.close()  # type: ignore[attr-defined]
    assert not RunDirectory(tmp_path / "run").is_locked()
    assert last_event(text, tmp_path / "run", config()) == "done"


# ---------------------------------------------------------------- what may change


def test_more_epochs_go_on_from_the_end(text: Path, tmp_path: Path) -> None:
    """A finished run and one that was cut off; its settings and the change are recorded."""
    run = tmp_path / "run"
    done = training.train(text, run, config())
    events = list(training.events(text, run, config({"epochs": 5})))
    start = next(event for event in events if event["event"] == "start")
    assert (start["done_words"], start["total_words"]) == (done["words"], done["words"] * 5 // 2)
    assert start["resumed_from"] == str(run / "model" / "word2vec.model")
    (changed,) = (event["settings"] for event in events if event["event"] == "changed")
    assert changed == {"word2vec.epochs": [2, 5]}
    assert events[-1]["words"] == start["total_words"]
    assert GensimWord2Vec.load(str(run / "model" / "word2vec.model")).epochs == 5
    assert resolve(run / "config.yaml", environment={}).config.word2vec.epochs == 5
    assert last_event(text, run, config({"epochs": 5})) == "up to date"
    with pytest.raises(W2VError, match=r"word2vec.epochs was 5, now 4"):
        training.train(text, run, config({"epochs": 4}))
    cut = tmp_path / "cut"
    until_block(3, training.events(text, cut, config(checkpoint_every="1 words")))
    assert last_event(text, cut, config({"epochs": 3})) == "done"


def test_more_epochs_after_an_interruption_end_in_the_same_bits(text: Path, tmp_path: Path) -> None:
    """A finished run goes on as well from its model as from its checkpoints, and through another interruption."""
    for name in ("whole", "parts"):
        training.train(text, tmp_path / name, config(checkpoint_every="1 words"))
    longer = config({"epochs": 4}, checkpoint_every="1 words")
    training.train(text, tmp_path / "whole", longer)
    shutil.rmtree(tmp_path / "parts" / "checkpoints")
    for stop in (2, 3):
        until_block(stop, training.events(text, tmp_path / "parts", longer))
    training.train(text, tmp_path / "parts", longer)
    assert arrays(tmp_path / "parts") == arrays(tmp_path / "whole")


def test_other_free_changes_are_accepted_and_recorded(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    until_block(3, training.events(text, run, config(checkpoint_every="1 words")))
    events = list(training.events(text, run, config({"workers": 2}, checkpoint_every="1h", heldout=9)))
    (changed,) = (event["settings"] for event in events if event["event"] == "changed")
    assert changed == {
        "word2vec.workers": [1, 2],
        "train.checkpoint_every": ["1 words", "1h"],
        "train.heldout": ["auto", 9],
    }
    assert next(event for event in events if event["event"] == "start")["heldout_sentences"] == 9


@pytest.mark.parametrize("finished", [True, False])
def test_one_worker_asked_for_after_several(text: Path, tmp_path: Path, finished: bool) -> None:
    """It is accepted with a warning: the end is not the repeatable one, which --force trains."""
    run, one, two = (tmp_path / "run", *(config({"workers": n}, checkpoint_every="1 words") for n in (1, 2)))
    until_block(99 if finished else 3, training.events(text, run, two))
    events = list(training.events(text, run, one))
    assert events[-1]["event"] == ("up to date" if finished else "done")
    assert any("several workers" in event["message"] for event in events if event["event"] == "warning")
    until_block(3, training.events(text, run, one, force=True))
    events = list(training.events(text, run, one))
    assert any(event.get("resumed_from") for event in events)
    training.train(text, tmp_path / "whole", one)
    assert arrays(run) == arrays(tmp_path / "whole")


def test_going_back_to_one_worker_comes_to_an_end(text: Path, tmp_path: Path) -> None:
    """Finished by one worker, longer by two and cut off, then by one again, a block at a time."""
    run = tmp_path / "run"
    training.train(text, run, config({"epochs": 1}))
    cut_after(4, text, run, config({"epochs": 2, "workers": 2}))
    lasts = [training.train(text, run, config({"epochs": 2}), max_seconds=0)["event"] for _ in range(6)]
    assert "done" in lasts


def test_a_longer_run_is_not_thrown_away_for_a_shorter_one(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    training.train(text, run, config())
    cut_after(2, text, run, config({"epochs": 6}))
    before = sorted((run / "checkpoints").iterdir())
    with pytest.raises(W2VError, match=r"word2vec.epochs was 6, now 3"):
        training.train(text, run, config({"epochs": 3}))
    assert sorted((run / "checkpoints").iterdir()) == before
    assert last_event(text, run, config({"epochs": 3}), force=True) == "done"


# ---------------------------------------------------------------- damage


def test_a_checkpoint_that_was_being_replaced_is_found_again(text: Path, tmp_path: Path) -> None:
    run, settings = tmp_path / "run", config(checkpoint_every="1 words", keep_checkpoints=1)
    cut_after(3, text, run, settings)
    (run / "checkpoints" / "000003").rename(run / "checkpoints" / ".000003.former")
    start = next(event for event in training.events(text, run, settings) if event["event"] == "start")
    assert start["resumed_from"] == str(run / "checkpoints" / "000003")


def test_what_cannot_be_read_is_not_taken_for_damaged(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, settings = tmp_path / "run", config(checkpoint_every="1 words")
    cut_after(3, text, run, settings)
    before = sorted((run / "checkpoints").iterdir())
    opened = Path.open

    def failing(self: Path, *arguments: Any, **keywords: Any) -> Any:
        if self.name == "vectors.npy":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(self, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", failing)
        with pytest.raises(W2VError, match=r"vectors.npy: cannot be read: Input/output error"):
            training.train(text, run, settings)
    assert sorted((run / "checkpoints").iterdir()) == before
    assert last_event(text, run, settings) == "done"


def test_a_damaged_model_of_something_else_is_not_replaced_unasked(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    training.train(text, run, config())
    model = run / "model" / "word2vec.model"
    model.write_bytes(model.read_bytes()[:-1])
    with pytest.raises(W2VError, match=r"word2vec.window was 3, now 4"):
        training.train(text, run, config({"window": 4}))
    assert model.exists()


@pytest.mark.parametrize("content", ["[]", "{}", '{"words": 3}', "null", "?"])
def test_a_corpus_json_that_is_none(text: Path, tmp_path: Path, content: str) -> None:
    run = tmp_path / "run"
    cut_after(2, text, run, config())
    (run / "corpus" / "corpus.json").write_text(content)
    assert last_event(text, run, config()) == "done"


def test_a_folder_that_took_the_runs_place_is_left_alone(text: Path, tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    training.train(text, other, config())
    shutil.rmtree(other / "corpus")
    first = training.events(text, run, config(checkpoint_every="1 words"))
    while next(first)["event"] != "block":
        pass
    shutil.rmtree(run)
    other.rename(run)
    with pytest.raises(W2VError, match=r"vanished|damaged|cannot be read"):
        list(first)
    assert last_event(text, run, config()) == "up to date"


def test_a_run_that_vanishes_between_two_checkpoints(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    iterator = training.events(text, run, config())
    while next(iterator)["event"] != "block":
        pass
    shutil.rmtree(run)
    with pytest.raises(W2VError, match=r"vanished while it was trained|corpus: cannot be read: No such file"):
        list(iterator)


def test_what_force_throws_away_is_said(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    cut_after(3, text, run, config())
    events = list(training.events(text, run, config({"window": 4}), force=True))
    (warning,) = (event["message"] for event in events if event["event"] == "warning")
    assert re.search(
        r"run: \d,\d+ words of an unfinished training are discarded: word2vec.window was 3, now 4$", warning
    )
    again = list(training.events(text, run, config({"window": 2}), force=True))
    assert not [event for event in again if event["event"] == "warning"]  # that one was finished


def test_a_finished_run_on_a_full_disk_is_up_to_date(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.train(text, tmp_path / "run", config())

    def full(*arguments: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    assert last_event(text, tmp_path / "run", config()) == "up to date"


def test_an_event_log_full_of_garbage(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    training.train(text, run, config())
    (run / "events.jsonl").write_bytes(b'\xff\xfe\n3\n{"event": 1}\n[]\n' + (run / "events.jsonl").read_bytes())
    assert describe(run)["state"] == "finished"
    assert RunDirectory(run).read_events()[0]["event"] != 1


def test_out_of_memory(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    cut_after(2, text, run, config(engine="gensim"))

    def failing(*arguments: Any) -> int:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(GensimEngine, "train_block", failing)
        with pytest.raises(W2VError, match=r"run: out of memory; what was saved is kept; a smaller word2vec.vector_"):
            training.train(text, run, config(engine="gensim"))
    assert RunDirectory(run).read_events()[-1]["event"] == "failed"
    assert last_event(text, run, config(engine="gensim")) == "done"


def test_little_room_on_the_disk_is_said(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There must be room for the model; for its checkpoints, too, there may not be."""
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(resources, "free_space", lambda folder: 100_000)
        warning = next(
            event["message"] for event in training.events(text, run, config()) if event["event"] == "warning"
        )
        assert "100 kB are free; the model and 4 checkpoints would need" in warning
        patch.setattr(resources, "free_space", lambda folder: 10_000)
        with pytest.raises(W2VError, match=r"a model of \d+ words and 10 dimensions needs about \d+ kB of disk; 10 kB"):
            training.train(text, run, config({"epochs": 3}))


@pytest.mark.parametrize("damage", ["cut", "flipped", "deleted"])
@pytest.mark.parametrize("force", [False, True])
def test_a_damaged_model_is_made_again(text: Path, tmp_path: Path, damage: str, force: bool) -> None:
    run = tmp_path / "run"
    training.train(text, run, config(checkpoint_every="1 words"))
    before = arrays(run)
    model = run / "model" / "word2vec.model"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "deleted":
        model.unlink()
    else:
        model.write_bytes(content if damage == "flipped" else content[:-100])
    events = list(training.events(text, run, config(checkpoint_every="1 words"), force=force))
    assert "the model is damaged and is made again: word2vec.model" in events[0]["message"]
    assert events[-1]["event"] == "done"
    assert arrays(run) == before


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("vectors.npy", "vectors.npy does not match its checksum"),
        ("state.json", "state.json does not match its checksum"),
    ],
)
def test_every_bit_of_a_checkpoint_counts(text: Path, tmp_path: Path, file: str, message: str) -> None:
    settings = config(checkpoint_every="1 words")
    until_block(4, training.events(text, tmp_path / "run", settings))
    newest = sorted((tmp_path / "run" / "checkpoints").iterdir())[-1]
    content = bytearray((newest / file).read_bytes())
    content[len(content) // 2] ^= 4
    (newest / file).write_bytes(content)
    first = next(training.events(text, tmp_path / "run", settings))
    assert first["message"] == f"{newest}: damaged checkpoint set aside as damaged-{newest.name}: {message}"


def test_a_run_that_is_taken_away_while_it_is_trained(text: Path, tmp_path: Path) -> None:
    for name in ("removed", "renamed"):
        run = tmp_path / name
        iterator = training.events(text, run, config(checkpoint_every="1 words"))
        until = 0
        while until < 2:
            until += next(iterator)["event"] == "block"
        shutil.rmtree(run) if name == "removed" else run.rename(tmp_path / "elsewhere")
        with pytest.raises(W2VError, match=r"vanished while it was trained|cannot be written"):
            list(iterator)
        assert not run.exists()


def test_a_second_writer_is_noticed_though_the_lock_was_removed(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = training.events(text, run, config(checkpoint_every="1 words"))
    while next(first)["event"] != "block":
        pass
    (run / "lock").unlink()
    second = training.events(text, run, config(checkpoint_every="1 words"))
    next(second)
    with pytest.raises(W2VError, match="another process took it"):
        list(first)
    assert list(second)[-1]["event"] == "done"


# ---------------------------------------------------------------- waiting and time


def test_waiting_for_the_lock(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = training.events(text, run, config())
    next(first)
    with pytest.raises(LockedError, match=r"process \d+ on .+ is training this run; --wait 10m waits for it"):
        training.train(text, run, config(), wait_seconds=0.01)
    second = training.events(text, run, config(), wait_seconds=1000)
    waiting = next(second)
    assert (waiting["event"], waiting["holder"]) == ("waiting", f"process {os.getpid()} on {socket.gethostname()}")
    first.close()  # type: ignore[attr-defined]
    assert list(second)[-1]["event"] == "done"


def test_a_wait_can_be_stopped(text: Path, tmp_path: Path) -> None:
    first = training.events(text, tmp_path / "run", config())
    next(first)
    stopped = training.train(text, tmp_path / "run", config(), wait_seconds=1000, should_stop=lambda: True)
    assert (stopped["event"], stopped["checkpoint"]) == ("stopped", None)
    first.close()  # type: ignore[attr-defined]


def test_a_lock_that_a_dead_process_left(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "lock").write_text("process 1 on elsewhere\n")
    assert last_event(text, run, config()) == "done"
    assert (run / "lock").read_text() == ""


def test_a_time_limit_saves_and_goes_on(text: Path, tmp_path: Path) -> None:
    """Of no time at all: each start trains a block."""
    settings = config({"epochs": 1}, checkpoint_every=None)
    training.train(text, tmp_path / "whole", settings)
    starts = 0
    while True:
        starts += 1
        event = training.train(text, tmp_path / "parts", settings, max_seconds=0)
        if event["event"] == "done":
            break
        assert (event["event"], event["reason"]) == ("stopped", "time")
        assert event["checkpoint"] == str(tmp_path / "parts" / "checkpoints" / f"{starts:06d}")
    assert starts == 7
    assert arrays(tmp_path / "parts") == arrays(tmp_path / "whole")
    assert training.train(text, tmp_path / "whole", settings, max_seconds=0)["event"] == "up to date"


def test_a_failure_is_in_the_log(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(W2VError) as caught:
        training.train(text, run, config({"alpha": 1e30, "epochs": 1}, engine="reference"))
    assert {name: value for name, value in RunDirectory(run).read_events()[-1].items() if name != "time"} == {
        "event": "failed",
        "message": str(caught.value),
    }
    assert describe(run)["failed"] == str(caught.value)


# ---------------------------------------------------------------- what cannot be


def test_a_vocabulary_emptied_by_min_count(text: Path, tmp_path: Path) -> None:
    with pytest.raises(
        W2VError,
        match=r"no word occurs 100000 times, the most frequent \(the\) \d+ times; lower word2vec.min_count",
    ):
        training.train(text, tmp_path / "run", config({"min_count": 100_000}))
    assert last_event(text, tmp_path / "run", config()) == "done"  # nothing was trained, so nothing is in the way


def test_places_that_are_no_run(text: Path, tmp_path: Path) -> None:
    with pytest.raises(W2VError, match=r"the folder .* does not exist; create it first"):
        training.train(text, tmp_path / "no" / "run", config())
    (tmp_path / "file").write_text("")
    with pytest.raises(W2VError, match="is a file"):
        training.train(text, tmp_path / "file", config())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(W2VError, match="holds other files"):
        training.train(text, tmp_path / "mine", config())
    with pytest.raises(ConfigError):
        training.train(text, tmp_path / "run", {"word2vec": {"windw": 3}})


def test_a_run_that_fails_at_once_leaves_no_folder(text: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    for corpus in (tmp_path / "none.txt", tmp_path / "empty.txt"):
        with pytest.raises(W2VError):
            training.train(corpus, tmp_path / "run", config())
        assert not (tmp_path / "run").exists()


def test_a_run_that_diverges_is_not_saved(text: Path, tmp_path: Path) -> None:
    settings = config({"alpha": 1e30, "epochs": 1}, engine="reference")
    with pytest.raises(W2VError, match=r"training diverged: the vectors are no longer finite numbers"):
        training.train(text, tmp_path / "run", settings)
    assert not (tmp_path / "run" / "model").exists()


def test_training_that_makes_it_worse_is_said_once(text: Path, tmp_path: Path) -> None:
    said = []
    for alpha in (0.025, 1.0):
        settings = config({"alpha": alpha, "epochs": 3, "sg": 1}, engine="gensim")
        events = list(training.events(text, tmp_path / str(alpha), settings))
        said.append([event["message"] for event in events if event["event"] == "warning"])
    (message,) = [message for message in said[1] if message not in said[0]]
    assert re.fullmatch(
        r"the held-out loss, \d+\.\d{4}, is well above 4\.158\d, that of a model that has learnt nothing: "
        r"lower word2vec\.alpha",
        message,
    )


def test_hierarchical_softmax_of_one_word(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("word " * 100 + "\n")
    with pytest.raises(W2VError, match="hierarchical softmax needs two words at least"):
        training.train(tmp_path / "a.txt", tmp_path / "run", config({"hs": 1, "negative": 0}))
    assert last_event(tmp_path / "a.txt", tmp_path / "run", config()) == "done"


def test_names_that_are_not_utf8(text: Path, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    shutil.copy(text, folder / "text.txt")
    assert last_event(folder / "text.txt", folder / "run", config()) == "done"
    assert last_event(folder / "text.txt", folder / "run", config()) == "up to date"


def test_a_file_changed_in_place_is_noticed(text: Path, tmp_path: Path) -> None:
    copy = tmp_path / "text.txt"
    shutil.copy(text, copy)
    training.train(copy, tmp_path / "run", config())
    content = copy.read_text()
    copy.write_text(content.replace("the", "teh"))
    os.utime(copy, (1, 1))
    with pytest.raises(W2VError, match="the text is another"):
        training.train(copy, tmp_path / "run", config())


def test_a_model_cut_off_in_its_replacement_is_found_again(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    training.train(text, run, config())
    before = arrays(run)
    (run / "model").rename(run / ".model.former")
    assert len(load(run)) > 0  # readers find it where it is
    assert last_event(text, run, config()) == "up to date"
    assert arrays(run) == before


def test_force_removes_what_the_other_run_left(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    until_block(4, training.events(text, run, config(checkpoint_every="1 words")))
    until_block(1, training.events(text, run, config({"window": 4}, checkpoint_every=None), force=True))
    assert list((run / "checkpoints").iterdir()) == []


def test_the_next_item_is_made_while_one_is_used() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            yield number
        raise ValueError("damaged")

    ahead = background.ahead(items())
    assert next(ahead) == 0
    assert wait_for(lambda: made == [0, 1])
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(ValueError, match="damaged"):
        next(ahead)


def test_no_thread_goes_on_reading(text: Path, tmp_path: Path) -> None:
    """Neither after a run that was stopped nor after one whose events nobody wants any more."""
    stopped = training.train(text, tmp_path / "a", config(), should_stop=lambda: True)
    assert stopped["event"] == "stopped"
    events = training.events(text, tmp_path / "b", config())
    while next(events)["event"] != "block":
        pass
    assert any(thread.name.startswith("w2v-read") for thread in threading.enumerate())
    events.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("w2v-read") for thread in threading.enumerate())


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


def test_epochs_see_their_blocks_in_different_orders(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    train_block = GensimEngine.train_block

    def recorded(self: GensimEngine, model: Any, block: Any, *rest: Any) -> int:
        seen.append(block.starts.tobytes())
        return train_block(self, model, block, *rest)

    monkeypatch.setattr(GensimEngine, "train_block", recorded)
    training.train(text, tmp_path / "run", config({"epochs": 3}, block_words=10**6, engine="gensim"))
    assert len(set(seen)) == len(seen) == 3


def test_leftovers_of_killed_processes_are_swept(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    until_block(3, training.events(text, run, config(checkpoint_every="1 words")))
    (run / "checkpoints" / ".000099.tmp").mkdir()
    (run / "..corpus.new.tmp").mkdir()
    (run / ".config.yaml.tmp").write_text("")
    training.train(text, run, config(checkpoint_every="1 words"))
    assert not list(run.rglob(".*"))


def test_notes_in_a_run_are_nobodys_business(text: Path, tmp_path: Path) -> None:
    training.train(text, tmp_path / "run", config())
    (tmp_path / "run" / "notes.md").write_text("good\n")
    assert last_event(text, tmp_path / "run", config()) == "up to date"


CRASHES = """
import os, shutil, sys
from pathlib import Path
import gensim.models, w2vcli.cli.train
from w2vcli import checkpoint, corpus, engines, formats, outputs, training
from w2vcli.config import Word2Vec

engines.create("numba").prepare(Word2Vec(sg=1))  # once, rather than in every process

folder, step = Path(sys.argv[1]), 0

def trains(text, settings, force, crash_at=None):
    pid = os.fork()
    if pid == 0:
        if crash_at is not None:
            count = 0
            def counted(function):
                def wrapped(*arguments, **keywords):
                    nonlocal count
                    count += 1
                    if count == crash_at:
                        os._exit(9)
                    return function(*arguments, **keywords)
                return wrapped
            for owner, name in ((Path, "rename"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir"),
                                (shutil, "rmtree"), (os, "fsync"), (os, "utime")):
                setattr(owner, name, counted(getattr(owner, name)))
        training.train(text, folder / "run", settings, force=force)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

a, b = folder / "a.txt", folder / "b.txt"
base = {"workers": 1, "vector_size": 5, "epochs": 1, "min_count": 1, "sg": 1}
first = {"word2vec": base, "train": {"block_words": 500, "checkpoint_every": "1 words", "keep_checkpoints": 1}}
second = {**first, "word2vec": {**base, "window": 2}}
crashes = 0
while True:
    step += 1
    shutil.rmtree(folder / "run", ignore_errors=True)
    assert trains(a, first, False) == 0
    code = trains(b, second, True, crash_at=step)
    if code == 0:
        break
    assert code == 9, code
    crashes += 1
    whole = folder / "run" / "model" / "word2vec.model"
    reader = formats.read_gensim(str(whole if whole.exists() else folder / "run" / ".model.former" / "word2vec.model"))
    assert reader.window in (2, 5)
    # whichever of the two is asked for next, it comes out right
    asked = (b, second) if step % 2 else (a, first)
    assert trains(*asked, True) == 0
    model = gensim.models.Word2Vec.load(str(whole))
    expected = gensim.models.Word2Vec.load(str(folder / ("b" if step % 2 else "a") / "model" / "word2vec.model"))
    assert model.wv.index_to_key == expected.wv.index_to_key, step
    assert model.wv.vectors.tobytes() == expected.wv.vectors.tobytes(), step
    left = [path.name for path in (folder / "run").rglob(".*")]
    assert not left, left
print(crashes)
"""


@pytest.mark.slow
def test_a_crash_at_any_step_of_the_disk_loses_nothing(text: Path, tmp_path: Path) -> None:
    """The process ends at once at its 1st, 2nd, … step that changes the disk, while a run is made over by --force."""
    lines = text.read_text().splitlines(keepends=True)
    for name, part, settings in (("a", lines[:100], {}), ("b", lines[100:180], {"window": 2})):
        (tmp_path / f"{name}.txt").write_text("".join(part))
        base = {"workers": 1, "vector_size": 5, "epochs": 1, "min_count": 1, "sg": 1}
        training.train(
            tmp_path / f"{name}.txt", tmp_path / name, {"word2vec": {**base, **settings}, "train": {"block_words": 500}}
        )
    done = subprocess.run([sys.executable, "-c", CRASHES, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40


def test_several_workers_train_as_much(text: Path, tmp_path: Path) -> None:
    done = training.train(text, tmp_path / "run", config({"workers": 3}, heldout=0))
    assert done["words"] == 2 * sum(len(line.split()) for line in text.read_text().splitlines())
