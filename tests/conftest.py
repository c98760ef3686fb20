from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

import hypothesis
import pytest
from gensim.test.utils import datapath

from w2vcli.preprocessing import preprocess

hypothesis.settings.register_profile("untimed", deadline=None)  # nothing depends on how busy the machine is
hypothesis.settings.load_profile("untimed")
os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported: there need not be a GPU
os.environ["OMP_WAIT_POLICY"] = "passive"  # or PyTorch's threads spin while other tests want the cores
for name in [name for name in os.environ if name.startswith("W2V_")]:
    del os.environ[name]  # a user's settings are not the tests'


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real HTTP server for the files of a folder; it breaks off in the middle of cut.txt."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def do_GET(self) -> None:
            if self.path == "/cut.txt":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"half a ")
            else:
                super().do_GET()

        def log_message(self, *arguments: Any) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def error_lines(self) -> list[str]:
        return self.err.splitlines()


W2V = Callable[..., Result]


@pytest.fixture(scope="session")
def w2v() -> W2V:
    """Run the command line in a process of its own, as a user does."""

    def run(*arguments: str | Path, stdin: str | bytes = b"", cwd: Path | None = None, **environment: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "w2vcli", *map(str, arguments)],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            cwd=cwd,
            env={**os.environ, **environment},
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture(scope="session")
def lee_raw() -> Path:
    """Real text that ships with Gensim: 300 news documents, a line each."""
    return Path(datapath("lee_background.cor"))


@pytest.fixture(scope="session")
def lee(lee_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, tokenised."""
    path = tmp_path_factory.mktemp("lee") / "lee.txt"
    preprocess(lee_raw, path)
    return path


@pytest.fixture(scope="session")
def lee_run(lee: Path, w2v: W2V, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on it."""
    run = tmp_path_factory.mktemp("runs") / "lee"
    result = w2v("train", lee, "-o", run, "--set", "word2vec.workers=1", "--set", "word2vec.epochs=2")
    assert result.code == 0, result.err
    return run


def need(module: str, package: str) -> None:
    """Skip a test where a library it is about is not installed."""
    if find_spec(module) is None:
        skip(f"{module} is not installed: pip install {package}")


def skip(reason: str) -> NoReturn:
    """Skip a test, or fail it where $NO_SKIPS says that none may be skipped."""
    if os.environ.get("NO_SKIPS"):
        pytest.fail(f"{reason}; and NO_SKIPS is set")
    pytest.skip(reason)
