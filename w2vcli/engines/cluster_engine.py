"""Trains on the nodes of a Ray cluster: each of its workers has a replica of the model, and they exchange deltas.

A block is cut into rounds, a round into steps, a step into as many parts as there are workers. What they find goes, as
objects of Ray's, from the workers to mergers, each of which has the rows of one shard, and from there to all workers.
Through this process go the ids of words, a few bytes each, and the model, at checkpoints and for measurements.

Neither workers nor mergers have anything that cannot be lost. Where one is, all workers go back to the beginning of the
round, the lost one gets its replica from another, and the round is done again; where no node has room for it, the
others go on without it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from w2vcli import __version__
from w2vcli.cluster import Cluster, here
from w2vcli.config import Config
from w2vcli.corpus import Block
from w2vcli.engines import Choice, Engine, create
from w2vcli.engines.merging import Deltas, Rule
from w2vcli.engines.replica import About, Matrices, Replica, StaleError, Token, Work
from w2vcli.errors import ConfigError, W2VError
from w2vcli.workers import DeadWorkerError

_STEPS = 5  # in a round: exchanges of hot rows
_ALL_WORDS, _LEAST_WORDS = 200_000, 5_000  # that all workers, and each, train in a round
_SHARD_BYTES = 1 << 25  # that a worker sends in a round, for which there is one merger
_ATTEMPTS = 20  # at one round
_PATIENCE = 30.0  # seconds that a step may take beyond _SLOW times what the slowest round took
_SLOW = 5
_START = 120.0  # seconds that a worker has to begin, with all its imports
_REST, _LOOK = 5.0, 0.1  # seconds that cores of a lost worker may take to be free again; and between two looks
_RESTART = 30.0  # seconds that one has while others wait for it
_PAUSE = 600.0  # seconds before workers are begun again, where there was no room for them
_DELTA_BYTES = {"float32": 4, "float16": 2}


# ---------------------------------------------------------------- on the nodes


class _Worker:
    """An actor: a replica, and whatever trains it."""

    _engine: Engine
    _replica: Replica

    def prepare(self, version: str, engine: str, config: Config) -> None:
        """Load, or compile, what is needed."""
        if version != __version__:
            raise W2VError(f"{here()} has w2vcli {__version__}, and not {version}", "install the same there")
        self._engine = create(engine, config.train)
        self._engine.prepare(config.word2vec)

    def begin(
        self, about: About, inputs: Any, outputs: Any, threads: int, rule: Rule, shards: int, dtype: str, token: Token
    ) -> None:
        """Have a replica of these matrices, before the round of the token."""
        self._replica = Replica(about, (inputs, outputs), self._engine, threads, rule.hot(), shards, dtype)
        self._replica.go_back(token)

    def train(self, token: Token, work: Work, is_last: bool, after: Any) -> tuple[Any, ...]:
        """Return the words trained and the bytes of the deltas, and then the deltas of each shard."""
        trained, shards = self._replica.train(token, work, is_last)
        return (trained, sum(deltas.nbytes for both in shards for deltas in both)), *shards

    def apply(self, token: Token, *merged: tuple[Deltas, Deltas]) -> int:
        """Return how many bytes they were."""
        self._replica.apply(token, merged)
        return sum(deltas.nbytes for both in merged for deltas in both)

    def go_back(self, token: Token) -> None:
        self._replica.go_back(token)

    def matrices(self) -> Matrices:
        return self._replica.matrices()


class _Merger:
    """An actor: puts the deltas of one shard together."""

    def merge(
        self, rule: Rule, dtype: str, step_words: Sequence[int], round_words: Sequence[int],
        *deltas: tuple[Deltas, Deltas],
    ) -> tuple[Deltas, Deltas]:  # fmt: skip
        inputs, outputs = (
            rule.merged(matrix, [both[matrix] for both in deltas], step_words, round_words, dtype) for matrix in (0, 1)
        )
        return inputs, outputs


# ---------------------------------------------------------------- here


@dataclass
class Traffic:
    """What has gone to and from the workers, in bytes."""

    sent: int = 0
    """Their deltas."""
    received: int = 0
    """What became of them."""


class _Step(NamedTuple):
    """What the workers are to train between two exchanges, and with which learning rates."""

    parts: list[Block]
    alpha_start: float
    alpha_end: float
    seed: tuple[int, ...]


class Team:
    """The workers and mergers of one model.

    Args:
        cluster: on which they are.
        engine: what trains a replica: its name in ENGINES.
        config: its settings.
        size: of workers, as many as there can be.
        threads: of each.
        model: the Gensim model that the replicas begin with.
    """

    def __init__(self, cluster: Cluster, engine: str, config: Config, size: int, threads: int, model: Any) -> None:
        import ray

        self._ray, self._cluster, self._size = ray, cluster, size
        self.traffic = Traffic()
        self._dtype = config.train.delta_dtype
        options = {"num_cpus": threads, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
        self._worker = ray.remote(_Worker).options(**options)
        self._prepared_with, self._threads = (__version__, engine, config), threads
        self._shared_rule = ray.put(Rule.of(model, round_words(config, size) / _STEPS))
        self._about = ray.put(About.of(model))
        self._merger = ray.remote(_Merger).options(num_cpus=0, max_restarts=0, scheduling_strategy="SPREAD")
        shards = min(size, 1 + estimate(model, config, size, threads)["sent_bytes"] // _SHARD_BYTES)
        self._mergers = [self._merger.remote() for _ in range(shards)]
        self._members: list[Any] = []
        self._token = Token(0, 0)
        self._slowest = 0.0
        self._patience = _PATIENCE
        self._fill_after = 0.0
        self._fill(ray.put(model.wv.vectors), ray.put(model.syn1neg))
        if not self._members:
            raise W2VError(
                f"--cluster {cluster.address}: no worker of {threads} cores could be begun", "w2v cluster check?"
            )

    def __len__(self) -> int:
        """Return how many workers there are."""
        return len(self._members)

    def _fill(self, inputs: Any, outputs: Any) -> None:
        """Begin workers until there are as many as there can be, with replicas of these matrices."""
        missing = self._size - len(self._members)
        if self._members:  # who wait
            missing = min(missing, int(self._cluster.free_cores() // self._threads))
        made = [self._worker.remote() for _ in range(missing)]
        seconds = _RESTART if self._members else _START
        ready = self._well({worker.prepare.remote(*self._prepared_with): worker for worker in made}, seconds)
        arguments = self._threads, self._shared_rule, len(self._mergers), self._dtype, self._token
        begun = {worker.begin.remote(self._about, inputs, outputs, *arguments): worker for worker in ready}
        well = self._well(begun, _START)
        self._members += well
        self._end(worker for worker in made if worker not in well)
        if len(well) < len(made):
            self._fill_after = time.monotonic() + _PAUSE

    def _can_fill(self) -> bool:
        """Whether a worker is missing that there may be room for."""
        is_due = len(self._members) < self._size and time.monotonic() >= self._fill_after
        return is_due and self._cluster.free_cores() >= self._threads

    def _well(self, asked: dict[Any, Any], seconds: float) -> list[Any]:
        """Return the workers that have done what they were asked after so long; the others are not there any more."""
        done = self._ray.wait(list(asked), num_returns=len(asked), timeout=seconds)[0] if asked else []
        well = []
        for reference in done:
            try:
                self._ray.get(reference)
                well.append(asked[reference])
            except self._ray.exceptions.RayError as error:
                self._raise_if_ours(error)
        return well

    def _end(self, workers: Iterable[Any]) -> None:
        for worker in workers:
            self._ray.kill(worker)

    def _raise_if_ours(self, error: Exception) -> None:
        """Raise what has gone wrong on a node, unless it is that something was lost, or given up."""
        cause: Any = error
        while isinstance(cause, self._ray.exceptions.RayTaskError):
            cause = cause.cause
        if isinstance(cause, W2VError):
            raise W2VError(f"--cluster {self._cluster.address}: {cause}") from error
        if not isinstance(cause, self._ray.exceptions.RayError | StaleError):
            raise RuntimeError(f"--cluster {self._cluster.address}: {type(cause).__name__}: {cause}") from error

    # ------------------------------------------------------------ rounds

    def train(self, round_: _Round) -> int:
        """Have a round done; return the words trained.

        Raises:
            DeadWorkerError: when no worker is left, or it cannot be done.
        """
        if self._can_fill():
            self._fill(*self._references())
        self._token = Token(self._token.round + 1, 0)
        for _ in range(_ATTEMPTS):
            began = time.monotonic()
            found = self._attempt(list(round_.steps(len(self._members))))
            if found is not None:
                self._slowest = max(self._slowest, time.monotonic() - began)
                return found
            self._token = Token(self._token.round, self._token.attempt + 1)
            self._mend()
        raise DeadWorkerError(
            f"--cluster {self._cluster.address}: a round was begun {_ATTEMPTS} times", "w2v cluster check ADDRESS?"
        )

    def _attempt(self, steps: list[_Step]) -> int | None:
        """Return the words trained in all steps, or None if something was lost; nothing waits between them."""
        shards, members = len(self._mergers), self._members
        about: list[Any] = []
        applied: list[Any] = [None] * len(members)
        received: list[Any] = []
        round_words = np.zeros(len(members), dtype=np.int64)
        for number, step in enumerate(steps):
            words = [len(part) for part in step.parts]
            round_words = round_words + words
            found = [
                member.train.options(num_returns=1 + shards).remote(
                    self._token,
                    Work(part, step.alpha_start, step.alpha_end, (*step.seed, place)),
                    number == len(steps) - 1,
                    applied[place],
                )
                for place, (member, part) in enumerate(zip(members, step.parts, strict=True))
            ]
            about += [said for said, *_ in found]
            merged = [
                merger.merge.remote(
                    self._shared_rule, self._dtype, words, round_words.tolist(), *(told[1 + shard] for told in found)
                )
                for shard, merger in enumerate(self._mergers)
            ]
            applied = [member.apply.remote(self._token, *merged) for member in members]
            received += applied
        try:
            sizes = self._ray.get(received, timeout=self._patience * len(steps) + _SLOW * self._slowest)
            said = self._ray.get(about)
        except self._ray.exceptions.GetTimeoutError:
            self._end_those_that_hang(about)
            return None
        except self._ray.exceptions.RayError as error:
            self._raise_if_ours(error)
            return None
        self.traffic.received += sum(sizes)
        self.traffic.sent += sum(size for _, size in said)
        return sum(int(trained) for trained, _ in said)

    def _end_those_that_hang(self, about: list[Any]) -> None:
        """End the workers for which the others wait, if it is not the mergers, which are ended anyway.

        Args:
            about: what each worker was to say after each step.
        """
        done = set(self._ray.wait(about, num_returns=len(about), timeout=0)[0])
        size = len(self._members)
        for first in range(0, len(about), size):
            late = [place for place in range(size) if about[first + place] not in done]
            if late:
                if len(late) < size:  # else they all wait for a merger
                    self._end(self._members[place] for place in late)
                return

    def _mend(self) -> None:
        """Have all go back to the beginning of the round, and others in the place of those that cannot."""
        before, mergers = self._members, self._mergers
        self._mergers = [self._merger.remote() for _ in mergers]
        self._end(mergers)
        self._members = self._well({member.go_back.remote(self._token): member for member in before}, _PATIENCE)
        self._end(member for member in before if member not in self._members)
        if not self._members:
            raise self._all_lost()
        until = time.monotonic() + _REST
        while not self._can_fill() and time.monotonic() < until:
            time.sleep(_LOOK)
        if self._can_fill():
            self._fill(*self._references())

    def _all_lost(self) -> DeadWorkerError:
        return DeadWorkerError(
            f"--cluster {self._cluster.address}: all its workers were lost",
            "run this again: it goes on from the last checkpoint",
        )

    def _references(self) -> tuple[Any, Any]:
        inputs, outputs = self._members[0].matrices.options(num_returns=2).remote()
        return inputs, outputs

    def matrices(self) -> Matrices:
        """Return the model, as all workers have it.

        Raises:
            DeadWorkerError: when no worker is left.
        """
        for member in self._members:
            try:
                inputs, outputs = self._ray.get(list(member.matrices.options(num_returns=2).remote()), timeout=_START)
            except self._ray.exceptions.RayError:
                continue
            return inputs, outputs
        raise self._all_lost()


@dataclass(frozen=True)
class _Round:
    """What is to be trained in a round, and with which learning rates."""

    block: Block
    vocabulary: int
    alpha_start: float
    alpha_end: float
    seed: tuple[int, ...]

    def steps(self, workers: int) -> Iterator[_Step]:
        """Yield its steps, cut for so many workers."""
        blocks = cut(self.block, _STEPS)
        total, done = max(len(self.block), 1), 0
        fall = self.alpha_end - self.alpha_start
        for number, block in enumerate(blocks):
            begin, done = done, done + len(block)
            parts = [part.gathered(self.vocabulary) for part in cut(block, workers)]
            yield _Step(
                parts,
                self.alpha_start + fall * begin / total,
                self.alpha_start + fall * done / total,
                (*self.seed, number),
            )


def cut(block: Block, parts: int) -> list[Block]:
    """Return a block's sentences in so many blocks, of about as many words each."""
    before = np.concatenate(([0], np.cumsum(block.ends - block.starts)))
    places = np.searchsorted(before, np.arange(1, parts) * before[-1] / parts)
    bounds = [0, *places.tolist(), len(block.starts)]
    return [Block(block.ids, block.starts[first:last], block.ends[first:last]) for first, last in pairwise(bounds)]


