"""Maps a function over tasks in worker processes, and gives the results in the order of the tasks.

Processes are forked where that is safe (Linux), so that they begin with all that is loaded. A worker that has nothing
to do waits on its pipe, and ends when that does: whatever becomes of the process that started it, none stays behind.
"""

from __future__ import annotations

import multiprocessing
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from w2vcli.errors import W2VError

Function = Callable[[Any, Iterator[Any]], Iterator[Any]]
"""What a task says, and the pieces that come with it -> results."""


class DeadWorkerError(W2VError):
    """A worker process has ended by itself, or by somebody else."""


_AHEAD = 2  # tasks a worker that may be begun before the first of them is asked for
_RESULTS_AHEAD = 4  # results of a task that wait to be asked for
_GRACE = 1.0  # seconds that a thread has to end
_PATIENCE = 0.1  # seconds between two looks at whether anybody still wants to have a result


class Task(NamedTuple):
    """What is to be done by one call of the function."""

    says: Any
    """What the function is told; it can be pickled."""
    pieces: Iterable[Any] = ()
    """More, too much to be held at once: given to the function as it asks for them."""
    is_open: bool = False
    """Whether the pieces come from where the next tasks do, which therefore have to wait."""


def mapped(function: Function, tasks: Iterable[Task], workers: int) -> Generator[tuple[Any, Iterator[Any]], None, None]:
    """Yield what each task says and the iterator over its results, which is to be used up before the next.

    Args:
        function: can be pickled; each worker has its own copy of it, and what it remembers.
        tasks: made while others are worked on, in another thread.
        workers: processes; 1: no other than this one.

    Raises:
        DeadWorkerError: while results are iterated over, when the worker process has died. Whatever the function or the
            pieces raise is raised there too.
    """
    if workers == 1:
        for task in tasks:
            yield task.says, function(task.says, iter(task.pieces))
        return
    pool = _Pool(function, iter(tasks), workers)
    try:
        yield from pool.run()
    finally:
        pool.close()


# ---------------------------------------------------------------- the worker

_WANTS_PIECE, _PIECE, _RESULT, _END, _ERROR = range(5)


class _NoMorePiecesError(Exception):
    """Whoever makes the pieces has failed."""


class _GoneError(Exception):
    """Nobody is at the other end any more."""


def _serve(function: Function, connection: Connection, inherited: list[Connection]) -> None:
    """Work on tasks until the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; who started us decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in inherited:
        other.close()

    def send(kind: int, item: Any) -> None:
        try:
            connection.send((kind, item))
        except OSError as error:
            raise _GoneError from error

    def receive() -> Any:
        try:
            return connection.recv()
        except (EOFError, OSError) as error:
            raise _GoneError from error

    def pieces() -> Iterator[Any]:
        while True:
            send(_WANTS_PIECE, None)
            kind, piece = receive()
            if kind == _ERROR:
                raise _NoMorePiecesError
            if kind == _END:
                return
            yield piece

    with suppress(_GoneError):
        while True:
            says = receive()
            try:
                for result in function(says, pieces()):
                    send(_RESULT, result)
            except _GoneError:
                raise
            except Exception as error:
                send(_ERROR, _sendable(error))
            else:
                send(_END, None)


def _sendable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


# ---------------------------------------------------------------- who it works for


@dataclass
class _Slot:
    """A task that somebody works on, and its results so far."""

    says: Any
    results: queue.Queue[tuple[int, Any]] = field(default_factory=lambda: queue.Queue(_RESULTS_AHEAD))

    def __iter__(self) -> Iterator[Any]:
        while True:
            kind, result = self.results.get()
            if kind == _ERROR:
                raise result
            if kind == _END:
                return
            yield result


class _Pool:
    """Worker processes, and a thread for each that hands it tasks and takes its results."""

    def __init__(self, function: Function, tasks: Iterator[Task], workers: int) -> None:
        self._tasks = tasks
        self._lock = threading.Lock()  # of the tasks
        self._begun: queue.SimpleQueue[_Slot | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_AHEAD * workers)
        self._is_closed = False
        self._busy = workers
        context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        self._processes = []
        connections: list[Connection] = []
        for _ in range(workers):
            ours, theirs = context.Pipe()
            connections.append(ours)
            inherited = connections if context.get_start_method() == "fork" else []
            process = context.Process(target=_serve, args=(function, theirs, inherited), daemon=True)
            process.start()
            theirs.close()
            self._processes.append((process, ours))
        self._threads = [
            threading.Thread(target=self._hand_out, args=worker, name="w2v-worker", daemon=True)
            for worker in self._processes
        ]

    def run(self) -> Iterator[tuple[Any, Iterator[Any]]]:
        """Yield the tasks in order, with their results."""
        for thread in self._threads:
            thread.start()
        while (slot := self._begun.get()) is not None:
            yield slot.says, iter(slot)
            self._room.release()

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        self._is_closed = True
        for process, _ in self._processes:
            process.terminate()
            process.join()
            process.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_GRACE)  # one that reads from a pipe may wait for ever
        for _, connection in self._processes:
            connection.close()

    def _hand_out(self, process: Any, connection: Connection) -> None:
        try:
            while not self._is_closed and self._one_task(process, connection):
                pass
        finally:
            with self._lock:
                self._busy -= 1
                if not self._busy:
                    self._begun.put(None)

    def _one_task(self, process: Any, connection: Connection) -> bool:
        """Have the next task worked on; return whether there was one and there may be more."""
        while not self._room.acquire(timeout=_PATIENCE):
            if self._is_closed:
                return False
        with self._lock:
            slot = _Slot(None)
            try:
                task = next(self._tasks, None)
            except BaseException as error:  # of whoever makes the tasks
                self._begun.put(slot)
                self._put(slot, _ERROR, error)
                return False
            if task is None:
                return False
            slot.says = task.says
            self._begun.put(slot)
            if task.is_open:
                return self._work_on(task, slot, process, connection)
        return self._work_on(task, slot, process, connection)

    def _work_on(self, task: Task, slot: _Slot, process: Any, connection: Connection) -> bool:
        pieces = iter(task.pieces)
        is_abandoned = False
        try:
            connection.send(task.says)
            while True:
                kind, result = connection.recv()
                if kind == _WANTS_PIECE:
                    kind, piece = self._next_piece(pieces, slot)
                    is_abandoned = kind == _ERROR
                    connection.send((kind, piece))
                    continue
                if not is_abandoned:
                    self._put(slot, kind, result)
                if kind in (_END, _ERROR):
                    return True
        except (EOFError, OSError):
            if not self._is_closed:
                self._put(slot, _ERROR, _death(process))
        return False

    def _next_piece(self, pieces: Iterator[Any], slot: _Slot) -> tuple[int, Any]:
        """Return what is to be sent to the worker that wants a piece; if it cannot be had, the slot is told why."""
        try:
            for piece in pieces:
                return _PIECE, piece
        except BaseException as error:  # of whoever makes the pieces
            self._put(slot, _ERROR, error)
            return _ERROR, None
        return _END, None

    def _put(self, slot: _Slot, kind: int, result: Any) -> None:
        while not self._is_closed:
            try:
                slot.results.put((kind, result), timeout=_PATIENCE)
                return
            except queue.Full:
                continue


def _death(process: Any) -> DeadWorkerError:
    code = None
    with suppress(ValueError):  # closed meanwhile
        process.join(1.0)
        code = process.exitcode
    how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
    return DeadWorkerError(f"a worker process {how}", "is the memory full? fewer preprocess.workers need less")
