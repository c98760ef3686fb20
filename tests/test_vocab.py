from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import pytest
from gensim.models import Word2Vec as GensimWord2Vec
from hypothesis import given
from hypothesis import strategies as st

from w2vcli.config import Word2Vec
from w2vcli.errors import W2VError
from w2vcli.gensim_model import build_model
from w2vcli.vocab import Vocab, keep_probabilities, model_bytes, noise_probabilities

COUNTS = np.array([9, 3, 3, 2, 1, 1])
VOCAB = Vocab(list("abcdef"), COUNTS)
SIZES = {"sentences": 1, "words": int(COUNTS.sum())}


def test_keep_probabilities_by_hand() -> None:
    # the chapter's eight sentences: "the" 9 and "queen" 3 of 56 tokens, threshold 0.01
    counts = np.array([9, 3, *[1] * 44])
    assert counts.sum() == 56
    keep = keep_probabilities(counts, 0.01)
    assert keep[0] == pytest.approx(np.sqrt(0.01 * 56 / 9) + 0.01 * 56 / 9)
    np.testing.assert_allclose(keep[:2], [0.312, 0.619], atol=5e-4)
    assert keep_probabilities(np.array([1, 1]), 0.5).tolist() == [1, 1]
    assert keep_probabilities(COUNTS, 0).tolist() == [1] * 6


@pytest.mark.parametrize("sample", [0, 1e-5, 1e-3, 0.1, 0.9, 1, 2, 5])
def test_keep_probabilities_are_gensims(sample: float) -> None:
    model = build_model(VOCAB, Word2Vec(sample=sample, min_count=1), SIZES)
    theirs = model.wv.expandos["sample_int"] / (2**32 - 1)
    np.testing.assert_allclose(keep_probabilities(COUNTS, sample), theirs, atol=1e-9)


def test_noise_probabilities_by_hand() -> None:
    assert noise_probabilities(np.array([16, 1]), 0.75).tolist() == [8 / 9, 1 / 9]
    assert noise_probabilities(COUNTS, 0).tolist() == [1 / 6] * 6
    np.testing.assert_allclose(noise_probabilities(COUNTS, 1), COUNTS / COUNTS.sum())


@pytest.mark.parametrize("exponent", [-0.5, 0, 0.75, 1])
def test_noise_probabilities_are_gensims(exponent: float) -> None:
    model = build_model(VOCAB, Word2Vec(ns_exponent=exponent, min_count=1), SIZES)
    theirs = np.diff(model.cum_table.astype(np.int64), prepend=0) / (2**31 - 1)
    np.testing.assert_allclose(noise_probabilities(COUNTS, exponent), theirs, atol=2e-9)


@pytest.mark.parametrize("min_count", [0, 1, 2, 3, 4, 9, 10])
@pytest.mark.parametrize("max_final_vocab", [None, 1, 2, 3, 4, 5, 6, 7])
def test_kept_words_are_those_that_gensim_keeps(min_count: int, max_final_vocab: int | None) -> None:
    theirs = GensimWord2Vec(min_count=min_count, max_final_vocab=max_final_vocab)
    theirs.raw_vocab = dict(zip(VOCAB.words, COUNTS.tolist(), strict=True))
    theirs.prepare_vocab()
    kept = VOCAB.kept(min_count, max_final_vocab)
    assert set(VOCAB.head(kept).words) == set(theirs.wv.index_to_key)


def test_kept_by_hand() -> None:
    assert [VOCAB.kept(min_count) for min_count in (0, 1, 2, 3, 4, 9, 10)] == [6, 6, 4, 3, 1, 1, 0]
    assert VOCAB.kept(1, 2) == 1  # two words share the second place, and both would not fit


@pytest.mark.parametrize(("hs", "negative"), [(0, 5), (1, 0), (1, 5)])
def test_memory_is_gensims_estimate(hs: int, negative: int) -> None:
    theirs = GensimWord2Vec(hs=hs, negative=negative, vector_size=70).estimate_memory(1234)
    assert model_bytes(1234, 70, bool(hs), negative > 0) == theirs["total"]


word = st.text(string.ascii_letters + "äß'東-", min_size=1)


@given(st.dictionaries(word, st.integers(1, 10**12)))
def test_table_round_trip(counts: dict[str, int]) -> None:
    vocab = Vocab(list(counts), np.array(list(counts.values()), dtype=np.int64))
    parsed = Vocab.parse(vocab.table())
    assert parsed.words == vocab.words
    assert parsed.counts.tolist() == vocab.counts.tolist()


def test_table_by_hand(tmp_path: Path) -> None:
    vocab = Vocab(["the", "東"], np.array([12, 9]))
    assert vocab.table() == "the\t12\n東\t9\n"
    (tmp_path / "vocab.tsv").write_text(vocab.table(), encoding="utf-8")
    assert Vocab.load(tmp_path / "vocab.tsv").words == ["the", "東"]


@pytest.mark.parametrize("table", ["the 9\n", "the\t9", "the\n9\n", "a b\t9\n", "the\tnine\n", "\t9\nthe\t8\n"])
def test_a_file_that_is_no_vocabulary(tmp_path: Path, table: str) -> None:
    (tmp_path / "vocab.tsv").write_text(table)
    with pytest.raises(W2VError, match="not a vocabulary file"):
        Vocab.load(tmp_path / "vocab.tsv")


def test_a_vocabulary_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "vocab.tsv").write_bytes(b"caf\xe9\t9\n")
    with pytest.raises(W2VError, match="not a vocabulary file"):
        Vocab.load(tmp_path / "vocab.tsv")
