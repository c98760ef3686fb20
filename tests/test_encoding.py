from __future__ import annotations

import errno
import gzip
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from gensim.models.word2vec import LineSentence, Word2Vec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from w2vcli import encoding, outputs
from w2vcli.corpus import Block, Corpus
from w2vcli.encoding import Cutter, WordCounter, count, encode
from w2vcli.errors import W2VError
from w2vcli.numbering import PADDING, Merger, Workspace
from w2vcli.sources import expand
from w2vcli.vocab import Vocab


def encoded(folder: Path, *texts: str | bytes, workers: int = 1) -> tuple[Corpus, Vocab]:
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f"text{number}.txt")
        paths[-1].write_bytes(text.encode() if isinstance(text, str) else text)
    for _ in encode(expand(paths), folder / "corpus", folder / "vocab.tsv", workers):
        pass
    return Corpus(folder / "corpus"), Vocab.load(folder / "vocab.tsv")


def words_of(block: Block, vocab: Vocab) -> list[list[str]]:
    return [[vocab.words[i] for i in block.ids[a:b]] for a, b in zip(block.starts, block.ends, strict=True)]


def test_by_hand(tmp_path: Path) -> None:
    corpus, vocab = encoded(tmp_path, "b a c\n\n  a b  b\n", "d a\nc")
    assert vocab.words == ["b", "a", "c", "d"]  # 3, 3, 2, 1; b appeared before a
    assert vocab.counts.tolist() == [3, 3, 2, 1]
    assert corpus.identities[:].tolist() == [0, 1, 2, 1, 0, 0, 3, 1, 2]
    assert corpus.block(0, 4).ids.tolist() == [0, 1, 2, 1, 0, 0, 3, 1, 2]
    assert corpus.offsets[:].tolist() == [0, 3, 6, 8, 9]
    assert [str(array[:].dtype) for array in (corpus.identities, corpus.offsets)] == ["int32", "int64"]
    assert (corpus.meta["words"], corpus.meta["sentences"], corpus.meta["distinct"]) == (9, 4, 4)
    assert [Path(stamp[0]).name for stamp in corpus.meta["sources"]] == ["text0.txt", "text1.txt"]


def test_ids_follow_the_counts_and_identities_the_text(tmp_path: Path) -> None:
    corpus, vocab = encoded(tmp_path, "x y y z z\nz y z")
    assert vocab.words == ["z", "y", "x"]
    assert corpus.identities[:].tolist() == [0, 1, 1, 2, 2, 2, 1, 2]
    assert corpus.block(0, 2).ids.tolist() == [2, 1, 1, 0, 0, 0, 1, 0]
    assert corpus.block(1, 2).ids.tolist() == [0, 1, 0]
    assert (tmp_path / "vocab.tsv").read_text() == "z\t4\ny\t3\nx\t1\n"


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
    assert vocab.counts.sum() == words > vocab.counts[0] > 1000
    assert sentences == sum(1 for _ in LineSentence(str(lee)))


def test_long_sentences_are_split_not_cut_off(tmp_path: Path) -> None:
    corpus, _ = encoded(tmp_path, "x " * 25_000 + "\ny y\n")
    assert corpus.offsets[:].tolist() == [0, 10_000, 20_000, 25_000, 25_002]
    assert corpus.meta["split"] == 1


@pytest.mark.parametrize("chunk_bytes", [1 << 20, 5000, 40])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_and_chunks_make_no_difference(
    tmp_path: Path, lee: Path, monkeypatch: pytest.MonkeyPatch, workers: int, chunk_bytes: int
) -> None:
    """Against a count in plain Python, over three files of real text."""
    texts = lee.read_text().splitlines(keepends=True)
    parts = ["".join(texts[start::3]) for start in range(3)]
    monkeypatch.setattr(encoding, "CHUNK_BYTES", chunk_bytes)
    corpus, vocab = encoded(tmp_path, *parts, workers=workers)
    expected = Counter("\n".join(parts).split())
    assert vocab.words == [word for word, _ in expected.most_common()]
    assert vocab.counts.tolist() == [number for _, number in expected.most_common()]
    sentences = [line.split() for part in parts for line in part.splitlines() if line.split()]
    assert words_of(corpus.block(0, len(corpus.offsets) - 1), vocab) == sentences


