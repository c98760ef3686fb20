"""The run directory: where everything about one training run lies, and the lock that keeps it to one writer."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from w2vcli import outputs
from w2vcli.errors import LockedError, W2VError

MODEL_FILE = "word2vec.model"
META_FILE = "training.json"
_LOCK_TRIES = 50

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

    def is_run(self) -> bool:
        """Return whether a training run was ever begun here."""
        return any(path.exists() for path in (self.events, self.config, self.model_file))

    def create(self) -> bool:
        """Make the folder, inside one that exists, and return whether it is new.

        Raises:
            W2VError: when it cannot be made or written to, or holds something else.
        """
        is_new = not self.path.exists()
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
        ours = {path.name for path in vars(self).values()}
        if not self.is_run() and any(
            entry.name not in ours and not entry.name.startswith(".") for entry in self.path.iterdir()
        ):
            raise W2VError(f"{self.path}: holds other files than a run's", "give a new folder to -o")
        return is_new

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for one writer; the system lets go of it when the process ends, however it ends.

        Raises:
            LockedError: when another process holds it.
        """
        try:
            stream = self.lock_file.open("a+")
        except OSError as error:
            raise W2VError(f"{self.lock_file}: cannot be written: {error.strerror}") from error
        with stream:
            self._take(stream)
            stream.truncate(0)
            stream.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            stream.flush()
            try:
                yield
            finally:
                stream.truncate(0)

    def _take(self, stream: TextIO) -> None:
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                stream.seek(0)
                if holder := stream.read().strip():
                    break
                time.sleep(0.01)  # a reader in `is_locked` leaves no name, and is gone at once
        raise LockedError(f"{self.path}: {holder or 'another process'} is training this run")

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
        """Return what is known of the finished model's training, or None where there is none."""
        if not self.finished_model().is_file():
            return None
        try:
            content = json.loads((self.finished_model().parent / META_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def finished_model(self) -> Path:
        """Return the finished model's file, or where it would be.

        In the moment between the two renames of a replacement, it is the former model's.
        """
        former = outputs.former(self.model) / MODEL_FILE
        return former if not self.model_file.is_file() and former.is_file() else self.model_file

    @contextmanager
    def event_log(self) -> Iterator[EventLog]:
        """Yield a log that appends to events.jsonl."""
        with self.events.open("a+b") as stream:
            yield EventLog(stream)

    def read_events(self) -> list[Event]:
        """Return all events so far, in order; a line cut off by a crash is left out."""
        try:
            lines = self.events.read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        events = []
        for line in lines:
            try:
                events.append(json.loads(line))
            except ValueError:
                continue
        return events


class EventLog:
    """Appends one JSON object a line."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        if stream.seek(0, os.SEEK_END):
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":  # a crash cut the last line off
                stream.write(b"\n")

    def append(self, event: Event) -> None:
        """Write one event and hand it to the system."""
        self._stream.write(json.dumps(event).encode() + b"\n")
        self._stream.flush()
