"""Runs and models as plots and reports read them: finished, cut off, never begun, and mere files."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors, Word2Vec
from hypothesis import given
from hypothesis import strategies as st

from w2vcli import observed, training
from w2vcli.convert import convert
from w2vcli.errors import ConfigError, W2VError
from w2vcli.observed import Lengths, MissingError, Observed, observe

from .made_runs import made_run

SETTINGS: dict[str, Any] = {
    "train": {"block_words": 20_000, "heldout": 0, "checkpoint_every": "1 words"},
    "word2vec": {"epochs": 2, "workers": 1, "vector_size": 10},
}


def sentences(lee: Path) -> list[list[str]]:
    return [line.split() for line in lee.read_text().splitlines()]


@pytest.fixture(scope="module")
def unfinished(lee: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run stopped after its second block, with a checkpoint there."""
    run = tmp_path_factory.mktemp("unfinished") / "run"
    blocks = 0

    def count(event: dict[str, object]) -> None:
        nonlocal blocks
        blocks += event["event"] == "block"

    last = training.train(lee, run, SETTINGS, progress=count, should_stop=lambda: blocks == 2)
    assert last["event"] == "stopped"
    return run


# ---------------------------------------------------------------- a finished run


def test_a_finished_run(lee: Path, lee_run: Path) -> None:
    run = Observed(lee_run, "mine")
    counts = Counter(word for line in sentences(lee) for word in line)
    theirs = Word2Vec.load(str(lee_run / "model" / "word2vec.model")).wv
    assert (run.path, run.name, Observed(lee_run).name) == (str(lee_run), "mine", str(lee_run))
    assert run.counts.tolist() == sorted(counts.values(), reverse=True)
    assert dict(zip(run.top.words, run.top.counts.tolist(), strict=True)) == counts
    assert run.kept_counts.tolist() == [theirs.get_vecattr(word, "count") for word in theirs.index_to_key]
    assert list(run.vectors.words) == theirs.index_to_key
    np.testing.assert_array_equal(run.vectors.rows, theirs.vectors)
    assert (run.vectors_of, run.is_training) == ("the finished model", False)
    assert (run.config.word2vec.epochs, run.about["state"]) == (2, "finished")
    assert run.history.done is not None


