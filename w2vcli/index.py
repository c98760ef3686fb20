"""An approximate index: near words found by a graph of the vectors, without looking at each of them.

The graph is HNSW's (Malkov and Yashunin 2016, https://arxiv.org/abs/1603.09320), kept by usearch. It only proposes
candidates: these are ranked by their exact cosine similarities, so that scores are always exact and what can be missing
is a neighbour. How many are missing is measured when the index is built.

It is two files beside the model's: `.index.usearch`, the graph with its own copy of the vectors, memory-mapped when it
is opened; and `.index.json`, what is known of it, which is written last.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from w2vcli import outputs, resources, seal
from w2vcli.background import Background
from w2vcli.errors import ConfigError, NotHereError, W2VError
from w2vcli.sources import STDIN, is_url, translated
from w2vcli.vectors import Found, Ids, Rows, Vectors, unit_rows

DTYPES = {"f32": 4, "f16": 2, "i8": 1}
"""What the index may keep numbers as, and the bytes of one."""

_CONNECTIVITY = 16
_EXPANSION = 128
"""Candidates looked at for a new word's links and for an answer: HNSW's efConstruction and ef."""
_NODE_BYTES = 200  # of a word's links, beside its vector
_PIECE = 4096  # words added at once; between pieces there can be an interruption
_MORE = 2  # candidates for each word wanted, at least
_FOLLOWED = 16  # vectors that the graph leads to for each candidate, or what reading them in no order costs as much as

_MEASURED = 1000  # words
_NEIGHBOURS = 10
_TIMED, _TIMED_EXACT = 100, 5  # words asked one at a time

_LOOKED_AT = 1000  # vectors, to see whether they are those of the index
_PARTS, _PART_BYTES = 64, 1 << 16  # of the index file, to see whether it is whole; a small one is read entirely


@dataclass(frozen=True)
class Report:
    """What was built, and how good it is.

    `indexed` are the words with a direction; those of zeros have none. `recall` is the share of the 10 nearest words,
    found by looking at all vectors, that the index finds too, over `measured` random words; None where there are too
    few words. Times are in seconds: of the building, of one question to the index, and of one to all the vectors.
    """

    words: int
    dimensions: int
    indexed: int
    dtype: str
    connectivity: int
    expansion: int
    bytes: int
    recall: float | None
    measured: int
    build_seconds: float
    query_seconds: float
    exact_query_seconds: float


class Index:
    """An index and the vectors it is of.

    Args:
        graph: a usearch Index whose keys are numbers of words.
        vectors: theirs.
        expansion: candidates to ask it for, at least.
    """

    def __init__(self, graph: Any, vectors: Vectors, expansion: int) -> None:
        self._graph, self._vectors, self._expansion = graph, vectors, expansion

    def nearest(
        self, queries: Rows, number: int, left_out: Sequence[Sequence[int]] = (), among: int | None = None
    ) -> list[Found]:
        """Return, for each query, words whose vectors have the largest cosine similarity to it, most of the nearest.

        The scores are exact. Where so many candidates were needed that looking at all the vectors is less work, as in
        a small vocabulary, the answer is exact too.

        Args:
            queries: float32 (q, d), of any length.
            number: so many words, or as many as there are.
            left_out: words that are no answer, for each query.
            among: only of the first so many words.
        """
        limit = len(self._vectors) if among is None else min(among, len(self._vectors))
        wanted = number + max(map(len, left_out), default=0)
        units, candidates = unit_rows(queries), max(self._expansion, _MORE * wanted)
        answers: dict[int, Found] = {}
        waiting = list(range(len(units)))
        while waiting and candidates * _FOLLOWED < limit:
            for query, ids in zip(waiting, self._candidates(units[waiting], candidates), strict=True):
                ids = ids[ids < limit]
                if len(ids) >= wanted:
                    answers[query] = self._ranked(units[query], ids, left_out[query] if left_out else (), number)
            waiting = [query for query in waiting if query not in answers]
            candidates *= 4
        if waiting:
            left = [left_out[query] for query in waiting] if left_out else ()
            answers.update(zip(waiting, self._vectors.nearest(queries[waiting], number, left, among), strict=True))
        return [answers[query] for query in range(len(units))]

    def _candidates(self, units: Rows, number: int) -> Iterator[Ids]:
        found = self._graph.search(units, number, threads=min(len(units), resources.usable_cores()))
        if len(units) == 1:  # usearch answers one query in another shape
            yield found.keys.astype(np.int64)
            return
        for keys, count in zip(found.keys, found.counts.tolist(), strict=True):
            yield keys[:count].astype(np.int64)

    def _ranked(self, unit: Rows, ids: Ids, left_out: Sequence[int], number: int) -> Found:
        ids = np.setdiff1d(ids, np.asarray(left_out, dtype=np.int64))
        scores = self._vectors.units(ids) @ unit
        order = np.lexsort((ids, -scores))[:number]
        return Found(ids[order], scores[order])


# ---------------------------------------------------------------- building


def check(file: str, dtype: str = "f16") -> None:
    """Make sure that an index can be built beside a model's file.

    Raises:
        NotHereError: when usearch is not installed.
        ConfigError: when there is no such dtype.
        W2VError: when nothing can be written there.
    """
    _check_usearch()
    if dtype not in DTYPES:
        raise ConfigError([f"--dtype: {dtype} is none of {', '.join(DTYPES)}"])
    if is_url(file) or file == STDIN:
        raise W2VError(f"{file}: an index lies beside its model's file", "copy the model to this machine first")
    for path in _paths(file):
        outputs.check_folder(path)


def build(
    vectors: Vectors, file: str, dtype: str = "f16", progress: Callable[[int, int], None] | None = None
) -> Report:
    """Build the index of these vectors, measure it, and write it beside the file they are from.

    With one core the same vectors give the same index; the threads of several add words in an order of their own.

    Args:
        vectors: what to index.
        file: the model's file.
        dtype: what numbers are kept as: f32, f16 or i8.
        progress: is told how many words of how many are done.

    Raises:
        W2VError: as `check`, when memory or disk cannot hold it, or when it cannot be written.
    """
    check(file, dtype)
    graph_path, about_path = _paths(file)
    needed = len(vectors) * (vectors.dimensions * DTYPES[dtype] + _NODE_BYTES)
    resources.check_memory(needed, "the index", "--dtype i8 needs less")
    resources.check_space(graph_path.parent, needed, "the index", "--dtype i8 needs less")
    start = time.perf_counter()
    graph, indexed = _graph_of(vectors, dtype, progress)
    build_seconds = time.perf_counter() - start
    measured = _measure(Index(graph, vectors, _EXPANSION), vectors, indexed)
    with outputs.atomic_file(graph_path) as stream:
        try:
            graph.save(stream.name)
        except RuntimeError as error:  # usearch's; it does not say that a disk is full
            raise OSError(str(error)) from error
    report = Report(
        words=len(vectors),
        dimensions=vectors.dimensions,
        indexed=len(indexed),
        dtype=dtype,
        connectivity=_CONNECTIVITY,
        expansion=_EXPANSION,
        bytes=graph_path.stat().st_size,
        build_seconds=build_seconds,
        **measured,
    )
    about = {**asdict(report), "vectors": _checksum_of_vectors(vectors), "graph": _checksum_of_file(graph_path)}
    outputs.write_text(about_path, json.dumps({**about, "checksum": _checksum_of(about)}, indent=1) + "\n")
    return report


def _graph_of(vectors: Vectors, dtype: str, progress: Callable[[int, int], None] | None) -> tuple[Any, Ids]:
    """Return a usearch Index and the numbers of the words in it: those whose vectors have a direction."""
    from usearch.index import Index as Graph

    graph = Graph(
        ndim=vectors.dimensions,
        metric="cos",
        dtype=dtype,
        connectivity=_CONNECTIVITY,
        expansion_add=_EXPANSION,
        expansion_search=_EXPANSION,
    )
    indexed = []
    for first in range(0, len(vectors), _PIECE):
        units = vectors.units(slice(first, first + _PIECE))
        usable = np.flatnonzero(np.isfinite(units).all(axis=1) & units.any(axis=1))
        if len(usable):
            _add(graph, usable + first, units[usable])
        indexed.append(usable + first)
        if progress:
            progress(min(first + _PIECE, len(vectors)), len(vectors))
    return graph, np.concatenate(indexed) if indexed else np.zeros(0, dtype=np.int64)


def _add(graph: Any, numbers: Ids, units: Rows) -> None:
    """Add words in a thread: usearch makes an error of its own of a signal, which is to end the program otherwise."""
    adding = Background(lambda: graph.add(numbers, units, threads=resources.usable_cores()))
    try:
        adding.start()
        adding.wait()
    except BaseException:
        adding.wait()  # the graph must not be taken away from it
        raise


def _measure(index: Index, vectors: Vectors, indexed: Ids) -> dict[str, Any]:
    """Compare the index's answers with those of all the vectors, each word itself left out."""
    words = np.random.default_rng(1).permutation(indexed)[:_MEASURED]
    if len(words) < 2:
        return {"recall": None, "measured": 0, "query_seconds": 0.0, "exact_query_seconds": 0.0}
    queries, left_out = vectors.take(words), [[word] for word in words.tolist()]
    exact = vectors.nearest(queries, _NEIGHBOURS, left_out)
    found = index.nearest(queries, _NEIGHBOURS, left_out)
    both = sum(len(np.intersect1d(one.ids, other.ids)) for one, other in zip(exact, found, strict=True))
    return {
        "recall": both / sum(len(answer.ids) for answer in exact),
        "measured": len(words),
        "query_seconds": _seconds(index.nearest, queries[:_TIMED], left_out),
        "exact_query_seconds": _seconds(vectors.nearest, queries[:_TIMED_EXACT], left_out),
    }


