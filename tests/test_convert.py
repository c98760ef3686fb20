"""Words and vectors from each format to each other one, and with other tools."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from gensim.models import KeyedVectors, Word2Vec
from hypothesis import given, settings
from hypothesis import strategies as st

from w2vcli import outputs
from w2vcli.convert import Choice, convert, loss_between
from w2vcli.errors import ConfigError, LockedError, W2VError
from w2vcli.formats import FORMATS, format_of, lines, word2vec_files
from w2vcli.model import load
from w2vcli.vectors import Vectors
from w2vcli.words import ListedWords

from .conftest import need

WRITABLE = [name for name, form in FORMATS.items() if form.write is not None]


def of(rows: dict[str, Any], **more: Any) -> Vectors:
    return Vectors(ListedWords(list(rows)), np.array(list(rows.values()), dtype=np.float32), **more)


def write(vectors: Vectors, file: Path, name: str = "safetensors") -> str:
    """Write vectors in a format, by the library alone."""
    form = FORMATS[name].write
    assert form is not None
    form(file, vectors)
    return str(file)


def name_of(name: str) -> str:
    return f"{name}{FORMATS[name].endings[0]}"


word = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
rows_of_3 = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=3, max_size=3)


@given(st.dictionaries(word, rows_of_3, min_size=1, max_size=6))
@settings(max_examples=15)
def test_round_trips_through_every_pair_of_formats(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, list[float]]
) -> None:
    """Any words of Unicode, each as far as both formats can hold it, and any finite numbers, to the bit."""
    folder = tmp_path_factory.mktemp("pairs")
    for first in WRITABLE:
        for second in WRITABLE:
            held = {
                word: row
                for word, row in rows.items()
                if not (FORMATS[first].cannot_hold(word) or FORMATS[second].cannot_hold(word))
            }
            if not held:
                continue
            begin = write(of(held), folder / f"a{FORMATS[first].endings[0]}", first)
            end = folder / f"b{FORMATS[second].endings[0]}"
            done = convert(begin, str(end))
            assert (done.format, done.words, done.dimensions, done.remarks) == (second, len(held), 3, ())
            found = load(end)
            assert format_of(begin) == first
            assert list(found.words) == list(held)
            np.testing.assert_array_equal(found.take(slice(None)), np.array(list(held.values()), dtype=np.float32))


@pytest.fixture(scope="module")
def rows() -> dict[str, list[float]]:
    rng = np.random.default_rng(3)
    words = [
        "the",
        "of",
        "naïve",
        "東京",
        "e\u0301",
        "don't",
        "-",
        "1",
        "\xa0",
        *(f"w{number}" for number in range(300)),
    ]
    return dict(zip(words, rng.standard_normal((len(words), 20)).tolist(), strict=True))


@pytest.mark.parametrize("name", WRITABLE)
@pytest.mark.parametrize("compression", ["", ".gz", ".xz", ".zst"])
def test_compressed_files(rows: dict[str, list[float]], tmp_path: Path, name: str, compression: str) -> None:
    source = write(of(rows), tmp_path / "source.safetensors")
    file = f"{tmp_path / name_of(name)}{compression}"
    if compression and name in ("gensim", "numpy", "projector"):
        with pytest.raises(ConfigError, match="is more than one file"):
            convert(source, file)
        return
    convert(source, file)
    assert list(load(file).words) == list(rows)
    np.testing.assert_array_equal(load(file).take(slice(None)), of(rows).rows)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Gensim leaves a file open
def test_gensim_opens_what_is_written(rows: dict[str, list[float]], tmp_path: Path) -> None:
    expected = of(rows)
    counts = np.arange(len(rows), dtype=np.int64)[::-1].copy()
    source = write(of(rows, counts=counts), tmp_path / "source.safetensors")
    for name in ("a.kv", "a.vec", "a.bin", "a.vec.gz", "a.glove"):
        convert(source, str(tmp_path / name))
    opened = {
        "a.kv": KeyedVectors.load(str(tmp_path / "a.kv"), mmap="r"),
        "a.vec": KeyedVectors.load_word2vec_format(str(tmp_path / "a.vec")),
        "a.vec.gz": KeyedVectors.load_word2vec_format(str(tmp_path / "a.vec.gz")),
        "a.bin": KeyedVectors.load_word2vec_format(str(tmp_path / "a.bin"), binary=True),
        "a.glove": KeyedVectors.load_word2vec_format(str(tmp_path / "a.glove"), no_header=True),
    }
    for theirs in opened.values():
        assert theirs.index_to_key == list(expected.words)
        np.testing.assert_array_equal(theirs.vectors, expected.rows)
        assert theirs.most_similar("naïve", topn=1)
    assert opened["a.kv"].get_vecattr("of", "count") == counts[1]


def test_other_libraries_open_what_is_written(rows: dict[str, list[float]], tmp_path: Path) -> None:
    expected = of(rows)
    source = write(expected, tmp_path / "source.safetensors")
    tensors = safetensors.numpy.load_file(source)
    np.testing.assert_array_equal(tensors["vectors"], expected.rows)
    np.testing.assert_allclose(tensors["norms"], np.linalg.norm(expected.rows, axis=1), rtol=1e-6)
    assert tensors["words"][: tensors["ends"][0]].tobytes() == b"the"
    convert(source, str(tmp_path / "a.npy"))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), expected.rows)
    assert (tmp_path / "a.words.txt").read_text().split("\n") == [*rows, ""]
    convert(source, str(tmp_path / "a.tsv"))
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "a.tsv", dtype=np.float32, delimiter="\t"), expected.rows)
    need("pyarrow", "'w2vcli[parquet]'")
    import pyarrow.parquet

    convert(source, str(tmp_path / "a.parquet"))
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert table.column("word").to_pylist() == list(rows)
    np.testing.assert_array_equal(np.array(table.column("vector").to_pylist(), dtype=np.float32), expected.rows)


def test_files_of_other_libraries(rows: dict[str, list[float]], tmp_path: Path) -> None:
    expected = of(rows)
    safetensors.numpy.save_file({"embedding.weight": expected.rows}, tmp_path / "a.safetensors")
    (tmp_path / "a.words.txt").write_text("\r\n".join(rows), encoding="utf-8", newline="")
    np.save(tmp_path / "a.npy", np.asfortranarray(expected.rows.astype(np.float64)))
    np.savetxt(tmp_path / "b.tsv", expected.rows, delimiter="\t", fmt="%.9g")
    metadata = ["word\tcount", *(f"{word}\t{number}" for number, word in enumerate(rows))]
    (tmp_path / "b.metadata.tsv").write_text("\n".join(metadata), encoding="utf-8")
    files = ["a.safetensors", "a.npy", "b.tsv"]
    need("pyarrow", "'w2vcli[parquet]'")
    import pyarrow as pa
    import pyarrow.parquet

    table = pa.table({"id": range(len(rows)), "token": list(rows), "embedding": expected.rows.tolist()})
    pa.parquet.write_table(table, tmp_path / "c.parquet")
    for file in [*files, "c.parquet"]:
        assert list(load(tmp_path / file).words) == list(rows)
        np.testing.assert_array_equal(load(tmp_path / file).take(slice(None)), expected.rows)


def test_real_fasttext_files(lee: Path, tmp_path: Path) -> None:
    need("fasttext", "fasttext-wheel")
    import fasttext

    model = fasttext.train_unsupervised(str(lee), dim=10, epoch=1, bucket=2000, thread=1, verbose=0)
    model.save_model(str(tmp_path / "a.bin"))
    found = load(tmp_path / "a.bin")
    assert format_of(str(tmp_path / "a.bin")) == "fasttext"
    assert list(found.words) == model.get_words()
    np.testing.assert_allclose(found["government"], model.get_word_vector("government"), rtol=1e-5)
    text = [f"{word} {' '.join(f'{number:.5g}' for number in model[word])} " for word in model.get_words()]
    (tmp_path / "a.vec").write_text(
        "\n".join([f"{len(text)} 10", *text, ""]), encoding="utf-8"
    )  # as its own script does
    np.testing.assert_allclose(load(tmp_path / "a.vec")["government"], found["government"], rtol=1e-4)
    damaged = bytearray((tmp_path / "a.bin").read_bytes())
    damaged[8:12] = (2**31 - 1).to_bytes(4, "little")
    (tmp_path / "huge.bin").write_bytes(damaged)
    with pytest.raises(W2VError, match=r"huge.bin: damaged.* of 2,147,483,647 dimensions, more than the file can hold"):
        load(tmp_path / "huge.bin")


def test_word2vec_c_ends_its_vectors_with_newlines(tmp_path: Path) -> None:
    vectors = np.array([[1, 2], [3, 4]], dtype="<f4")
    content = b"2 2\n</s> " + vectors[0].tobytes() + b"\nthe " + vectors[1].tobytes() + b"\n"
    (tmp_path / "a.bin").write_bytes(content)
    assert list(load(tmp_path / "a.bin").words) == ["</s>", "the"]
    np.testing.assert_array_equal(load(tmp_path / "a.bin").rows, vectors)


def test_a_run_becomes_a_model_of_gensims(lee_run: Path, tmp_path: Path) -> None:
    convert(str(lee_run), str(tmp_path / "a.model"))
    model = Word2Vec.load(str(tmp_path / "a.model"))
    assert model.corpus_total_words == 60005
    assert model.wv.index_to_key == list(load(lee_run).words)
    with pytest.raises(ConfigError, match=r"a.model: a .model is copied whole"):
        convert(str(lee_run), str(tmp_path / "a.model"), choice=Choice(top=5))
    convert(str(lee_run), str(tmp_path / "a.kv"))
    with pytest.raises(W2VError, match=r"vectors alone are no .model; name the new file .kv"):
        convert(str(tmp_path / "a.kv"), str(tmp_path / "b.model"))
    counts = load(tmp_path / "a.kv").counts
    assert counts is not None
    assert counts[0] == model.wv.get_vecattr(model.wv.index_to_key[0], "count")


# ---------------------------------------------------------------- what is taken over


def test_what_is_chosen(rows: dict[str, list[float]], tmp_path: Path) -> None:
    source = write(of(rows), tmp_path / "source.safetensors")
    (tmp_path / "words").write_text("w5\nthe\nnowhere\n\n")
    end = str(tmp_path / "a.vec")
    done = convert(source, end, choice=Choice(words=str(tmp_path / "words"), normalize=True))
    assert done.remarks == (f"{tmp_path / 'words'}: 1 of 3 words are not in the model",)
    assert list(load(end).words) == ["the", "w5"]
    unit = np.array(rows["w5"]) / np.linalg.norm(rows["w5"])
    np.testing.assert_allclose(load(end)["w5"], unit, rtol=1e-6)
    convert(source, end, choice=Choice(top=3))
    assert list(load(end).words) == ["the", "of", "naïve"]


@pytest.mark.parametrize(
    ("dtype", "name", "kept", "apart"),
    [("float16", "a.safetensors", 0.99, 1e-3), ("float16", "a.npy", 0.99, 1e-3), ("int8", "a.safetensors", 0.9, 2e-2)],
)
def test_smaller_numbers(
    rows: dict[str, list[float]], tmp_path: Path, dtype: str, name: str, kept: float, apart: float
) -> None:
    """What they cost is as much as a look at all answers says."""
    original = of(rows)
    done = convert(write(original, tmp_path / "source.safetensors"), str(tmp_path / name), choice=Choice(dtype=dtype))
    smaller = load(tmp_path / name)
    assert done.dtype == str(smaller.rows.dtype) == dtype
    assert done.loss is not None
    assert done.loss == loss_between(original, smaller)
    assert kept < done.loss.kept <= 1
    assert 0 < done.loss.apart < apart
    asked = np.unique(np.linspace(0, len(rows) - 1, 200).astype(int))
    exact = original.units(asked) @ original.units(slice(None)).T
    close = smaller.units(asked) @ smaller.units(slice(None)).T
    place = np.arange(len(asked))
    exact[place, asked] = close[place, asked] = -2
    nearest = [set(np.argsort(-scores)[:10].tolist()) for scores in exact]
    found = [set(np.argsort(-scores)[:10].tolist()) for scores in close]
    shared = np.mean([len(one & other) / 10 for one, other in zip(nearest, found, strict=True)])
    assert done.loss.kept == pytest.approx(float(shared), abs=0.002)
    again = convert(str(tmp_path / name), str(tmp_path / "back.kv"))
    assert again.dtype == "float32"


def test_int8_by_hand(tmp_path: Path) -> None:
    source = write(of({"a": [254, -2, 1], "zero": [0, 0, 0]}), tmp_path / "a.npy", "numpy")
    convert(source, str(tmp_path / "b.safetensors"), choice=Choice(dtype="int8"))
    found = load(tmp_path / "b.safetensors")
    assert found.rows.tolist() == [[127, -1, 0], [0, 0, 0]]
    assert found.take(slice(None)).tolist() == [[254, -2, 0], [0, 0, 0]]


def test_what_a_format_cannot_have(rows: dict[str, list[float]], tmp_path: Path) -> None:
    source = write(of({"new york": [1.0], "new_york": [2.0], "a\tb\n": [3.0], "": [4.0]}), tmp_path / "a.safetensors")
    with pytest.raises(W2VError, match=r"b.vec: word2vec-text cannot hold 'new york': it has a space in it; --repair"):
        convert(source, str(tmp_path / "b.vec"))
    assert not (tmp_path / "b.vec").exists()
    done = convert(source, str(tmp_path / "b.tsv"), choice=Choice(repair=True))
    assert list(load(tmp_path / "b.tsv").words) == ["new york", "new_york", "a_b_", "_"]
    assert done.remarks == (f"{tmp_path / 'b.tsv'}: 2 words that projector cannot hold have _ in them now",)
    convert(source, str(tmp_path / "b.vec"), choice=Choice(repair=True))
    assert list(load(tmp_path / "b.vec").words)[:2] == ["new_york_", "new_york"]
    for destination, form, choice, message in (
        ("b.vec", None, Choice(dtype="int8"), "--dtype: word2vec-text cannot have int8; these can: safetensors"),
        ("b.png", None, Choice(), "b.png: which format is this"),
        ("b.vec", "fasttext", Choice(), "--to: fasttext is none of gensim, "),
        ("-", "numpy", Choice(), "-: numpy is more than one file"),
    ):
        with pytest.raises(ConfigError) as caught:
            convert(source, destination, form, choice)
        assert message in str(caught.value)


def test_numbers_that_are_too_large_or_small(tmp_path: Path) -> None:
    source = write(of({"a": [1e-44, -1e-44]}), tmp_path / "a.safetensors")
    convert(source, str(tmp_path / "b.safetensors"), choice=Choice(dtype="int8"))
    assert np.isfinite(load(tmp_path / "b.safetensors").take(slice(None))).all()
    source = write(of({"a": [1e6, 0]}), tmp_path / "a.safetensors")
    with pytest.raises(W2VError, match="too large for float16; --normalize"):
        convert(source, str(tmp_path / "b.safetensors"), choice=Choice(dtype="float16"))


# ---------------------------------------------------------------- what is wrong with a file

WRONG: list[tuple[bytes, str, str, list[str]]] = [
    (b"2 2\na 1 2\na 3 4\n", "line 3: 'a' is there a second time", "only the first kept", ["a"]),
    (
        b"2 2\na 1 2\n\xff 3 4\n",
        "line 3: '\ufffd' is not UTF-8",
        "bytes that are not UTF-8 became U+FFFD",
        ["a", "\ufffd"],
    ),
    (
        b"2 2\nnew york 1 2\nb 3 4\n",
        "line 2: 'new york' has a space in it",
        "words with spaces kept",
        ["new york", "b"],
    ),
    (b"2 2\na 1 2\nb 3\n", "line 3: not a word and 2 numbers, but 'b 3'", "lines that are no vectors left out", ["a"]),
    (b"2 2\na 1 2\nb 3 x\n", "line 3: not a word and 2 numbers", "lines that are no vectors left out", ["a"]),
    (b"2 2\na 1 0x10\nb 1 2\n", "line 2: not a word and 2 numbers", "lines that are no vectors left out", ["b"]),
    (b"2 2\na 1 2\n\nb 3 4\n", "line 3: is empty", "lines that are no vectors left out", ["a", "b"]),
    (b"2 2\na 1 nan\nb 3 4\n", "line 2: 'a' has numbers that are not finite", "left out", ["b"]),
    (b"2 2\na 1 1e99\nb 3 4\n", "line 2: 'a' has numbers that are not finite", "left out", ["b"]),
    (b"3 2\na 1 2\nb 3 4\n", "its end: only 2 of the 3 words that its header claims", "counted anew", ["a", "b"]),
    (b"1 2\na 1 2\nb 3 4\n", "its header: claims 1 words, but there are 2", "counted anew", ["a", "b"]),
    (b"a 1 2\nb 3 4\nb 3 4\n", "line 3: 'b' is there a second time", "only the first kept", ["a", "b"]),
    (b"\xef\xbb\xbf1 2\na 1 2\nb 3 4\n", "its header: claims 1 words", "counted anew", ["a", "b"]),
    (b"new york 0 1\na 1 0\nb 3 4\n", "line 1: 'new york' has a space", "words with spaces", ["new york", "a", "b"]),
    (b"2 1\na \0\0\x80\x3fa \0\0\x80\x3f", "byte 10: 'a' is there a second time", "only the first kept", ["a"]),
    (b"2 1\na \0\0\x80\x3fb \0\0\x80\x7f", "byte 10: 'b' has numbers that are not finite", "left out", ["a"]),
    (b"2 1\na \0\0\x80\x3fb \0\0", "byte 10: ends after 1 of the 2 words", "counted anew", ["a"]),
    (b"1 1\na \0\0\x80\x3fb \0\0\x80\x3f", "byte 10: goes on after the 1 words", "the rest left out", ["a"]),
    (b"1 1\n\xff \0\0\x80\x3f", "byte 4: '\ufffd' is not UTF-8", "bytes that are not UTF-8 became U+FFFD", ["\ufffd"]),
]


@pytest.mark.parametrize(("content", "message", "remedy", "kept"), WRONG)
def test_what_is_wrong_is_refused_or_repaired(
    tmp_path: Path, content: bytes, message: str, remedy: str, kept: list[str]
) -> None:
    file, end = tmp_path / "a", tmp_path / "b.safetensors"
    file.write_bytes(content)
    with pytest.raises(W2VError) as caught:
        convert(str(file), str(end))
    assert str(caught.value).startswith(f"{file}: {message}")
    assert f"--repair: {remedy}" in str(caught.value)
    assert not end.exists()
    done = convert(str(file), str(end), choice=Choice(repair=True))
    assert any(remark.startswith(f"{file}: {remedy}") for remark in done.remarks)
    assert list(load(end).words) == kept


def test_what_gensim_lets_pass_is_not_converted(tmp_path: Path) -> None:
    for rows, message in (
        ({"a": [1.0, 2.0], "b": [np.nan, 1.0]}, "word 2: 'b' has numbers that are not finite"),
        ({"a": [1.0, 2.0], "b": [3.0, 4.0]}, "word 2: 'a' is there a second time"),
    ):
        theirs = KeyedVectors(2)
        theirs.add_vectors(list(rows), np.array(list(rows.values()), dtype=np.float32))
        if "second" in message:
            theirs.index_to_key[1] = "a"
        theirs.save(str(tmp_path / "a.kv"))
        with pytest.raises(W2VError, match=message):
            convert(str(tmp_path / "a.kv"), str(tmp_path / "b.vec"))
        convert(str(tmp_path / "a.kv"), str(tmp_path / "b.vec"), choice=Choice(repair=True))
        assert list(load(tmp_path / "b.vec").words) == ["a"]


def test_half_a_surrogate_pair(tmp_path: Path) -> None:
    theirs = KeyedVectors(1)
    theirs.add_vectors(["a\ud800"], np.ones((1, 1), dtype=np.float32))
    theirs.save(str(tmp_path / "a.kv"))
    for name in ("vec", "bin", "npy", "tsv", "parquet", "safetensors"):
        with pytest.raises(W2VError, match="it has half a surrogate pair in it"):
            convert(str(tmp_path / "a.kv"), str(tmp_path / f"b.{name}"))
        convert(str(tmp_path / "a.kv"), str(tmp_path / f"b.{name}"), choice=Choice(repair=True))
        assert list(load(tmp_path / f"b.{name}").words) == ["a?"]


def test_parquet_of_odd_columns(tmp_path: Path) -> None:
    need("pyarrow", "'w2vcli[parquet]'")
    import pyarrow as pa
    import pyarrow.parquet

    words = pa.array(["a", "b"]).dictionary_encode()
    for count, expected in (([5, 6], [5, 6]), ([5, None], None), (["x", "y"], None)):
        table = pa.table({"word": words, "vector": [[1.0, 2.0], [3.0, 4.0]], "count": count})
        pa.parquet.write_table(table, tmp_path / "a.parquet")
        found = load(tmp_path / "a.parquet")
        assert list(found.words) == ["a", "b"]
        assert expected == (None if found.counts is None else found.counts.tolist())
    pa.parquet.write_table(pa.table({"word": ["a", "b"], "vector": [[1.0, 2, 3], [9.0]]}), tmp_path / "a.parquet")
    with pytest.raises(W2VError, match="its vectors differ in their dimensions"):
        load(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["word2vec-text", "word2vec-binary", "glove"])
def test_of_the_first_words_the_others_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Nor is what is wrong with them, some blocks later."""
    for module in (lines, word2vec_files):
        for size in ("LONGEST", "_PIECE_BYTES", "_BYTES_AT_ONCE"):
            if hasattr(module, size):
                monkeypatch.setattr(module, size, 200)
    vectors = of({f"w{number}": [number, 1] for number in range(100)})
    file = Path(write(vectors, tmp_path / name_of(name), name))
    file.write_bytes(file.read_bytes()[:-3] + b"\xff")
    with pytest.raises(W2VError):
        convert(str(file), str(tmp_path / "b.npy"))
    convert(str(file), str(tmp_path / "b.npy"), choice=Choice(top=7))
    assert list(load(tmp_path / "b.npy").words) == [f"w{number}" for number in range(7)]