def test_only_the_first_words_are_read_but_all_counts(lee_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Observed(lee_run).top
    monkeypatch.setattr(observed, "_WORDS_READ", 10)
    run = Observed(lee_run)
    assert run.top.words == whole.words[:10]
    assert run.top.counts.tolist() == whole.counts[:10].tolist()
    assert run.counts.tolist() == whole.counts.tolist()


@pytest.mark.parametrize(
    "settings", [{"min_count": 7}, {"max_final_vocab": 100}, {"min_count": 0}, {"min_count": 20, "max_final_vocab": 50}]
)
def test_kept_counts_are_those_of_gensims_vocabulary(lee: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    counts = Counter(word for line in sentences(lee) for word in line)
    run = Observed(made_run(tmp_path / "run", dict(counts.most_common()), **settings))
    theirs = Word2Vec(**settings)
    theirs.build_vocab(sentences(lee))
    assert run.kept_counts.tolist() == theirs.wv.expandos["count"].tolist()


# ---------------------------------------------------------------- runs that are not finished


def test_a_run_that_was_stopped_is_what_its_checkpoint_is(lee: Path, unfinished: Path) -> None:
    run = Observed(unfinished)
    words = run.history.blocks[1].words
    assert run.vectors_of == f"the checkpoint after {words:,} words"
    rows = np.load(unfinished / "checkpoints" / "000002" / "vectors.npy")
    assert rows.shape == (1799, 10)
    np.testing.assert_array_equal(run.vectors.rows, rows)
    assert (rows != np.load(unfinished / "checkpoints" / "000001" / "vectors.npy")).any()
    counts = Counter(word for line in sentences(lee) for word in line)
    assert {word: counts[word] for word in counts if counts[word] >= 5} == dict(
        zip(run.vectors.words, np.asarray(run.vectors.counts).tolist(), strict=True)
    )
    assert run.vectors.counts is not None
    assert run.kept_counts.tolist() == run.vectors.counts.tolist()
    assert (run.about["state"], run.config.word2vec.vector_size) == ("unfinished", 10)


def test_a_run_that_goes_on_after_its_end(lee: Path, unfinished: Path, tmp_path: Path) -> None:
    """It is what it was, until it is trained further: then what it is becoming."""
    shutil.copytree(unfinished, tmp_path / "run")
    training.train(lee, tmp_path / "run", SETTINGS)
    run = Observed(tmp_path / "run")
    assert (run.vectors_of, run.config.word2vec.epochs) == ("the finished model", 2)
    blocks = len(run.history.blocks)
    more = {**SETTINGS, "word2vec": {**SETTINGS["word2vec"], "epochs": 3}}
    last = training.train(lee, tmp_path / "run", more, should_stop=lambda: True)
    run = Observed(tmp_path / "run")
    assert run.vectors_of == f"the checkpoint after {last['words']:,} words"
    assert (len(run.history.blocks), run.config.word2vec.epochs) == (blocks + 1, 3)
    rows = np.load(Path(last["checkpoint"]) / "vectors.npy")
    np.testing.assert_array_equal(run.vectors.rows, rows)


def test_a_run_that_is_being_trained(lee: Path, tmp_path: Path) -> None:
    iterator = training.events(lee, tmp_path / "run", SETTINGS)
    while next(iterator)["event"] != "block":
        pass
    run = Observed(tmp_path / "run")
    assert run.is_training
    with pytest.raises(MissingError, match="run: there are no vectors before the first checkpoint"):
        _ = run.vectors
    while next(iterator)["event"] != "checkpoint":
        pass
    assert Observed(tmp_path / "run").vectors_of == f"the checkpoint after {run.history.words:,} words"
    iterator.close()  # type: ignore[attr-defined]
    assert not run.is_training


def test_a_checkpoint_of_other_words(unfinished: Path, tmp_path: Path) -> None:
    shutil.copytree(unfinished, tmp_path / "run")
    (tmp_path / "run" / "vocab.tsv").write_text("the\t9\n")
    with pytest.raises(MissingError, match="000002: this checkpoint cannot be read: 1 words, but 1799 vectors"):
        _ = Observed(tmp_path / "run").vectors


def test_a_run_that_has_only_begun(tmp_path: Path) -> None:
    run = Observed(made_run(tmp_path / "run", negative=7))
    assert run.config.word2vec.negative == 7
    assert run.history.blocks == []
    with pytest.raises(MissingError, match="words of this run's corpus are not counted yet"):
        _ = run.counts
    with pytest.raises(MissingError, match="no vectors before the first checkpoint"):
        _ = run.vectors
    with pytest.raises(MissingError, match="the encoded text, RUN/corpus, is not there"):
        _ = run.lengths
    (tmp_path / "run" / "config.yaml").unlink()
    with pytest.raises(MissingError, match="the settings of this run are not known"):
        _ = Observed(tmp_path / "run").config


def test_a_run_whose_words_are_all_too_rare(tmp_path: Path) -> None:
    run = Observed(made_run(tmp_path / "run", {"a": 3, "b": 2}, min_count=4))
    with pytest.raises(MissingError, match="no word occurs 4 times"):
        _ = run.kept_counts


def test_a_run_whose_vocabulary_is_damaged(tmp_path: Path) -> None:
    made_run(tmp_path / "run", {"a": 3})
    (tmp_path / "run" / "vocab.tsv").write_text("a b c")
    with pytest.raises(W2VError, match="not a vocabulary file"):
        _ = Observed(tmp_path / "run").counts


# ---------------------------------------------------------------- files


def test_a_file_of_words_and_vectors_alone(lee_run: Path, tmp_path: Path) -> None:
    theirs = Word2Vec.load(str(lee_run / "model" / "word2vec.model")).wv
    theirs.save_word2vec_format(str(tmp_path / "a.txt"))
    run = Observed(tmp_path / "a.txt")
    np.testing.assert_allclose(run.vectors.take(slice(None)), theirs.vectors, rtol=1e-6)
    assert (run.vectors_of, run.is_training) == ("the file", False)
    for ask in (lambda: run.counts, lambda: run.top, lambda: run.kept_counts):
        with pytest.raises(MissingError, match=r"a\.txt: this file does not tell how often its words occur"):
            ask()
    for ask_of_run in (lambda: run.history, lambda: run.config, lambda: run.lengths):
        with pytest.raises(MissingError, match="a model alone does not tell how it was trained"):
            ask_of_run()


def test_a_file_with_counts(lee_run: Path, tmp_path: Path) -> None:
    convert(str(lee_run), str(tmp_path / "a.safetensors"))
    run, whole = Observed(tmp_path / "a.safetensors"), Observed(lee_run)
    assert run.counts.tolist() == run.kept_counts.tolist() == whole.kept_counts.tolist()
    assert run.top.words == whole.top.words[: len(run.counts)]


def test_a_file_whose_words_are_in_another_order(tmp_path: Path) -> None:
    vectors = KeyedVectors(2)
    vectors.add_vectors(["rare", "often", "some", "more"], np.eye(4, 2, dtype=np.float32))
    vectors.expandos["count"] = np.array([1, 9, 3, 3])
    vectors.save(str(tmp_path / "a.kv"))
    run = Observed(tmp_path / "a.kv")
    assert run.counts.tolist() == [9, 3, 3, 1]
    assert (run.top.words, run.top.counts.tolist()) == (["often", "some", "more", "rare"], [9, 3, 3, 1])


def test_what_is_neither_run_nor_model(tmp_path: Path) -> None:
    with pytest.raises(W2VError, match="no such file or run"):
        Observed(tmp_path / "gone")
    with pytest.raises(W2VError, match="a folder, but not a run"):
        Observed(tmp_path)
    with pytest.raises(ConfigError, match="on standard input"):
        Observed("-")


def test_runs_are_called_by_what_tells_them_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        made_run(tmp_path / folder / "run")
    made_run(tmp_path / "other")
    paths = [str(tmp_path / "a" / "run"), str(tmp_path / "other") + "/"]
    assert [run.name for run in observe(paths)] == ["run", "other"]
    paths[1] = str(tmp_path / "b" / "run")
    assert [run.name for run in observe(paths)] == ["a/run", "b/run"]


# ---------------------------------------------------------------- the lengths of sentences


def test_sentence_lengths_are_the_texts(lee: Path, lee_run: Path) -> None:
    lengths = Observed(lee_run).lengths
    theirs = Counter(map(len, sentences(lee)))
    assert {length: number for length, number in enumerate(lengths.sentences.tolist()) if number} == theirs
    assert len(lengths.sentences) == max(theirs) + 1
    assert lengths.looked_at == lengths.total == theirs.total() == 2683


def test_of_a_long_text_pieces_are_looked_at(lee: Path, lee_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 2,683 sentences there are 269 pieces of ten, the last one of three; five are read, from all of the text."""
    monkeypatch.setattr(observed, "_PIECE", 10)
    monkeypatch.setattr(observed, "_MOST_PIECES", 5)
    lengths = Observed(lee_run).lengths
    text = sentences(lee)
    read = [text[10 * piece : 10 * piece + 10] for piece in (0, 67, 134, 201, 268)]
    theirs = Counter(len(line) for piece in read for line in piece)
    assert {length: number for length, number in enumerate(lengths.sentences.tolist()) if number} == theirs
    assert (lengths.looked_at, lengths.total) == (43, 2683)


def test_pieces_that_are_few_are_all_looked_at(lee: Path, lee_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observed, "_PIECE", 1000)
    monkeypatch.setattr(observed, "_MOST_PIECES", 3)
    lengths = Observed(lee_run).lengths
    assert lengths.looked_at == lengths.total
    assert lengths.sentences.tolist() == np.bincount([len(line) for line in sentences(lee)]).tolist()


def test_very_long_sentences_count_as_the_longest_that_can_be_trained(tmp_path: Path) -> None:
    lengths = Observed(made_run(tmp_path / "run", lengths=[3, 10_000, 25_000])).lengths
    assert len(lengths.sentences) == 10_001
    assert (lengths.sentences[3], lengths.sentences[10_000]) == (1, 2)


def test_a_text_without_sentences(tmp_path: Path) -> None:
    lengths = Observed(made_run(tmp_path / "run", lengths=[])).lengths
    assert (lengths.sentences.tolist(), lengths.looked_at, lengths.quantile(0.5)) == ([0], 0, 0)


def test_the_text_was_deleted_or_damaged(lee_run: Path, tmp_path: Path) -> None:
    shutil.copytree(lee_run, tmp_path / "run")
    (tmp_path / "run" / "corpus" / "offsets.npy").write_bytes(b"no array")
    with pytest.raises(MissingError, match="the encoded text cannot be read"):
        _ = Observed(tmp_path / "run").lengths
    shutil.rmtree(tmp_path / "run" / "corpus")
    run = Observed(tmp_path / "run")
    with pytest.raises(MissingError, match=r"the encoded text, RUN/corpus, is not there \(any more\)"):
        _ = run.lengths
    assert run.counts.sum() == 60005


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_quantiles_are_numpys(lengths: list[int], share: float) -> None:
    found = Lengths(np.bincount(lengths), len(lengths), len(lengths)).quantile(share)
    assert found == np.quantile(lengths, share, method="inverted_cdf")
