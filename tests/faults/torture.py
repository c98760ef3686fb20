"""Kill training again and again: `torture.py FOLDER KILLS [SEED]`.

Small runs of every engine, with one worker and with several, are killed (SIGKILL) at a random moment of a random phase,
started again, killed again, and at last let through. After each kill everything that can be read must be whole; a run
of one worker must end in the same bits as one that was never killed. Prints a JSON object with the numbers.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from w2vcli import checkpoint, loop, training
from w2vcli.engines import ENGINES
from w2vcli.schedule import Schedule

from . import lab

PHASES = ("start", "encode", "block", "measure", "checkpoint", "final save")
_MOST_KILLS = 6  # of one run
_LONGEST = 2.0  # seconds to wait for a phase, or in it


def main(folder: str, kills: str, seed: str = "1") -> None:
    """Do what the module says."""
    lab.warm_up()
    rng = random.Random(int(seed))
    home = Path(folder).resolve()
    home.mkdir(parents=True)
    text = lab.write_text(home / "text.txt", 3, 900)
    whole: dict[str, dict[str, bytes]] = {}
    lengths: dict[str, float] = {}
    killed: Counter[str] = Counter()
    by_engine: Counter[str] = Counter()
    runs = exact = attempts = 0
    kinds = [(engine, workers) for engine in ENGINES for workers in (1, 2)]
    while killed.total() < int(kills) or runs % len(kinds):
        engine, workers = kinds[runs % len(kinds)]
        config = settings(engine, workers)
        if engine not in whole:
            lab.done(lambda: training.train(text, home / engine, settings(engine, 1)))  # noqa: B023
            whole[engine] = lab.arrays(home / engine)
        run = home / f"run{runs}"
        for _ in range(rng.randint(1, _MOST_KILLS)):
            phase = PHASES[attempts % len(PHASES)]
            attempts += 1
            if kill_in(phase, lambda: training.train(text, run, config), rng.random(), lengths):  # noqa: B023
                killed[phase] += 1
                by_engine[engine] += 1
                if run.exists():
                    lab.check_readable(run)
        assert lab.done(lambda: training.train(text, run, config)) == 0, f"{run}: did not finish"  # noqa: B023
        lab.check_readable(run)
        assert not list(run.rglob(".*")), f"{run}: leftovers {list(run.rglob('.*'))}"
        if workers == 1:
            assert lab.arrays(run) == whole[engine], f"{run}: {engine} ended in other bits"
            exact += 1
        runs += 1
    print(
        json.dumps(
            {
                "kills": killed.total(),
                "runs": runs,
                "bit-identical": exact,
                "by phase": dict(killed),
                "by engine": dict(by_engine),
            }
        )
    )


def settings(engine: str, workers: int) -> lab.Settings:
    """Return the config of a run; the gensim engine trains what no other can, too."""
    config = lab.settings(engine, workers, early_stopping="loss", patience=9, heldout=20)
    if engine == "gensim":
        config["word2vec"] = {**config["word2vec"], "hs": 1}
    if engine == "reference":
        config["word2vec"] = {**config["word2vec"], "vector_size": 5, "epochs": 1, "window": 1, "negative": 1}
    return config


def kill_in(phase: str, work: Callable[[], Any], moment: float, lengths: dict[str, float]) -> bool:
    """Do `work` in another process and kill it in that phase; return whether it was killed.

    `moment`: how far into the phase, from 0 to 1. `lengths`: how long a phase took the longest yet, in seconds.
    """
    reader, writer = os.pipe()

    def observed() -> None:
        os.close(reader)
        say = tell(writer)
        say("start")
        training.encoding.encode = noted(training.encoding.encode, "encode", say)  # type: ignore[attr-defined]
        Schedule.turns = noted(Schedule.turns, "block", say)  # type: ignore[method-assign]
        loop.Loop._measured = noted(loop.Loop._measured, "measure", say)  # type: ignore[method-assign]
        checkpoint.save = noted(checkpoint.save, "checkpoint", say)
        loop.Loop._save_model = noted(loop.Loop._save_model, "final save", say)  # type: ignore[method-assign]
        work()
        say("end")

    process = lab.child(observed)
    os.close(writer)
    try:
        began = wait_for(phase, reader)
        if began is not None:
            time.sleep(moment * lengths.get(phase, 0.05))
            os.kill(process, signal.SIGKILL)
        code = lab.ended(process)
        # what was said after it began shows how long the phase was
        rest = os.read(reader, 1 << 16).decode().split("\n") if began is not None else []
        times = [float(line.split(" ", 1)[0]) for line in rest if " " in line]
        if began is not None and times:
            lengths[phase] = min(_LONGEST, max(lengths.get(phase, 0.0), times[0] - began))
    finally:
        os.close(reader)
    assert code in (0, -signal.SIGKILL), f"in {phase}: exit code {code}"
    return code == -signal.SIGKILL


def tell(writer: int) -> Callable[[str], None]:
    """Return a function that says into a pipe when a phase begins."""

    def say(phase: str) -> None:
        os.write(writer, f"{time.monotonic()} {phase}\n".encode())

    return say


def noted(function: Callable[..., Any], phase: str, say: Callable[[str], None]) -> Callable[..., Any]:
    """Return `function`, which says that a phase begins when it is called."""

    def wrapped(*arguments: Any, **keywords: Any) -> Any:
        say(phase)
        return function(*arguments, **keywords)

    return wrapped


def wait_for(phase: str, reader: int) -> float | None:
    """Return when a phase began, or None if the process ended without it."""
    said = b""
    while not any(line.endswith(f" {phase}".encode()) for line in said.split(b"\n")[:-1]):
        more = os.read(reader, 1)
        if not more:
            return None
        said += more
    return float(said.split(b"\n")[-2].split()[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