def test_nothing_is_not_written(tmp_path: Path) -> None:
    """Numbers with commas, say: what is left after all repairs is nothing, and a good file stays."""
    (tmp_path / "a.vec").write_bytes(b"2 2\na 1,0 0,5\nb 0,1 2,0\n")
    (tmp_path / "b.vec").write_bytes(b"1 2\na 1 2\n")
    with pytest.raises(W2VError, match="line 2: not a word and 2 numbers, but 'a 1,0 0,5'"):
        convert(str(tmp_path / "a.vec"), str(tmp_path / "b.vec"))
    with pytest.raises(W2VError, match=r"a.vec: has no words|nothing of it is left"):
        convert(str(tmp_path / "a.vec"), str(tmp_path / "b.vec"), choice=Choice(repair=True))
    (tmp_path / "words").write_text("nowhere\n")
    with pytest.raises(W2VError, match="nothing of it is left to write"):
        convert(str(tmp_path / "b.vec"), str(tmp_path / "c.vec"), choice=Choice(words=str(tmp_path / "words")))
    assert (tmp_path / "b.vec").read_bytes() == b"1 2\na 1 2\n"


def test_repairs_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.vec").write_bytes(b"4 1\na 1\na 2\nb x\na 3\n")
    done = convert(str(tmp_path / "a.vec"), str(tmp_path / "b.vec"), choice=Choice(repair=True))
    name = tmp_path / "a.vec"
    assert done.remarks == (
        f"{name}: lines that are no vectors left out, at line 4: not a word and 1 numbers, but 'b x'",
        f"{name}: only the first kept, 2 times, first at line 3: 'a' is there a second time",
        f"{name}: counted anew, at its end: only 1 of the 4 words that its header claims",
    )


