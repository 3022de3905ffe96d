"""Ordinary traffic for the service, the upstream it asks for prices, and the attacker's listener.

In: addresses. Out: HTTP requests at a steady rate until stopped; answers to whoever connects. Why its own upstream: the
demo needs no network. Next: ``stage``.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socketserver
import threading
import time
from collections.abc import Iterator

SERVICE_PORT, UPSTREAM_PORT, ATTACKER_PORT = 8080, 8081, 4444
_PAUSE_SECONDS = 0.05  # some twenty requests a second: every page many times while learning
_ROUND = ("/", "/about.html", "/price")


def request(host: str, method: str, path: str, body: str = "") -> str:
    """One request to the service; raises OSError or http.client.HTTPException when it does not answer."""
    with contextlib.closing(http.client.HTTPConnection(host, SERVICE_PORT, timeout=10)) as connection:
        connection.request(method, path, body or None)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        if answer.status != 200:
            raise http.client.HTTPException(f"{method} {path}: status {answer.status}")
        return text


def wait_ready(host: str, seconds: float = 20.0) -> None:
    """Wait until the service answers."""
    until = time.monotonic() + seconds
    while True:
        try:
            request(host, "GET", "/")
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


@contextlib.contextmanager
def flowing(host: str) -> Iterator[None]:
    """Ask the service for all it offers, round and round, until the end of the block."""
    stop = threading.Event()
    thread = threading.Thread(target=_flow, args=(host, stop), name="traffic")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _flow(host: str, stop: threading.Event) -> None:
    number = 0
    while not stop.wait(_PAUSE_SECONDS):
        try:
            request(host, "GET", _ROUND[number % len(_ROUND)])
        except OSError:
            if not stop.is_set():
                time.sleep(1)  # the service is gone: the demo will say so where it needs it
        number += 1


class _Price(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"12.50")

    def log_message(self, *_: object) -> None:
        """Nothing: the demo's output is for deviations."""


class _Swallow(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1024)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextlib.contextmanager
def listening(host: str) -> Iterator[None]:
    """The upstream and the attacker's listener on ``host``, until the end of the block."""
    with contextlib.ExitStack() as undo:
        for port, handler in ((UPSTREAM_PORT, _Price), (ATTACKER_PORT, _Swallow)):
            server = undo.enter_context(_Server((host, port), handler))
            thread = threading.Thread(target=server.serve_forever, args=(0.1,), name=f"listener-{port}")
            thread.start()
            undo.callback(thread.join)
            undo.callback(server.shutdown)
        yield
