"""On a real Ray cluster: several nodes, each with its raylet, on this machine."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock

import pytest

from w2vcli import cluster as clusters
from w2vcli.cluster import Cluster, connected
from w2vcli.encoding import encode
from w2vcli.errors import ConfigError, W2VError
from w2vcli.preprocessing import parts, pipeline, preprocess
from w2vcli.sources import expand
from w2vcli.workers import DeadWorkerError, Result, Task

from .conftest import need

NODES = 3


@contextmanager
def running(nodes: int) -> Iterator[Any]:
    """Yield a cluster whose head has no cores, and so many nodes that have one each."""
    need("ray", "'w2vcli[ray]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster as RealCluster

    memory = {"object_store_memory": 200 << 20}
    real = RealCluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **memory})
    try:
        for _ in range(nodes):
            real.add_node(num_cpus=1, **memory)
        yield real
    finally:
        real.shutdown()


@pytest.fixture(scope="module")
def real() -> Iterator[Any]:
    with running(NODES) as real:
        yield real


@pytest.fixture
def small_parts() -> Iterator[None]:
    """Texts of some hundred kilobytes are cut and fed as large ones are."""
    with ExitStack() as stack:
        sizes: Any = {"RANGE_BYTES": 1 << 16, "WHOLE_BYTES": 1 << 17, "FED_BYTES": 1 << 16}
        stack.enter_context(mock.patch.multiple(parts, **sizes))
        stack.enter_context(mock.patch.object(pipeline, "_ALONE_BYTES", 0))
        yield


def text(seed: int, size: int) -> str:
    chance = random.Random(seed)
    ends = [" ", " ", " ", " ", ". ", "?\n", "\n\n", "\r\n", " — "]
    words = [f"{chance.choice(['W', 'ü', 'x'])}{chance.randrange(3000)}" for _ in range(size // 6)]
    return "".join(word + chance.choice(ends) for word in words)


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    """Inputs of every kind of part: ranges, a whole file, text and records that are fed, and a part without an end."""
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text(text(1, 400_000))
    (folder / "b.txt").write_text(text(2, 40_000))
    (folder / "c.txt.gz").write_bytes(gzip.compress(text(3, 900_000).encode()))
    records = [json.dumps({"text": text(seed, 2000)}) for seed in range(100)]
    (folder / "d.jsonl.gz").write_bytes(gzip.compress("\n".join(records).encode(), 0))
    (folder / "e.txt.gz").write_bytes(gzip.compress(text(4, 600_000).replace("\n", " ").encode(), 1))
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.mark.slow
@pytest.mark.usefixtures("small_parts")
def test_the_same_bytes_as_here(real: Any, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = {"preprocess": {"unit": "paragraph", "deduplicate": True, "min_sentence_length": 2}}
    here, there = tmp_path / "here.txt", tmp_path / "there.txt"
    expected = vars(preprocess(texts, here, config))
    found = vars(preprocess([os.path.relpath(name) for name in texts], there, config, cluster=real.address))
    assert there.read_bytes() == here.read_bytes()
    assert found["sentences"] > 10_000
    compared = {"sentences", "tokens", "bytes", "files", "counts"}
    assert {key: found[key] for key in compared} == {key: expected[key] for key in compared}


@pytest.mark.slow
@pytest.mark.usefixtures("small_parts")
def test_shards_and_phrases(real: Any, texts: list[str], tmp_path: Path) -> None:
    config = {"preprocess": {"phrases": {"passes": 1, "min_count": 2, "threshold": 0.5}}}
    for folder, address in (("here", None), ("there", real.address)):
        (tmp_path / folder).mkdir()
        summary = preprocess(texts, tmp_path / folder / "out.txt", config, shard_size=300_000, cluster=address)
        assert len(summary.shards) > 3
    names = {path.name for path in (tmp_path / "here").iterdir() if path.suffix == ".txt"}
    for name in names:
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    (tmp_path / "there" / sorted(names)[1]).unlink()
    again = preprocess(texts, tmp_path / "there" / "out.txt", config, shard_size=300_000, cluster=real.address)
    assert again.shards_kept == 1
    for name in names:
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("small_parts")
def test_what_is_wrong_with_a_file_is_said_with_the_node(real: Any, texts: list[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"good \xff bad\n")
    settings = {"preprocess": {"bad_bytes": "refuse"}}
    out = tmp_path / "out.txt"
    with pytest.raises(W2VError, match=r"^node .*bad\.txt: byte 5 cannot be decoded"):
        preprocess([*texts, bad], out, settings, cluster=real.address)
    assert not out.exists()
    summary = preprocess([bad, *texts], out, settings, on_error="skip", cluster=real.address)
    assert list(summary.failed) == [str(bad)]
    assert summary.files == len(texts)


# ---------------------------------------------------------------- losses


def worker(folder: Path, doom: str) -> Callable[[Any, Iterator[Any]], Iterator[Result]]:
    """Return a function that gives its pieces back; task 5 comes to grief the first time somebody begins it."""

    def work(says: int, pieces: Iterator[bytes]) -> Iterator[Result]:
        marker = folder / "begun"
        if says == 5 and not marker.exists():
            marker.touch()
            if doom == "process":
                os.kill(os.getpid(), signal.SIGKILL)
            import ray

            with (folder / "node").open("w") as fifo:  # waits for who takes the node away
                fifo.write(ray.get_runtime_context().get_node_id())
            signal.pause()
        for piece in pieces:
            yield piece, says

    return work


def taken(on: Cluster, function: Any, count: int = 20) -> list[tuple[int, list[Result]]]:
    tasks = (Task(number, [b"%d" % number, b"x"]) for number in range(count))
    return [(says, list(results)) for says, results in on.mapped(function, tasks, 2)]


EXPECTED = [(number, [(b"%d" % number, number), (b"x", number)]) for number in range(20)]


@pytest.mark.slow
def test_a_lost_process_loses_nothing(real: Any, tmp_path: Path) -> None:
    with connected(real.address) as on:
        assert taken(on, worker(tmp_path, "process")) == EXPECTED
    assert (tmp_path / "begun").exists()


@pytest.mark.slow
def test_a_lost_node_loses_only_its_tasks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "node")
    with running(2) as real, connected(real.address) as on:

        def take_away() -> None:
            lost = (tmp_path / "node").read_text()
            real.remove_node(next(node for node in real.worker_nodes if node.node_id == lost), allow_graceful=False)

        thread = Thread(target=take_away)
        thread.start()
        assert taken(on, worker(tmp_path, "node")) == EXPECTED
        thread.join()
        assert len(real.worker_nodes) == 1


@pytest.mark.slow
def test_no_node_is_left(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "node")
    with running(1) as real, connected(real.address) as on, mock.patch.object(clusters, "_PATIENCE", 1.0):

        def take_away() -> None:
            (tmp_path / "node").read_text()
            real.remove_node(*real.worker_nodes, allow_graceful=False)

        thread = Thread(target=take_away)
        thread.start()
        with pytest.raises(DeadWorkerError, match="no node is left"):
            taken(on, worker(tmp_path, "node"))
        thread.join()


@pytest.mark.slow
def test_errors_come_in_the_place_of_their_tasks(real: Any) -> None:
    def fail(says: int, pieces: Iterator[bytes]) -> Iterator[Result]:
        yield b"begun", says
        if says == 1:
            raise W2VError("it failed", "do something")
        if says == 2:
            raise KeyError("odd")

    outcome: list[Any] = []
    with connected(real.address) as on:
        for says, results in on.mapped(fail, [Task(number) for number in range(4)], 2):
            try:
                outcome += results
            except (W2VError, RuntimeError) as error:
                outcome.append((says, str(error).split(": ", 1)[1]))
        begun = [(b"begun", number) for number in range(4)]
        assert outcome == [*begun[:2], (1, "it failed; do something"), begun[2], (2, "KeyError: 'odd'"), begun[3]]
        with (
            mock.patch.object(clusters, "__version__", "9.9"),
            pytest.raises(W2VError, match=r"has w2vcli .*, and not 9\.9"),
        ):
            taken(on, fail)


@pytest.mark.slow
def test_ray_prints_nothing(real: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with connected(real.address):
        from ray._private import worker

        said = {
            "is_err": False,
            "pid": "raylet",
            "ip": "h",
            "lines": ["A node is lost."],
            "job": None,
            "localhost": True,
        }
        worker.print_to_stdstream({**said, "task_name": None, "actor_name": None}, False)
        assert worker.listen_error_messages.__globals__["print_to_stdstream"] is worker.print_to_stdstream
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_handlers_of_signals_are_ours(real: Any) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with connected(real.address) as on:
        assert on.cores == NODES
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


# ---------------------------------------------------------------- the command


def w2v(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "w2vcli", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_check(real: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some text")
    done = w2v(
        "cluster", "check", real.address, "--storage", str(tmp_path), "--storage", str(tmp_path / "a.txt"), "--json"
    )
    assert done.returncode == 0, done.stderr
    nodes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(node["cores"], node["problems"]) for node in nodes] == [(1, [])] * NODES
    assert all(node["megabytes_per_second"] > 0 for node in nodes)
    assert {node["python"] for node in nodes} == {sys.version.split()[0]}
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]  # what was written is gone
    status = "/proc/self/status"  # of each process another
    done = w2v("cluster", "check", real.address, "--storage", status)
    assert done.returncode == 1
    assert done.stderr.count(f"{status}: is another file there") == NODES
    assert f"{NODES} nodes of {NODES} cannot work with the others" in done.stderr


def test_addresses_at_which_there_is_none() -> None:
    need("ray", "'w2vcli[ray]'")
    for address, error in (("127.0.0.1:1", "nothing answers there"), ("ray://127.0.0.1:1", "nothing answers there")):
        with pytest.raises(W2VError, match=error), connected(address):
            pass
    with pytest.raises(ConfigError, match="should be HOST:PORT"), connected("nonsense"):
        pass


def test_without_ray(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some text")
    code = "import sys; sys.modules['ray'] = None; from w2vcli.cli import main; main()"
    for arguments in (
        ["cluster", "check", "auto"],
        ["preprocess", str(tmp_path / "a.txt"), "-o", str(tmp_path / "b.txt"), "--cluster", "auto"],
        ["train", str(tmp_path / "a.txt"), "-o", str(tmp_path / "run"), "--cluster", "auto"],
    ):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == "w2v: error: --cluster needs Ray, which is not installed: pip install 'w2vcli[ray]'\n"


# ---------------------------------------------------------------- encoding


def folder_of(sources: list[Any], folder: Path, on: Cluster | None, max_bytes: int | None) -> dict[str, bytes]:
    """Return the bytes of every file that encoding makes."""
    for _ in encode(sources, folder / "corpus", folder / "vocab.tsv", 2, max_bytes, on):
        pass
    return {path.name: path.read_bytes() for path in (*(folder / "corpus").iterdir(), folder / "vocab.tsv")}


@pytest.mark.slow
@pytest.mark.parametrize("max_bytes", [None, 900_000])
def test_the_same_ids_as_here(real: Any, texts: list[str], tmp_path: Path, max_bytes: int | None) -> None:
    sources = expand([name for name in texts if not name.endswith(".jsonl.gz")])
    folders = [tmp_path / "here", tmp_path / "there"]
    for folder in folders:
        folder.mkdir()
    here = folder_of(sources, folders[0], None, max_bytes)
    with connected(real.address) as on:
        there = folder_of(sources, folders[1], on, max_bytes)
    assert there == here
    meta = json.loads(here["corpus.json"])
    assert (meta["words"] > 300_000, meta["dropped"] > 0) == (True, max_bytes is not None)


@pytest.mark.slow
def test_a_file_that_a_node_does_not_see(real: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some text")
    with connected(real.address) as on:
        assert on.problem_with([str(tmp_path / "a.txt")]) is None
        assert "is another file there" in str(on.problem_with([str(tmp_path / "a.txt"), "/proc/self/status"]))