def test_words_that_do_not_fit_their_vectors(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(3, dtype=np.float32))
    with pytest.raises(W2VError, match=r"a.words.txt: No such file"):
        load(tmp_path / "a.npy")
    (tmp_path / "a.words.txt").write_text("a\nb\n")
    with pytest.raises(W2VError, match=r"a.words.txt has 2 words, but there are 3 vectors"):
        load(tmp_path / "a.npy")
    (tmp_path / "a.words.txt").write_text("a\nb\na\n")
    with pytest.raises(W2VError, match=r"a.words.txt, line 3: 'a' is there a second time"):
        load(tmp_path / "a.npy")
    (tmp_path / "a.tsv").write_text("1\t2\n3\n")
    (tmp_path / "a.metadata.tsv").write_text("a\nb\n")
    with pytest.raises(W2VError, match="line 2: not 2 numbers with tabs between"):
        load(tmp_path / "a.tsv")
    (tmp_path / "a.tsv").write_text("1\t2\n3\tx\n")
    with pytest.raises(W2VError, match="lines 1 to 2: not all of it is numbers"):
        convert(str(tmp_path / "a.tsv"), str(tmp_path / "b.vec"))


# ---------------------------------------------------------------- whole or not at all


def test_a_failure_leaves_what_was_there(rows: dict[str, list[float]], tmp_path: Path) -> None:
    end = tmp_path / "b.npy"
    convert(write(of(rows), tmp_path / "a.safetensors"), str(end))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    write(of({"a\nb": [1.0]}), tmp_path / "c.safetensors")
    (tmp_path / "d.vec").write_bytes(b"2 2\na 1 2\n")
    before |= {name: (tmp_path / name).read_bytes() for name in ("c.safetensors", "d.vec")}
    for source in ("c.safetensors", "d.vec"):
        with pytest.raises(W2VError):
            convert(str(tmp_path / source), str(end))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_files_that_belong_together_come_together(tmp_path: Path) -> None:
    """The file itself last; a process that was killed leaves at most its own folder, which the next one empties."""
    end = tmp_path / "b.npy"
    end.write_bytes(b"old")
    with pytest.raises(RuntimeError), outputs.atomic_siblings(end) as path:
        path.write_bytes(b"new")
        raise RuntimeError
    assert [file.name for file in tmp_path.iterdir()] == ["b.npy"]
    (tmp_path / ".b.npy.parts").mkdir()
    (tmp_path / ".b.npy.parts" / "b.junk").write_bytes(b"left over")
    (tmp_path / ".b.npy.tmp").write_bytes(b"of one who writes it as a single file")
    with outputs.atomic_siblings(end) as path:
        with pytest.raises(LockedError, match="another process is writing it"), outputs.atomic_siblings(end):
            pass
        path.write_bytes(b"new")
        path.with_name("b.words.txt").write_bytes(b"words")
        assert end.read_bytes() == b"old"
    (tmp_path / ".b.npy.tmp").unlink()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"b.npy": b"new", "b.words.txt": b"words"}


