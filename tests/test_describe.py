from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import w2vcli
from w2vcli import training
from w2vcli.corpus import Corpus
from w2vcli.describe import describe
from w2vcli.errors import W2VError
from w2vcli.loss import sample
from w2vcli.model import load


def test_a_finished_run_described(lee: Path, lee_run: Path) -> None:
    about = describe(lee_run)
    assert about["state"] == "finished"
    assert about["vocabulary"] == len(load(lee_run))
    assert about["corpus words"] == 60005
    sentences = [line.split() for line in lee.read_text().splitlines()]
    held_out = sample(Corpus(lee_run / "corpus"), None, 1)
    assert len(held_out) == 26
    assert about["words trained"] == 2 * (60005 - sum(len(sentences[number]) for number in held_out))
    assert 2 < about["held-out loss"] < 6 * np.log(2)
    assert len(about["corpus fingerprint"]) == 32
    assert about["made with w2vcli"] == w2vcli.__version__
    assert about["config"]["word2vec.epochs"] == 2


def test_an_unfinished_run_described(lee: Path, tmp_path: Path) -> None:
    """While it goes on by its blocks; afterwards by its last checkpoint, from which it would go on."""
    settings = {
        "train": {"block_words": 20_000, "heldout": 0, "checkpoint_every": "1 words"},
        "word2vec": {"epochs": 2},
    }
    iterator = training.events(lee, tmp_path / "run", settings)
    words = [event["words"] for event in itertools.islice(iterator, 20) if event["event"] == "block"][:4]
    iterator = training.events(lee, tmp_path / "cut", settings)
    blocks = 0
    while blocks < 3:
        blocks += next(iterator)["event"] == "block"
    about = describe(tmp_path / "cut")
    assert (about["state"], about["progress"]) == ("training", f"{100 * words[2] / 120_010:.1f}%")
    iterator.close()  # type: ignore[attr-defined]
    about = describe(tmp_path / "cut")
    assert (about["state"], about["progress"]) == ("unfinished", f"{100 * words[1] / 120_010:.1f}%")
    assert about["goes on from"] == str(tmp_path / "cut" / "checkpoints" / "000002")


def test_a_finished_run_stays_finished_when_another_config_is_refused(lee: Path, tmp_path: Path) -> None:
    training.train(lee, tmp_path / "run", {"word2vec": {"epochs": 1}})
    with pytest.raises(W2VError, match="was made from something else"):
        training.train(lee, tmp_path / "run", {"word2vec": {"epochs": 1, "window": 2}})
    assert describe(tmp_path / "run")["state"] == "finished"


def test_a_file_described(lee_run: Path, tmp_path: Path) -> None:
    about = describe(lee_run / "model" / "word2vec.model")
    assert (about["format"], about["holds"], about["dimensions"], about["epochs"]) == (
        "gensim",
        "Word2Vec",
        100,
        2,
    )
    files = (lee_run / "model").glob("word2vec.model*")
    assert about["bytes"] == sum(file.stat().st_size for file in files)
    load(lee_run).to_gensim().save_word2vec_format(str(tmp_path / "a.txt"))
    assert describe(tmp_path / "a.txt")["format"] == "word2vec-text"