# ---------------------------------------------------------------- the engine


class ClusterEngine(Engine):
    """See the module.

    Args:
        cluster: where to train.
        choice: what trains there.
        config: settings; `train.sync_words` is how many words a worker trains in a round.

    Raises:
        ConfigError: when the settings cannot be trained there.
    """

    def __init__(self, cluster: Cluster, choice: Choice, config: Config) -> None:
        if choice.name not in ON_CLUSTERS:
            why = f" ({choice.reason})" if choice.reason else ""
            raise ConfigError([f"train.engine: {choice.name}{why} cannot train on a cluster; numba can"])
        self.cluster, self._choice, self._config = cluster, choice, config
        self.capabilities = choice.engine.capabilities
        self.workers, self.threads = cluster.workers(config.train.cluster_workers)
        self._team: Team | None = None
        self._model: Any = None
        self._is_synced = True

    def train_block(
        self, model: Any, block: Block, alpha_start: float, alpha_end: float, rng: np.random.Generator
    ) -> int:
        """Train on one block; see `Engine.train_block`."""
        team, self._is_synced = self._team_of(model), False
        seed = int(rng.integers(2**63))
        rounds = max(1, round(len(block) / (round_words(self._config, self.workers) * self.workers)))
        total, done, trained = max(len(block), 1), 0, 0
        fall = alpha_end - alpha_start
        for number, part in enumerate(cut(block, rounds)):
            begin, done = done, done + len(part)
            alphas = alpha_start + fall * begin / total, alpha_start + fall * done / total
            trained += team.train(_Round(part, len(model.wv.vectors), *alphas, (seed, number)))
        return trained

    def _team_of(self, model: Any) -> Team:
        if self._team is None or self._model is not model:
            self._model = model
            self._team = Team(self.cluster, self._choice.name, self._config, self.workers, self.threads, model)
        return self._team

    def sync(self, model: Any) -> None:
        """Fetch the model from a worker."""
        if self._team is not None and self._model is model and not self._is_synced:
            inputs, outputs = self._team.matrices()
            model.wv.vectors[:] = inputs
            model.syn1neg[:] = outputs
            model.wv.norms = None
            self._is_synced = True

    @property
    def traffic(self) -> Traffic:
        """What has gone to and from the workers so far."""
        return Traffic() if self._team is None else self._team.traffic

    def needs(self, model: Any) -> dict[str, Any]:
        """Return what training a model will take; see `estimate`."""
        return estimate(model, self._config, self.workers, self.threads)