def test_an_old_file_is_never_beside_new_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk fails between the renames, there is no file rather than one with another's words."""
    end = tmp_path / "b.npy"
    end.write_bytes(b"old")
    (tmp_path / "b.words.txt").write_bytes(b"old words")
    replace = Path.replace
    renamed: list[str] = []

    def fails_later(entry: Path, target: Path) -> Path:
        if renamed:
            raise OSError("the disk is gone")
        renamed.append(target.name)
        return replace(entry, target)

    with pytest.raises(W2VError, match="the disk is gone"), outputs.atomic_siblings(end) as path:
        path.write_bytes(b"new")
        path.with_name("b.words.txt").write_bytes(b"new words")
        monkeypatch.setattr(Path, "replace", fails_later)
    assert renamed == ["b.words.txt"]
    assert [file.name for file in tmp_path.iterdir()] == ["b.words.txt"]


def test_what_belongs_to_nothing_is_not_replaced(rows: dict[str, list[float]], tmp_path: Path) -> None:
    source = write(of(rows), tmp_path / "a.safetensors")
    mine = tmp_path / "b.words.txt"
    mine.write_text("the\nof\n")
    with pytest.raises(W2VError, match=r"b.words.txt: is there already; it would belong to b.npy"):
        convert(source, str(tmp_path / "b.npy"), choice=Choice(words=str(mine)))
    assert mine.read_text() == "the\nof\n"
    mine.unlink()
    mine.mkdir()
    (tmp_path / "b.npy").write_bytes(b"old")
    with pytest.raises(W2VError, match=r"b.words.txt: is a folder"):
        convert(source, str(tmp_path / "b.npy"))
    assert (tmp_path / "b.npy").read_bytes() == b"old"


