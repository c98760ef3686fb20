"""Real servers on loopback, and what can go wrong with them."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import paramiko

HOST = "127.0.0.1"
STALL = -1
"""A cut after which the connection stays open and silent."""


def _accepted(listening: socket.socket) -> Iterator[socket.socket]:
    """Yield the connections to a socket until it is shut down."""
    with suppress(OSError):
        while True:
            yield listening.accept()[0]


# ---------------------------------------------------------------- connections that break


class Proxy:
    """Passes connections on to a port, and cuts each after so many bytes of what comes back.

    Args:
        target: the port.
        allowances: bytes that the first connection, the second, … may bring; after them there is no limit.
        on_cut: called when one is cut, before its client can know.
    """

    def __init__(self, target: int, allowances: Iterable[int], on_cut: Callable[[], object] = lambda: None) -> None:
        self._target, self._allowances, self._on_cut = target, iter(allowances), on_cut
        self.connections = self.cuts = 0
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._listening = socket.create_server((HOST, 0))
        self.port: int = self._listening.getsockname()[1]
        self._start(self._accept)

    def _start(self, job: Callable[..., None], *arguments: object) -> None:
        thread = Thread(target=job, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        for client in _accepted(self._listening):
            server = socket.create_connection((HOST, self._target))
            self._sockets += [client, server]
            self.connections += 1
            self._start(self._pass_on, client, server, None)
            self._start(self._pass_on, server, client, next(self._allowances, None))

    def _pass_on(self, origin: socket.socket, target: socket.socket, allowance: int | None) -> None:
        with suppress(OSError):
            while data := origin.recv(1 << 16):
                if allowance is not None and len(data) >= allowance:
                    target.sendall(data[:allowance])
                    with self._lock:
                        self.cuts += 1
                        self._on_cut()
                    break
                target.sendall(data)
                allowance = None if allowance is None else allowance - len(data)
        for end in (origin, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._threads[0].join()
        for end in self._sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for end in self._sockets:
            end.close()


@contextmanager
def proxied(target: int, *allowances: int, on_cut: Callable[[], object] = lambda: None) -> Iterator[Proxy]:
    proxy = Proxy(target, allowances, on_cut)
    try:
        yield proxy
    finally:
        proxy.close()


# ---------------------------------------------------------------- HTTP


class Web:
    """A web server: what it has, what goes wrong with it, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.knows_ranges = True
        self.is_chunked = False
        self.answers_head = True
        self.statuses: list[int] = []
        """What it answers to the next requests for a file; 200 is none."""
        self.cuts: list[int] = []
        """After so many bytes of the next answers it hangs up."""
        self.on_cut: Callable[[], object] = lambda: None
        self.asked: list[tuple[str, str | None]] = []
        """Methods and ranges."""
        self.port = 0

    def url(self, name: str = "text.txt") -> str:
        return f"http://{HOST}:{self.port}/{name}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.asked.append((handler.command, wanted))
        if handler.command == "HEAD" and not self.answers_head:
            self._refuse(handler, 405)
            return
        status = self.statuses.pop(0) if self.statuses and handler.command == "GET" else 200
        name = handler.path.removeprefix("/")
        if status != 200 or name not in self.files:
            self._refuse(handler, 404 if status == 200 else status)
            return
        content, start = self.files[name], 0
        if wanted and self.knows_ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
        if start and start >= len(content):
            self._refuse(handler, 416, **{"Content-Range": f"bytes */{len(content)}"})
            return
        handler.send_response(206 if wanted and self.knows_ranges else 200)
        if wanted and self.knows_ranges:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if name in self.tags:
            handler.send_header("ETag", self.tags[name])
        handler.send_header(*(("Transfer-Encoding", "chunked") if self.is_chunked else self._length(content, start)))
        handler.end_headers()
        if handler.command == "GET":
            self._send(handler, content[start:])

    @staticmethod
    def _length(content: bytes, start: int) -> tuple[str, str]:
        return "Content-Length", str(len(content) - start)

    @staticmethod
    def _refuse(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
        handler.send_response(status)
        for header in ({"Content-Length": "0"} | headers).items():
            handler.send_header(*header)
        handler.end_headers()

    def _send(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        cut = self.cuts.pop(0) if self.cuts else len(content) + 1
        sent = content[: 10 if cut == STALL else cut]
        if self.is_chunked and sent:
            handler.wfile.write(f"{len(sent):x}\r\n".encode() + sent + b"\r\n")
        else:
            handler.wfile.write(sent)
        if cut == STALL:
            handler.connection.recv(1)  # until the client hangs up
        if cut <= len(content):
            self.on_cut()
            handler.close_connection = True
        elif self.is_chunked:
            handler.wfile.write(b"0\r\n\r\n")


@contextmanager
def web_server() -> Iterator[Web]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with suppress(ConnectionError):
                web.answer(self)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *arguments: Any) -> None:
            """Say nothing: clients hang up as they like."""

    with Server((HOST, 0), Handler) as server:
        server.daemon_threads = False
        web.port = server.server_port
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()


# ---------------------------------------------------------------- SFTP


class _Login(paramiko.ServerInterface):  # type: ignore[misc]
    def __init__(self, tried: list[tuple[str, str]]) -> None:
        self._tried = tried

    def check_auth_password(self, username: str, password: str) -> int:
        self._tried.append((username, password))
        is_right = (username, password) == ("ann", "p@ss")
        return int(paramiko.AUTH_SUCCESSFUL if is_right else paramiko.AUTH_FAILED)

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)


class _Folder(paramiko.SFTPServerInterface):  # type: ignore[misc]
    def __init__(self, server: paramiko.ServerInterface, folder: Path) -> None:
        super().__init__(server)
        self._folder = folder

    def open(self, path: str, flags: int, attr: Any) -> Any:
        file = self._folder / path.lstrip("/")
        if not file.is_file():
            return paramiko.SFTP_NO_SUCH_FILE
        handle = _File(flags)
        handle.readfile = file.open("rb")
        return handle


class _File(paramiko.SFTPHandle):  # type: ignore[misc]
    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class Sftp:
    """An SFTP server for the files of a folder; its only user is `ann`, her password `p@ss`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = paramiko.ECDSAKey.generate()
        self._listening = socket.create_server((HOST, 0))
        self._transports: list[paramiko.Transport] = []
        self.port: int = self._listening.getsockname()[1]
        self.logins: list[tuple[str, str]] = []
        self._thread = Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        for client in _accepted(self._listening):
            transport = paramiko.Transport(client)
            transport.add_server_key(self._key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Folder, self._folder)
            self._transports.append(transport)
            transport.start_server(event=Event(), server=_Login(self.logins))

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for transport in self._transports:
            transport.close()
            transport.join()


@contextmanager
def sftp_server(folder: Path) -> Iterator[Sftp]:
    server = Sftp(folder)
    try:
        yield server
    finally:
        server.close()
