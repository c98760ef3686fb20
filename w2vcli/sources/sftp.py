"""Files on other machines over SSH (`sftp://`, `ssh://`, `scp://`).

Every opening has a connection of its own: one that is shared breaks off for all of its files, and does not survive
a fork. What is not in the URL comes from the user's `~/.ssh/config`.
"""

from __future__ import annotations

import getpass
import logging
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from w2vcli.sources import steady
from w2vcli.sources.steady import BrokenOffError, UnreachableError, cause

_CONFIG = "~/.ssh/config"
_SILENT = logging.NullHandler()


class _RemoteFile:
    """One connection and the file that is open on it."""

    def __init__(self, client: Any, path: str, start: int) -> None:
        self._client = client
        session = client.open_sftp()
        session.get_channel().settimeout(steady.TIMEOUT)
        self._file = session.open(path, "rb")
        status = self._file.stat()
        self.start, self.size = start, status.st_size
        self.tag = None if status.st_mtime is None else str(status.st_mtime)
        self._file.seek(start)

    def read(self, count: int) -> bytes:
        import paramiko

        try:
            piece: bytes = self._file.read(count)
        except (OSError, EOFError, paramiko.SSHException, paramiko.SFTPError) as error:
            raise BrokenOffError(f"the connection broke off ({cause(error)})") from error
        return piece

    def close(self) -> None:
        self._client.close()


def open_part(name: str, start: int) -> steady.Part:
    """Connect to the machine and open the file at a position.

    Raises:
        OSError: when there is no such machine or file, or the user may not read it.
    """
    import paramiko

    url = urlsplit(name)
    client = paramiko.SSHClient()
    try:
        _connect(client, url.hostname or "", url.username, url.password, url.port)
        return _RemoteFile(client, unquote(url.path), start)
    except BaseException as error:
        client.close()
        if isinstance(error, Exception):
            raise _sorted(error) from error
        raise


def size(name: str) -> int | None:
    """Return the bytes of a file.

    Raises:
        OSError: when it cannot be opened.
    """
    part = open_part(name, 0)
    part.close()
    return part.size


def _connect(client: Any, host: str, user: str | None, password: str | None, port: int | None) -> None:
    import paramiko

    logging.getLogger("paramiko").addHandler(_SILENT)  # it would write what it raises to stderr too
    config = paramiko.SSHConfig()
    if Path(_CONFIG).expanduser().is_file():
        config = paramiko.SSHConfig.from_path(str(Path(_CONFIG).expanduser()))
    known = config.lookup(host)
    client.load_system_host_keys()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # as smart_open does
    client.connect(
        known["hostname"],
        port=port or int(known.get("port", 22)),
        username=unquote(user or known.get("user") or getpass.getuser()),
        password=None if password is None else unquote(password),
        key_filename=known.get("identityfile") if password is None else None,
        timeout=steady.TIMEOUT,
        banner_timeout=steady.TIMEOUT,
        auth_timeout=steady.TIMEOUT,
        channel_timeout=steady.TIMEOUT,
    )


def _sorted(error: Exception) -> Exception:
    """Return an error of the library as one that may pass or a final one."""
    from socket import gaierror

    import paramiko
    from paramiko.ssh_exception import NoValidConnectionsError

    if isinstance(error, FileNotFoundError):
        return FileNotFoundError("no such file on that machine")
    if isinstance(error, NoValidConnectionsError | gaierror | ConnectionRefusedError):
        return UnreachableError(cause(error))
    if isinstance(error, paramiko.AuthenticationException | paramiko.BadHostKeyException):
        return OSError(cause(error))
    if isinstance(error, paramiko.SSHException):  # with no key and no password it is of no finer kind
        has_no_key = "authentication" in str(error).lower()
        return OSError(cause(error)) if has_no_key else BrokenOffError(cause(error))
    if isinstance(error, EOFError | TimeoutError | ConnectionError):
        return BrokenOffError(cause(error))
    return error
