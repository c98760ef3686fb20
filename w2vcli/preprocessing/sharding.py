"""Output in shards: files of about the same size, and a manifest that says what is in them.

A shard ends with the first sentence that makes it large enough. The manifest is written anew after each, so that the
same command, after an interruption or when shards were lost, goes on at the first one that is missing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2vcli import outputs
from w2vcli.errors import W2VError
from w2vcli.preprocessing.writing import Sink, written
from w2vcli.sources import Source, compression_of, is_url, open_bytes

_VERSION = 1


@dataclass(frozen=True)
class Position:
    """A place in the sentences of a job: so many lines of a task's are before it."""

    task: int = 0
    lines: int = 0


@dataclass(frozen=True)
class Shard:
    """A file that has been written."""

    size: int
    """Bytes as stored."""
    sentences: int
    end: Position
    counts: Mapping[str, int]
    """What had been counted before the task in which it ends."""


class Manifest:
    """What is known of the shards of an output, and of what they were made.

    Args:
        output: the name of the output; shards are called `NAME-00000.txt.gz` of `NAME.txt.gz`.
        made_of: whatever the shards depend on, as JSON.
    """

    def __init__(self, output: str, made_of: Mapping[str, Any]) -> None:
        if output == outputs.STDOUT or is_url(output) or outputs.is_device(Path(output)):
            raise W2VError(f"{output}: shards are files in a folder of this computer", "name a file with -o")
        self._output = Path(output)
        self._key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
        self._path = self._output.with_name(f"{self._stem}.shards.json")
        self.shards: list[Shard] = []
        self.failed: dict[str, str] = {}
        """Sources before the end of the shards that were left out, and why."""
        self.summary: dict[str, Any] | None = None
        """Of the whole job, once all of it is done."""
        self._read()

    @property
    def _stem(self) -> str:
        name = self._output.name.removesuffix(compression_of(self._output.name))
        return Path(name).stem

    @property
    def _ending(self) -> str:
        return self._output.name.removeprefix(self._stem)

    def path_of(self, number: int) -> Path:
        """Return the file of a shard."""
        return self._output.with_name(f"{self._stem}-{number:05d}{self._ending}")

    def _read(self) -> None:
        """Take over the shards up to the first that is missing, if they were made of the same."""
        self._former = 0
        try:
            known = json.loads(self._path.read_text())
            shards = [
                Shard(one["size"], one["sentences"], Position(*one["end"]), one["counts"]) for one in known["shards"]
            ]
            self._former = len(shards)
            if (known["version"], known["made_of"]) != (_VERSION, self._key):
                return
            self.failed = dict(known["failed"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise W2VError(f"{self._path}: cannot be read", "remove it, and all shards are made anew") from error
        for number, shard in enumerate(shards):
            path = self.path_of(number)
            if not path.is_file() or path.stat().st_size != shard.size:
                return
            self.shards.append(shard)
        self.summary = known["summary"]

    def save(self) -> None:
        """Write the manifest."""
        shards = [{**vars(shard), "end": [*vars(shard.end).values()]} for shard in self.shards]
        about = {"version": _VERSION, "made_of": self._key, "summary": self.summary, "failed": self.failed}
        text = json.dumps({**about, "shards": shards}, indent=1, ensure_ascii=False)
        outputs.write_text(self._path, f"{text}\n")

    def finish(self, summary: dict[str, Any]) -> None:
        """Say that all is done, and what came of it."""
        self.summary = summary
        self.save()

    def add(self, shard: Shard) -> None:
        """Add a shard that has been written; with the first, those that there were of other text go."""
        for number in range(len(self.shards) + 1, self._former) if not self.shards else ():
            self.path_of(number).unlink(missing_ok=True)
        self.shards.append(shard)
        self.save()

    def begin(self) -> None:
        """Say that not all shards are there any more, or not yet."""
        if self._former:
            self.save()

    def check_inputs(self, sources: Iterable[Source]) -> None:
        """Make sure that no shard is an input.

        Raises:
            W2VError: where one is.
        """
        name = re.compile(rf"{re.escape(self._stem)}(-\d{{5}}{re.escape(self._ending)}|\.shards\.json)")
        folder = self._output.resolve().parent
        for source in sources:
            path = Path(source.name).resolve()
            if source.is_local and path.parent == folder and name.fullmatch(path.name):
                raise W2VError(f"{source.name}: is an input, and has the name of a shard", "give -o another name")

    @property
    def end(self) -> Position:
        """Where the shards that are there end."""
        return self.shards[-1].end if self.shards else Position()

    def lines(self) -> Iterator[bytes]:
        """Yield the sentences in the shards that are there, up to the task in which they end."""
        left = sum(shard.sentences for shard in self.shards) - self.end.lines
        for number in range(len(self.shards)):
            with open_bytes(Source(str(self.path_of(number)))) as pieces:
                rest = b""
                for piece in pieces:
                    text = rest + piece
                    end = place_after(text, left)
                    left -= text.count(b"\n", 0, end)
                    rest = text[end:]
                    yield text[:end]


def place_after(lines: bytes, number: int) -> int:
    """Return where so many lines end, or all there are.

    >>> place_after(b"one\\ntwo\\nthr", 1), place_after(b"one\\ntwo\\nthr", 3)
    (4, 8)
    """
    found = lines.count(b"\n")
    if number >= found:
        return lines.rfind(b"\n") + 1
    end = 0
    for _ in range(number):
        end = lines.index(b"\n", end) + 1
    return end


class ShardWriter:
    """Writes sentences into shards, after those that are there.

    Args:
        manifest: of the output.
        size: bytes of sentences, from which on a shard ends.
        workers: threads that compress.
        failed: says which sources were left out so far, and why.
    """

    def __init__(
        self, manifest: Manifest, size: int, workers: int, failed: Callable[[], Mapping[str, str]]
    ) -> None:  # fmt: skip
        self._manifest, self._size, self._workers, self._failed = manifest, size, workers, failed
        self._known = manifest.end
        self._place = Position(manifest.end.task, 0)
        self._shard = ExitStack()
        self._sink: Sink | None = None
        self._used = self._sentences = 0

    def write(self, task: int, lines: bytes, before: Mapping[str, int]) -> None:
        """Write the next sentences of a task; those that are in earlier shards are passed over.

        Args:
            task: its number.
            lines: the sentences.
            before: what had been counted before the task.
        """
        if task != self._place.task:
            self._place = Position(task, 0)
        if task == self._known.task:
            end = place_after(lines, self._known.lines - self._place.lines)
            self._place = Position(task, self._place.lines + lines.count(b"\n", 0, end))
            lines = lines[end:]
        while lines:
            if self._sink is None:
                path = self._manifest.path_of(len(self._manifest.shards))
                self._sink = self._shard.enter_context(written(str(path), self._workers))
            end = lines.find(b"\n", max(self._size - self._used - 1, 0)) + 1 or len(lines)
            self._sink.write(lines[:end])
            self._used += end
            self._sentences += lines.count(b"\n", 0, end)
            self._place = Position(task, self._place.lines + lines.count(b"\n", 0, end))
            lines = lines[end:]
            if self._used >= self._size:
                self._close(before)

    def _close(self, before: Mapping[str, int]) -> None:
        number = len(self._manifest.shards)
        self._shard.close()
        path = self._manifest.path_of(number)
        shard = Shard(path.stat().st_size, self._sentences, self._place, dict(before))
        self._sink, self._used, self._sentences = None, 0, 0
        self._manifest.failed.update(self._failed())
        self._manifest.add(shard)

    def finish(self, before: Mapping[str, int]) -> None:
        """End the last shard."""
        if self._sink is not None:
            self._close(before)

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self._shard.__exit__(*error)  # of a shard that is not complete nothing stays
