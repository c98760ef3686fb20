from __future__ import annotations

import gzip
import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from gensim.models.word2vec import LineSentence, Word2Vec
from hypothesis import given, settings
from hypothesis import strategies as st

from w2vcli import corpus as corpora
from w2vcli.corpus import Block, Corpus, count, encode
from w2vcli.errors import W2VError
from w2vcli.sources import expand
from w2vcli.vocab import Vocab


def encoded(folder: Path, *texts: str) -> tuple[Corpus, Vocab]:
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f"text{number}.txt")
        paths[-1].write_bytes(text.encode())
    for _ in encode(expand(paths), folder / "corpus", folder / "vocab.tsv"):
        pass
    return Corpus(folder / "corpus"), Vocab.load(folder / "vocab.tsv")


def words_of(block: Block, vocab: Vocab) -> list[list[str]]:
    bounds = block.offsets.tolist()
    return [[vocab.words[i] for i in block.ids[a:b].tolist()] for a, b in itertools.pairwise(bounds)]


def test_by_hand(tmp_path: Path) -> None:
    corpus, vocab = encoded(tmp_path, "b a c\n\n  a b  b\n", "d a\nc")
    assert vocab.words == ["b", "a", "c", "d"]  # 3, 3, 2, 1; b appeared before a
    assert vocab.counts.tolist() == [3, 3, 2, 1]
    assert corpus.ids.tolist() == [0, 1, 2, 1, 0, 0, 3, 1, 2]
    assert corpus.offsets.tolist() == [0, 3, 6, 8, 9]
    assert [str(array.dtype) for array in (corpus.ids, corpus.offsets)] == ["int32", "int64"]
    assert (corpus.meta["words"], corpus.meta["sentences"], corpus.meta["distinct"]) == (9, 4, 4)
    assert [Path(stamp[0]).name for stamp in corpus.meta["sources"]] == ["text0.txt", "text1.txt"]


sentence = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "gg", "ä", "東", "don't"]), min_size=1, max_size=12)


@given(st.lists(sentence, min_size=1, max_size=30))
@settings(max_examples=50)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, sentences: list[list[str]]) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    corpus, vocab = encoded(folder, "".join(" ".join(words) + "\n" for words in sentences))
    assert words_of(corpus.block(0, len(sentences)), vocab) == sentences
    expected = Counter(word for words in sentences for word in words)
    assert dict(zip(vocab.words, vocab.counts.tolist(), strict=True)) == expected
    assert vocab.words == [word for word, _ in expected.most_common()]  # Counter's order, ties by first appearance


def test_real_text_agrees_with_gensims_scan(lee: Path) -> None:
    model = Word2Vec(min_count=1)
    words, sentences = model.scan_vocab(LineSentence(str(lee)))
    vocab = count(expand([lee]))
    assert dict(zip(vocab.words, vocab.counts.tolist(), strict=True)) == dict(model.raw_vocab)
    assert vocab.counts.sum() == words
    assert sentences == sum(1 for _ in LineSentence(str(lee)))


def test_long_sentences_are_split_not_cut_off(tmp_path: Path) -> None:
    corpus, _ = encoded(tmp_path, "x " * 25_000 + "\ny y\n")
    assert corpus.offsets.tolist() == [0, 10_000, 20_000, 25_000, 25_002]
    assert corpus.meta["split"] == 1


def test_the_buffer_size_makes_no_difference(tmp_path: Path, lee: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = lee.read_text()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, _ = encoded(tmp_path / "a", text)
    monkeypatch.setattr(corpora, "_BUFFER_WORDS", 1000)
    monkeypatch.setattr("w2vcli.sources.LINE_PIECE", 50)
    pieces, _ = encoded(tmp_path / "b", text)
    np.testing.assert_array_equal(whole.ids, pieces.ids)
    np.testing.assert_array_equal(whole.offsets, pieces.offsets)
    assert whole.meta["fingerprint"] == pieces.meta["fingerprint"]


def test_the_fingerprint_is_of_the_text_not_of_its_packing(tmp_path: Path) -> None:
    prints = []
    for name, content in {
        "a.txt": b"one two\n",
        "b.txt.gz": gzip.compress(b"one two\n"),
        "c.txt": b"one three\n",
    }.items():
        (tmp_path / name).write_bytes(content)
        for _ in encode(expand([tmp_path / name]), tmp_path / "corpus", tmp_path / "vocab.tsv"):
            pass
        prints.append(Corpus(tmp_path / "corpus").meta["fingerprint"])
    assert prints[0] == prints[1] != prints[2]


def test_where_a_file_ends_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, _ = encoded(tmp_path / "a", "one two\nthree\n")
    parts, _ = encoded(tmp_path / "b", "one two\n", "three\n")
    assert whole.meta["fingerprint"] != parts.meta["fingerprint"]


def test_a_line_without_end_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "_BUFFER_WORDS", 20_000)
    monkeypatch.setattr("w2vcli.sources.LINE_PIECE", 5_000)
    (tmp_path / "text8").write_text("one two three " * 50_000)
    chunks = [len(ids) for ids, _ in corpora.WordCounter().read(expand([tmp_path / "text8"]))]
    assert sum(chunks) == 150_000
    assert max(chunks) < 25_000
    corpus, _ = encoded(tmp_path, "one two three " * 50_000 + "\nend\n")
    assert corpus.offsets.tolist() == [*range(0, 150_001, 10_000), 150_001]
    assert corpus.meta["split"] == 1


