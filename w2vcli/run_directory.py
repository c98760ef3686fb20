"""The run directory: where everything about one training run lies, and the lock that keeps it to one writer."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from w2vcli import outputs, seal
from w2vcli.errors import W2VError

MODEL_FILE = "word2vec.model"
META_FILE = "training.json"
_LOCK_TRIES = 10

Event = dict[str, Any]


class RunDirectory:
    """Paths below `RUN`, and the small files in it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.yaml"
        self.vocab = self.path / "vocab.tsv"
        self.events = self.path / "events.jsonl"
        self.corpus = self.path / "corpus"
        self.checkpoints = self.path / "checkpoints"
        self.model = self.path / "model"
        self.model_file = self.model / MODEL_FILE
        self.lock_file = self.path / "lock"
        self._lock: _Lock | None = None
        self._was_empty = False  # when it was locked

    def is_run(self) -> bool:
        """Return whether a training run was ever begun here."""
        return any(path.exists() for path in (self.events, self.config, self.model_file))

    def create(self) -> None:
        """Make the folder, inside one that exists, unless it is there.

        Raises:
            W2VError: when it cannot be made or written to, or holds something else.
        """
        try:
            self.path.mkdir(exist_ok=True)
        except FileNotFoundError:
            raise W2VError(f"{self.path}: the folder {self.path.parent} does not exist", "create it first") from None
        except FileExistsError:
            raise W2VError(f"{self.path}: is a file", "a run is a folder; give another name to -o") from None
        except OSError as error:
            raise W2VError(f"{self.path}: cannot be created: {error.strerror}") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise W2VError(f"{self.path}: this folder is not writable")
        ours = {path.name for path in vars(self).values() if isinstance(path, Path)}
        if not self.is_run() and any(
            entry.name not in ours and not entry.name.startswith(".") for entry in self.path.iterdir()
        ):
            raise W2VError(f"{self.path}: holds other files than a run's", "give a new folder to -o")

    def remove_if_nothing_was_begun(self) -> None:
        """Remove the folder, if it is still ours and there is nothing in it but what locking and logging left."""
        if self._lock is None or not self._lock.is_at(self.lock_file):
            return
        own = {self.lock_file, self.events}
        with suppress(OSError):
            if self._was_empty and set(self.path.iterdir()) <= own:
                for file in own:
                    file.unlink(missing_ok=True)
                self.path.rmdir()

    def check_held(self) -> None:
        """Make sure that this is still the folder that was locked: nobody removed it, or took it away with its lock.

        Raises:
            W2VError: when it is not.
        """
        if self._lock is None or not self._lock.is_at(self.lock_file):
            raise W2VError(f"{self.path}: vanished while it was trained, or another process took it", "run it again")

    def take_lock(self) -> str | None:
        """Hold the run for one writer until `release_lock`; the system lets go of it however the process ends.

        Returns:
            None, or who holds it, if another process does.

        Raises:
            W2VError: when the lock cannot be written.
        """
        lock, holder = _Lock.take(self.lock_file)
        self._lock = lock
        self._was_empty = list(self.path.iterdir()) == [self.lock_file]
        return None if lock else holder

    def release_lock(self) -> None:
        """Let go of the run."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def is_locked(self) -> bool:
        """Return whether a process is training this run now."""
        try:
            with self.lock_file.open() as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def trained(self) -> dict[str, Any] | None:
        """Return what training.json says of the finished model, or None where there is no finished model."""
        if not self.finished_model().is_file():
            return None
        try:
            return seal.peek(self.finished_model().parent, META_FILE)
        except seal.BrokenSealError:
            return None

    def verified(self) -> tuple[dict[str, Any] | None, str | None]:
        """Return what training.json says, after reading the whole model; and what is wrong with it, if it is damaged.

        Raises:
            W2VError: when a file cannot be read.
        """
        folder = self.finished_model().parent
        try:
            about = seal.peek(folder, META_FILE)
        except seal.BrokenSealError:
            return None, None
        try:
            return seal.read(folder, META_FILE), None
        except seal.BrokenSealError as error:
            return about, str(error)

    def finished_model(self) -> Path:
        """Return the finished model's file, or where it would be.

        In the moment between the two renames of a replacement, it is the former model's.
        """
        former = outputs.former(self.model) / MODEL_FILE
        return former if not self.model_file.is_file() and former.is_file() else self.model_file

    @contextmanager
    def event_log(self) -> Iterator[EventLog]:
        """Yield a log that appends to events.jsonl.

        Raises:
            W2VError: when it cannot be written.
        """
        with outputs.translated_errors(self.events):
            descriptor = os.open(self.events, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            with outputs.translated_errors(self.events):
                log = EventLog(self.events, descriptor)
            yield log
        finally:
            os.close(descriptor)

    def read_events(self) -> list[Event]:
        """Return all events so far, in order; lines that are none, cut off by a crash, say, are left out."""
        try:
            lines = self.events.read_bytes().split(b"\n")
        except OSError:
            return []
        events = []
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and "event" in event and isinstance(event.get("time"), int | float):
                events.append(event)
        return events


class _Lock:
    """The lock on a file, held by this process; the file says which process that is."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> tuple[_Lock | None, str]:
        """Return the lock, or None and who holds it. What a dead process left does not count: its lock is gone."""
        holder = ""
        for _ in range(_LOCK_TRIES):
            with outputs.translated_errors(path):
                lock = cls(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))
                try:
                    fcntl.flock(lock._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    holder = os.pread(lock._descriptor, 1000, 0).decode(errors="replace").strip()
                    os.close(lock._descriptor)
                    time.sleep(0.01)  # it may be a reader, in `is_locked`, who is gone at once
                    continue
                except BaseException:
                    os.close(lock._descriptor)
                    raise
            if lock.is_at(path):
                lock._say(f"process {os.getpid()} on {socket.gethostname()}\n")
                return lock, ""
            os.close(lock._descriptor)  # its last holder removed it
        return None, holder or "another process"

    def is_at(self, path: Path) -> bool:
        """Return whether it is `path` that is locked, and not a file that was once there."""
        try:
            return os.path.samestat(path.stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def _say(self, holder: str) -> None:
        with suppress(OSError):  # on a full disk it holds without a name
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, holder.encode(), 0)

    def release(self) -> None:
        """Let go of it."""
        self._say("")
        os.close(self._descriptor)


class EventLog:
    """Appends one JSON object a line."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":  # a crash or a full disk cut the last line off
            os.write(descriptor, b"\n")

    def append(self, event: Event) -> None:
        """Write one event and hand it to the system.

        Raises:
            W2VError: when it cannot be written.
        """
        with outputs.translated_errors(self._path):
            line = json.dumps(event).encode() + b"\n"
            while line:  # on a full disk a part is written, and an error comes only with the rest
                line = line[os.write(self._descriptor, line) :]

    def append_if_possible(self, event: Event) -> None:
        """Write one event, unless it is the disk that fails."""
        with suppress(W2VError):
            self.append(event)
