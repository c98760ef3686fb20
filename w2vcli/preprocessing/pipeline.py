"""The inputs' sentences, in the order of the inputs, whoever has worked on them; and what was found on the way."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from typing import Any, BinaryIO, Literal, NamedTuple

from w2vcli.cluster import Cluster
from w2vcli.config import Preprocess
from w2vcli.errors import W2VError
from w2vcli.preprocessing import phrases as phrase_learning
from w2vcli.preprocessing.parts import Part, Plan, line_tasks
from w2vcli.preprocessing.phrases import Phrases
from w2vcli.preprocessing.reading import Found, PartReader, join
from w2vcli.preprocessing.rules import rules_of
from w2vcli.preprocessing.tokenizing import prepare
from w2vcli.preprocessing.writing import Deduplicator
from w2vcli.resources import give_back_large_blocks, usable_cores
from w2vcli.sources import Source, total_size
from w2vcli.workers import DeadWorkerError, Function, Task, mapped

Progress = Callable[[str, int, int | None], None]
OnError = Literal["fail", "skip"]
Lines = Generator[tuple[int, bytes], None, None]
"""Sentences, a line each, and the number of the task of which they are."""

_ALONE_BYTES = 1 << 22  # of text, for which no other processes are started
_SPOOL_BYTES = 1 << 26  # of a source's sentences held in memory
_BLOCK_BYTES = 1 << 20


class _Done(NamedTuple):
    """Some sentences."""

    source: int
    task: int
    lines: bytes
    counts: Counter[str]


class Pipeline:
    """Reads sources, and makes sentences of them.

    Args:
        sources: the inputs.
        settings: how they are read.
        known: phrases to join, if any.
        on_error: `skip` leaves out sources that cannot be read, whole.
        progress: called with what is being done, how much of it has been done, and how much there is, if that is known.
        cluster: who works; if not given, processes of this machine.
    """

    def __init__(
        self, sources: Sequence[Source], settings: Preprocess, known: Phrases | None, on_error: OnError,
        progress: Progress | None, cluster: Cluster | None = None,
    ) -> None:  # fmt: skip
        self.sources, self.settings = sources, settings
        self.failed: dict[int, W2VError] = {}
        """Sources that were left out, and why."""
        self.workers = settings.workers or (usable_cores() if cluster is None else cluster.cores)
        self._mapped = mapped if cluster is None else cluster.mapped
        self._there = sources if cluster is None else [source.everywhere() for source in sources]
        self._known, self._on_error = known, on_error
        self._progress = progress or (lambda what, done, total: None)
        self.rules = rules_of(settings)
        learning = settings.phrases
        self.connector_words = phrase_learning.connector_words(learning.connector_words if learning.passes else [])
        self._found: Counter[str] = Counter()
        self._undecodable: set[int] = set()
        self._once = Deduplicator(settings.deduplicate_bytes()) if settings.deduplicate else None
        self._first_task = 0
        self.before: Counter[str] = Counter()
        """What had been counted before the task of which the last lines are."""

    # ---------------------------------------------------------------- what was found

    def counts(self) -> Counter[str]:
        """Return what was read, written, dropped, replaced and split so far; not of sources that failed."""
        total = Counter(self._found)
        if self._once is not None:
            total["duplicate_sentences"] += self._once.sentences
            total["sentences_not_remembered"] += self._once.forgotten
            total["sentences"] -= self._once.sentences
            total["tokens"] -= self._once.tokens
        return total

    def undecodable(self) -> list[Source]:
        """Return the sources with bytes that could not be decoded."""
        return [self.sources[number] for number in sorted(self._undecodable)]

    def _count(self, source: int, found: Mapping[str, int]) -> None:
        self._found.update(found)
        if found.get("undecodable"):
            self._undecodable.add(source)

    def go_on(self, task: int, counts: Mapping[str, int], lines: Iterable[bytes]) -> None:
        """Let `lines` begin at a task.

        Args:
            task: its number.
            counts: what was counted before it.
            lines: the sentences before it.
        """
        self._first_task = task
        self._found.update(counts)
        if self._once is not None:
            self._once.remember(lines)

    # ---------------------------------------------------------------- sentences

    def lines(self) -> Lines:
        """Yield the sentences.

        Raises:
            W2VError: when a source cannot be read; with `skip` only if none can be.
        """
        give_back_large_blocks()
        prepare()  # once, before there are several processes
        plan = Plan(self.sources, self.settings)
        reader = PartReader(self._there, self.settings, self.rules, self._known)
        total = total_size(self.sources)
        alone = total is not None and total <= _ALONE_BYTES
        task = -1
        with closing(self._run(reader, _from(plan.tasks(), self._first_task), alone)) as parts:
            results = self._results(plan, parts, total)
            for done in self._whole(results) if self._on_error == "skip" else results:
                if done.task != task:
                    self.before, task = self.counts(), done.task
                self._count(done.source, done.counts)
                if new := done.lines if self._once is None else self._once.new(done.lines):
                    yield done.task, new
        for source, found in plan.counts.items():
            if source not in self.failed:
                self._count(source, found)
        if self.failed and len(self.failed) == len(self.sources):
            raise next(iter(self.failed.values()))

    def _run(self, function: Function, tasks: Iterator[Task], alone: bool) -> Generator[Any, None, None]:
        """Do tasks; `alone`, in this process."""
        return mapped(function, tasks, 1) if alone else self._mapped(function, tasks, self.workers)

    def _results(
        self, plan: Plan, parts: Iterable[tuple[Part, Iterator[tuple[bytes, Found]]]], total: int | None
    ) -> Iterator[_Done]:
        read = 0
        for task, (part, results) in enumerate(parts, self._first_task):
            try:
                for lines, found in results:
                    read += found.read
                    self._progress("preprocess", read + plan.read, total)
                    yield _Done(part.source, task, lines, found.counts)
            except DeadWorkerError:
                raise
            except W2VError as error:
                if self._on_error == "fail":
                    raise
                self.failed.setdefault(part.source, error)

    def _whole(self, results: Iterator[_Done]) -> Iterator[_Done]:
        """Yield what was done of a source when all of it has been read, and nothing if it could not be."""
        for source, group in groupby(results, key=lambda done: done.source):
            with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
                pieces = []
                for done in group:
                    spool.write(done.lines)
                    pieces.append((done.task, len(done.lines), done.counts))
                if source not in self.failed:
                    spool.seek(0)
                    for task, size, counts in pieces:
                        yield _Done(source, task, spool.read(size), counts)

    # ---------------------------------------------------------------- phrases

    def fill(self, spool: BinaryIO) -> None:
        """Write the sentences to a file."""
        for _, lines in self.lines():
            spool.write(lines)

    def learned(self, spool: BinaryIO) -> Phrases:
        """Return the phrases in a file of sentences."""
        settings, size = self.settings.phrases, spool.tell()

        def blocks() -> Iterator[bytes]:
            spool.seek(0)
            return iter(lambda: spool.read(_BLOCK_BYTES), b"")

        return phrase_learning.learn(
            blocks,
            passes=settings.passes,
            min_count=settings.min_count,
            threshold=settings.threshold,
            scoring=settings.scoring,
            connector_words=self.connector_words,
            settings={key: value for key, value in self.settings.model_dump().items() if key in _SHAPING},
            progress=lambda number, read: self._progress("phrases", (number - 1) * size + read, settings.passes * size),
        )

    def joined(self, phrases: Phrases, spool: BinaryIO, first: int = 0, fewer: int = 0) -> Lines:
        """Yield the sentences in a file, with phrases joined, from a task on before which there are `fewer` tokens."""
        size, done = spool.seek(0, 2), 0
        spool.seek(0)
        tasks = _from(line_tasks(iter(lambda: spool.read(_BLOCK_BYTES), b"")), first)
        alone = size <= _ALONE_BYTES
        self._found.update({"tokens": -fewer, "tokens_joined": fewer})
        with closing(self._run(_Joiner(phrases), tasks, alone)) as parts:
            for number, (_, results) in enumerate(parts, first):
                self.before = self.counts()
                for lines, (before, counts) in results:
                    done += before
                    self._found.update(counts)
                    self._progress("phrases", done, size)
                    yield number, lines


def _from(tasks: Iterator[Task], first: int) -> Iterator[Task]:
    """Yield the tasks from that number on; what comes with those before is read, and let go."""
    for number, task in enumerate(tasks):
        if number >= first:
            yield task
        elif task.is_open:
            for _ in task.pieces:
                pass


_SHAPING = ("tokenizer", "normalization", "lowercase", "strip_accents", "digits", "urls", "emails")
"""Settings on which it depends what a token looks like."""


class _Joiner:
    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases

    def __call__(self, says: Any, pieces: Iterator[bytes]) -> Iterator[tuple[bytes, tuple[int, Counter[str]]]]:
        for lines in pieces:
            counts: Counter[str] = Counter()
            joined = join(self._phrases, lines, counts)
            yield joined, (len(lines), counts)
