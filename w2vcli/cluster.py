"""A Ray cluster: the tasks of `workers.mapped` on its nodes, and what there is to know about them.

Ray schedules tasks, carries what they are told and give, and begins them again where a process or a node is lost. Here
stands what we ask of it, and what its errors mean to our users. Nodes have the same version of w2vcli, and see the same
files, under the same names.
"""

from __future__ import annotations

import os
import platform
import signal
import socket
import statistics
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import uuid4

from w2vcli import __version__
from w2vcli.errors import ConfigError, W2VError
from w2vcli.workers import DeadWorkerError, Function, Result, Task

_RETRIES = 8  # of a task whose process or node is lost
_RESULTS_AHEAD = 16  # of a task that wait to be asked for
_AHEAD = 2  # tasks a core that may be begun before the first of them is asked for
_KNOCK = 5.0  # seconds that somebody has to answer
_PATIENCE = 20.0  # seconds between two looks at whether any node is left
_SAID = ("w2vcli", "ray", "gensim", "numpy", "numba")
_CAN_DIFFER = ("torch",)
_EXCHANGED_BYTES, _EXCHANGES = 1 << 24, 3


@contextmanager
def maybe_connected(address: str | None) -> Iterator[Cluster | None]:
    """Yield the cluster at an address, or None where none is given; see `connected`."""
    if address is None:
        yield None
        return
    with connected(address) as cluster:
        yield cluster


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Yield the cluster that can be found at an address.

    Args:
        address: `HOST:PORT` of its head, `ray://HOST:PORT` from outside, or `auto` for the one this machine is in.

    Raises:
        W2VError: when Ray is not installed, or no cluster answers.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError(["--cluster needs Ray, which is not installed: pip install 'w2vcli[ray]'"]) from error
    _knock(address)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # of what nobody asks for any more
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of what will change some day
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", namespace="w2vcli")
    except (ConnectionError, RuntimeError, ValueError, AssertionError, TimeoutError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise W2VError(f"--cluster {address}: no Ray cluster to be had: {reason}", "does ray status see it?") from error
    _hush()
    try:
        with suppress(ValueError):  # in another thread than the first there were none
            for number, handler in handlers.items():
                signal.signal(number, handler)  # Ray has its own, with other exit codes
        yield Cluster(address)
    finally:
        ray.shutdown()


def _hush() -> None:
    """Keep from stdout, where our data goes, what Ray says there of lost processes and nodes; its logs have it too."""
    from ray._private import worker

    worker.print_to_stdstream = lambda *said, **options: None


def _knock(address: str) -> None:
    """Make sure that somebody listens there: Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        if address == "auto":
            return
        raise ConfigError([f"--cluster {address}: should be HOST:PORT, ray://HOST:PORT or auto"])
    try:
        socket.create_connection((host, int(port)), _KNOCK).close()
    except (OSError, OverflowError) as error:
        raise W2VError(
            f"--cluster {address}: nothing answers there: {error}", "ray start --head says its address"
        ) from error


class Cluster:
    """A cluster that this process is connected to; see `connected`."""

    def __init__(self, address: str) -> None:
        self.address = address
        cores = sum(int(node["Resources"]["CPU"]) for node in _nodes())
        if not cores:
            raise W2VError(f"--cluster {address}: its nodes have no cores for tasks", "start them with --num-cpus")
        self.cores = cores
        """Of all nodes, as many as they offer for tasks."""

    def workers(self, wanted: int | None = None) -> tuple[int, int]:
        """Return how many workers to have, and with how many cores each: as many as all can have.

        Args:
            wanted: how many; if not given, one for each node, with as many cores as the smallest has.

        Raises:
            ConfigError: when there are not so many cores.
        """
        cores = [int(node["Resources"]["CPU"]) for node in _nodes()]
        if wanted is None:
            return len(cores), min(cores)
        for each in range(max(cores), 0, -1):
            if sum(of_node // each for of_node in cores) >= wanted:
                return wanted, each
        raise ConfigError([f"train.cluster_workers: {wanted}, but the cluster has {sum(cores)} cores"])

    def problem_with(self, places: Iterable[str]) -> str | None:
        """Return why a node cannot read one of some files as this process can, or None if all nodes can read all."""
        import ray

        seen = [_Seen.here(place) for place in places]
        try:
            asked = [ray.remote(_said).options(**_on(node)).remote(seen) for node in _nodes()]
            return next((problem for _, _, unseen in ray.get(asked) for problem in unseen), None)
        except ray.exceptions.RayError as error:
            return _reason(error)

    def free_cores(self) -> float:
        """Return how many cores nobody uses."""
        import ray

        return float(ray.available_resources().get("CPU", 0.0))

    def mapped(
        self, function: Function, tasks: Iterable[Task], workers: int
    ) -> Generator[tuple[Any, Iterator[Result]], None, None]:
        """Do what `workers.mapped` does, on the nodes.

        The pieces of an open task can only be had here, one after the other, and so it is done here.

        Args:
            function, tasks: see there.
            workers: tasks that are worked on at once.
        """
        import ray

        key, shared = uuid4().hex, ray.put((__version__, function))
        remote = ray.remote(_results).options(
            num_cpus=1,
            num_returns="streaming",
            max_retries=_RETRIES,
            scheduling_strategy="SPREAD",
            _generator_backpressure_num_objects=_RESULTS_AHEAD,
        )
        begun: deque[tuple[Any, Any]] = deque()
        for task in tasks:
            if task.is_open:
                while begun:
                    yield self._next(begun)
                yield task.says, function(task.says, iter(task.pieces))
                continue
            pieces = tuple(task.pieces)
            with self._translated():
                begun.append((task.says, remote.remote(key, [shared], task.says, *pieces)))
            if len(begun) > _AHEAD * workers:
                yield self._next(begun)
        while begun:
            yield self._next(begun)

    def _next(self, begun: deque[tuple[Any, Any]]) -> tuple[Any, Iterator[Result]]:
        says, references = begun.popleft()
        return says, self._results(references)

    def _results(self, references: Any) -> Iterator[Result]:
        while (found := self._one(references)) is not None:
            result, error = found
            if error is not None:
                raise error
            yield result

    def _one(self, references: Any) -> tuple[Result, Exception | None] | None:
        """Return the next of what `_results` yields on a node, or None at its end."""
        import ray

        with self._translated():
            while not ray.wait([references], timeout=_PATIENCE)[0]:
                if not _nodes():
                    raise DeadWorkerError(
                        f"--cluster {self.address}: no node is left", "start some, and run this again"
                    )
            reference = next(references, None)
            found: tuple[Result, Exception | None] | None = None if reference is None else ray.get(reference)
        return found

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say in our words what has become of tasks, or of the node that this process is attached to."""
        import ray

        try:
            yield
        except ray.exceptions.RayError as failure:
            raise DeadWorkerError(
                f"--cluster {self.address}: a task was begun {1 + _RETRIES} times: {_reason(failure)}",
                "w2v cluster check says what its nodes have; is their memory full?",
            ) from failure
        except OSError as failure:
            raise DeadWorkerError(
                f"--cluster {self.address}: the connection to it broke", "run this again"
            ) from failure


_functions: dict[str, Function] = {}
"""What this process of a node has been asked to do; it remembers what it has learned from one task to the next."""


def _results(
    key: str, shared: Sequence[Any], says: Any, *pieces: Any
) -> Iterator[tuple[Result | None, Exception | None]]:
    """Yield what a task gives, and last the error that it ends with, if any; runs on a node."""
    if key not in _functions:
        import ray

        from w2vcli.resources import give_back_large_blocks

        give_back_large_blocks()
        its_version, function = ray.get(shared[0])
        if its_version != __version__:
            yield None, W2VError(f"{here()} has w2vcli {__version__}, and not {its_version}", "install the same there")
            return
        _functions.clear()
        _functions[key] = function
    try:
        for result in _functions[key](says, iter(pieces)):
            yield result, None
    except W2VError as error:
        yield None, W2VError(f"{here()}: {error}")
    except Exception as error:
        yield None, RuntimeError(f"{here()}: {type(error).__name__}: {error}")


def here() -> str:
    """Return what the node is called in messages."""
    return f"node {socket.gethostname()}"


def _reason(failure: Exception) -> str:
    """Return the line of an error of Ray's that says what has happened."""
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    return lines[-1] if type(failure).__name__ == "RayTaskError" and lines else lines[0] if lines else repr(failure)


def _nodes() -> list[dict[str, Any]]:
    """Return what Ray knows of each node that is there and offers cores."""
    import ray

    return [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]


# ---------------------------------------------------------------- what its nodes are


@dataclass(frozen=True)
class Node:
    """What one node says of itself."""

    host: str
    address: str
    cores: int
    gpus: int
    memory: int
    """Bytes that Ray may use for tasks."""
    python: str
    versions: dict[str, str | None]
    """Of the libraries that matter; None: it has none."""
    megabytes_per_second: float | None
    """From here to there and back again, both ways together."""
    problems: tuple[str, ...]
    """What will not do, if anything."""


def nodes(places: Sequence[str] = ()) -> Iterator[Node]:
    """Yield what each node of the connected cluster that offers cores says of itself, one after the other.

    Args:
        places: folders in which each node is to write, and files and URLs that it is to read, as this process can.

    Raises:
        W2VError: when this process cannot.
    """
    seen = [_Seen.here(place) for place in places]
    try:
        for node in _nodes():
            yield _asked(node, seen)
    finally:
        for place in seen:
            place.clean()


def _asked(node: dict[str, Any], seen: Sequence[_Seen]) -> Node:
    import ray

    options, resources = _on(node), node["Resources"]
    known = {
        "host": node["NodeManagerHostname"],
        "address": node["NodeManagerAddress"],
        "cores": int(resources["CPU"]),
        "gpus": int(resources.get("GPU", 0)),
        "memory": int(resources.get("memory", 0)),
    }
    try:
        python, versions, unseen = ray.get(ray.remote(_said).options(**options).remote(seen))
        rate = _exchange(ray.remote(_returned).options(**options))
    except ray.exceptions.RayError as failure:
        return Node(**known, python="", versions={}, megabytes_per_second=None, problems=(_reason(failure),))
    _, here, _ = _said(())
    others = [
        f"{name} {versions[name] or 'is missing'}, here {here[name]}" for name in _SAID if versions[name] != here[name]
    ]
    return Node(**known, python=python, versions=versions, megabytes_per_second=rate, problems=(*others, *unseen))


def _on(node: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a task that is to run on a node, and nowhere else."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    return {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": there}


def _said(seen: Sequence[_Seen]) -> tuple[str, dict[str, str | None], list[str]]:
    """Return what a node has, and what of some places it does not see; runs there."""
    versions: dict[str, str | None] = {}
    for name in (*_SAID, *_CAN_DIFFER):
        versions[name] = None
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return platform.python_version(), versions, [problem for place in seen if (problem := place.problem())]


def _returned(data: bytes) -> bytes:
    return data


def _exchange(remote: Any) -> float:
    """Return the megabytes a second that go there and back."""
    import ray

    data = os.urandom(_EXCHANGED_BYTES)
    seconds = []
    for _ in range(_EXCHANGES):
        started = time.perf_counter()
        assert len(ray.get(remote.remote(data))) == len(data)
        seconds.append(time.perf_counter() - started)
    return 2 * len(data) / 1e6 / statistics.median(seconds)


@dataclass(frozen=True)
class _Seen:
    """A place, and what this process sees there."""

    place: str
    mark: str | None = None
    """The name of a file that was written, if it is a folder."""
    beginning: bytes = b""
    """Of the file otherwise."""

    @classmethod
    def here(cls, place: str) -> _Seen:
        from w2vcli import outputs
        from w2vcli.sources import Source, is_url

        name = Source(place).everywhere().name
        if is_url(place) or not Path(place).is_dir():
            return cls(name, None, _beginning(place))
        folder = Path(name)
        mark = f".w2v-check-{uuid4().hex}"
        outputs.write_text(folder / mark, mark)
        return cls(name, mark)

    def problem(self) -> str | None:
        """Return what is wrong with it on this node."""
        from w2vcli import outputs

        try:
            if self.mark is None:
                return None if _beginning(self.place) == self.beginning else f"{self.place}: is another file there"
            path = Path(self.place, self.mark)
            if not path.is_file() or path.read_text() != self.mark:
                return f"{self.place}: is another folder there"
            outputs.write_text(path.with_name(f"{self.mark}-{uuid4().hex}"), self.mark)
        except (W2VError, OSError) as error:
            return str(error)
        return None

    def clean(self) -> None:
        """Remove what was written, here and there."""
        if self.mark is not None:
            for path in Path(self.place).glob(f"{self.mark}*"):
                path.unlink(missing_ok=True)


def _beginning(place: str) -> bytes:
    from w2vcli.sources import Source, open_bytes

    with open_bytes(Source(place)) as pieces:
        return next(iter(pieces), b"")[:1024]
