"""Files on web servers (`http://`, `https://`)."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from w2vcli.sources import steady
from w2vcli.sources.steady import BrokenOffError, Nothing, UnreachableError, answer, cause

_HEADERS = {"Accept-Encoding": "identity", "Connection": "close"}  # as it is stored; and nothing will follow
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")

_NEED_RANGE = (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)


class _Response:
    """What one request brings."""

    def __init__(self, response: Any, start: int, size: int | None) -> None:
        self._response = response
        self.start, self.size = start, size
        self._has_end = size is not None or response.raw.chunked
        self.tag: str | None = response.headers.get("ETag") or response.headers.get("Last-Modified")

    def read(self, count: int) -> bytes:
        from urllib3.exceptions import HTTPError

        try:
            piece: bytes = self._response.raw.read(count, decode_content=False)
        except (HTTPError, OSError) as error:
            raise BrokenOffError(f"the transfer broke off ({cause(error)})") from error
        if not piece and not self._has_end:  # as if all was well, when it is cut in the headers
            raise BrokenOffError("an empty answer")
        self._has_end = True
        return piece

    def close(self) -> None:
        self._response.close()


def open_part(name: str, start: int) -> steady.Part:
    """Ask for a file from a position on; a server that does not know ranges sends all of it.

    Raises:
        OSError: when there is no such file, or the server does not give it.
    """
    headers = {**_HEADERS, "Range": f"bytes={start}-"} if start else _HEADERS
    response = _request("GET", name, headers)
    status = response.status_code
    if status == HTTPStatus.OK:
        return _Response(response, 0, _length(response))
    span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    first, size = span.groups() if span else (None, None)
    if status == HTTPStatus.PARTIAL_CONTENT and first == str(start):
        return _Response(response, start, None if size in (None, "*") else int(size))
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and size == str(start):
        response.close()
        return Nothing(start)
    response.close()
    if span is None and status in _NEED_RANGE:
        raise BrokenOffError("an answer without the range it brings")
    if status in _NEED_RANGE:
        raise OSError(f"the server has no bytes from {start:,} on any more; run it again when the file is complete")
    raise answer(status, response.reason or "")


def size(name: str) -> int | None:
    """Return the bytes of a file as the server stores it, or None where it does not say.

    Raises:
        OSError: when the server does not answer.
    """
    response = _request("HEAD", name, _HEADERS)
    response.close()
    return _length(response) if response.status_code == HTTPStatus.OK else None


def _length(response: Any) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _request(method: str, name: str, headers: dict[str, str]) -> Any:
    import requests

    try:
        return requests.request(
            method, name, headers=headers, stream=True, timeout=steady.TIMEOUT, allow_redirects=True
        )
    except requests.exceptions.RequestException as error:
        raise _sorted(error) from error


def _sorted(error: Exception) -> OSError:
    """Return an error of the library as one that may pass or a final one."""
    from requests import exceptions

    if isinstance(error, exceptions.ConnectTimeout):
        return UnreachableError("no connection in time")
    if isinstance(error, exceptions.Timeout):
        return BrokenOffError(f"no answer for {steady.TIMEOUT:.0f} seconds")
    said = cause(error)
    if isinstance(error, exceptions.SSLError | exceptions.ProxyError):
        return OSError(said)
    if isinstance(error, exceptions.ConnectionError | exceptions.ChunkedEncodingError):
        is_new = "NewConnectionError" in str(error) or "NameResolutionError" in str(error)
        return UnreachableError(said) if is_new else BrokenOffError(said)
    return OSError(said)
