from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pickle import PicklingError
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2vcli.errors import W2VError
from w2vcli.workers import DeadWorkerError, Result, Task, mapped


def spell(says: Any, pieces: Iterator[str]) -> Iterator[Result]:
    """The letters of what it is told, then the pieces it is given."""
    for piece in itertools.chain(says, pieces):
        yield piece.encode(), len(piece)


def spelled(found: Iterator[Result]) -> list[str]:
    pieces = [(data.decode(), size) for data, size in found]
    assert all(size == len(piece) for piece, size in pieces)
    return [piece for piece, _ in pieces]


def obey(says: Any, pieces: Iterator[Any]) -> Iterator[Result]:
    if says == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if says == "exit":
        os._exit(3)
    if says == "fail":
        raise W2VError("it failed", "do something")
    if says == "oddly":
        raise _OddError(1, 2)
    yield b"", os.getpid()


class _OddError(Exception):
    """Cannot be pickled."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def flood(says: Any, pieces: Iterator[bytes]) -> Iterator[Result]:
    """Far more than a pipe holds, for every piece, before it asks for the next; more and less than fits a block."""
    for piece in pieces:
        for number in range(20):
            yield piece * (number % 5 * 3), number


def results(tasks: list[Task], workers: int) -> list[tuple[Any, list[str]]]:
    return [(says, spelled(found)) for says, found in mapped(spell, tasks, workers)]


@given(st.lists(st.tuples(st.text(max_size=8), st.lists(st.text(max_size=3), max_size=4), st.booleans()), max_size=12))
@settings(max_examples=15)
def test_results_come_in_the_order_of_the_tasks(given_tasks: list[tuple[str, list[str], bool]]) -> None:
    tasks = [Task(*one) for one in given_tasks]
    expected = [(says, [*says, *pieces]) for says, pieces, _ in given_tasks]
    assert results(tasks, 1) == results(tasks, 3) == expected


def test_several_processes_work() -> None:
    found = {pid for _, results in mapped(obey, [Task("")] * 40, 3) for _, pid in results}
    assert os.getpid() not in found
    assert 1 <= len(found) <= 3


def test_pieces_of_an_open_task_are_taken_before_the_next_task() -> None:
    source = iter("abcdefgh")

    def tasks() -> Iterator[Task]:
        for number in (3, 1, 4):
            yield Task(str(number), (next(source) for _ in range(number)), is_open=True)

    assert ["".join(found) for _, found in results(list(tasks()), 1)] == ["3abc", "1d", "4efgh"]
    source = iter("abcdefgh")
    found = [(says, "".join(spelled(letters))) for says, letters in mapped(spell, tasks(), 3)]
    assert found == [("3", "3abc"), ("1", "1d"), ("4", "4efgh")]


def test_more_than_a_pipe_holds_goes_both_ways() -> None:
    piece = bytes(range(250)) * 1200
    tasks = [Task(number, [piece] * 3, is_open=number % 2 == 0) for number in range(4)]
    expected = [(piece * (number % 5 * 3), number) for number in range(20)]
    for workers in (2, 4):
        for _, found in mapped(flood, tasks, workers):
            assert list(found) == expected * 3


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ("die", "a worker process was killed by signal 9; is the memory full?"),
        ("exit", "a worker process ended with exit code 3"),
        ("fail", "it failed; do something"),
        ("oddly", "_OddError: 1 and 2"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_raised_in_its_place(order: str, message: str) -> None:
    begun = []
    with pytest.raises((W2VError, RuntimeError), match=message) as raised:
        for says, found in mapped(obey, [Task("a"), Task("b"), Task(order), Task("c")], 2):
            begun.append(says)
            list(found)
    assert begun == ["a", "b", order]
    assert isinstance(raised.value, DeadWorkerError) == (order in ("die", "exit"))


def test_a_task_that_cannot_be_sent_is_an_error_too() -> None:
    odd = lambda: None  # noqa: E731 - cannot be pickled
    tasks = [Task("a"), Task(odd), Task(odd), Task("b", ["c", odd]), Task("d", ["e"]), Task("f"), Task("g")]
    outcome = []
    for _, found in mapped(spell, tasks, 2):
        try:
            outcome.append("".join(spelled(found)))
        except (AttributeError, TypeError, PicklingError):
            outcome.append("odd")
    assert outcome == ["a", "odd", "odd", "odd", "de", "f", "g"]


def test_after_an_error_the_others_can_go_on() -> None:
    outcome = []
    for says, found in mapped(obey, [Task("a"), Task("fail"), Task("c")], 2):
        try:
            outcome.append((says, len(list(found))))
        except W2VError:
            outcome.append((says, -1))
    assert outcome == [("a", 1), ("fail", -1), ("c", 1)]


def test_what_goes_wrong_in_making_tasks_and_pieces_is_raised() -> None:
    def tasks() -> Iterator[Task]:
        yield Task("a")
        raise W2VError("no more tasks")

    def pieces() -> Iterator[str]:
        yield "b"
        raise W2VError("no more pieces")

    for workers in (1, 2):
        with pytest.raises(W2VError, match="no more tasks"):
            for _, found in mapped(spell, tasks(), workers):
                list(found)
        with pytest.raises(W2VError, match="no more pieces"):
            for _, found in mapped(spell, [Task("a", pieces())], workers):
                list(found)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_errors_in_making_pieces_lose_no_other_tasks(workers: int) -> None:
    def broken() -> Iterator[str]:
        yield "x"
        raise EOFError("broken")

    tasks = [Task("a", broken(), True), Task("b", broken(), True), *(Task(str(number), "yz") for number in range(5))]
    outcome = []
    for says, found in mapped(spell, tasks, workers):
        try:
            outcome.append((says, "".join(spelled(found))))
        except EOFError as error:
            outcome.append((says, str(error)))
    assert outcome == [("a", "broken"), ("b", "broken"), *((str(number), f"{number}yz") for number in range(5))]


def test_nothing_stays_behind_when_nobody_wants_more() -> None:
    threads = threading.active_count()
    pids: list[int] = []
    endless = (Task("") for _ in iter(int, 1))
    for _, found in mapped(obey, endless, 3):
        pids += [pid for _, pid in found]
        if len(set(pids)) >= 2 or len(pids) > 500:
            break
    del found
    assert threading.active_count() == threads
    for pid in set(pids):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_workers_end_with_the_one_who_started_them() -> None:
    """Even if that is killed: they see the end of their pipes."""
    code = """
from tests.test_workers import obey, Task, mapped
for number, (_, found) in enumerate(mapped(obey, (Task("") for _ in iter(int, 1)), 2)):
    print(*(pid for _, pid in found), flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        begun = {int(process.stdout.readline()) for _ in range(50)}
        process.kill()
        rest = process.stdout.read()  # ends when nobody has its other end any more: none of the workers
    assert process.pid not in begun
    assert all(line.isdigit() for line in rest.split())
