"""The models of Gensim's downloader, by name: only their data is read; the code that comes with each is never run."""

from __future__ import annotations

import difflib
import logging
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from w2vcli.errors import W2VError

_SILENCE = 60.0  # seconds without a byte, after which a server counts as gone
_SHOWN = 5  # names of other models


def fetch(name: str, say: Callable[[str], None] | None = None) -> Path:
    """Return the file of one of Gensim's models, downloaded if it is not there yet.

    It is gzipped word2vec text or binary, in the folder of that name in $GENSIM_DATA_DIR, or else ~/gensim-data: where
    Gensim itself looks for it. On a terminal, progress is shown on stderr.

    Args:
        name: as in `gensim.downloader.info()`.
        say: is told in a line that a download begins.

    Raises:
        W2VError: when there is no such model, or it cannot be downloaded whole.
    """
    if not re.fullmatch(r"\w[\w.+-]*", name, re.ASCII):  # it becomes a folder's name
        raise W2VError(f"gensim:{name}: no name of a model", "gensim.downloader.info() has the names")
    folder = Path(os.environ.get("GENSIM_DATA_DIR", "~/gensim-data")).expanduser() / name
    path = folder / f"{name}.gz"
    if path.is_file():
        return path
    if folder.exists():  # Gensim takes it for what was downloaded
        raise W2VError(f"{folder}: has no {path.name}", "remove the folder, and it is downloaded again")
    _download(name, path, say)
    if not path.is_file():
        raise W2VError(f"gensim:{name}: Gensim did not put it at {path}")
    return path


def _download(name: str, path: Path, say: Callable[[str], None] | None) -> None:
    """Let Gensim download a model into the folder that it is to be in, all of it or nothing.

    Raises:
        W2VError: when it cannot be.
    """
    from gensim import downloader

    with _told(f"gensim:{name}: the list of models cannot be had from {downloader.DATA_LIST_URL}"), _alone():
        listed = downloader.info(show_only_latest=False)
        models, corpora = dict(listed["models"]), dict(listed["corpora"])
    _check_listed(name, models, corpora)
    if say:
        say(f"gensim:{name}: downloading to {path.parent}")
    shutil.rmtree(f"{path.parent}_tmp", ignore_errors=True)  # of a killed download; Gensim would stumble over it
    place = f"gensim:{name}: cannot be downloaded from {downloader.DOWNLOAD_BASE_URL} to {path.parent}"
    with _told(place), _alone(), _room_in(path.parent.parent):
        downloader.load(name, return_path=True)


def _check_listed(name: str, models: dict[str, Any], corpora: dict[str, Any]) -> None:
    if name in models:
        return
    if name in corpora:
        raise W2VError(f"gensim:{name}: a corpus, not a model")
    known = sorted(model for model in models if not model.startswith("_"))
    close = difflib.get_close_matches(name, known, 3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known[:_SHOWN])}, …"
    raise W2VError(f"gensim:{name}: Gensim has no such model", hint if known else None)


@contextmanager
def _told(problem: str) -> Iterator[None]:
    """Turn whatever Gensim and the libraries of the network raise into one line."""
    try:
        yield
    except Exception as error:  # Gensim raises mere Exceptions
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        if isinstance(error, LookupError | TypeError | AttributeError):
            reason = "the list of models is not as it should be"
        else:
            reason = " ".join(str(getattr(error, "strerror", None) or getattr(error, "reason", None) or error).split())
        raise W2VError(f"{problem}: {reason}") from error


@contextmanager
def _alone() -> Iterator[None]:
    """Keep what Gensim prints off stdout, its tracebacks out of the log, and do not wait for ever."""
    logger, timeout = logging.getLogger("gensim.downloader"), socket.getdefaulttimeout()
    was_disabled = logger.disabled
    with ExitStack() as stack:
        shown = sys.stderr if sys.stderr.isatty() else stack.enter_context(Path(os.devnull).open("w"))
        stack.enter_context(redirect_stdout(shown))
        logger.disabled = True
        socket.setdefaulttimeout(_SILENCE)
        try:
            yield
        finally:
            logger.disabled = was_disabled
            socket.setdefaulttimeout(timeout)


@contextmanager
def _room_in(folder: Path) -> Iterator[None]:
    """Have temporary files on the disk that they will be moved on, and nothing of them stay.

    Gensim would leave what it has of a download that fails in the system's folder for temporary files.
    """
    former = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as room:
        tempfile.tempdir = room
        try:
            yield
        finally:
            tempfile.tempdir = former
