"""What the benchmarks share: one plain text, processes of their own, rounds, and ratios within a round.

Every run is a process of its own, so that imports and memory count. A round runs everything that is compared, one after
the other, and the next round begins with another one; ratios are taken within a round, and medians over the rounds, so
that they hold on a machine whose speed drifts.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from w2vcli.bench import launch
from w2vcli.encoding import WordCounter
from w2vcli.errors import W2VError
from w2vcli.sources import Source, expand, open_bytes

Run = TypeVar("Run")
Opener = Callable[[Source], AbstractContextManager[Iterator[bytes]]]


def in_rounds(names: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Yield the number of the round and who runs next.

    >>> list(in_rounds(["a", "b"], 2))
    [(0, 'a'), (0, 'b'), (1, 'b'), (1, 'a')]
    """
    order = list(names)
    for number in range(rounds):
        yield from ((number, name) for name in order)
        order = order[1:] + order[:1]


def beside(
    runs: Sequence[Run], baseline: str, key: Callable[[Run], tuple[str, int]]
) -> Iterator[tuple[str, list[Run], list[tuple[Run, Run]]]]:
    """Yield who ran, its runs, and each of these with the baseline's run of the same round, where there is one.

    Args:
        runs: of everyone.
        baseline: the name of the one that the others are compared to.
        key: a run -> the name and the round.
    """
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(key(run)[0], []).append(run)
    against = {key(run)[1]: run for run in by_name.get(baseline, [])}
    for name, own in by_name.items():
        yield name, own, [(run, against[key(run)[1]]) for run in own if key(run)[1] in against]


def median(values: Sequence[float]) -> float | None:
    """Return the median, or None where there are no values."""
    return statistics.median(values) if values else None


def one_plain_file(sources: Sequence[Source], path: Path, opener: Opener = open_bytes) -> None:
    """Write the sources to one uncompressed file, with a line end between them, which everyone can read."""
    with path.open("wb") as stream:
        for source in sources:
            last = b"\n"
            with opener(source) as pieces:
                for piece in pieces:
                    stream.write(piece)
                    last = piece[-1:] or last
            if last != b"\n":
                stream.write(b"\n")


def words_in(path: Path) -> int:
    """Return how many words a tokenised text has."""
    return sum(len(ids) for ids, _ in WordCounter().read(expand([path])))


def timed(command: Sequence[str]) -> tuple[float, int, str, str]:
    """Run a command; return its seconds, the peak memory in bytes of its largest process, and its stdout and stderr.

    A small process starts it: one started by a large process would begin with that one's peak.

    Raises:
        W2VError: when it cannot be run, or fails.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as log, tempfile.NamedTemporaryFile() as to:
        launcher = [sys.executable, "-I", "-S", launch.__file__, to.name, *command]
        process = subprocess.Popen(launcher, stdout=out, stderr=log, text=True, start_new_session=True)
        try:
            process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        out.seek(0)
        log.seek(0)
        printed, logged = out.read(), log.read()
        found = json.loads(to.read())
    if found["error"]:
        raise W2VError(f"{command[0]}: cannot be run: {found['error']}")
    if found["code"]:
        last = (logged.strip() or printed.strip() or "it printed nothing").splitlines()[-1]
        raise W2VError(f"{shlex.join(command[:4])} …: failed with exit code {found['code']}: {last}")
    return found["seconds"], found["peak_bytes"], printed, logged


def bars(panel: Any, names: Sequence[str], values: Sequence[float], ratios: Sequence[float | None]) -> None:
    """Draw speeds, each with how many times as fast as the baseline it is."""
    drawn = panel.barh(names, values)
    panel.bar_label(drawn, [f"{ratio:.1f} x" if ratio else "" for ratio in ratios])
    panel.margins(x=0.12)
