"""Runs a command and says how long it took and how much memory: `python launch.py REPORT COMMAND …`.

A process begins with its parent's peak memory, so this one is small: it imports nothing of ours. REPORT becomes a JSON
object: `seconds`, `peak_bytes`, the exit `code`, and `error` where the command could not be run.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def peak_bytes(usage: Any) -> int:
    """Return the peak memory of what the operating system says of a process."""
    size: int = usage.ru_maxrss
    return size * (1 if sys.platform == "darwin" else 1024)


def main(report: str, *command: str) -> None:
    """Do what the module says."""
    started = time.perf_counter()
    found = {"seconds": 0.0, "peak_bytes": 0, "code": 0, "error": ""}
    try:
        process = subprocess.Popen(command)
    except OSError as error:
        found["error"] = error.strerror or str(error)
    else:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        found.update(seconds=time.perf_counter() - started, peak_bytes=peak_bytes(usage), code=process.returncode)
    Path(report).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
