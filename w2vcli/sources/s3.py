"""Objects on S3 and what speaks as it does (`s3://`), with the usual environment: AWS_PROFILE, AWS_ENDPOINT_URL, ….

Read through boto3 itself, because each part has to begin where the last one broke off, of the same object; of the
two that would try again, smart_open's reader does so without looking whether the object has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from w2vcli.sources import steady
from w2vcli.sources.steady import BrokenOffError, Nothing, UnreachableError, answer, cause

_PASSING = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling"}
_REASONS = {
    "NoSuchBucket": "no such bucket",
    "NoSuchKey": "no such object",
    "NoSuchVersion": "no such version of the object",
    "AccessDenied": "access denied",
    "404": "no such object",
    "403": "access denied",
}
_sessions = threading.local()  # of boto3, which hold no connections but are not to be shared


class _Address(NamedTuple):
    bucket: str
    key: str
    version: str | None
    credentials: dict[str, str]


def address(name: str) -> _Address:
    """Take a URL apart; one without a key is a bucket.

    Raises:
        ImportError: when the library for S3 is not installed.
    """
    from smart_open import parse_uri

    uri = parse_uri(name if "/" in name.split("://", 1)[1] else f"{name}/")
    credentials = {}
    if uri.access_id is not None:
        credentials = {"aws_access_key_id": uri.access_id, "aws_secret_access_key": uri.access_secret}
    return _Address(uri.bucket_id, uri.key_id, getattr(uri, "version_id", None), credentials)


class _Object:
    """What one request brings."""

    def __init__(self, client: Any, response: dict[str, Any], start: int) -> None:
        self._client = client
        self._body = response["Body"]
        is_part = response["ResponseMetadata"]["HTTPStatusCode"] == 206
        self.start = start if is_part else 0
        length = response.get("ContentRange", "").rpartition("/")[2] if is_part else response.get("ContentLength", "")
        if length == "":
            self.close()
            raise BrokenOffError("an answer without the size of the object")
        self.size: int | None = int(length)
        self.tag: str | None = response.get("ETag")

    def read(self, count: int) -> bytes:
        from botocore.exceptions import BotoCoreError, FlexibleChecksumError
        from urllib3.exceptions import HTTPError

        try:
            piece: bytes = self._body.read(count)
        except FlexibleChecksumError as error:
            raise OSError("the object does not have the checksum that is stored with it") from error
        except (BotoCoreError, HTTPError, OSError) as error:
            raise BrokenOffError(f"the transfer broke off ({cause(error)})") from error
        return piece

    def close(self) -> None:
        self._body.close()
        self._client.close()


def open_part(name: str, start: int) -> steady.Part:
    """Ask for an object from a position on.

    Raises:
        OSError: when there is no such object, or the user may not read it.
        ImportError: when the library for S3 is not installed.
    """
    where = address(name)
    wanted = _wanted(where) | ({"Range": f"bytes={start}-"} if start else {})
    client = _client(where, attempts=1)
    try:
        with _sorted_errors():
            return _Object(client, client.get_object(**wanted), start)
    except BaseException as error:
        client.close()
        if isinstance(error, _RangeError) and size(name) == start:
            return Nothing(start)
        raise


def size(name: str) -> int | None:
    """Return the bytes of an object.

    Raises:
        OSError: when there is no such object, or the user may not see it.
        ImportError: when the library for S3 is not installed.
    """
    where = address(name)
    client = _client(where, attempts=1)
    try:
        with _sorted_errors():
            length: int = client.head_object(**_wanted(where))["ContentLength"]
    finally:
        client.close()
    return length


def _wanted(where: _Address) -> dict[str, Any]:
    wanted = {"Bucket": where.bucket, "Key": where.key}
    return wanted | ({"VersionId": where.version} if where.version else {})


def listed(where: _Address, prefix: str) -> list[tuple[str, int]]:
    """Return the keys that begin with `prefix`, sorted, and the bytes of each.

    Raises:
        OSError: when there is no such bucket, or the user may not list it.
        ImportError: when the library for S3 is not installed.
    """
    client = _client(where, attempts=steady.ATTEMPTS)
    try:
        with _sorted_errors():
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=where.bucket, Prefix=prefix)
            return sorted((entry["Key"], entry["Size"]) for page in pages for entry in page.get("Contents", ()))
    finally:
        client.close()


def _client(where: _Address, attempts: int) -> Any:
    import boto3
    from botocore.config import Config

    if not hasattr(_sessions, "session"):
        _sessions.session = boto3.session.Session()
    config = Config(
        connect_timeout=steady.TIMEOUT,
        read_timeout=steady.TIMEOUT,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )
    with _sorted_errors():
        return _sessions.session.client("s3", config=config, **where.credentials)


class _RangeError(OSError):
    """There is nothing at the position asked for."""


@contextmanager
def _sorted_errors() -> Iterator[None]:
    """Turn the library's errors into those that may pass and final ones."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise _refusal(error.response) from error
    except (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError) as error:
        raise UnreachableError(cause(error)) from error
    except (exceptions.SSLError, exceptions.ProxyConnectionError) as error:
        raise OSError(cause(error)) from error
    except exceptions.HTTPClientError as error:
        raise BrokenOffError(cause(error)) from error
    except exceptions.NoCredentialsError as error:
        raise OSError("no credentials; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from error
    except exceptions.BotoCoreError as error:
        raise OSError(" ".join(str(error).split())) from error


def _refusal(response: dict[str, Any]) -> OSError:
    code = response["Error"].get("Code", "")
    status = response["ResponseMetadata"].get("HTTPStatusCode", 0)
    if code == "InvalidRange":
        return _RangeError("it is shorter than it was; run it again when it is complete")
    if code in _REASONS:
        return FileNotFoundError(_REASONS[code]) if status == 404 else OSError(_REASONS[code])
    if code in _PASSING:
        return BrokenOffError(f"the server answers {status} {code}")
    return answer(status, f"{code} ({response['Error'].get('Message', '')})" if status < 500 else code)
