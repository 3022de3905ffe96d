"""The little HTTP server answers probes, whatever strangers do beside them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from collector.rig import until
from driftline.errors import SettingsError
from driftline.wire import responder
from driftline.wire.responder import Answer, Responder


def pages(path: str) -> Answer | None:
    if path == "/broken":
        raise ValueError("secret")
    found = {"/healthz": "fine\n", "/large": "x" * 3_000_000, "/huge": "x" * 30_000_000}.get(path)
    return None if found is None else Answer(200, found)


@pytest.fixture
def running() -> Iterator[Responder]:
    one = Responder("127.0.0.1:0", pages)
    one.start()
    yield one
    one.stop()


def connect(running: Responder) -> socket.socket:
    host, _, port = running.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def ask(running: Responder, request: bytes) -> bytes:
    with connect(running) as one:
        one.sendall(request)
        received = b""
        while data := one.recv(65536):
            received += data
        return received


def get(running: Responder, path: str) -> bytes:
    return ask(running, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


def test_pages_are_shown(running: Responder) -> None:
    assert get(running, "/healthz").startswith(b"HTTP/1.0 200 OK\r\n")
    assert get(running, "/healthz?verbose").endswith(b"\r\n\r\nfine\n")
    assert get(running, "/nowhere").startswith(b"HTTP/1.0 404")
    assert get(running, "/large").count(b"x") >= 3_000_000
    assert ask(running, b"HEAD /healthz HTTP/1.0\r\n\r\n").endswith(b"close\r\n\r\n")


def test_a_page_that_fails_tells_no_secret_and_ends_nothing(running: Responder) -> None:
    answer = get(running, "/broken")
    assert answer.startswith(b"HTTP/1.0 500")
    assert b"secret" not in answer
    assert get(running, "/healthz").startswith(b"HTTP/1.0 200")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /healthz HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /healthz\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET /\xff\xfe\x00 HTTP/1.1\r\n\r\n", b"404"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2000, b"431"),
        (b"GET /" + b"a" * 5000, b"431"),
    ],
)
def test_what_is_no_request_is_refused(running: Responder, request_bytes: bytes, status: bytes) -> None:
    try:
        assert ask(running, request_bytes)[9:12] == status
    except ConnectionResetError:
        assert status == b"431"  # closed with unread bytes: the kernel may reset
    assert get(running, "/healthz").startswith(b"HTTP/1.0 200")


def test_dawdlers_keep_nobody_waiting_and_are_dropped(running: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than may be at a time, each sending half a request and nothing more."""
    monkeypatch.setattr(responder, "CONNECTION_SECONDS", 1.0)
    dawdlers = [connect(running) for _ in range(responder.CONNECTIONS + 20)]
    try:
        for one in dawdlers:
            try:
                one.sendall(b"GET /healthz HT")
            except OSError:
                pass  # dropped already
        assert get(running, "/healthz").startswith(b"HTTP/1.0 200")
        until(lambda: running.dropped >= len(dawdlers) and not running._connections)
    finally:
        for one in dawdlers:
            one.close()


def test_one_who_never_reads_is_dropped(running: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responder, "CONNECTION_SECONDS", 0.5)
    with connect(running) as one:
        one.sendall(b"GET /huge HTTP/1.0\r\n\r\n")
        until(lambda: running.dropped)
        assert running.dropped == 1
        assert get(running, "/healthz").startswith(b"HTTP/1.0 200")


def test_a_port_that_is_taken_is_told(running: Responder) -> None:
    with pytest.raises(SettingsError, match="health and metrics cannot be shown on"):
        Responder(running.address, pages)
    with pytest.raises(SettingsError, match="is not HOST:PORT"):
        Responder("nonsense", pages)
