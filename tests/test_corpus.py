from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2vcli import corpus as corpus_module
from w2vcli.corpus import Block, Corpus
from w2vcli.encoding import encode
from w2vcli.errors import W2VError
from w2vcli.npy import checksums
from w2vcli.sources import expand


def encoded(folder: Path, text: str) -> Corpus:
    (folder / "text.txt").write_text(text)
    for _ in encode(expand([folder / "text.txt"]), folder / "corpus", folder / "vocab.tsv"):
        pass
    return Corpus(folder / "corpus")


def forge(folder: Path, name: str, array: Any) -> None:
    """Replace an array of an encoded corpus, checksums and all."""
    np.save(folder / name, array)
    meta = json.loads((folder / "corpus.json").read_text())
    meta["checksums"][name] = checksums(np.asarray(array))
    (folder / "corpus.json").write_text(json.dumps(meta))


def test_a_folder_that_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(W2VError, match="not an encoded corpus"):
        Corpus(tmp_path)
    (tmp_path / "identities.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(W2VError, match="not an encoded corpus"):
        Corpus(tmp_path)


# ---------------------------------------------------------------- blocks


def test_block_bounds_by_hand(tmp_path: Path) -> None:
    corpus = encoded(tmp_path, "a a a\nb b\nc\nd d d d d d d\ne\n")
    assert corpus.offsets[:].tolist() == [0, 3, 5, 6, 13, 14]
    assert corpus.block_bounds(5).tolist() == [0, 2, 4, 5]
    assert corpus.block_bounds(1).tolist() == [0, 1, 2, 3, 4, 5]
    assert corpus.block_bounds(100).tolist() == [0, 5]
    assert corpus.block(2, 4).ids.tolist() == [3, 0, 0, 0, 0, 0, 0, 0]
    assert corpus.block(2, 4).starts.tolist() == [0, 1]
    assert corpus.block(2, 4).ends.tolist() == [1, 8]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(1, 100), st.integers(1, 70))
def test_blocks_cover_the_corpus_once(lengths: list[int], block_words: int, piece: int) -> None:
    offsets, ids = np.concatenate(([0], np.cumsum(lengths))), np.arange(sum(lengths), dtype=np.int32)
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(corpus_module, "_PIECE", piece):
        Path(folder, "corpus.json").write_text(
            json.dumps({**dict.fromkeys(corpus_module._META), "words": sum(lengths), "checksums": {}})
        )
        for name, array in (("identities", ids), ("ids", ids), ("offsets", offsets)):
            forge(Path(folder), f"{name}.npy", array)
        corpus = Corpus(Path(folder))
        bounds = corpus.block_bounds(block_words)
        blocks = [corpus.block(a, b) for a, b in itertools.pairwise(bounds.tolist())]
    firsts = [np.flatnonzero(offsets >= word)[0] for word in range(0, sum(lengths), block_words)]
    assert bounds.tolist() == sorted({*firsts, len(lengths)})
    assert np.concatenate([block.ids for block in blocks]).tolist() == list(range(sum(lengths)))
    assert all(0 < len(block) < block_words + 2 * max(lengths) for block in blocks)


@pytest.mark.parametrize("identity", [2, -1, 2**31 - 1])
def test_a_word_that_has_no_id(tmp_path: Path, identity: int) -> None:
    encoded(tmp_path, "a b\na\n")
    forge(tmp_path / "corpus", "identities.npy", np.array([0, identity, 0], dtype=np.int32))
    corpus = Corpus(tmp_path / "corpus")
    assert corpus.block(1, 2).ids.tolist() == [0]
    with pytest.raises(W2VError, match="corpus is damaged"):
        corpus.block(0, 1)


@pytest.mark.parametrize("offsets", [[0, 3, 2, 5, 6], [0, 2, 9, 5, 6], [-2, 2, 3, 5, 6], [0, 2, 3, 2**62, 6]])
@pytest.mark.parametrize("piece", [1, 2, 100])
def test_damaged_offsets(tmp_path: Path, offsets: list[int], piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "_PIECE", piece)
    encoded(tmp_path, "a b\nc\nd e\nf\n")
    forge(tmp_path / "corpus", "offsets.npy", np.array(offsets))
    corpus = Corpus(tmp_path / "corpus")
    with pytest.raises(W2VError, match=r"corpus is damaged; remove it"):
        corpus.block_bounds(2)
    with pytest.raises(W2VError, match=r"corpus is damaged; remove it"):
        corpus.block(0, 4)


@pytest.mark.parametrize("ids", [[], [0, -1]])
def test_ids_that_are_none(tmp_path: Path, ids: list[int]) -> None:
    encoded(tmp_path, "a b\n")
    forge(tmp_path / "corpus", "ids.npy", np.array(ids, dtype=np.int32))
    with pytest.raises(W2VError, match=r"ids.npy holds what are no ids"):
        Corpus(tmp_path / "corpus")


@pytest.mark.parametrize("name", ["identities.npy", "offsets.npy", "ids.npy"])
@pytest.mark.parametrize("place", [0.2, 0.5, 0.99])
def test_every_bit_of_a_corpus_counts(tmp_path: Path, name: str, place: float) -> None:
    """One that is flipped makes another word or sentence, of which nothing else would tell."""
    rng = np.random.default_rng(1)
    text = "".join(" ".join(f"w{i}" for i in rng.integers(70_000, size=9)) + "\n" for _ in range(40_000))
    corpus = encoded(tmp_path, text)
    whole = corpus.block(0, 40_000).ids
    assert whole.tolist() == np.concatenate([corpus.block(a, a + 8_000).ids for a in range(0, 40_000, 8_000)]).tolist()
    file = tmp_path / "corpus" / name
    content = bytearray(file.read_bytes())
    content[128 + int(place * (len(content) - 128)) // 8 * 8] ^= 1
    file.write_bytes(content)
    with pytest.raises(W2VError, match=r"damaged; remove it|does not match its checksums; remove it"):
        Corpus(tmp_path / "corpus").block(0, 40_000)


ids_and_lengths = st.lists(st.lists(st.integers(0, 9), max_size=8), min_size=1, max_size=20)


def block_of(sentences: list[list[int]]) -> Block:
    offsets = np.cumsum([0] + [len(ids) for ids in sentences])
    return Block(np.array([i for ids in sentences for i in ids], dtype=np.int32), offsets[:-1], offsets[1:])


def lists(block: Block) -> list[list[int]]:
    return [block.ids[a:b].tolist() for a, b in zip(block.starts, block.ends, strict=True)]


@given(ids_and_lengths, st.integers(0, 11))
def test_gathered_drops_rare_words_and_closes_up(sentences: list[list[int]], size: int) -> None:
    expected = [[i for i in ids if i < size] for ids in sentences]
    assert lists(block_of(sentences).gathered(size)) == expected


@given(ids_and_lengths, st.integers(0, 2**32))
def test_shuffled_keeps_sentences_whole(sentences: list[list[int]], seed: int) -> None:
    shuffled = block_of(sentences).shuffled(np.random.default_rng(seed))
    expected = [sentences[place] for place in np.random.default_rng(seed).permutation(len(sentences))]
    assert lists(shuffled) == expected
    assert lists(shuffled.gathered(10)) == expected
