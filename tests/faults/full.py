"""Fill the disk to every degree: `full.py MOUNTED HOME`, MOUNTED an empty tmpfs with room for the jobs.

Each job is done with one page free, with two, and so on until there is enough; so that space runs out at every write
in turn. What must hold then is what `injected` says. Prints a JSON object with what happened.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections import Counter
from pathlib import Path

from . import lab
from .jobs import Job, jobs, large_job

_PAGE = 4096


def main(mounted: str, home: str, every: str = "1") -> None:
    """Do what the module says."""
    lab.warm_up()
    place, ballast = Path(mounted).resolve() / "here", Path(mounted).resolve() / "ballast"
    outcomes: Counter[str] = Counter()
    pages: dict[str, int] = {}
    for job in (*jobs(Path(home).resolve()), large_job(Path(home).resolve())):
        lab.replace_folder(job.before, place)
        assert lab.done(lambda job=job: job.work(place)) == 0  # type: ignore[misc]
        expected = job.result(place)
        free = 0
        while True:
            lab.replace_folder(job.before, place)
            outcome = cramped(job, place, ballast, free, Path(home) / "error.txt")
            outcomes[outcome] += 1
            assert lab.done(lambda job=job: job.work(place)) == 0, f"{job.name} after {free} pages"  # type: ignore[misc]
            assert job.result(place) == expected, f"{job.name} after {free} pages: another result"
            if outcome == "enough":
                break
            free += int(every) * job.pages
        pages[job.name] = free
    print(json.dumps({"pages": pages, "outcomes": outcomes}))


def cramped(job: Job, place: Path, ballast: Path, free: int, errors: Path) -> str:
    """Do the job with so many pages free; check what it left, and return how it ended."""
    errors.unlink(missing_ok=True)
    fill(ballast, free)
    code = lab.done(lambda: job.work(place), errors)
    ballast.unlink()
    what = f"{job.name} with {free} pages free"
    assert code in (0, lab.CUT_OFF), f"{what}: exit code {code}"
    if place.exists():
        job.check(place)
    if job.before is not None and (job.before / "model").exists():
        assert (place / "model").exists(), f"{what}: the former model is lost"
    if code == 0:
        return "enough"
    said = errors.read_text()
    assert "\n" not in said, f"{what}: {said}"
    if "of disk" in said:
        return "refused before it began"
    assert os.strerror(errno.ENOSPC) in said, f"{what}: {said}"
    return "refused in one line"


def fill(ballast: Path, free: int) -> None:
    """Fill the disk but for so many pages."""
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        status = os.fstatvfs(descriptor)
        os.posix_fallocate(descriptor, 0, max(1, status.f_bavail * status.f_frsize - free * _PAGE))
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main(*sys.argv[1:])
