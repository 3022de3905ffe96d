"""A few pages over HTTP/1.0: health, readiness, metrics.

In: an address, a function from path to answer. Out: answers, one per connection. Why by hand: ``http.server`` costs the
agent over a MiB. Why nobody can do harm: it reads 4 KiB at most and answers GET and HEAD only; a connection has five
seconds for everything, and of too many the oldest goes; so a stranger who dawdles keeps no probe waiting. One thread,
``driftline-http``, which waits for nobody but ``answer``. Next: whoever probes or scrapes.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from driftline.errors import SettingsError
from driftline.text import escape
from driftline.wire.address import parse_address

REQUEST_BYTES: Final = 4096
CONNECTION_SECONDS: Final = 5.0
CONNECTIONS: Final = 64
"""At a time: a kubelet, a Prometheus and a person need three. More are a flood, and the oldest of them goes."""

PLAIN: Final = "text/plain; charset=utf-8"
_LOOK_MS: Final = 500
_STATUSES: Final = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}
_STATUSES_MORE: Final = {431: "Request Header Fields Too Large", 500: "Internal Server Error"}
_REASONS: Final = {**_STATUSES, **_STATUSES_MORE, 503: "Service Unavailable"}


class Answer(NamedTuple):
    """What a path shows."""

    status: int
    body: str
    content_type: str = PLAIN


class _Connection:
    __slots__ = ("deadline", "incoming", "outgoing", "socket")

    def __init__(self, accepted: socket.socket, deadline: float) -> None:
        self.socket = accepted
        self.deadline = deadline
        self.incoming = b""
        self.outgoing = b""


class Responder:
    """Listens on ``address`` (HOST:PORT, an IP address) and shows what ``answer`` returns for a path; None: not found.

    Raises SettingsError if it cannot listen there.
    """

    def __init__(self, address: str, answer: Callable[[str], Answer | None]) -> None:
        self._answer = answer
        self._listener = _listen(address)
        host, port = self._listener.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._connections: dict[int, _Connection] = {}  # by descriptor, oldest first
        self._poll = select.poll()
        self._stopping = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="driftline-http", daemon=True)
        self.answered = 0
        self.dropped = 0
        """Connections given up: too slow, too many, or no HTTP."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close everything."""
        os.eventfd_write(self._stopping, 1)
        if self._thread.ident is not None:
            self._thread.join(CONNECTION_SECONDS)
        self._listener.close()
        if not self._thread.is_alive():
            os.close(self._stopping)

    def _run(self) -> None:
        self._poll.register(self._listener, select.POLLIN)
        self._poll.register(self._stopping, select.POLLIN)
        try:
            while True:
                for descriptor, events in self._poll.poll(_LOOK_MS if self._connections else None):
                    if descriptor == self._stopping:
                        return
                    if descriptor == self._listener.fileno():
                        self._accept()
                    elif (connection := self._connections.get(descriptor)) is not None:
                        self._serve(connection, events)
                self._expire()
        finally:
            for connection in list(self._connections.values()):
                self._close(connection)

    def _accept(self) -> None:
        try:
            accepted, _peer = self._listener.accept()
        except OSError:  # it is gone already, or we have no descriptor left
            return
        accepted.setblocking(False)
        if len(self._connections) >= CONNECTIONS:
            self._drop(next(iter(self._connections.values())))
        connection = _Connection(accepted, time.monotonic() + CONNECTION_SECONDS)
        self._connections[accepted.fileno()] = connection
        self._poll.register(accepted, select.POLLIN)

    def _serve(self, connection: _Connection, events: int) -> None:
        try:
            if events & select.POLLIN and not connection.outgoing:
                self._read(connection)
            elif events & select.POLLOUT:
                self._write(connection)
            elif events & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                self._drop(connection)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)

    def _read(self, connection: _Connection) -> None:
        data = connection.socket.recv(REQUEST_BYTES)
        connection.incoming += data
        if not data:
            self._drop(connection)
        elif b"\r\n\r\n" in connection.incoming or b"\n\n" in connection.incoming:
            self._begin(connection, *self._respond(connection.incoming))
        elif len(connection.incoming) >= REQUEST_BYTES:
            self._begin(connection, Answer(431, "too long\n"))

    def _respond(self, request: bytes) -> tuple[Answer, bool]:
        words = request.split(b"\n", 1)[0].split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return Answer(400, "this is no HTTP/1 request\n"), True
        method, path = words[0], words[1].split(b"?", 1)[0].decode("ascii", "replace")
        if method not in (b"GET", b"HEAD"):
            return Answer(405, "only GET and HEAD\n"), True
        try:
            answer = self._answer(path)
        except Exception as error:  # noqa: BLE001 - a page that fails must not end the thread that shows the others
            answer = Answer(500, f"{type(error).__name__}\n")
        return answer or Answer(404, "/healthz, /readyz and /metrics are here\n"), method == b"GET"

    def _begin(self, connection: _Connection, answer: Answer, with_body: bool = True) -> None:
        body = answer.body.encode("utf-8", "replace")
        head = (
            f"HTTP/1.0 {answer.status} {_REASONS[answer.status]}\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\n\r\n"
        )
        connection.outgoing = head.encode() + (body if with_body else b"")
        self.answered += 1
        self._poll.modify(connection.socket, select.POLLOUT)

    def _write(self, connection: _Connection) -> None:
        sent = connection.socket.send(connection.outgoing)
        connection.outgoing = connection.outgoing[sent:]
        if not connection.outgoing:
            self._close(connection)

    def _expire(self) -> None:
        now = time.monotonic()
        for connection in [one for one in self._connections.values() if one.deadline < now]:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        self.dropped += 1
        self._close(connection)

    def _close(self, connection: _Connection) -> None:
        descriptor = connection.socket.fileno()
        if self._connections.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)
        connection.socket.close()


def _listen(text: str) -> socket.socket:
    address = parse_address(text)
    host = "127.0.0.1" if address.host == "localhost" else address.host
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, address.port))
        listener.listen(CONNECTIONS)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        message = f"health and metrics cannot be shown on {escape(text)}: {error.strerror or error}"
        raise SettingsError(message, "another address with --http HOST:PORT, or --http '' for none") from error
    return listener