def test_nothing_is_left_of_an_encoding_that_fails(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"one two\n" * 1000)[:40])
    (tmp_path / "empty.txt").write_text(" \n\n")
    for name, message in {"cut.gz": "ends too early", "empty.txt": "no words in the text"}.items():
        with pytest.raises(W2VError, match=message):
            list(encode(expand([tmp_path / name]), tmp_path / "corpus", tmp_path / "vocab.tsv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.gz", "empty.txt"]


def test_a_folder_that_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(W2VError, match="not an encoded corpus"):
        Corpus(tmp_path)
    (tmp_path / "ids.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(W2VError, match="not an encoded corpus"):
        Corpus(tmp_path)


# ---------------------------------------------------------------- blocks


def test_block_bounds_by_hand(tmp_path: Path) -> None:
    corpus, _ = encoded(tmp_path, "a a a\nb b\nc\nd d d d d d d\ne\n")
    assert corpus.offsets.tolist() == [0, 3, 5, 6, 13, 14]
    assert corpus.block_bounds(5).tolist() == [0, 2, 4, 5]
    assert corpus.block_bounds(1).tolist() == [0, 1, 2, 3, 4, 5]
    assert corpus.block_bounds(100).tolist() == [0, 5]
    assert corpus.block(2, 4).ids.tolist() == [3, 0, 0, 0, 0, 0, 0, 0]
    assert corpus.block(2, 4).offsets.tolist() == [0, 1, 8]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(1, 100))
def test_blocks_cover_the_corpus_once(lengths: list[int], block_words: int) -> None:
    corpus = Corpus.__new__(Corpus)
    corpus.offsets = np.concatenate(([0], np.cumsum(lengths)))
    corpus.ids = np.arange(sum(lengths), dtype=np.int32)
    bounds = corpus.block_bounds(block_words).tolist()
    blocks = [corpus.block(a, b) for a, b in itertools.pairwise(bounds)]
    assert np.concatenate([block.ids for block in blocks]).tolist() == corpus.ids.tolist()
    assert all(0 < len(block) < block_words + 2 * max(lengths) for block in blocks)


ids_and_lengths = st.lists(st.lists(st.integers(0, 9), max_size=8), min_size=1, max_size=20)


def block_of(sentences: list[list[int]]) -> Block:
    offsets = np.cumsum([0] + [len(ids) for ids in sentences])
    return Block(np.array([i for ids in sentences for i in ids], dtype=np.int32), offsets)


def lists(block: Block) -> list[list[int]]:
    bounds = block.offsets.tolist()
    return [block.ids[a:b].tolist() for a, b in itertools.pairwise(bounds)]


@given(ids_and_lengths, st.integers(0, 11))
def test_gathered_drops_rare_words_and_closes_up(sentences: list[list[int]], size: int) -> None:
    expected = [[i for i in ids if i < size] for ids in sentences]
    assert lists(block_of(sentences).gathered(size)) == expected


@given(ids_and_lengths, st.integers(0, 2**32))
def test_shuffled_keeps_sentences_whole(sentences: list[list[int]], seed: int) -> None:
    shuffled = block_of(sentences).shuffled(np.random.default_rng(seed))
    expected = [sentences[place] for place in np.random.default_rng(seed).permutation(len(sentences))]
    starts, ends = shuffled.spans()
    assert [shuffled.ids[a:b].tolist() for a, b in zip(starts, ends, strict=True)] == expected
    assert lists(shuffled.gathered(10)) == expected


def test_corpus_json_is_readable(tmp_path: Path) -> None:
    encoded(tmp_path, "a b\n")
    meta = json.loads((tmp_path / "corpus" / "corpus.json").read_text())
    assert set(meta) == {
        "fingerprint", "words", "sentences", "distinct", "split", "undecodable", "punctuated", "sources"
    }  # fmt: skip