def choice_on(cluster: Cluster, choice: Choice, config: Config) -> tuple[Choice, Config]:
    """Return the engine that trains on a cluster what `choice` would train here, and the settings for all its cores."""
    engine = ClusterEngine(cluster, choice, config)
    return replace(choice, engine=engine), config.with_workers(engine.workers * engine.threads)


def round_words(config: Config, workers: int) -> int:
    """Return about how many words each of so many workers trains in a round, no more than there are in a block.

    Unless it is set, fewer for more workers: what the vectors suffer from is what all have trained without the others.
    """
    wanted = config.train.sync_words or max(_ALL_WORDS // workers, _LEAST_WORDS)
    return max(1, min(wanted, config.train.block_words // workers))


ON_CLUSTERS = ("numba",)
"""Engines without state beside the model, which can train replicas."""


def estimate(model: Any, config: Config, workers: int, threads: int) -> dict[str, Any]:
    """Return what training on a cluster takes.

    Its workers, the threads and the memory of each, the words that it trains in a round, and the bytes that it sends
    and receives in one, at the most.
    """
    train, rows = config.train, len(model.wv.expandos["count"])
    matrices = 2 * rows * model.vector_size * 4
    words = round_words(config, workers)
    rule = Rule.of(model, words / _STEPS)
    row = 4 + model.vector_size * _DELTA_BYTES[train.delta_dtype]
    sent = rule.exchanged(_STEPS, words / _STEPS) * row
    received = rule.exchanged(_STEPS, workers * words / _STEPS) * row
    return {
        "workers": workers,
        "threads": threads,
        "sync_words": words,
        "memory_bytes": 3 * matrices,
        "sent_bytes": int(sent),
        "received_bytes": int(received),
    }
