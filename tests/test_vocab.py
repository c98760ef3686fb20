from __future__ import annotations

import string
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from gensim.models import Word2Vec as GensimWord2Vec
from hypothesis import given
from hypothesis import strategies as st

from w2vcli.config import Word2Vec
from w2vcli.errors import W2VError
from w2vcli.gensim_model import build_model
from w2vcli.vocab import Vocab, keep_probabilities, kept, model_bytes, noise_probabilities

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


# ---------------------------------------------------------------- the first words of a table, and all counts


@given(st.dictionaries(word, st.integers(1, 10**12), max_size=30), st.integers(0, 40), st.integers(1, 60))
def test_the_head_of_a_table_is_that_of_the_whole(counts: dict[str, int], size: int, piece: int) -> None:
    """Whatever pieces it is read in."""
    vocab = Vocab(list(counts), np.array(list(counts.values()), dtype=np.int64))
    with tempfile.TemporaryDirectory() as folder, mock.patch("w2vcli.vocab._PIECE_BYTES", piece):
        path = Path(folder) / "vocab.tsv"
        path.write_text(vocab.table(), encoding="utf-8")
        head, every = Vocab.load_head(path, size)
    assert head.words == vocab.words[:size]
    assert head.counts.tolist() == vocab.counts[:size].tolist()
    assert every.tolist() == vocab.counts.tolist()


def test_the_head_of_a_table_whose_lines_end_as_on_windows(tmp_path: Path) -> None:
    (tmp_path / "vocab.tsv").write_text("the\t12\r\nof\t9\n", encoding="utf-8", newline="")
    head, every = Vocab.load_head(tmp_path / "vocab.tsv", 1)
    assert (head.words, every.tolist()) == (["the"], [12, 9])


@pytest.mark.parametrize("table", [b"the 9\n", b"the\t9\nof\n", b"the\tnine\n", b"caf\xe9\t9\n"])
def test_the_head_of_a_file_that_is_no_vocabulary(tmp_path: Path, table: bytes) -> None:
    (tmp_path / "vocab.tsv").write_bytes(table)
    with pytest.raises(W2VError, match=r"vocab\.tsv: not a vocabulary file"):
        Vocab.load_head(tmp_path / "vocab.tsv", 1)
    with pytest.raises(W2VError, match="not a vocabulary file"):
        Vocab.load_head(tmp_path / "gone.tsv", 1)


# ---------------------------------------------------------------- counts alone


@given(st.lists(st.integers(1, 20), max_size=30), st.integers(0, 25), st.none() | st.integers(1, 30))
def test_kept_by_counting(counts: list[int], min_count: int, most: int | None) -> None:
    """As many as are frequent enough; and, if these are too many, as many as fit without those of equal count."""
    counts.sort(reverse=True)
    enough = [count for count in counts if count >= min_count]
    if most is not None and len(counts) > most:
        enough = [count for count in enough if count > counts[most]]
    assert kept(np.array(counts, dtype=np.int64), min_count, most) == len(enough)


@pytest.mark.parametrize("sample", [0, 1e-3, 0.1, 2])
def test_keep_probabilities_of_some_of_the_words(sample: float) -> None:
    """With the total of all they are what they are among all."""
    some = keep_probabilities(COUNTS[1:4], sample, total=int(COUNTS.sum()))
    assert some.tolist() == keep_probabilities(COUNTS, sample)[1:4].tolist()


def test_keep_probabilities_of_a_total_by_hand() -> None:
    assert keep_probabilities(np.array([40]), 0.01, total=1000).tolist() == [0.5 + 0.25]
