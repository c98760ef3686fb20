"""Let every change to the disk fail in turn, or kill the process there: `injected.py FOLDER SHIM [EVERY [TURN]]`.

For each job and n = 1, 2, …: the n-th change fails with one error or another, or the process is killed at it. Then all
that can be read must be whole, what was finished before must be there, and the same job, undisturbed, must come to the
same result, bit for bit. With EVERY, only every so many n are tried. TURN, 0 to 3, says which n get which fault: all
four together try every fault at every change. Prints a JSON object with what happened.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import sys
from collections import Counter
from pathlib import Path

from . import lab
from .jobs import Job, jobs

KILL = 0
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)


def main(folder: str, shim: str, every: str = "1", turn: str = "0") -> None:
    """Do what the module says."""
    lab.warm_up()
    faults = ctypes.CDLL(shim)
    faults.count.restype = ctypes.c_long
    home, place = Path(folder).resolve() / "home", Path(folder).resolve() / "place" / "here"
    place.parent.mkdir(parents=True)
    outcomes: Counter[str] = Counter()
    changes: dict[str, int] = {}
    for job in jobs(home):
        lab.replace_folder(job.before, place)
        expected_after(job, place)
        expected = job.result(place)
        number, step = 1 + len(changes) % int(every), int(every)
        while True:
            kind = (KILL, *ERRORS)[(number // step + int(turn)) % 4]
            outcome = disturbed(job, place, faults, number, kind, Path(folder) / "error.txt")
            if outcome == "not reached":
                break
            outcomes[outcome] += 1
            expected_after(job, place)
            assert job.result(place) == expected, f"{job.name}, change {number}: another result"
            number += step
        changes[job.name] = number - 1
    print(json.dumps({"changes": changes, "outcomes": outcomes}))


def disturbed(job: Job, place: Path, faults: ctypes.CDLL, number: int, kind: int, errors: Path) -> str:
    """Do the job with change `number` disturbed; check what it left, and return how it ended."""
    lab.replace_folder(job.before, place)
    errors.unlink(missing_ok=True)

    def work() -> None:
        faults.arm(str(place).encode(), ctypes.c_long(number), kind)
        job.work(place)
        if faults.count() < number:
            errors.write_text("not reached")

    code = lab.done(work, errors)
    said = errors.read_text() if errors.exists() else ""
    if said == "not reached":
        return said
    what = f"{job.name}, change {number}, {errno.errorcode.get(kind, 'killed')}"
    assert code in (-9, 0, lab.CUT_OFF), f"{what}: exit code {code}"
    if place.exists():
        job.check(place)
    if job.before is not None and (job.before / "model").exists():
        assert (place / "model").exists() or (place / ".model.former").exists(), f"{what}: the former model is lost"
    if code == lab.CUT_OFF:
        assert "\n" not in said, f"{what}: {said}"
        assert any(os.strerror(error) in said for error in ERRORS), f"{what}: {said}"
        return "refused in one line"
    return "killed" if code == -9 else "made no difference"


def expected_after(job: Job, place: Path) -> None:
    """Do the job undisturbed."""
    code = lab.done(lambda: job.work(place))
    assert code == 0, f"{job.name}: exit code {code} undisturbed"


if __name__ == "__main__":
    main(*sys.argv[1:])