def test_pipes_and_devices_are_written_as_they_are(rows: dict[str, list[float]], tmp_path: Path) -> None:
    source = write(of(rows), tmp_path / "a.safetensors")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        content = reader.submit(pipe.read_bytes)
        convert(source, str(pipe), "glove")
        assert content.result(timeout=60).startswith(b"the ")
    assert pipe.is_fifo()
    convert(source, "/dev/null", "safetensors")
    assert not Path("/dev/null").is_file()
    with pytest.raises(ConfigError, match="numpy is more than one file"):
        convert(source, str(pipe), "numpy")
    with ThreadPoolExecutor(1) as writer:
        writer.submit(pipe.write_bytes, Path(source).read_bytes())
        assert list(load(pipe).words) == list(rows)


def test_from_the_web(rows: dict[str, list[float]], tmp_path: Path, server: str) -> None:
    """Also what is mapped into memory, compressed, or of two files."""
    source = write(of(rows), tmp_path / "a.safetensors")
    names = ["a.vec.gz", "a.bin", "a.npy", "a.tsv", "a.safetensors.zst"]
    for name in names:
        convert(source, str(tmp_path / name))
    for name in [*names, "a.safetensors"]:
        found = load(f"{server}/{name}")
        assert list(found.words) == list(rows)
        np.testing.assert_array_equal(found.take(slice(None)), of(rows).rows)
    with pytest.raises(W2VError, match=rf"^{server}/none.vec: .*404"):
        load(f"{server}/none.vec")


def test_through_pipes(rows: dict[str, list[float]], tmp_path: Path) -> None:
    source = write(of(rows), tmp_path / "a.safetensors")
    command = [sys.executable, "-m", "w2vcli", "convert", "-", "-", "--to"]
    content = Path(source).read_bytes()
    for name in ("word2vec-text", "word2vec-binary", "glove", "parquet", "safetensors"):
        if name == "parquet":
            need("pyarrow", "'w2vcli[parquet]'")
        done = subprocess.run([*command, name, "-q"], input=gzip.compress(content), capture_output=True, check=True)
        assert done.stderr == b""
        content = done.stdout
    (tmp_path / "b").write_bytes(content)
    np.testing.assert_array_equal(load(tmp_path / "b").rows, of(rows).rows)
