"""Killed anywhere, refused any write, out of space at any moment: short forms of what `make torture` does at length."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from w2vcli.engines import ENGINES

from .conftest import skip

ROOT = Path(__file__).parent.parent


# ways to mount a disk that nobody else sees: as any user, or as root
ALONE = (["unshare", "--user", "--map-root-user", "--mount"], ["unshare", "--mount"])


def may(*command: str) -> bool:
    """Return whether a command is there and succeeds."""
    return bool(shutil.which(command[0])) and subprocess.run(command, capture_output=True, check=False).returncode == 0


def outcome(*command: str | Path, **environment: str) -> Any:
    """Run a program and return the JSON object it prints."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    found = outcome(sys.executable, "-m", "tests.faults.torture", tmp_path / "runs", "32")
    assert found["kills"] >= 32
    assert set(found["by engine"]) == set(ENGINES)
    assert found["bit-identical"] == found["runs"] / 2


@pytest.mark.slow
def test_every_change_to_the_disk_may_fail(tmp_path: Path) -> None:
    """Every seventeenth, that is."""
    shim = tmp_path / "shim.so"
    if sys.platform != "linux" or shutil.which("cc") is None:
        skip("making writes fail needs Linux and a C compiler")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", shim, ROOT / "tests" / "faults" / "shim.c", "-ldl"],
        check=True,
    )
    command: list[str | Path] = [sys.executable, "-m", "tests.faults.injected", tmp_path / "runs", shim, "17"]
    found = outcome(*command, LD_PRELOAD=str(shim))
    assert sum(found["changes"].values()) > 1000
    assert found["outcomes"]["killed"] > 20
    assert found["outcomes"]["refused in one line"] > 50


@pytest.mark.slow
def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m", "none", str(mounted)]
    alone = next((way for way in ALONE if may(*way, *mount)), None)
    if alone is None:
        skip("filling a disk needs Linux, and leave to mount one of its own")
    program = f'{" ".join(mount)} && "$0" -m tests.faults.full {mounted} {tmp_path / "runs"} 3'
    found = outcome(*alone, "sh", "-c", program, sys.executable)
    assert found["outcomes"]["refused in one line"] >= 15
    assert found["outcomes"]["enough"] == len(found["pages"])