def _seconds(nearest: Callable[..., list[Found]], queries: Rows, left_out: list[list[int]]) -> float:
    """Return what one question takes when they come one at a time."""
    start = time.perf_counter()
    for query, left in zip(queries, left_out, strict=False):
        nearest(query[None], _NEIGHBOURS, [left])
    return (time.perf_counter() - start) / len(queries)


# ---------------------------------------------------------------- opening


def open_index(file: str, vectors: Vectors) -> Index:
    """Open the index beside a model's file; it is memory-mapped.

    Args:
        file: the model's file.
        vectors: those of the file.

    Raises:
        NotHereError: when usearch is not installed.
        W2VError: when there is no index, it is of other vectors, or it is damaged.
    """
    _check_usearch()
    graph_path, about_path = _paths(file)
    again = f"run w2v index {file} again"
    if is_url(file) or not about_path.exists():
        raise W2VError(f"{file}: has no index", f"build one by w2v index {file}")
    about = _read_about(about_path)
    if about is None:
        raise W2VError(f"{about_path}: damaged", again)
    if (about["words"], about["dimensions"]) != (len(vectors), vectors.dimensions) or (
        about["vectors"] != _checksum_of_vectors(vectors)
    ):
        raise W2VError(f"{graph_path}: the index of other vectors than those of {file}", again)
    with translated(str(graph_path)):
        is_whole = graph_path.stat().st_size == about["bytes"] and about["graph"] == _checksum_of_file(graph_path)
    graph = _mapped(graph_path, about["expansion"]) if is_whole else None
    if graph is None or (len(graph), graph.ndim) != (about["indexed"], about["dimensions"]):
        raise W2VError(f"{graph_path}: damaged, or of another version of usearch", again)
    return Index(graph, vectors, about["expansion"])


