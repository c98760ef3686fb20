from __future__ import annotations

import bz2
import gzip
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import FastText, KeyedVectors, Word2Vec
from gensim.test.utils import common_texts, datapath
from hypothesis import given, settings
from hypothesis import strategies as st

from w2vcli import formats
from w2vcli.errors import W2VError
from w2vcli.formats import gensim_files, lookup
from w2vcli.model import load
from w2vcli.vectors import Vectors
from w2vcli.words import ListedWords


@pytest.fixture(scope="module")
def model() -> Word2Vec:
    return Word2Vec(common_texts, min_count=1, vector_size=8, workers=1, hs=1)


def assert_same(vectors: Any, expected: KeyedVectors, exact: bool = True) -> None:
    assert isinstance(vectors, Vectors)
    assert list(vectors.words) == list(expected.index_to_key)
    if exact:
        np.testing.assert_array_equal(vectors.rows, expected.vectors)
    else:
        np.testing.assert_allclose(vectors.rows, expected.vectors, rtol=1e-6)


def test_gensims_own_files(model: Word2Vec, tmp_path: Path) -> None:
    model.save(str(tmp_path / "a.model"))
    model.wv.save(str(tmp_path / "a.kv"))
    for name in ("a.model", "a.kv"):
        assert formats.format_of(str(tmp_path / name)) == "gensim"
        assert_same(load(tmp_path / name), model.wv)


def test_large_arrays_are_memory_mapped(model: Word2Vec, tmp_path: Path) -> None:
    model.save(str(tmp_path / "a.model"), separately=["syn1neg"], sep_limit=0)
    model.wv.save(str(tmp_path / "b.kv"), separately=["vectors"])
    vectors = load(tmp_path / "b.kv")
    assert isinstance(vectors.rows, np.memmap)
    assert_same(vectors, model.wv)


def test_a_lookup_spares_reading_the_model(model: Word2Vec, tmp_path: Path) -> None:
    """Neither the pickle nor all of the arrays, as long as they belong together."""
    for name, saved in (("a.model", model), ("b.kv", model.wv)):
        path = tmp_path / name
        saved.save(str(path), sep_limit=0)
        path.write_bytes(b"\x80\x04 not looked at")
        lookup.write(path, Vectors.of(model.wv))
        vectors = load(path)
        assert isinstance(vectors.rows, np.memmap)
        assert_same(vectors, model.wv)
        assert [vectors.words.find(word) for word in model.wv.index_to_key] == list(range(len(model.wv)))
        np.testing.assert_allclose(vectors.norms, np.linalg.norm(model.wv.vectors, axis=1), rtol=1e-6)


