"""Outputs that appear whole or not at all.

A file is written under a temporary name in its own folder, flushed to disk and renamed; until then whatever had
its name stays as it was. The temporary name is fixed and locked, so that a killed process leaves at most one
file that the next one takes over, and two processes cannot write the same output.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from w2vcli.errors import LockedError, W2VError
from w2vcli.sources import STDIN, compression_of, is_url, translated
from w2vcli.sources.clouds import transport_params
from w2vcli.sources.places import check_writable

STDOUT = STDIN
_GZIP_LEVEL = 6
_FULL = 1 << 20  # bytes; a disk with less left is full


def check_folder(path: str | Path) -> None:
    """Make sure that `path` can be created: its folder is there and writable, and it is no folder itself.

    Raises:
        W2VError: where it cannot.
    """
    target = Path(path)
    if is_device(target):
        return
    folder = target.resolve().parent
    if not folder.is_dir():
        raise W2VError(f"{target}: the folder {folder} does not exist", "create it first")
    if target.is_dir():
        raise W2VError(f"{target}: is a folder", "name a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise W2VError(f"{target}: the folder {folder} is not writable")


@contextmanager
def atomic_file(path: str | Path) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` when the block ends well, and vanishes when it does not.

    Its `name` is where it is until then, for libraries that write to a name. A device or pipe (`/dev/null`) is
    written directly.

    Raises:
        W2VError: when the file cannot be written.
        LockedError: when another process is writing it.
    """
    with translated_errors(path):
        if is_device(Path(path)):
            with Path(path).open("wb") as device:
                yield device
            return
        check_folder(path)
        target = Path(path).resolve()  # of a symbolic link, what it points to is replaced
        temporary = target.parent / f".{target.name}.tmp"
        stream = _lock_new(temporary, path)
        with stream:  # the lock is held until the file has its name, or is gone
            try:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        sync_folder(target.parent)


def is_device(path: Path) -> bool:
    """Return whether `path` is there but neither a file nor a folder: a device or a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _lock_new(temporary: Path, path: str | Path) -> BinaryIO:
    """Return `temporary`, empty, open and locked by this process."""
    descriptor = _lock(temporary, path, lambda: os.open(temporary, os.O_RDWR | os.O_CREAT, 0o666))
    stream = open(temporary, "r+b", opener=lambda name, flags: descriptor)  # noqa: SIM115 - the caller closes it
    stream.truncate()
    return stream


def _lock(temporary: Path, path: str | Path, opened: Callable[[], int]) -> int:
    """Return the descriptor of a file or folder that is locked by this process and has still its name.

    Raises:
        LockedError: when another process has locked it.
    """
    while True:
        descriptor = opened()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if temporary.exists() and temporary.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise LockedError(f"{path}: another process is writing it", "wait for it to end") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the former holder has just renamed or removed it: take a fresh one


@contextmanager
def translated_errors(path: str | Path) -> Iterator[None]:
    """Turn what the system says about writing `path` into a W2VError; leave errors of other files alone."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise W2VError(f"{path}: cannot be written: {_reason(error, Path(path))}") from error


def _reason(error: OSError, path: Path) -> str:
    """Return why a write failed; NumPy, which does not know, says only how much of an array was written."""
    if error.strerror:
        return error.strerror
    if shutil.disk_usage(path.parent).free < _FULL:
        return os.strerror(errno.ENOSPC)
    return str(error)


def sync_file(path: Path) -> None:
    """Flush what was written to a file to disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that a rename in it survives a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def open_text(destination: str | Path) -> Iterator[TextIO]:
    """Yield a UTF-8 text file that becomes `destination` when the block ends well; `-` is standard output.

    Otherwise as `open_bytes`.

    Raises:
        W2VError: when it cannot be written.
    """
    if str(destination) == STDOUT:
        yield sys.stdout
        return
    with open_bytes(destination) as stream:
        text = io.TextIOWrapper(cast("Any", stream), "utf-8", newline="\n")
        yield text
        text.detach()  # whoever opened the stream closes it


@contextmanager
def open_bytes(destination: str | Path, compressed: bool = True) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `destination` when the block ends well; `-` is standard output, as it is.

    The same content gives the same bytes. A URL goes through smart_open once all of it is there.

    Args:
        destination: where to write.
        compressed: whether what is written is to be compressed as the name says (.gz, .bz2, .xz, .zst).

    Raises:
        W2VError: when it cannot be written.
    """
    if str(destination) == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    destination = str(destination).removeprefix("file://")
    with _opened(destination) as stream:
        if not compressed or not compression_of(destination):
            yield stream
            return
        with _compressed(stream, destination) as wrapped:
            yield wrapped


@contextmanager
def _opened(destination: str) -> Iterator[BinaryIO]:
    if not is_url(destination):
        with atomic_file(destination) as stream:
            yield stream
        return
    from smart_open import open as smart_open

    check_writable(destination)
    with tempfile.TemporaryFile() as spool:
        yield cast("BinaryIO", spool)
        spool.seek(0)
        with translated(destination):
            parameters = transport_params(destination)
            with smart_open(destination, "wb", compression="disable", transport_params=parameters) as stream:
                shutil.copyfileobj(spool, stream)


