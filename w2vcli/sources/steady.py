"""A stream from another machine that goes on where it broke off: no byte is lost, none comes twice.

A place sends a file in parts. When one breaks off, the next is asked for from the byte that is due. A place that can
only begin at the beginning does so, and what was read before is passed over; its checksum tells whether it is still
the same.
"""

from __future__ import annotations

import io
import random
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

ATTEMPTS = 5
"""How often in a row a part may break off without a single byte before the reader gives up."""
BACKOFF = 1.0
"""Seconds before the second attempt, about; each further one waits twice as long."""
TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as broken off."""
PIECE = 1 << 16  # bytes asked for at once
START = 1 << 13  # bytes that tell what a file holds

T = TypeVar("T")


class BrokenOffError(OSError):
    """A transfer ended early or did not begin, for a reason that may pass."""


class UnreachableError(BrokenOffError):
    """There is no connection. Where there has been one before, this may pass."""


class Part(Protocol):
    """What a place sends of a file.

    Errors that may pass are raised as BrokenOffError, by `read` too; any other OSError is final.
    """

    start: int
    """The position in the file of the first byte."""
    size: int | None
    """The bytes of the whole file, where they are known."""
    tag: str | None
    """Another one means another content, where there is one."""

    def read(self, count: int) -> bytes:
        """Return at most `count` bytes, none at the end."""

    def close(self) -> None:
        """Give up the connection."""


class Nothing:
    """The part that is left at the end of a file of `size` bytes."""

    def __init__(self, size: int) -> None:
        self.start = size
        self.size: int | None = size
        self.tag: str | None = None

    def read(self, count: int) -> bytes:
        """Return no byte."""
        return b""

    def close(self) -> None:
        """Do nothing."""


class SteadyReader(io.RawIOBase):
    """The bytes of a file that lies elsewhere, from `start` on.

    Args:
        open_part: returns the part that begins at a position, or at 0 where the place cannot do that.
        start: the position of the first byte.

    Raises:
        OSError: when it cannot be opened or, while it is read, went on breaking off or has changed.
    """

    def __init__(self, open_part: Callable[[int], Part], start: int = 0) -> None:
        self._open_part = open_part
        self._start = self._position = start
        self._part: Part | None = None
        self._is_recognised = False
        self._is_known = False
        self._size: int | None = None
        self._tag: str | None = None
        self._checksum = 0
        self._failures = 0
        self._is_at_end = False
        self._persistently(self._current)

    @property
    def passed(self) -> int:
        """How many bytes were read."""
        return self._position - self._start

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the beginning of `buffer`; return with how many bytes, 0 at the end.

        The first time they are enough to tell what they are, as long as there are that many.
        """
        least = 1 if self.passed else min(START, len(buffer))
        filled = 0
        while filled < least and not self._is_at_end and self._position != self._size:
            room = len(buffer) - filled
            piece = self._persistently(lambda room=room: self._read(room))  # type: ignore[misc]
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._failures = 0
            self._checksum = zlib.crc32(piece, self._checksum)
            self._position += len(piece)
            self._is_at_end = not piece
        return filled

    def close(self) -> None:
        """Give up the connection."""
        if not self.closed:
            self._drop()
        super().close()

    def _persistently(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except BrokenOffError as error:
                self._drop()
                self._failures += 1
                if isinstance(error, UnreachableError) and not self._is_known:
                    raise OSError(str(error)) from error
                if self._failures >= ATTEMPTS:
                    raise OSError(
                        f"cannot be read from byte {self._position:,} on, tried {ATTEMPTS} times: {error}; "
                        "try again later"
                    ) from error
            _wait(self._failures)

    def _drop(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            with suppress(Exception):  # what a broken connection says when it is closed is no news
                part.close()

    def _current(self) -> Part:
        if self._part is None:
            self._is_recognised = False
            self._part = self._open_part(self._position)
            self._pass_over(self._part)
        return self._part

    def _pass_over(self, part: Part) -> None:
        """Read up to where this reader is, if the part begins earlier."""
        position, checksum = part.start, 0
        while position < self._position:
            until = self._position if position >= self._start else self._start
            piece = self._next(part, position, min(PIECE, until - position))
            if not piece:
                raise _changed()
            if position >= self._start:
                checksum = zlib.crc32(piece, checksum)
            position += len(piece)
        if position > self._position or (position > part.start and checksum != self._checksum):
            raise _changed()

    def _read(self, count: int) -> bytes:
        part = self._current()
        if self._size is not None:
            count = min(count, self._size - self._position)
        # what has arrived of a piece that breaks off is lost: ask for less and less
        return self._next(part, self._position, min(count, max(1, PIECE >> 3 * self._failures)))

    def _next(self, part: Part, position: int, count: int) -> bytes:
        """Return the next bytes of a part, none only at the end of the file."""
        piece = part.read(count)
        if not piece and (self._size if part.size is None else part.size) not in (None, position):
            raise BrokenOffError("the transfer ended early")
        if not self._is_recognised:  # not before there are bytes: headers may be cut too
            self._recognise(part)
            self._is_recognised = True
        return piece

    def _recognise(self, part: Part) -> None:
        if self._is_known:
            for before, now in ((self._size, part.size), (self._tag, part.tag)):
                if before is not None and now is not None and before != now:
                    raise _changed()
        else:
            self._is_known, self._size, self._tag = True, part.size, part.tag


def _changed() -> OSError:
    return OSError("it changed while it was being read; run it again when it is complete")


def _wait(failures: int) -> None:
    """Wait before the next attempt, not all processes for the same time."""
    if BACKOFF:
        time.sleep(BACKOFF * 2 ** (failures - 1) * random.SystemRandom().uniform(0.5, 1.5))


def cause(error: BaseException) -> str:
    """Return in a line what the system said that made a library raise `error`.

    >>> error = RuntimeError("Max retries exceeded")
    >>> error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    >>> cause(error)
    'Connection refused'
    """
    said: BaseException = error
    deeper: BaseException | None = error
    while deeper is not None:
        if isinstance(deeper, OSError):
            said = deeper
        deeper = deeper.__cause__ or deeper.__context__
    return getattr(said, "strerror", None) or " ".join(str(said).split()) or type(said).__name__


def answer(status: int, phrase: str) -> OSError:
    """Return the error that an HTTP status means: one that may pass, or a final one."""
    said = f"the server answers {status} {phrase}".rstrip()
    if status in (408, 425, 429) or (status >= 500 and status not in (501, 505)):
        return BrokenOffError(said)
    return FileNotFoundError(said) if status in (404, 410) else OSError(said)