def test_a_lookup_of_something_else_is_passed_over(model: Word2Vec, tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    model.save(str(path), sep_limit=0)
    fewer, others = Vectors.of(model.wv), Vectors.of(model.wv)
    fewer = Vectors(ListedWords(fewer.words[:5]), fewer.rows[:5])
    others = Vectors(others.words, np.array(others.rows)[::-1])
    for wrong in (fewer, others):
        lookup.write(path, wrong)
        assert lookup.read(path) is None
        assert_same(load(path), model.wv)
    lookup.write(path, Vectors.of(model.wv))
    assert lookup.read(path) is not None
    for damaged in sorted(tmp_path.glob("a.model.lookup.*")):
        content = damaged.read_bytes()
        for wrong_content in (content[: len(content) // 2], b"", b"nothing"):
            damaged.write_bytes(wrong_content)
            assert lookup.read(path) is None
        damaged.unlink()
        found = lookup.read(path)
        assert found is None or (found.counts is None and "counts" in damaged.name)  # which is known of runs alone
        assert_same(load(path), model.wv)
        damaged.write_bytes(content)


def test_a_lookup_of_what_was_there_before_is_passed_over(tmp_path: Path) -> None:
    """Gensim saves another model by that name: its vectors are in its file, while the former ones lie beside it."""
    counted = of_rows({"a": [1, 2], "b": [3, 4]})
    counted.counts = np.array([7, 5])
    gensim_files.write(tmp_path / "a.kv", counted)
    assert load(tmp_path / "a.kv").counts is not None
    later = KeyedVectors(2)
    later.add_vectors(["x", "y"], np.array([[5, 6], [7, 8]], dtype=np.float32))
    later.save(str(tmp_path / "a.kv"))
    assert_same(load(tmp_path / "a.kv"), later)
    gensim_files.write(tmp_path / "a.kv", of_rows({"a": [1, 2], "b": [3, 4]}))
    assert load(tmp_path / "a.kv").counts is None


def of_rows(rows: dict[str, list[float]]) -> Vectors:
    return Vectors(ListedWords(list(rows)), np.array(list(rows.values()), dtype=np.float32))


def test_of_a_model_without_words_there_is_nothing(tmp_path: Path) -> None:
    KeyedVectors(3).save(str(tmp_path / "a.kv"), sep_limit=0)
    lookup.write(tmp_path / "a.kv", load(tmp_path / "a.kv"))
    assert len(load(tmp_path / "a.kv")) == 0


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("extension", ["", ".gz", ".bz2"])
def test_word2vec_files(model: Word2Vec, tmp_path: Path, binary: bool, extension: str) -> None:
    path = tmp_path / "vectors.any"
    model.wv.save_word2vec_format(str(path), binary=binary)
    if extension:
        content = path.read_bytes()
        path = tmp_path / f"vectors{extension}"
        path.write_bytes(gzip.compress(content) if extension == ".gz" else bz2.compress(content))
    assert formats.format_of(str(path)) == ("word2vec-binary" if binary else "word2vec-text")
    assert_same(load(path), model.wv, exact=binary)


@pytest.mark.parametrize("name", ["word2vec_3.3", "model-from-gensim-3.8.0.w2v", "word2vec_old"])
def test_models_of_older_gensims(name: str) -> None:
    assert_same(load(datapath(name)), Word2Vec.load(datapath(name)).wv)


@pytest.mark.parametrize("name", ["toy-model.vec", "euclidean_vectors.bin", "lee_fasttext.vec"])
def test_files_of_other_makers(name: str) -> None:
    expected = KeyedVectors.load_word2vec_format(datapath(name), binary=name.endswith(".bin"))
    assert_same(load(datapath(name)), expected)


def test_fasttext_saved_by_gensim(tmp_path: Path) -> None:
    model = FastText(common_texts, min_count=1, vector_size=4, bucket=50, workers=1)
    model.save(str(tmp_path / "a.model"))
    np.testing.assert_array_equal(load(tmp_path / "a.model")["human"], model.wv["human"])


word = st.text(
    st.characters(exclude_characters=" \n\r\t\x0b\x0c\x1c\x1d\x1e\x1f\x85", exclude_categories=["Cs", "Z", "Cc"]),
    min_size=1,
)
vectors = st.dictionaries(
    word, st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3), min_size=1, max_size=8
)


@given(vectors, st.booleans())
@settings(max_examples=50)
def test_whatever_gensim_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, list[float]], binary: bool
) -> None:
    path = tmp_path_factory.mktemp("vectors") / "a"
    written = KeyedVectors(3)
    written.add_vectors(list(rows), np.array(list(rows.values()), dtype=np.float32))
    written.save_word2vec_format(str(path), binary=binary)
    assert_same(load(path), written, exact=binary)


# ---------------------------------------------------------------- files that are not models, and worse


class Hostile:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return Path.touch, (self.place,)


