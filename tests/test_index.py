"""The index finds what looking at all the vectors finds, or says that it cannot be used."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from w2vcli import index, model, outputs, resources
from w2vcli.errors import ConfigError, LockedError, NotHereError, W2VError
from w2vcli.vectors import Found, Ids, Rows, Vectors
from w2vcli.words import ListedWords

from .conftest import W2V, need

WORDS, DIMENSIONS = 6000, 16
ZEROS = (0, 17, 5999)


@pytest.fixture(autouse=True)
def _usearch() -> None:
    need("usearch", "'w2vcli[index]'")


def vectors_of(rows: Rows) -> Vectors:
    return Vectors(ListedWords([f"w{number}" for number in range(len(rows))]), rows)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Words around 200 topics, some of them without a direction."""
    random = np.random.default_rng(5)
    topics = random.standard_normal((200, DIMENSIONS))
    rows = topics[random.integers(0, 200, WORDS)] + 0.5 * random.standard_normal((WORDS, DIMENSIONS))
    rows *= random.uniform(0.1, 9, (WORDS, 1))
    rows[list(ZEROS)] = 0
    return vectors_of(rows.astype(np.float32))


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "words.kv")


@pytest.fixture(scope="module")
def built(vectors: Vectors, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, index.Report]:
    need("usearch", "'w2vcli[index]'")
    file = str(tmp_path_factory.mktemp("index") / "words.kv")
    return file, index.build(vectors, file)


def shared(one: Found, other: Found) -> float:
    return len(np.intersect1d(one.ids, other.ids)) / len(other.ids) if len(other.ids) else 1.0


def test_it_finds_nearly_all_that_exact_search_finds(vectors: Vectors, built: tuple[str, index.Report]) -> None:
    opened = index.open_index(built[0], vectors)
    asked = np.arange(20, 320)
    left_out = [[number] for number in asked.tolist()]
    exact = vectors.nearest(vectors.take(asked), 10, left_out)
    found = opened.nearest(vectors.take(asked), 10, left_out)
    assert np.mean([shared(*pair) for pair in zip(found, exact, strict=True)]) > 0.99
    for answer, number, pair in zip(found, asked, left_out, strict=True):
        assert len(answer.ids) == 10 and pair[0] not in answer.ids
        assert list(answer.scores) == sorted(answer.scores, reverse=True)
        cosines = vectors.units(answer.ids) @ vectors.units(np.array([number]))[0]
        np.testing.assert_allclose(answer.scores, cosines, rtol=1e-6)


@pytest.mark.parametrize("dtype", index.DTYPES)
def test_scores_are_exact_whatever_the_index_keeps(vectors: Vectors, file: str, dtype: str) -> None:
    report = index.build(vectors, file, dtype)
    assert (report.words, report.dimensions, report.indexed) == (WORDS, DIMENSIONS, WORDS - len(ZEROS))
    assert report.dtype == dtype and report.measured == 1000
    assert report.recall is not None and 0.98 < report.recall <= 1
    assert report.bytes == Path(f"{file}.index.usearch").stat().st_size
    (found,) = index.open_index(file, vectors).nearest(vectors.take(np.array([7])), 3)
    (exact,) = vectors.nearest(vectors.take(np.array([7])), 3)
    assert found.ids.tolist() == exact.ids.tolist()
    np.testing.assert_allclose(found.scores, exact.scores, rtol=1e-6)