def _mapped(path: Path, expansion: int) -> Any:
    """Return the usearch Index in a file, or None if it is not one."""
    from usearch.index import Index as Graph

    try:
        return Graph.restore(path, view=True, expansion_search=expansion)
    except (RuntimeError, ValueError):
        return None


def _read_about(path: Path) -> dict[str, Any] | None:
    """Return what an index's JSON file says, or None if it is damaged."""
    with translated(str(path)):
        data = path.read_bytes()
    try:
        about = json.loads(data)
        checksum = about.pop("checksum")
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return about if checksum == _checksum_of(about) else None


def _check_usearch() -> None:
    if find_spec("usearch") is None:
        raise NotHereError(["an index needs usearch, which is not installed; pip install 'w2vcli[index]'"])


def _paths(file: str) -> tuple[Path, Path]:
    return Path(f"{file}.index.usearch"), Path(f"{file}.index.json")


def _checksum_of(about: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(about, sort_keys=True).encode())


def _checksum_of_vectors(vectors: Vectors) -> int:
    """Return the CRC-32 of some vectors, spread over all: enough to tell a model that was trained again."""
    some = np.unique(np.linspace(0, len(vectors) - 1, _LOOKED_AT).astype(np.int64)) if len(vectors) else slice(0)
    return zlib.crc32(vectors.take(some).tobytes())


def _checksum_of_file(path: Path) -> int:
    """Return a checksum of parts of an index.

    usearch trusts the links it reads, and would follow damaged ones out of the file; yet to read all of it for one
    question would take longer than the question.
    """
    return seal.checksum_of_parts(path, _PARTS, _PART_BYTES)
