"""Where bytes lie: which library a URL needs, and what can be done with it there."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from glob import has_magic
from pathlib import Path

from w2vcli.errors import W2VError
from w2vcli.sources import clouds, s3, sftp, steady, web

STDIN = "-"
_BUFFER = 1 << 18
_SECRET = re.compile(r"(?<=://)([^:/@]*):[^/@]*@|(?<=^s3://)([^:/@]*):[^@]*@")


@dataclass(frozen=True)
class Place:
    """How files of one kind of URL are read."""

    extra: str | None
    """The optional dependencies it needs, by our name."""
    open_part: Callable[[str, int], steady.Part]
    size: Callable[[str], int | None]
    can_seek: bool
    """Whether any part of a file can be asked for."""


_OBJECTS = Place("s3", s3.open_part, s3.size, can_seek=True)
_WEB = Place("http", web.open_part, web.size, can_seek=False)
_SSH = Place("sftp", sftp.open_part, sftp.size, can_seek=False)
_GOOGLE = Place("gs", clouds.open_seekable_part, clouds.size, can_seek=True)
_AZURE = Place("azure", clouds.open_seekable_part, clouds.size, can_seek=True)
_WEB_HADOOP = Place("http", clouds.open_part, clouds.no_size, can_seek=False)
_OTHER = Place(None, clouds.open_part, clouds.no_size, can_seek=False)
PLACES = {
    "s3": _OBJECTS,
    "s3a": _OBJECTS,
    "s3n": _OBJECTS,
    "gs": _GOOGLE,
    "gcs": _GOOGLE,
    "azure": _AZURE,
    "http": _WEB,
    "https": _WEB,
    "sftp": _SSH,
    "ssh": _SSH,
    "scp": _SSH,
    "webhdfs": _WEB_HADOOP,
}
"""By the beginning of the URL; what is not here goes through smart_open, if it knows it."""


def is_url(name: str | Path) -> bool:
    """Return whether `name` is a URL rather than a path."""
    return "://" in str(name)


def shown(name: str) -> str:
    """Return a name as it may be shown: without a password.

    >>> shown("sftp://ann:secret@host/a.txt"), shown("-")
    ('sftp://ann:***@host/a.txt', 'standard input')
    """
    return "standard input" if name == STDIN else _SECRET.sub(r"\1\2:***@", name)


def place_of(name: str) -> Place:
    """Return where a URL lies."""
    return PLACES.get(name.split("://")[0].lower(), _OTHER)


def open_stored(name: str, start: int = 0) -> io.BufferedReader:
    """Open a file or URL from a position on; its bytes as stored.

    Raises:
        OSError: when it cannot be opened, and while it is read; other errors too, see `translated`.
    """
    if is_url(name):
        return io.BufferedReader(steady.SteadyReader(partial(place_of(name).open_part, name), start), _BUFFER)
    stream = io.FileIO(name)
    if start:
        stream.seek(start)
    return io.BufferedReader(stream, _BUFFER)


def size(name: str) -> int | None:
    """Return the bytes of what a URL names, or None where there is no cheap way to know: reading it will say why."""
    try:
        return place_of(name).size(name)
    except Exception:  # the libraries raise what they like
        return None


def check_writable(name: str) -> None:
    """Make sure that there is a way to write to a URL.

    Raises:
        W2VError: when there is none, or the library for it is not installed.
    """
    from smart_open import parse_uri

    with translated(name):
        parse_uri(name)
    if place_of(name) is _WEB:
        raise W2VError(f"{shown(name)}: a web server cannot be written to", "name a file, or a place such as s3://")


# ---------------------------------------------------------------- listing


def is_pattern(name: str) -> bool:
    """Return whether a URL names several files: all below a prefix, or those that match a glob."""
    if place_of(name) is not _OBJECTS:
        return False
    rest = name.split("://", 1)[1]
    return "/" not in rest or rest.endswith("/") or (has_magic(rest) and "versionId=" not in rest)


def listed(name: str) -> list[tuple[str, int]]:
    """Return the URLs that a pattern stands for, sorted, and the bytes of each.

    Below a prefix every object counts, except hidden and empty ones. In a glob `*` does not match `/`, and neither it
    nor `**` what is hidden.

    Raises:
        W2VError: when there is none, or they cannot be listed.
    """
    with translated(name):
        where = s3.address(name)
        root = name[: len(name) - len(where.key)].rstrip("/")
        fixed = where.key[: re.search(r"[*?[]|$", where.key).start()]  # type: ignore[union-attr]
        found = [entry for entry in s3.listed(where, fixed) if not entry[0].endswith("/")]
    if fixed == where.key:
        below = [(key, count) for key, count in found if count and not _is_hidden(key[len(fixed) :])]
        nothing = "no object with content below it"
    else:
        exact = [entry for entry in found if entry[0] == where.key]
        pattern = where.key.split("/")
        below = exact or [(key, count) for key, count in found if _matches(key.split("/"), pattern)]
        nothing = "no object matches"
    if not below:
        raise W2VError(f"{shown(name)}: {nothing}")
    return [(f"{root}/{key}", count) for key, count in below]


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _matches(parts: list[str], pattern: list[str]) -> bool:
    """Return whether a path matches a glob, both cut at `/`.

    >>> _matches(["a", "b", "c.txt"], ["a", "**", "*.txt"]), _matches(["a", "b", "c.txt"], ["a", "*.txt"])
    (True, False)
    """
    if not pattern or not parts:
        return not pattern and not parts
    (part, *deeper), (head, *rest) = parts, pattern
    if part.startswith(".") and not head.startswith("."):
        return head == "**" and bool(rest) and _matches(parts, rest)
    if head == "**":
        return not _is_hidden("/".join(parts)) if not rest else _matches(parts, rest) or _matches(deeper, pattern)
    return fnmatchcase(part, head) and _matches(deeper, rest)


# ---------------------------------------------------------------- errors


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn what reading `name`, or writing it if it is a URL, may raise into a W2VError that names it."""
    named = shown(name)
    try:
        yield
    except EOFError as error:
        raise W2VError(
            f"{named}: the compressed data ends too early", "the file is truncated; fetch it again"
        ) from error
    except ImportError as error:
        raise W2VError(f"{named}: the library for it is not installed", _missing_extra(name, error)) from error
    except NotImplementedError as error:
        raise W2VError(f"{named}: no way is known to open {name.split('://')[0]}://") from error
    except UnicodeError as error:
        raise W2VError(f"{named}: cannot be decoded: {error}") from error
    except (OSError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise W2VError(f"{_other_file(name, error) or named}: {reason}") from error
    except Exception as error:
        known = type(error).__name__ in ("LZMAError", "ZstdError")  # only importable where the library is
        if isinstance(error, W2VError) or not (known or is_url(name)):  # the libraries of URLs raise what they like
            raise
        raise W2VError(f"{named}: {' '.join(str(error).split())}") from error


def _other_file(name: str, error: Exception) -> str | None:
    """Return the name of the file that an error is about, if that is one beside the file that was named."""
    other = getattr(error, "filename", None)
    return other if isinstance(other, str) and Path(other).parent == Path(name).parent else None


def _missing_extra(name: str, error: Exception) -> str:
    if "zstd" in str(error):
        return "pip install 'w2vcli[zst]'"
    scheme = name.split("://")[0]
    extra = place_of(name).extra
    return f"pip install 'w2vcli[{extra}]'" if extra else f"pip install 'smart_open[{scheme}]'"