def test_the_recall_is_the_share_of_neighbours_found(
    vectors: Vectors, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index of which every second candidate is hidden finds less, and by so much less is its recall."""
    whole = index.Index._candidates

    def halved(self: index.Index, units: Rows, number: int) -> list[Ids]:
        return [ids[ids % 2 == 0] for ids in whole(self, units, number)]

    monkeypatch.setattr(index.Index, "_candidates", halved)
    report = index.build(vectors, file)
    words = np.random.default_rng(1).permutation(np.setdiff1d(np.arange(WORDS), ZEROS))[:1000]
    exact = vectors.nearest(vectors.take(words), 10, [[word] for word in words.tolist()])
    even = np.mean([np.mean(answer.ids % 2 == 0) for answer in exact])
    assert report.recall == pytest.approx(even, abs=0.01)


@pytest.mark.parametrize("among", [1, 100, 2500, 5500, WORDS + 1])
@pytest.mark.parametrize("number", [1, 10, 400, WORDS + 1])
def test_among_the_first_words(vectors: Vectors, built: tuple[str, index.Report], among: int, number: int) -> None:
    opened = index.open_index(built[0], vectors)
    asked = np.arange(1, 17)
    queries, left_out = vectors.take(asked), [[word, 8][: 1 + word % 2] for word in asked.tolist()]
    exact, found = (one.nearest(queries, number, left_out, among) for one in (vectors, opened))
    assert [len(answer.ids) for answer in found] == [len(answer.ids) for answer in exact]
    assert all((answer.ids < among).all() for answer in found)
    assert np.mean([shared(*pair) for pair in zip(found, exact, strict=True)]) > 0.98


def test_candidates_are_asked_for_until_there_are_enough(file: str) -> None:
    """The words that are nearest to the query are all outside of the first 3,000."""
    random = np.random.default_rng(6)
    rows = random.standard_normal((WORDS, 8)).astype(np.float32)
    rows[3000:, 0] = 9
    rows[:3000, 0] = -9
    vectors = vectors_of(rows)
    index.build(vectors, file)
    query = np.eye(1, 8, dtype=np.float32)
    (found,) = index.open_index(file, vectors).nearest(query, 5, among=3000)
    (exact,) = vectors.nearest(query, 5, among=3000)
    assert found.ids.tolist() == exact.ids.tolist()


def test_a_word_without_a_direction_is_as_near_to_all(vectors: Vectors, built: tuple[str, index.Report]) -> None:
    opened = index.open_index(built[0], vectors)
    (found,) = opened.nearest(np.zeros((1, DIMENSIONS), dtype=np.float32), 4)
    assert found.scores.tolist() == [0, 0, 0, 0]


def test_no_queries(vectors: Vectors, built: tuple[str, index.Report]) -> None:
    assert index.open_index(built[0], vectors).nearest(np.zeros((0, DIMENSIONS), dtype=np.float32), 4) == []


@pytest.mark.parametrize("rows", [np.zeros((0, 4)), np.zeros((5, 4)), np.ones((1, 4)), np.eye(3, 4)])
def test_small_and_empty_vocabularies(rows: Rows, file: str) -> None:
    vectors = vectors_of(rows.astype(np.float32))
    report = index.build(vectors, file)
    assert report.words == len(rows) and report.recall == (1 if len(rows) == 3 else None)
    assert report.measured == (3 if len(rows) == 3 else 0)
    query = np.array([[0, 1, 0, 0]], dtype=np.float32)
    (found,), (exact,) = index.open_index(file, vectors).nearest(query, 2), vectors.nearest(query, 2)
    assert found.ids.tolist() == exact.ids.tolist()


def test_with_one_core_the_same_vectors_give_the_same_index(
    vectors: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "usable_cores", lambda: 1)
    for name in ("one", "other"):
        index.build(vectors, str(tmp_path / name))
    assert (tmp_path / "one.index.usearch").read_bytes() == (tmp_path / "other.index.usearch").read_bytes()


# ---------------------------------------------------------------- what cannot be used


def test_there_is_none(vectors: Vectors, file: str) -> None:
    with pytest.raises(W2VError, match=r"words\.kv: has no index; build one by w2v index .*words\.kv$"):
        index.open_index(file, vectors)


@pytest.mark.parametrize("change", ["a word more", "a word less", "a dimension less", "other numbers"])
def test_an_index_of_other_vectors_is_refused(vectors: Vectors, built: tuple[str, index.Report], change: str) -> None:
    rows = np.array(vectors.rows)
    others = {
        "a word more": np.concatenate([rows, rows[:1]]),
        "a word less": rows[:-1],
        "a dimension less": rows[:, :-1],
        "other numbers": rows + np.float32(1e-3),
    }
    with pytest.raises(W2VError, match=r"the index of other vectors than those of .*; run w2v index .* again"):
        index.open_index(built[0], vectors_of(others[change]))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda data: b"",
    "a half": lambda data: data[: len(data) // 2],
    "a byte less": lambda data: data[:-1],
    "a byte more": lambda data: data + b"\0",
    "zeros at the end": lambda data: data[:-1000] + bytes(1000),
    "links that lead nowhere": lambda data: data[:-1000] + b"\xff" * 1000,
    "one bit": lambda data: data[:300_000] + bytes([data[300_000] ^ 1]) + data[300_001:],
    "another file": lambda data: b"\x93NUMPY" + data[6:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_refused(vectors: Vectors, file: str, damage: str) -> None:
    """usearch itself would crash on some of them, or answer nonsense."""
    index.build(vectors, file)
    path = Path(f"{file}.index.usearch")
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(W2VError, match=r"words.kv.index.usearch: damaged.*; run w2v index .* again$"):
        index.open_index(file, vectors)


def test_damaged_json_is_refused(vectors: Vectors, built: tuple[str, index.Report]) -> None:
    data = Path(f"{built[0]}.index.json").read_bytes()
    file = f"{built[0]}.damaged"
    for damaged in (b"", data[:100], data.replace(b"6000", b"6001"), data.replace(b"128", b"true"), b"\xff" + data):
        Path(f"{file}.index.json").write_bytes(damaged)
        with pytest.raises(W2VError, match=r"damaged\.index\.json: damaged; run w2v index .* again$"):
            index.open_index(file, vectors)


@pytest.mark.parametrize("content", ["[]", "7", "{}", '{"checksum": 1}', "nonsense"])
def test_another_json_file_is_refused(vectors: Vectors, built: tuple[str, index.Report], content: str) -> None:
    file = f"{built[0]}.copy"
    Path(f"{file}.index.json").write_text(content)
    with pytest.raises(W2VError, match=r"index\.json: damaged; run w2v index"):
        index.open_index(file, vectors)


def test_an_index_file_that_is_gone_or_that_usearch_cannot_read(vectors: Vectors, file: str) -> None:
    index.build(vectors, file)
    about, graph = Path(f"{file}.index.json"), Path(f"{file}.index.usearch")
    graph.write_bytes(b"of some later version" * 9)
    said = json.loads(about.read_text())
    said |= {"bytes": graph.stat().st_size, "graph": index._checksum_of_file(graph)}
    del said["checksum"]
    about.write_text(json.dumps({**said, "checksum": index._checksum_of(said)}))
    with pytest.raises(W2VError, match=r"of another version of usearch; run w2v index .* again"):
        index.open_index(file, vectors)
    graph.unlink()
    with pytest.raises(W2VError, match=r"index\.usearch: No such file"):
        index.open_index(file, vectors)


# ---------------------------------------------------------------- whole or not at all


def test_the_former_index_stays_until_the_new_one_is_whole(
    vectors: Vectors, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.build(vectors, file)
    before = {path.name: path.read_bytes() for path in Path(file).parent.iterdir()}

    def interrupt(done: int, total: int) -> None:
        assert total == WORDS
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.build(vectors, file, "i8", interrupt)
    with monkeypatch.context() as patched:
        patched.setattr("usearch.index.Index.save", lambda graph, path: Path(path).write_bytes(b"half") and 1 / 0)
        with pytest.raises(ZeroDivisionError):
            index.build(vectors, file, "i8")
    assert {path.name: path.read_bytes() for path in Path(file).parent.iterdir()} == before


def test_a_write_that_fails_is_one_line(vectors: Vectors, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(graph: object, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise RuntimeError("Failed to serialize into stream")

    monkeypatch.setattr("usearch.index.Index.save", fail)
    with pytest.raises(W2VError, match=r"index\.usearch: cannot be written: Failed to serialize into stream"):
        index.build(vectors, file)
    assert not list(Path(file).parent.iterdir())


def test_two_cannot_write_the_same_index(vectors: Vectors, file: str) -> None:
    with outputs.atomic_file(f"{file}.index.usearch"), pytest.raises(LockedError):
        index.build(vectors, file)


def test_what_cannot_be_built_is_said_before(vectors: Vectors, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--dtype: f61 is none of f32, f16, i8"):
        index.check(file, "f61")
    with pytest.raises(W2VError, match="copy the model to this machine first"):
        index.check("https://example.org/words.kv")
    with pytest.raises(W2VError, match="does not exist"):
        index.check("nowhere/words.kv")
    monkeypatch.setattr(resources, "available_memory", lambda: 1000)
    with pytest.raises(W2VError, match=r"the index needs about 1\.39 MB of memory; .*; --dtype i8 needs less"):
        index.build(vectors, file)


def test_without_usearch(vectors: Vectors, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "find_spec", lambda name: None)
    for ask in (lambda: index.check(file), lambda: index.open_index(file, vectors)):
        with pytest.raises(NotHereError, match=r"needs usearch, .*; pip install 'w2vcli\[index\]'"):
            ask()


# ---------------------------------------------------------------- the command


def test_the_command(lee: Path, lee_run: Path, tmp_path: Path, w2v: W2V) -> None:
    run = tmp_path / "run"
    shutil.copytree(lee_run, run)
    result = w2v("index", run)
    assert result.code == 0 and not result.err
    shown = dict[str, str](line.rsplit(maxsplit=1) for line in result.out.splitlines())
    assert shown["recall@10"].strip() == "1.0000"  # so few words are all looked at
    vectors, file = model.load(run), model.file_of(run)
    found = index.open_index(file, vectors).nearest(vectors.take(np.array([5])), 3)
    assert found[0].ids.tolist() == vectors.nearest(vectors.take(np.array([5])), 3)[0].ids.tolist()
    as_json = json.loads(w2v("index", file, "--json", "--dtype", "i8").out)
    assert (as_json["words"], as_json["dtype"], as_json["measured"]) == (len(vectors), "i8", 1000)
    wrong = w2v("index", run, "--dtype", "f61")
    assert (wrong.code, wrong.error_lines) == (2, ["w2v: error: --dtype: f61 is none of f32, f16, i8"])
    again = w2v("train", lee, "-o", run, "--set", "word2vec.workers=1", "--set", "word2vec.epochs=2")
    assert again.code == 0 and "up to date" in again.err


def test_an_interruption_is_one(vectors: Vectors, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """usearch itself would make an error of its own of a signal."""
    from usearch.index import Index as Graph

    add = Graph.add

    def interrupted(self: Graph, *arguments: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return add(self, *arguments, **options)

    monkeypatch.setattr(Graph, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index.build(vectors, file)
    assert not list(Path(file).parent.iterdir())