@contextmanager
def _compressed(stream: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Yield a file that compresses into `stream` as the extension of `name` says, and leaves `stream` open."""
    from smart_open.compression import compression_wrapper

    extension = Path(name).suffix.lower()
    kept_open = _KeptOpen(stream)
    if extension == ".gz":  # a time stamp or name in the header would make equal texts differ
        zipped = gzip.GzipFile("", "wb", _GZIP_LEVEL, cast("BinaryIO", kept_open), mtime=0)
        with io.BufferedWriter(cast("Any", zipped)) as wrapped:
            yield cast("BinaryIO", wrapped)
        return
    try:
        wrapped = compression_wrapper(kept_open, "wb", compression=extension)
    except ImportError as error:
        raise W2VError(
            f"{name}: the library that writes {extension} is not installed", "pip install 'w2vcli[zst]'"
        ) from error
    with wrapped:
        yield wrapped


def compressed(data: bytes, extension: str) -> bytes:
    """Return what a file with that extension would have in it; the same data gives the same bytes."""
    stream = io.BytesIO()
    with _compressed(stream, f"name{extension}") as wrapped:
        wrapped.write(data)
    return stream.getvalue()


class _KeptOpen(io.RawIOBase):
    """Hands writes on to a stream that it does not close."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._stream.write(data)


def write_text(path: str | Path, text: str) -> None:
    """Write a small text file atomically.

    Raises:
        W2VError: when it cannot be written.
    """
    with atomic_file(path) as stream:
        stream.write(text.encode("utf-8"))


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the name `path` when the block ends well, and vanishes when it does not.

    A folder that had the name is replaced only then. A crash between the two renames of a replacement leaves the
    former folder beside it, where `recover_folder` finds it.

    Raises:
        W2VError: when the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    previous = former(path)
    with translated_errors(path):
        recover_folder(path)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            for entry in temporary.iterdir():
                sync_file(entry)
            sync_folder(temporary)
            if path.exists():
                path.rename(previous)
            temporary.rename(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            recover_folder(path)
            raise
        sync_folder(path.parent)
        shutil.rmtree(previous, ignore_errors=True)


@contextmanager
def atomic_siblings(path: str | Path) -> Iterator[Path]:
    """Yield a path to write a file under, and others beside it; they take their names when the block ends well.

    Those beside it do so first, then the file itself, so that it is there only if all of it is; a file that had the
    name goes at that moment, not before.

    Raises:
        W2VError: when they cannot be written, or one beside it would replace what belongs to no such file.
        LockedError: when another process is writing them.
    """
    check_folder(path)
    target = Path(path).resolve()
    temporary = target.parent / f".{target.name}.parts"
    with translated_errors(path), _locked_folder(temporary, path):
        written = temporary / target.name
        yield written
        beside = [entry for entry in temporary.iterdir() if entry != written]
        for entry in (*beside, written):
            sync_file(entry)
        _check_beside(target, [target.parent / entry.name for entry in beside])
        if beside:
            target.unlink(missing_ok=True)  # new ones beside an old file would be neither
        for entry in (*beside, written):
            entry.replace(target.parent / entry.name)
    sync_folder(target.parent)


def _check_beside(target: Path, beside: list[Path]) -> None:
    for other in beside:
        if other.is_dir():
            raise W2VError(f"{other}: is a folder", f"it would belong to {target.name}; give another name")
        if other.exists() and not target.exists():
            raise W2VError(
                f"{other}: is there already", f"it would belong to {target.name}; move it, or give another name"
            )


@contextmanager
def _locked_folder(temporary: Path, path: str | Path) -> Iterator[None]:
    """Make an empty folder that is this process's as long as the block lasts, and then gone."""

    def opened() -> int:
        temporary.mkdir(exist_ok=True)
        return os.open(temporary, os.O_RDONLY)

    descriptor = _lock(temporary, path, opened)
    try:
        for entry in temporary.iterdir():  # of a process that was killed
            entry.unlink()
        yield
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(descriptor)


def deliver(file: Path, destination: str) -> None:
    """Write what is in a file to a path, a URL or standard output (`-`), compressed as the name says.

    Raises:
        W2VError: when it cannot be written.
    """
    with file.open("rb") as source:
        if destination == STDOUT:
            shutil.copyfileobj(source, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        with open_bytes(destination) as stream:
            shutil.copyfileobj(source, stream, 1 << 20)


def remove_folder(path: Path) -> None:
    """Remove a folder, if it is there, so that at no moment a part of it has its name.

    Raises:
        W2VError: when it cannot be removed.
    """
    if path.exists():
        with translated_errors(path):
            doomed = path.with_name(f".{path.name}.tmp")
            if doomed.exists():
                shutil.rmtree(doomed)
            path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)  # what stays is swept by the next one


def sweep(folder: Path) -> None:
    """Undo replacements that killed processes left undone in a folder that nobody else is writing to, and remove what
    they left half-written.
    """
    for path in folder.glob(".*.former"):
        recover_folder(folder / path.name.removeprefix(".").removesuffix(".former"))
    for path in folder.glob(".*.tmp"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def recover_folder(path: Path) -> None:
    """Undo a replacement of `path` that was cut off between its two renames."""
    previous = former(path)
    if previous.exists():
        if path.exists():
            shutil.rmtree(previous, ignore_errors=True)
        else:
            previous.rename(path)


def former(path: Path) -> Path:
    """Return where the folder that `path` had before lies while it is replaced."""
    return path.with_name(f".{path.name}.former")