def test_no_code_runs_from_a_pickle(model: Word2Vec, tmp_path: Path) -> None:
    trace = tmp_path / "it ran"
    (tmp_path / "a.model").write_bytes(pickle.dumps(Hostile(trace)))
    model.comment = Hostile(trace)
    model.save(str(tmp_path / "b.model"))
    model.comment = None
    for name in ("a.model", "b.model"):
        with pytest.raises(W2VError, match=r"not a Gensim model that is safe to open: it names pathlib\S*Path"):
            load(tmp_path / name)
    assert not trace.exists()
    pickle.loads((tmp_path / "a.model").read_bytes())
    assert trace.exists()  # plain pickle would have run it


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "gensim.utils.unpickle", "numpy.load", "builtins.getattr"]
)
def test_names_that_are_not_admitted(tmp_path: Path, name: str) -> None:
    module, _, function = name.rpartition(".")
    (tmp_path / "a.model").write_bytes(b"\x80\x04c" + f"{module}\n{function}\n".encode() + b"(X\x01\x00\x00\x00xtR.")
    with pytest.raises(W2VError, match=f"it names {name}, which no Gensim model needs"):
        load(tmp_path / "a.model")


def test_arrays_of_objects_beside_a_model_are_not_unpickled(model: Word2Vec, tmp_path: Path) -> None:
    trace = tmp_path / "it ran"
    model.wv.save(str(tmp_path / "a.kv"), separately=["vectors"])
    np.save(tmp_path / "a.kv.vectors.npy", np.array([Hostile(trace)], dtype=object), allow_pickle=True)
    with pytest.raises(W2VError, match="damaged, or not a model"):
        load(tmp_path / "a.kv")
    assert not trace.exists()


@pytest.mark.parametrize("inside", [False, True])
def test_sparse_arrays_beside_a_model_are_not_unpickled(model: Word2Vec, tmp_path: Path, inside: bool) -> None:
    """Gensim reads them with plain pickle, whatever read the model itself."""
    trace = tmp_path / "it ran"
    hostile = {"__numpys": [], "__ignoreds": [], "__recursive_saveloads": ["wv"], "__scipys": [] if inside else ["x"]}
    model.__dict__.update(hostile)
    model.wv.__dict__.update({**hostile, "__recursive_saveloads": [], "__scipys": ["x"]})
    (tmp_path / "a.model").write_bytes(pickle.dumps(model, 4))
    for name in hostile:
        del model.__dict__[name], model.wv.__dict__[name]
    for name in ("a.model.x.npy", "a.model.wv.x.npy"):
        (tmp_path / name).write_bytes(pickle.dumps(Hostile(trace)))
    with pytest.raises(W2VError, match="it has sparse arrays beside it"):
        formats.read_gensim(str(tmp_path / "a.model"))
    assert_same(load(tmp_path / "a.model"), model.wv)  # they are not looked at
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a model that w2v can read"),
        (b"just some text\nof several lines\n", "not a model that w2v can read"),
        (b"\x89PNG\r\n\x1a\n", "not a model that w2v can read"),
        (b"\x80\x04K\x01.", "it holds a int"),
        (b"\x80\x04", "damaged, or not a model"),
        (b"3 2\na 0.5 0.5\nb 0.5 0.5\n", "its end: only 2 of the 3 words that its header claims"),
        (b"2 2\na 0.5 0.5\nb 0.5 x\n", "line 3: not a word and 2 numbers, but 'b 0.5 x'"),
        (b"2 2\na \0\0\0\0", "byte 4: ends after 0 of the 2 words that its header claims"),
        (b"1000000000000 300\na 0.5 0.5\n", "line 2: not a word and 300 numbers"),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(W2VError) as caught:
        load(tmp_path / "a")
    assert str(caught.value).startswith(f"{tmp_path / 'a'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_side_file(model: Word2Vec, tmp_path: Path) -> None:
    model.wv.save(str(tmp_path / "a.kv"), separately=["vectors"])
    (tmp_path / "a.kv.vectors.npy").unlink()
    with pytest.raises(W2VError, match=r"a.kv.vectors.npy: No such file or directory"):
        load(tmp_path / "a.kv")
