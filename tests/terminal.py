"""The command line on a terminal of its own."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def at_terminal(
    typed: list[bytes],
    *arguments: str | Path,
    watched: Callable[[bytes], object] = lambda screen: None,
    **environment: str,
) -> tuple[int, str]:
    """Run the command line on a terminal; type a line at each prompt; return its exit code and the screen.

    `watched` is called with all that has been on the screen whenever there is more.
    """
    ours, theirs = pty.openpty()
    variables = {**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment}
    command = [sys.executable, "-m", "w2vcli", *map(str, arguments)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=variables) as process:
        os.close(theirs)
        screen, prompts = b"", 0
        while data := read_terminal(ours, process):
            screen += data
            watched(screen)
            if screen.count(b"word> ") > prompts and typed:
                prompts = screen.count(b"word> ")
                os.write(ours, typed.pop(0))
    os.close(ours)
    return process.returncode, screen.decode()


def read_terminal(descriptor: int, process: subprocess.Popen[bytes]) -> bytes:
    """Return what the program prints next, nothing at its end; a program that waits for ever is killed."""
    if not select.select([descriptor], [], [], 60)[0]:
        process.kill()
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the terminal is gone with the program
        return b""
