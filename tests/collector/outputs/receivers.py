"""Real receivers for outputs: HTTP servers and syslog listeners that do what a test tells them."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PATIENCE = 20.0


@dataclass
class Request:
    """One request as it arrived; ``body`` is unpacked."""

    path: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {}, b"ok")


@dataclass
class Http:
    """A running HTTP server: what it was sent, and how it answers (from the front; then ``otherwise``)."""

    url: str = ""
    taken: list[Request] = field(default_factory=list)
    answers: list[Answer | str] = field(default_factory=list)  # "reset": the connection ends in mid body
    otherwise: Callable[[Request], Answer] = lambda _request: OK
    requests: int = 0
    connections: list[socket.socket] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: a body that waits for the headers' acknowledgement is 40 ms late
    http: Http

    def setup(self) -> None:
        super().setup()
        self.http.connections.append(self.connection)

    def do_POST(self) -> None:
        self.http.requests += 1
        length = int(self.headers["Content-Length"])
        answer = self.http.answers.pop(0) if self.http.answers else None
        if answer == "reset":
            self.rfile.read(min(10, length))
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()  # with octets unread: a reset, not an end
            self.close_connection = True
            return
        body = self.rfile.read(length)
        if len(body) < length:  # the sender was killed in mid request: nobody takes half of one
            self.close_connection = True
            return
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = Request(self.path, dict(self.headers), body)
        if not isinstance(answer, tuple):
            answer = self.http.otherwise(request)
        status, headers, content = answer
        if status < 300:
            self.http.taken.append(request)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None: ...  # resets are what tests ask for


@contextlib.contextmanager
def http(port: int = 0, context: ssl.SSLContext | None = None) -> Iterator[Http]:
    """Serve until the end of the block; ``url`` ends with a slash."""
    served = Http()
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"http": served}))
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    served.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()
        for connection in served.connections:  # kept ones too: this server is gone
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class StreamListener:
    """A syslog server for TCP, TLS or a Unix stream: takes RFC 6587 octet counting (or lines, on a Unix socket)."""

    def __init__(self, listener: socket.socket, context: ssl.SSLContext | None = None) -> None:
        self.listener = listener
        self.messages: list[bytes] = []
        self.connections = 0
        self.reading = threading.Event()
        self.reading.set()
        self._context = context
        self._current: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with contextlib.suppress(OSError):
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
                self._current = connection
                with connection, connection.makefile("rb") as stream:
                    self._read(stream)

    def _read(self, stream: Any) -> None:
        while self.reading.wait(PATIENCE):
            if self.listener.family == socket.AF_UNIX:
                line = stream.readline()
                if not line:
                    return
                self.messages.append(line.removesuffix(b"\n"))
                continue
            digits = b""
            while (one := stream.read(1)) != b" ":
                if not one:
                    return
                assert one.isdigit(), digits + one
                digits += one
            message = stream.read(int(digits))
            if len(message) == int(digits):
                self.messages.append(message)

    def cut(self) -> None:
        """End the present connection."""
        if self._current is not None:
            with contextlib.suppress(OSError):
                self._current.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.reading.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
        self._thread.join(PATIENCE)


@contextlib.contextmanager
def tcp(port: int = 0, context: ssl.SSLContext | None = None) -> Iterator[StreamListener]:
    """A listener on the loopback."""
    listener = StreamListener(socket.create_server(("127.0.0.1", port)), context)
    try:
        yield listener
    finally:
        listener.close()


@contextlib.contextmanager
def unix(path: Path, kind: socket.SocketKind) -> Iterator[socket.socket]:
    """A bound Unix socket; a stream one listens."""
    with socket.socket(socket.AF_UNIX, kind) as bound:
        bound.bind(str(path))
        bound.settimeout(PATIENCE)
        if kind == socket.SOCK_STREAM:
            bound.listen()
        yield bound
