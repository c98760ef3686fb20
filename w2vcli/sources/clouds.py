"""Places that smart_open alone reads: Google Cloud Storage, Azure, and whatever else it knows."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from w2vcli.errors import W2VError
from w2vcli.sources import steady
from w2vcli.sources.steady import BrokenOffError, answer, cause

_CONNECTION = "AZURE_STORAGE_CONNECTION_STRING"


class _Stream:
    """A stream of smart_open, from a position on."""

    def __init__(self, stream: Any, start: int, is_seekable: bool) -> None:
        self._stream = stream
        self.start, self.size, self.tag = 0, None, None
        if is_seekable:
            self.size = stream.seek(0, os.SEEK_END)
            self.start = stream.seek(start)
            generation = getattr(getattr(stream, "_blob", None), "generation", None)  # of Google's
            self.tag = None if generation is None else str(generation)

    def read(self, count: int) -> bytes:
        try:
            piece: bytes = self._stream.read(count)
        except Exception as error:  # the libraries raise what they like
            status = _status(error)
            if status is None:
                raise BrokenOffError(f"the transfer broke off ({cause(error)})") from error
            raise answer(status, cause(error)) from error
        return piece

    def close(self) -> None:
        self._stream.close()


def open_part(name: str, start: int) -> steady.Part:
    """Open a URL through smart_open; what cannot seek begins at its beginning.

    Raises:
        OSError: when it cannot be opened, in so far as the library tells.
        ImportError: when the library for it is not installed.
        NotImplementedError: when no way is known to open it.
    """
    return _open(name, start, is_seekable=False)


def open_seekable_part(name: str, start: int) -> steady.Part:
    """Open a URL through smart_open at a position, as `open_part`."""
    return _open(name, start, is_seekable=True)


def size(name: str) -> int | None:
    """Return the bytes of what can seek, as `open_part`."""
    part = open_seekable_part(name, 0)
    part.close()
    return part.size


def no_size(name: str) -> None:
    """Return nothing: there is no cheap way to know."""


def _open(name: str, start: int, is_seekable: bool) -> steady.Part:
    from smart_open import open as smart_open

    parameters = transport_params(name)
    try:
        stream = smart_open(name, "rb", compression="disable", transport_params=parameters)
    except (ConnectionError, TimeoutError, EOFError) as error:
        raise BrokenOffError(cause(error)) from error
    except Exception as error:
        status = _status(error)
        if status is None:
            raise
        raise answer(status, cause(error)) from error
    try:
        return _Stream(stream, start, is_seekable)
    except BaseException:
        with suppress(Exception):
            stream.close()
        raise


def transport_params(name: str) -> dict[str, Any]:
    """Return what smart_open must be told to open a URL: a client, for Azure.

    Raises:
        W2VError: when the environment does not say how to connect.
        ImportError: when the library for it is not installed.
    """
    if not name.startswith("azure://"):
        return {}
    from azure.storage.blob import BlobServiceClient

    if _CONNECTION not in os.environ:
        raise W2VError(f"{name}: {_CONNECTION} is not set", "set it to the storage account's connection string")
    client = BlobServiceClient.from_connection_string(
        os.environ[_CONNECTION], connection_timeout=steady.TIMEOUT, read_timeout=steady.TIMEOUT
    )
    return {"client": client}


def _status(error: Exception) -> int | None:
    """Return the HTTP status that an error of Google's or Azure's library carries."""
    for attribute in ("status_code", "code"):
        status = getattr(error, attribute, None)
        if isinstance(status, int):
            return int(status)
    return None