# what separates words and what looks as if it did; bytes that are no UTF-8; words of every length around the key's
pieces = st.one_of(
    st.sampled_from([" ", "\n", "\r", "\t", "\r\n", "\v", "\f", "\x1c", "\x1f", "\x85", "\xa0", "\u1680", "\u2000"]),
    st.sampled_from(["\u200a", "\u200b", "\u2028", "\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\u3001", "\0"]),
    st.sampled_from(["\ufeff", "â", "ã", "á", "Â", "\x01", "\x20ab", "\U0001f600", "e\u0301"]),
    st.text(st.characters(codec="utf-8"), max_size=4),
    st.integers(1, 40).map(lambda length: "abcdefghijklmnopqrstuvwxyz"[:length]),
    st.integers(6, 10).map(lambda length: "a" * length),
).map(str.encode)
raw = st.one_of(pieces, st.binary(max_size=3))


@given(st.lists(raw, max_size=60).map(b"".join), st.integers(1, 70))
@example(b"a\xc2", 1)
@example(b"\xe2\x80", 70)
@settings(max_examples=300)
def test_words_are_those_of_str_split(text: bytes, chunk_bytes: int) -> None:
    """In whatever chunks, for any bytes at all; a word longer than four chunks is cut, so there are none."""
    expected = [line.split() for line in re.split("\r\n|\r|\n", text.decode(errors="replace"))]
    longest = max((len(word.encode()) for line in expected for word in line), default=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "CHUNK_BYTES", max(chunk_bytes, longest + 8))
        merger = Merger()
        identities, ended = [], 0
        for chunk in Cutter().chunks([text[:7], text[7:]]):
            numbered = Workspace().number_words(chunk)
            identities += merger.add(numbered)[numbered.numbers].tolist()
            ended += len(numbered.lengths)
    finished = merger.finish()
    vocab, ids = Vocab.parse(finished.table.decode()), finished.ids
    words = [vocab.words[ids[identity]] for identity in identities]
    assert words == [word for line in expected for word in line]
    assert ended == len(expected) - 1
    assert list(zip(vocab.words, vocab.counts.tolist(), strict=True)) == Counter(words).most_common()


def test_words_whose_bytes_decode_alike_are_one(tmp_path: Path) -> None:
    corpus, vocab = encoded(tmp_path, b"x caf\xe9 caf\xeb\ncaf\xe9 x x\n")
    assert vocab.words == ["x", "caf\ufffd"]
    assert vocab.counts.tolist() == [3, 3]
    assert corpus.block(0, 2).ids.tolist() == [0, 1, 1, 1, 0, 0]
    assert corpus.meta["undecodable"] == 3


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_other_encodings_with_a_byte_order_mark(tmp_path: Path, codec: str) -> None:
    corpus, vocab = encoded(tmp_path, "東 ä\r\nä\n".encode(codec))
    assert vocab.words == ["ä", "東"]
    assert corpus.offsets[:].tolist() == [0, 2, 3]


def test_a_word_without_end_is_cut_between_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "CHUNK_BYTES", 100)
    pieces = [("ä" * 333).encode(), b"x", ("東" * 200).encode()]
    chunks = [chunk[:-8].tobytes() for chunk in Cutter().chunks(pieces)]
    assert b"".join(chunks).decode() == "ä" * 333 + "x" + "東" * 200
    assert all(len(chunk) <= 400 and chunk.decode() for chunk in chunks)


@given(st.lists(st.binary(max_size=40)), st.integers(4, 60))
def test_chunks_are_the_text(pieces: list[bytes], chunk_bytes: int) -> None:
    chunks = cut_with(chunk_bytes, pieces)
    assert all(chunk.endswith(PADDING) and 8 < len(chunk) <= 4 * chunk_bytes + 8 for chunk in chunks)
    assert b"".join(chunk[:-8] for chunk in chunks) == b"".join(pieces)
    assert chunks == cut_with(chunk_bytes, [b"".join(pieces)])


def cut_with(chunk_bytes: int, pieces: list[bytes]) -> list[bytes]:
    """With the memory of each chunk used again as soon as the next one is there."""
    found = []
    cutter = Cutter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "CHUNK_BYTES", chunk_bytes)
        for chunk in cutter.chunks(pieces):
            found.append(chunk.tobytes())
            cutter.take_back(chunk)
    return found


# ---------------------------------------------------------------- memory


