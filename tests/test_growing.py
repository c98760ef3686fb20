from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import Word2Vec as GensimWord2Vec
from hypothesis import given
from hypothesis import strategies as st

from w2vcli import growing, training
from w2vcli.config import as_config
from w2vcli.corpus import Corpus
from w2vcli.describe import describe
from w2vcli.errors import W2VError
from w2vcli.growing import Growth, merged_vocab
from w2vcli.vocab import Vocab

SMALL = {"workers": 1, "vector_size": 10, "epochs": 2, "min_count": 2, "sg": 1, "sample": 0.01}


def config(word2vec: dict[str, Any] | None = None, **train: Any) -> dict[str, Any]:
    return {"word2vec": {**SMALL, **(word2vec or {})}, "train": {"block_words": 5000, **train}}


SETTINGS = as_config(config()).word2vec


@pytest.fixture(scope="module")
def halves(lee: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("halves")
    lines = lee.read_text().splitlines(keepends=True)
    for name, part in (("old.txt", lines[:1500]), ("new.txt", lines[1500:])):
        (folder / name).write_text("".join(part))
    return folder / "old.txt", folder / "new.txt"


@pytest.fixture(scope="module")
def base(halves: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "base"
    training.train(halves[0], run, config())
    return run


def model_of(run: Path) -> Any:
    return GensimWord2Vec.load(str(run / "model" / "word2vec.model"))


def files_of(run: Path) -> dict[str, tuple[int, int]]:
    return {
        str(file): (file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(run.rglob("*")) if file.is_file()
    }


# ---------------------------------------------------------------- the vocabulary


def test_vocabularies_merged_by_hand() -> None:
    old = Vocab(["a", "b", "c"], np.array([5, 3, 1]))
    new = Vocab(["c", "x", "a", "y"], np.array([4, 3, 2, 1]))
    merged, ids = merged_vocab(old, new)
    assert dict(zip(merged.words, merged.counts.tolist(), strict=True)) == {"a": 7, "c": 5, "b": 3, "x": 3, "y": 1}
    assert merged.words == ["a", "c", "b", "x", "y"]
    assert ids.tolist() == [1, 3, 0, 4]


words = st.dictionaries(st.sampled_from([f"w{i}" for i in range(12)]), st.integers(1, 9), min_size=1)


@given(words, words)
def test_merging_adds_up(a: dict[str, int], b: dict[str, int]) -> None:
    old, new = (
        Vocab(ordered, np.array([counts[word] for word in ordered]))
        for counts, ordered in ((c, sorted(c, key=lambda word: -c[word])) for c in (a, b))
    )
    merged, ids = merged_vocab(old, new)
    assert dict(zip(merged.words, merged.counts.tolist(), strict=True)) == {
        word: a.get(word, 0) + b.get(word, 0) for word in {**a, **b}
    }
    assert merged.counts.tolist() == sorted(merged.counts.tolist(), reverse=True)
    assert [merged.words[number] for number in ids] == new.words


def test_the_ids_on_disk_are_those_of_the_merged_words(halves: tuple[Path, Path], base: Path, tmp_path: Path) -> None:
    training.train(halves[1], tmp_path / "grown", config(), grow_from=base)
    vocab = Vocab.load(tmp_path / "grown" / "vocab.tsv")
    corpus = Corpus(tmp_path / "grown" / "corpus")
    block = corpus.block(0, len(corpus.offsets) - 1)
    assert [vocab.words[i] for i in block.ids] == halves[1].read_text().split()
    old = Vocab.load(base / "vocab.tsv")
    assert vocab.counts.sum() == old.counts.sum() + len(block)


# ---------------------------------------------------------------- the vectors


def test_old_words_begin_with_their_vectors(halves: tuple[Path, Path], base: Path, tmp_path: Path) -> None:
    """Nearly no learning rate, so that the beginning is what is seen."""
    still = config({"alpha": 1e-30, "min_alpha": 0.0})
    training.train(halves[1], tmp_path / "grown", still, grow_from=base)
    old, new = model_of(base), model_of(tmp_path / "grown")
    assert set(old.wv.index_to_key) < set(new.wv.index_to_key)
    for word in old.wv.index_to_key:
        i, j = old.wv.key_to_index[word], new.wv.key_to_index[word]
        np.testing.assert_array_equal(new.wv.vectors[j], old.wv.vectors[i])
        np.testing.assert_array_equal(new.syn1neg[j], old.syn1neg[i])
    fresh = [new.wv.key_to_index[word] for word in new.wv.index_to_key if word not in old.wv]
    assert fresh
    assert np.abs(new.syn1neg[fresh]).max() < 1e-25
    assert 0 < np.abs(new.wv.vectors[fresh]).max() <= 0.05


def test_the_end_is_the_mean_by_counts(halves: tuple[Path, Path], base: Path, tmp_path: Path) -> None:
    for name, wanted in (("mean", True), ("plain", False)):
        training.train(halves[1], tmp_path / name, config(average_base=wanted), grow_from=base)
    old, plain, mean = model_of(base), model_of(tmp_path / "plain"), model_of(tmp_path / "mean")
    assert mean.wv.index_to_key == plain.wv.index_to_key
    for word in mean.wv.index_to_key:
        j, count = mean.wv.key_to_index[word], mean.wv.get_vecattr(word, "count")
        for ours, theirs, before in (
            (mean.wv.vectors[j], plain.wv.vectors[j], old.wv.vectors),
            (mean.syn1neg[j], plain.syn1neg[j], old.syn1neg),
        ):
            expected = theirs
            if word in old.wv:
                share = old.wv.get_vecattr(word, "count") / count
                expected = share * before[old.wv.key_to_index[word]] + (1 - share) * theirs
            np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_drift_by_hand() -> None:
    def model(rows: dict[str, list[float]]) -> Any:
        made = GensimWord2Vec(vector_size=2, min_count=1)
        made.build_vocab_from_freq({word: 100 - place for place, word in enumerate(rows)})
        made.wv.vectors[:] = list(rows.values())
        return made

    old = model({"a": [1, 0], "b": [0, 1], "c": [1, 1], "gone": [1, 2]})
    new = model({"a": [2, 0], "b": [1, 0], "c": [1, 1], "new": [5, 5]})
    found = growing.drift(new, old)
    assert (found["old_words"], found["new_words"], found["furthest_word"]) == (3, 1, "b")
    assert found["mean_movement"] == pytest.approx(1 / 3)
    assert found["largest_movement"] == pytest.approx(1.0)
    assert found["neighbours_changed"] == 0  # of three words each has the same two neighbours


def test_how_many_neighbours_changed() -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(size=(50, 5)).astype(np.float32)
    units = before / np.linalg.norm(before, axis=1, keepdims=True)
    assert growing._share_changed(units, units) == 0
    expected = [set(np.argsort(-row)[1:11].tolist()) for row in units @ units.T]
    assert [set(near) for near in growing._nearest(units, 50, 10)] == expected
    other = units[rng.permutation(50)]
    assert 0.5 < growing._share_changed(units, other) < 1


def test_hierarchical_softmax_begins_its_tree_anew(halves: tuple[Path, Path], base: Path, tmp_path: Path) -> None:
    settings = config({"hs": 1, "negative": 0, "alpha": 1e-30, "min_alpha": 0.0})
    events = list(training.events(halves[1], tmp_path / "grown", settings, grow_from=base))
    assert any("Huffman tree" in event.get("message", "") for event in events)
    assert np.abs(model_of(tmp_path / "grown").syn1).max() < 1e-25


# ---------------------------------------------------------------- the run


def test_what_is_said_and_kept(halves: tuple[Path, Path], base: Path, tmp_path: Path) -> None:
    run, before = tmp_path / "grown", files_of(base)
    events = list(training.events(halves[1], run, config(), grow_from=base))
    assert files_of(base) == before
    assert next(event["grown_from"] for event in events if event["event"] == "start") == str(base)
    drift = next(event for event in events if event["event"] == "drift")
    assert drift["old_words"] == len(model_of(base).wv)
    about = describe(run)
    assert (about["grown from"], about["drift: new words"]) == (str(base), drift["new_words"])
    assert training.train(halves[1], run, config(), grow_from=base)["event"] == "up to date"


def test_interrupted_growing_ends_the_same(halves: tuple[Path, Path], base: Path, tmp_path: Path) -> None:
    settings = config(checkpoint_every="1 words")
    training.train(halves[1], tmp_path / "whole", settings, grow_from=base)
    for _ in range(3):
        blocks: list[str] = []
        training.train(
            halves[1],
            tmp_path / "parts",
            settings,
            grow_from=base,
            progress=lambda event: blocks.append(event["event"]),  # noqa: B023
            should_stop=lambda: blocks.count("block") >= 2,  # noqa: B023
        )
    training.train(halves[1], tmp_path / "parts", settings, grow_from=base)
    whole, parts = model_of(tmp_path / "whole"), model_of(tmp_path / "parts")
    np.testing.assert_array_equal(whole.wv.vectors, parts.wv.vectors)
    np.testing.assert_array_equal(whole.syn1neg, parts.syn1neg)


def test_more_epochs_go_on_from_the_last_state_and_not_from_the_mean(
    halves: tuple[Path, Path], base: Path, tmp_path: Path
) -> None:
    run = tmp_path / "grown"
    training.train(halves[1], run, config(), grow_from=base)
    plain = tmp_path / "plain"
    training.train(halves[1], plain, config(average_base=False), grow_from=base)
    for place, wanted in ((run, True), (plain, False)):
        training.train(halves[1], place, config({"epochs": 3}, average_base=wanted), grow_from=base)
    mean, last, old = model_of(run), model_of(plain), model_of(base)
    Growth(growing.Base.open(base, SETTINGS), SETTINGS, True).finish(last)
    np.testing.assert_allclose(mean.wv.vectors, last.wv.vectors, atol=1e-6)
    assert len(old.wv) < len(mean.wv)


def test_a_model_of_gensims_grows_too(halves: tuple[Path, Path], tmp_path: Path) -> None:
    sentences = [line.split() for line in halves[0].read_text().splitlines()]
    theirs = GensimWord2Vec(sentences, vector_size=10, min_count=3, workers=1, seed=2)
    theirs.save(str(tmp_path / "theirs.model"))
    still = config({"alpha": 1e-30, "min_alpha": 0.0})
    training.train(halves[1], tmp_path / "grown", still, grow_from=tmp_path / "theirs.model")
    grown = model_of(tmp_path / "grown")
    np.testing.assert_array_equal(grown.wv["the"], theirs.wv["the"])
    counts = {word: theirs.wv.get_vecattr(word, "count") for word in theirs.wv.index_to_key}
    new = halves[1].read_text().split().count("the")
    assert grown.wv.get_vecattr("the", "count") == counts["the"] + new


def test_what_cannot_grow(halves: tuple[Path, Path], base: Path, tmp_path: Path) -> None:
    new = halves[1]
    with pytest.raises(W2VError, match="none: no such run or model to grow from"):
        training.train(new, tmp_path / "run", config(), grow_from=tmp_path / "none")
    with pytest.raises(W2VError, match="no finished run to grow from; finish it"):
        training.train(new, tmp_path / "run", config(), grow_from=tmp_path)
    with pytest.raises(W2VError, match="cannot grow into itself"):
        training.train(new, base, config(), grow_from=base)
    with pytest.raises(W2VError, match=r"has vectors of 10 dimensions, not 12; --set word2vec.vector_size=10"):
        training.train(new, tmp_path / "run", config({"vector_size": 12}), grow_from=base)
    model_of(base).wv.save(str(tmp_path / "vectors.kv"))
    with pytest.raises(W2VError, match="vectors alone cannot grow"):
        training.train(new, tmp_path / "run", config(), grow_from=tmp_path / "vectors.kv")
    assert not (tmp_path / "run").exists()


def test_a_base_that_changes_meanwhile(halves: tuple[Path, Path], tmp_path: Path) -> None:
    base = tmp_path / "base"
    training.train(halves[0], base, config())
    iterator = training.events(halves[1], tmp_path / "grown", config(), grow_from=base)
    while next(iterator)["event"] != "block":
        pass
    training.train(halves[0], base, config({"window": 2}), force=True)
    with pytest.raises(W2VError, match="base: changed while it was grown from; run it again"):
        list(iterator)
    with pytest.raises(W2VError, match="the model it grew from is another"):
        training.train(halves[1], tmp_path / "grown", config(), grow_from=base)


def test_a_damaged_base(halves: tuple[Path, Path], base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "damaged")
    model = tmp_path / "damaged" / "model" / "word2vec.model"
    model.write_bytes(model.read_bytes()[:-9] + b"123456789")
    with pytest.raises(W2VError, match=r"its model is damaged: word2vec.model does not match its checksum; its own"):
        training.train(halves[1], tmp_path / "grown", config(), grow_from=tmp_path / "damaged")


def test_all_files_of_a_model_count(halves: tuple[Path, Path], tmp_path: Path) -> None:
    """Also where its name means something in a pattern."""
    for name in ("w[1].model", "w[1].model.wv.vectors.npy", "w1.model.wv.vectors.npy"):
        (tmp_path / name).write_bytes(b"1")
    fingerprints = [growing.Base.open(tmp_path / "w[1].model", SETTINGS).fingerprint]
    for name in ("w1.model.wv.vectors.npy", "w[1].model.wv.vectors.npy"):
        (tmp_path / name).write_bytes(b"2")
        fingerprints.append(growing.Base.open(tmp_path / "w[1].model", SETTINGS).fingerprint)
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_a_model_with_white_space_in_a_word(halves: tuple[Path, Path], tmp_path: Path) -> None:
    odd = GensimWord2Vec([["new york", "a"]] * 9, vector_size=10, min_count=1)
    odd.save(str(tmp_path / "odd.model"))
    with pytest.raises(W2VError, match="has white space in the word 'new york'; such a model cannot grow"):
        training.train(halves[1], tmp_path / "grown", config(), grow_from=tmp_path / "odd.model")


def test_a_run_grown_from_another_model_is_another_run(halves: tuple[Path, Path], base: Path, tmp_path: Path) -> None:
    run = tmp_path / "grown"
    training.train(halves[1], run, config(), grow_from=base)
    with pytest.raises(W2VError, match=r"it grew from a model \(--from\)"):
        training.train(halves[1], run, config())
    training.train(halves[0], tmp_path / "base2", config({"seed": 7}))
    with pytest.raises(W2VError, match="the model it grew from is another"):
        training.train(halves[1], run, config(), grow_from=tmp_path / "base2")
    assert training.train(halves[1], run, config(), grow_from=tmp_path / "base2", force=True)["event"] == "done"
    old, new = json.loads((run / "corpus" / "corpus.json").read_text()), model_of(run)
    assert old["base"] == growing.Base.open(tmp_path / "base2", SETTINGS).fingerprint
    assert len(new.wv) > len(model_of(base).wv)
