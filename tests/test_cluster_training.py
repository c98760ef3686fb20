"""Training on a real Ray cluster of several nodes on this machine, some of which are lost on the way."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from w2vcli import training
from w2vcli.engines import cluster_engine
from w2vcli.engines.cluster_engine import Team
from w2vcli.errors import ConfigError, W2VError
from w2vcli.workers import DeadWorkerError

from .test_cluster import running

pytestmark = pytest.mark.slow
NODES = 3
WORDS = 120_000
SETTINGS: dict[str, dict[str, Any]] = {
    "word2vec": {"sg": 1, "vector_size": 16, "min_count": 1, "epochs": 2, "negative": 3, "sample": 0},
    "train": {"block_words": 30_000, "sync_words": 2_000, "heldout": 100, "checkpoint_every": "60000 words"},
}


@pytest.fixture(scope="module")
def real() -> Iterator[Any]:
    with running(NODES) as real:
        yield real


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentences of ten words, all of one of forty topics of ten words each."""
    rng = np.random.default_rng(1)
    topics = rng.integers(40, size=WORDS // 10)
    words = np.minimum(rng.zipf(1.5, (len(topics), 10)) - 1, 9)
    path = tmp_path_factory.mktemp("text") / "text.txt"
    lines = (" ".join(f"t{topic}w{word}" for word in row) for topic, row in zip(topics, words, strict=True))
    path.write_text("\n".join(lines))
    return path


def settings(**train: Any) -> dict[str, Any]:
    return {**SETTINGS, "train": {**SETTINGS["train"], **train}}


def bits(run: Path) -> str:
    from gensim.models import Word2Vec

    model = Word2Vec.load(str(run / "model" / "word2vec.model"))
    return hashlib.sha256(model.wv.vectors.tobytes() + model.syn1neg.tobytes()).hexdigest()


def trained(events: list[dict[str, Any]]) -> int:
    """Return how many words were trained: with `sample: 0`, all of them, each as often as there are epochs."""
    return int([event for event in events if event["event"] == "block"][-1]["trained_words"])


@pytest.fixture(scope="module")
def undisturbed(real: Any, text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What a run becomes that nothing happens to."""
    run = tmp_path_factory.mktemp("run") / "run"
    events = list(training.events(text, run, settings(), cluster=real.address))
    start = next(event for event in events if event["event"] == "start")
    about = start["cluster"]
    assert (about["workers"], about["threads"], about["sync_words"]) == (NODES, 1, 2000)
    assert trained(events) == events[-1]["words"] == start["total_words"]
    return events[-1], bits(run)


def test_it_learns_what_one_machine_does(undisturbed: tuple[dict[str, Any], str], text: Path, tmp_path: Path) -> None:
    alone = training.train(text, tmp_path / "run", settings())
    assert undisturbed[0]["words"] == alone["words"]
    untrained = next(e["loss"] for e in training.events(text, tmp_path / "other", settings()) if e["event"] == "loss")
    gained = (untrained - undisturbed[0]["loss"]) / (untrained - alone["loss"])
    assert gained > 0.9


def disturb(monkeypatch: pytest.MonkeyPatch, doom: Callable[[Team], None], number: int) -> list[int]:
    """Have something happen while round `number` is under way; return a list of what has happened."""
    attempt, done = Team._attempt, []

    def attempted(self: Team, steps: Any) -> int | None:
        if self._token == (number, 0):
            done.append(len(self))
            doom(self)
        return attempt(self, steps)

    monkeypatch.setattr(Team, "_attempt", attempted)
    return done


def kill(*actors: Any) -> None:
    send(signal.SIGKILL, *actors)


def send(number: int, *actors: Any) -> None:
    import ray

    for pid in ray.get([actor.__ray_call__.remote(lambda _: os.getpid()) for actor in actors]):
        os.kill(pid, number)


@pytest.mark.parametrize("what", ["_members", "_mergers"])
def test_a_lost_process_changes_nothing(
    real: Any, undisturbed: tuple[dict[str, Any], str], text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:  # fmt: skip
    done = disturb(monkeypatch, lambda team: kill(getattr(team, what)[0]), 7)
    last = training.train(text, tmp_path / "run", settings(), cluster=real.address)
    assert done == [NODES]
    assert (last["words"], last["loss"]) == (undisturbed[0]["words"], undisturbed[0]["loss"])
    assert bits(tmp_path / "run") == undisturbed[1]


@pytest.mark.parametrize("what", ["_members", "_mergers"])
def test_one_that_hangs_is_replaced(
    real: Any, undisturbed: tuple[dict[str, Any], str], text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:  # fmt: skip
    def hang(team: Team) -> None:
        team._patience, team._slowest = 0.6, 0.0
        send(signal.SIGSTOP, getattr(team, what)[0])

    done = disturb(monkeypatch, hang, 7)
    training.train(text, tmp_path / "run", settings(), cluster=real.address)
    assert done == [NODES]
    assert bits(tmp_path / "run") == undisturbed[1]


def test_after_an_interruption_the_bits_are_the_same(
    real: Any, undisturbed: tuple[dict[str, Any], str], text: Path, tmp_path: Path
) -> None:
    for event in training.events(text, tmp_path / "run", settings(), cluster=real.address):
        if event["event"] == "checkpoint":
            break
    training.train(text, tmp_path / "run", settings(), cluster=real.address)
    assert bits(tmp_path / "run") == undisturbed[1]


def test_other_workers_go_on(real: Any, text: Path, tmp_path: Path) -> None:
    run, seen = tmp_path / "run", []
    for event in training.events(text, run, settings(cluster_workers=2), cluster=real.address):
        seen.append(event["event"])
        if seen.count("checkpoint"):
            break
    events = list(training.events(text, run, settings(cluster_workers=3), cluster=real.address))
    start = next(event for event in events if event["event"] == "start")
    assert (start["cluster"]["workers"], start["done_words"] > 0) == (3, True)
    assert trained(events) == events[-1]["words"] == start["total_words"]


def test_a_lost_node_leaves_the_others_to_it(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_engine, "_REST", 0.2)
    with running(2) as real:
        lost = disturb(monkeypatch, lambda team: real.remove_node(real.worker_nodes.copy().pop(), False), 7)
        events = list(training.events(text, tmp_path / "run", settings(), cluster=real.address))
        assert (lost, trained(events)) == ([2], events[-1]["words"])
        assert len(real.worker_nodes) == 1


def test_all_are_lost(real: Any, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        disturb(patched, lambda team: kill(*team._members), 19)
        with pytest.raises(DeadWorkerError, match="all its workers were lost; run this again"):
            training.train(text, run, settings(), cluster=real.address)
    events = list(training.events(text, run, settings()))  # here, this time
    start = next(event for event in events if event["event"] == "start")
    assert start["done_words"] > 0
    assert trained(events) == events[-1]["words"] == start["total_words"]


def test_what_cannot_be_trained_there(real: Any, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for config, problem in (
        (settings(engine="gensim"), "train.engine: gensim cannot train on a cluster; numba can"),
        (settings(cluster_workers=50), "train.cluster_workers: 50, but the cluster has 3 cores"),
    ):
        with pytest.raises(ConfigError, match=problem):
            training.train(text, tmp_path / "run", config, cluster=real.address)
    monkeypatch.setattr(cluster_engine, "__version__", "9.9")
    with pytest.raises(W2VError, match=r"node .* has w2vcli .*, and not 9\.9"):
        training.train(text, tmp_path / "run", settings(), cluster=real.address)
    assert not (tmp_path / "run" / "model").exists()
