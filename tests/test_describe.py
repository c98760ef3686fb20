from __future__ import annotations

import itertools
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from gensim.models import Word2Vec

import w2vcli
from w2vcli import training
from w2vcli.convert import convert
from w2vcli.corpus import Corpus
from w2vcli.describe import describe, describe_word
from w2vcli.errors import W2VError
from w2vcli.loss import sample
from w2vcli.model import load
from w2vcli.queries import Questions
from w2vcli.vectors import Vectors
from w2vcli.words import ListedWords

from .conftest import W2V


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


def test_words_described(w2v: W2V, lee: Path, lee_run: Path, tmp_path: Path) -> None:
    """Counts are those of the text, ranks in their order; a run and what is converted of it know the same."""
    counts = Counter(lee.read_text().split())
    theirs = Word2Vec.load(str(lee_run / "model" / "word2vec.model")).wv
    convert(str(lee_run), str(tmp_path / "a.safetensors"))
    for model in (lee_run, tmp_path / "a.safetensors"):
        result = w2v("info", model, "--words", "government", "The", "the", "--json")
        first, second = (json.loads(line) for line in result.out.splitlines())
        assert (result.code, result.err.count("The: not in the vocabulary")) == (3, 1)
        assert first["count"] == counts["government"]
        assert first["rank"] == theirs.key_to_index["government"] + 1
        assert first["norm"] == pytest.approx(float(np.linalg.norm(theirs["government"])), rel=1e-5)
        assert (second["word"], second["rank"]) == ("the", 1)
    vectors = Vectors(ListedWords(["a"]), np.array([[3, 4]], dtype=np.float32))
    assert describe_word(Questions(vectors), "a") == {"word": "a", "rank": 1, "count": None, "norm": 5.0}
    assert w2v("info", lee_run, "--words").code == 2
    assert w2v("info", lee_run, "THE", "-i", "--tsv").out.splitlines()[1].startswith("the\t1\t")


@pytest.mark.parametrize(("ending", "name"), [(".vec", "word2vec-text"), (".safetensors", "safetensors")])
def test_other_files_described(lee_run: Path, tmp_path: Path, ending: str, name: str) -> None:
    convert(str(lee_run), str(tmp_path / f"a{ending}"))
    about = describe(tmp_path / f"a{ending}")
    assert (about["format"], about["vocabulary"], about["dimensions"]) == (name, len(load(lee_run)), 100)
    assert about["bytes"] == (tmp_path / f"a{ending}").stat().st_size


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


def test_the_size_of_a_run_whose_files_come_and_go(lee_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(lee_run, run)
    size = describe(run)["bytes"]
    (run / "model" / "gone").symlink_to("nowhere")  # as a file that vanishes between being listed and looked at
    assert describe(run)["bytes"] == size


def test_an_unfinished_run_of_whose_files_some_are_damaged(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("word2vec: {windw: 3}")
    lines = ['{"event": "start", "time": 0}', '{"event": "failed", "time": 1}', '{"event": "block", "time": "x"}']
    lines.append('{"event": "loss", "time": 2}')
    (run / "events.jsonl").write_text("\n".join(lines))
    about = describe(run)
    assert (about["state"], about["progress"], about["config"], about["failed"]) == ("unfinished", "encoding", {}, None)
