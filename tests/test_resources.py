from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from w2vcli import resources
from w2vcli.errors import W2VError


def test_memory_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a control group: its limit, less what is used, but cached files can be given up."""
    monkeypatch.setattr(resources, "_CGROUP", tmp_path)
    before = resources.available_memory()
    assert before is not None
    (tmp_path / "memory.max").write_text("900000\n")
    (tmp_path / "memory.current").write_text("500000\n")
    (tmp_path / "memory.stat").write_text("anon 300000\nactive_file 20000\ninactive_file 100000\n")
    assert resources.available_memory() == 520_000
    (tmp_path / "memory.max").write_text("max\n")
    assert abs((resources.available_memory() or 0) - before) < 0.5 * before


def test_what_cannot_fit_is_refused_with_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "available_memory", lambda: 2 * 10**9)
    resources.check_memory(2 * 10**9, "it", "do")
    with pytest.raises(W2VError, match=r"^it needs about 3.4 GB of memory; there is 2 GB; buy some$"):
        resources.check_memory(3_400_000_000, "it", "buy some")
    resources.check_space(tmp_path, 1, "it", "do")
    with pytest.raises(W2VError, match=r"needs about 1e\+09 GB of disk; .* are free; make room$"):
        resources.check_space(tmp_path, 10**18, "it", "make room")


def test_a_model_that_does_not_fit_is_refused_before_it_is_made(lee: Path, tmp_path: Path) -> None:
    """With an address space of 4 GB, for vectors of 100,000 dimensions."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9, 4 * 10**9))\n"
        "from w2vcli.cli import main\n"
        "sys.argv = ['w2v', 'train', *sys.argv[1:], '-q', '--set', 'word2vec.vector_size=100000']\n"
        "main()"
    )
    command = [sys.executable, "-c", code, str(lee), "-o", str(tmp_path / "run"), "--set", "word2vec.min_count=1"]
    environment = {"PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1", "HOME": str(tmp_path)}
    small = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert small.returncode == 1
    assert small.stderr.count("\n") == 1
    assert "a model of 7,577 words and 100000 dimensions needs about 6.07 GB of memory; there is" in small.stderr
    assert not (tmp_path / "run" / "model").exists()
