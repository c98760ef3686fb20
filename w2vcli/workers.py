"""Maps a function over tasks in worker processes, and gives the results in the order of the tasks.

Processes are forked where that is safe (Linux), so that they begin with all that is loaded. A worker that has nothing
to do waits on its pipe, and ends when that does: whatever becomes of the process that started it, none stays behind.
"""

from __future__ import annotations

import mmap
import multiprocessing
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from w2vcli.errors import W2VError

Result = tuple[bytes, Any]
"""What may be much, and something small that can be pickled."""
Function = Callable[[Any, Iterator[Any]], Iterator[Result]]
"""What a task says, and the pieces that come with it -> results."""


class DeadWorkerError(W2VError):
    """A worker process has ended by itself, or by somebody else."""


_AHEAD = 2  # tasks a worker that may be begun before the first of them is asked for
_RESULTS_AHEAD = 4  # results of a task that wait to be asked for
_GRACE = 1.0  # seconds that a thread has to end
_BLOCKS, _BLOCK_BYTES = 2, 1 << 21  # of a worker, for what results have of bytes
_PATIENCE = 0.1  # seconds between two looks at whether anybody still wants to have a result


class Task(NamedTuple):
    """What is to be done by one call of the function."""

    says: Any
    """What the function is told; it can be pickled."""
    pieces: Iterable[Any] = ()
    """More, too much to be held at once: given to the function as it asks for them."""
    is_open: bool = False
    """Whether the pieces come from where the next tasks do, which therefore have to wait."""


def mapped(
    function: Function, tasks: Iterable[Task], workers: int
) -> Generator[tuple[Any, Iterator[Result]], None, None]:
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

_TASK, _WANTS_PIECE, _PIECE, _RESULT, _SHARED_RESULT, _TAKEN, _END, _ERROR = range(8)


class _NoMorePiecesError(Exception):
    """Whoever makes the pieces has failed."""


class _GoneError(Exception):
    """Nobody is at the other end any more."""


def _serve(
    function: Function, connection: Connection, blocks: Sequence[mmap.mmap], inherited: Sequence[Connection]
) -> None:
    """Work on tasks until the connection ends; what results have of bytes goes by turns through the blocks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; who started us decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in inherited:
        other.close()
    shared = taken = 0  # results that went through blocks

    def send(kind: int, item: Any) -> None:
        try:
            connection.send((kind, item))
        except OSError as error:
            raise _GoneError from error

    def receive() -> tuple[int, Any]:
        nonlocal taken
        try:
            message: tuple[int, Any] = connection.recv()
        except (EOFError, OSError) as error:
            raise _GoneError from error
        taken += message[0] == _TAKEN
        return message

    def receive_other() -> tuple[int, Any]:
        while (message := receive())[0] == _TAKEN:
            pass
        return message

    def give(result: Result) -> None:
        nonlocal shared
        data, says = result
        if not blocks or len(data) > _BLOCK_BYTES:
            send(_RESULT, result)
            return
        while shared - taken == len(blocks):
            receive()
        blocks[shared % len(blocks)][: len(data)] = data
        send(_SHARED_RESULT, (len(data), says))
        shared += 1

    def pieces() -> Iterator[Any]:
        while True:
            send(_WANTS_PIECE, None)
            kind, piece = receive_other()
            if kind == _ERROR:
                raise _NoMorePiecesError
            if kind == _END:
                return
            yield piece

    with suppress(_GoneError):
        while True:
            _, says = receive_other()
            try:
                for result in function(says, pieces()):
                    give(result)
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


class _Worker:
    """A process, and how it is spoken to.

    Args:
        context: how it is started.
        function: what it does.
        others: of workers that were started before.
    """

    def __init__(self, context: Any, function: Function, others: Sequence[_Worker]) -> None:
        self._connection, theirs = context.Pipe()
        is_forked = context.get_start_method() == "fork"
        self._blocks = [mmap.mmap(-1, _BLOCK_BYTES) for _ in range(_BLOCKS)] if is_forked else []
        self._shared = 0
        inherited = [worker._connection for worker in (*others, self)] if is_forked else []
        arguments = function, theirs, self._blocks, inherited
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def send(self, kind: int, item: Any) -> None:
        self._connection.send((kind, item))

    def receive(self) -> tuple[int, Any]:
        kind, item = self._connection.recv()
        if kind != _SHARED_RESULT:
            return kind, item
        size, says = item
        data = self._blocks[self._shared % len(self._blocks)][:size]
        self._shared += 1
        self.send(_TAKEN, None)
        return _RESULT, (data, says)

    def death(self) -> DeadWorkerError:
        """Say how the process has ended, which is not to be spoken to any more."""
        code = None
        with suppress(ValueError):  # closed meanwhile
            self._process.join(1.0)
            code = self._process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        return DeadWorkerError(f"a worker process {how}", "is the memory full? fewer preprocess.workers need less")

    def terminate(self) -> None:
        """End the process, whatever it is doing; `close` waits for that."""
        self._process.terminate()

    def close(self) -> None:
        self._process.join()
        self._process.close()

    def hang_up(self) -> None:
        """Let the process end when it has done what it is doing."""
        self._connection.close()


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
        self._workers: list[_Worker] = []
        for _ in range(workers):
            self._workers.append(_Worker(context, function, self._workers))
        self._threads = [
            threading.Thread(target=self._hand_out, args=(worker,), name="w2v-worker", daemon=True)
            for worker in self._workers
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
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_GRACE)  # one that reads from a pipe may wait for ever
        for worker in self._workers:
            worker.hang_up()

    def _hand_out(self, worker: _Worker) -> None:
        try:
            while not self._is_closed and self._one_task(worker):
                pass
        finally:
            worker.hang_up()
            with self._lock:
                self._busy -= 1
                if not self._busy:
                    self._begun.put(None)

    def _one_task(self, worker: _Worker) -> bool:
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
                return self._work_on(task, slot, worker)
        return self._work_on(task, slot, worker)

    def _work_on(self, task: Task, slot: _Slot, worker: _Worker) -> bool:
        pieces = iter(task.pieces)
        is_abandoned = False
        try:
            if not self._sent(worker, _TASK, task.says, slot):
                return True
            while True:
                kind, result = worker.receive()
                if kind == _WANTS_PIECE:
                    kind, piece = self._next_piece(pieces, slot)
                    is_abandoned = kind == _ERROR or not self._sent(worker, kind, piece, slot)
                    if is_abandoned:
                        worker.send(_ERROR, None)
                    continue
                if not is_abandoned:
                    self._put(slot, kind, result)
                if kind in (_END, _ERROR):
                    return True
        except (EOFError, OSError):
            if not self._is_closed:
                self._put(slot, _ERROR, worker.death())
        return False

    def _sent(self, worker: _Worker, kind: int, item: Any, slot: _Slot) -> bool:
        """Return whether something was sent: what cannot be pickled is not, and the slot is told."""
        try:
            worker.send(kind, item)
        except (EOFError, OSError):
            raise
        except Exception as error:
            self._put(slot, _ERROR, error)
            return False
        return True

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