def test_dropped_words_are_left_out_of_training_and_reported(
    tmp_path: Path, lee: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from w2vcli import training

    monkeypatch.setattr(encoding, "CHUNK_BYTES", 20_000)
    settings = {"word2vec": {"epochs": 1, "workers": 1}, "train": {"vocab_memory": "0.5MB"}}
    events = list(training.events(lee, tmp_path / "run", settings))
    (warning,) = [event["message"] for event in events if event["event"] == "warning"]
    meta = Corpus(tmp_path / "run" / "corpus").meta
    assert warning.startswith(
        f"the vocabulary reached train.vocab_memory: words were dropped {meta['dropped_words']:,} times"
    )
    vocab = Vocab.load(tmp_path / "run" / "vocab.tsv")
    assert len(vocab) < 0.5e6 / Merger.BYTES_A_WORD < len(set(lee.read_text().split()))
    corpus = Corpus(tmp_path / "run" / "corpus")
    ids = corpus.block(0, len(corpus.offsets) - 1).ids
    assert (ids == len(vocab)).sum() == meta["dropped"] > 0
    table = np.load(tmp_path / "run" / "corpus" / "ids.npy")
    assert len(table) == len(vocab) + 1 < meta["dropped_words"]  # it must not grow with the text
    assert np.bincount(ids)[:-1].tolist() == vocab.counts.tolist()
    frequent = Counter(lee.read_text().split()).most_common(50)
    assert dict(zip(vocab.words[:50], vocab.counts[:50].tolist(), strict=True)) == dict(frequent)


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
    monkeypatch.setattr(encoding, "CHUNK_BYTES", 50_000)
    (tmp_path / "text8").write_text("one two three " * 50_000)
    chunks = [len(ids) for ids, _ in WordCounter().read(expand([tmp_path / "text8"]))]
    assert sum(chunks) == 150_000
    assert max(chunks) < 12_000
    corpus, _ = encoded(tmp_path, "one two three " * 50_000 + "\nend\n")
    assert corpus.offsets[:].tolist() == [*range(0, 150_001, 10_000), 150_001]
    assert corpus.meta["split"] == 1


def test_sentences_of_just_the_limit_are_not_split(tmp_path: Path) -> None:
    corpus, _ = encoded(tmp_path, "x " * 10_000 + "\n" + "y " * 20_001 + "\n")
    assert corpus.offsets[:].tolist() == [0, 10_000, 20_000, 30_000, 30_001]
    assert corpus.meta["split"] == 1


def test_leaving_early_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "CHUNK_BYTES", 100)
    (tmp_path / "text.txt").write_text("one two three\n" * 10_000)
    steps = encode(expand([tmp_path / "text.txt"]), tmp_path / "corpus", tmp_path / "vocab.tsv", workers=3)
    assert next(steps) > 0
    steps.close()  # type: ignore[attr-defined]
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_nothing_is_left_of_an_encoding_that_fails(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"one two\n" * 1000)[:40])
    (tmp_path / "empty.txt").write_text(" \n\n")
    for name, message in {"cut.gz": "ends too early", "empty.txt": "no words in the text"}.items():
        with pytest.raises(W2VError, match=message):
            list(encode(expand([tmp_path / name]), tmp_path / "corpus", tmp_path / "vocab.tsv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.gz", "empty.txt"]


@pytest.mark.parametrize("fails_at", [1, 3])
def test_a_disk_that_fills_up_while_a_part_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    """The system may tell of it once only."""
    flushed: list[Path] = []
    sync = outputs.sync_file

    def sync_file(path: Path) -> None:
        flushed.append(path)
        if len(flushed) == fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(path)

    monkeypatch.setattr(outputs, "sync_file", sync_file)
    monkeypatch.setattr(encoding, "_FLUSH_WORDS", 1000)
    monkeypatch.setattr(encoding, "CHUNK_BYTES", 4 * 1100)
    (tmp_path / "text.txt").write_text("one\n" * 3300)
    with pytest.raises(W2VError, match="corpus: cannot be written: No space left on device"):
        list(encode(expand([tmp_path / "text.txt"]), tmp_path / "corpus", tmp_path / "vocab.tsv"))
    assert flushed[0].name == "identities.npy"
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_corpus_json_is_readable(tmp_path: Path) -> None:
    encoded(tmp_path, "a b\n")
    meta = json.loads((tmp_path / "corpus" / "corpus.json").read_text())
    assert set(meta) == {
        "fingerprint", "words", "sentences", "distinct", "split", "dropped_words", "dropped", "max_bytes",
        "undecodable", "punctuated", "sources", "base", "base_words", "checksums",
    }  # fmt: skip
