"""Memory, disk and cores: what there is, whether it is enough, and how to keep less of it."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from w2vcli.errors import W2VError
from w2vcli.wording import size

_CGROUP = Path("/sys/fs/cgroup")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_ENDLESS = 1 << 60  # cgroup version 1 says "no limit" with a number above this


def check_memory(needed: int, what: str, hint: str) -> None:
    """Refuse what can never fit into memory.

    Raises:
        W2VError: when `needed` bytes are more than there can be.
    """
    available = available_memory()
    if available is not None and needed > available:
        raise W2VError(f"{what} needs about {size(needed)} of memory; there is {size(available)}", hint)


def check_space(folder: Path, needed: int, what: str, hint: str) -> None:
    """Refuse what can never fit on the disk that `folder` is on.

    Raises:
        W2VError: when `needed` bytes are more than are free.
    """
    free = free_space(folder)
    if free is not None and needed > free:
        raise W2VError(f"{folder}: {what} needs about {size(needed)} of disk; {size(free)} are free", hint)


def free_space(folder: Path) -> int | None:
    """Return the bytes that are free on the disk that `folder` is on, or None where the system does not say."""
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return None


def available_memory() -> int | None:
    """Return the bytes of memory that this process can get, swap included, or None where the system does not say."""
    return min(_limits(), default=None)


def _limits() -> Iterator[int]:
    with suppress(OSError, ValueError):
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        yield sum(int(lines[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree") if name in lines)
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):  # ValueError: there is no limit
            most = int((_CGROUP / limit).read_text())
            if most < _ENDLESS:
                yield most - int((_CGROUP / used).read_text()) + _reclaimable()
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        with suppress(OSError, ValueError):
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            yield soft - pages * os.sysconf("SC_PAGE_SIZE")


def _reclaimable() -> int:
    """Return what the control group counts as used but gives up when asked: cached files."""
    for name in ("memory.stat", "memory/memory.stat"):
        with suppress(OSError, ValueError):
            counts = dict(line.split() for line in (_CGROUP / name).read_text().splitlines())
            return int(counts.get("inactive_file", 0)) + int(counts.get("active_file", 0))
    return 0


def give_back_large_blocks() -> None:
    """Have the C library give freed blocks of two megabytes or more back to the system, and use smaller ones again.

    glibc raises the first limit as it goes: in a process whose threads pass such blocks to each other, what it holds
    then grows with the text. Smaller ones it gives back as soon as they are the last ones it has; to have them anew
    costs more than to fill them.
    """
    with suppress(OSError, AttributeError):  # of another C library
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 1 << 21)
        library.mallopt(_M_TRIM_THRESHOLD, 1 << 25)


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
