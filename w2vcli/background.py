"""Work done by a thread while the program goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar


class Background:
    """Runs a function once, in a thread that does not keep the program from ending."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._error: Exception | None = None
        self._ended = threading.Event()  # a join that a signal interrupts takes the thread for ended (Python 3.11)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start it, unless that has been done."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            self._function()
        except Exception as error:
            self._error = error
        finally:
            self._ended.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end, or so long; return whether it has ended, or raise what it raised."""
        assert self._thread is not None
        has_ended = self._ended.wait(seconds)
        if self._error:
            raise self._error
        return has_ended


_Item = TypeVar("_Item")


def ahead(items: Iterator[_Item]) -> Generator[_Item, None, None]:
    """Yield the items; while one is used, a thread makes the next."""
    with ThreadPoolExecutor(1, "w2v-read") as pool:
        following = pool.submit(next, items, None)
        while (item := following.result()) is not None:
            following = pool.submit(next, items, None)
            yield item
