"""Docker's HTTP interface, spoken over a real Unix socket."""

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from driftline.errors import EngineError
from driftline.identify.engines import Answer, EngineAbsent
from driftline.identify.engines.docker import Docker

ID = "4f0c" * 16
CONFIG = "sha256:" + "ab" * 32
MANIFEST = "sha256:" + "cd" * 32
OTHER = "sha256:" + "ef" * 32
CONTAINER = {"Name": "/shop", "Image": CONFIG, "Config": {"Image": "reg.example/web:1", "Labels": {"app": "shop"}}}


class Handler(BaseHTTPRequestHandler):
    """Answers from ``bodies``; a float there means: wait that long, byte by byte."""

    protocol_version = "HTTP/1.1"
    bodies: dict[str, Any] = {}

    def do_GET(self) -> None:
        body = self.bodies.get(self.path)
        if isinstance(body, float):
            self._trickle(body)
            return
        text = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _trickle(self, seconds: float) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.02)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    """A thread for each connection, all joined at the end."""

    daemon_threads = False


@pytest.fixture
def socket_path(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "docker.sock")
    Handler.bodies = {}
    with Server(path, Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield path
        server.shutdown()
        thread.join()


def serve(image: dict[str, Any] | None) -> None:
    Handler.bodies = {f"/containers/{ID}/json": CONTAINER, f"/images/{CONFIG}/json": image}


def test_an_image_that_was_pulled_has_its_repository_digest(socket_path: str) -> None:
    serve({"RepoDigests": [f"other.example/aaa@{OTHER}", f"reg.example/web@{MANIFEST}"]})
    expected = Answer("docker", "shop", "reg.example/web:1", MANIFEST, (("app", "shop"),))
    assert Docker(socket_path).look_up(ID, 30.0) == expected


@pytest.mark.parametrize("image", [{"RepoDigests": []}, {"RepoDigests": None}, None])
def test_an_image_built_here_is_known_by_its_id(socket_path: str, image: dict[str, Any] | None) -> None:
    serve(image)
    answer = Docker(socket_path).look_up(ID, 30.0)
    assert answer is not None
    assert answer.image_digest == CONFIG


def test_an_unknown_container(socket_path: str) -> None:
    assert Docker(socket_path).look_up(ID, 30.0) is None


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b'{"Config": [1]}', b'{"Config": {"Labels": [1]}}'])
def test_nonsense_is_an_engine_error(socket_path: str, body: bytes) -> None:
    Handler.bodies = {f"/containers/{ID}/json": body}
    with pytest.raises(EngineError):
        Docker(socket_path).look_up(ID, 30.0)


def test_an_answer_that_trickles_in_ends_in_time(socket_path: str) -> None:
    Handler.bodies = {f"/containers/{ID}/json": 100.0}
    before = time.monotonic()
    with pytest.raises(EngineError):
        Docker(socket_path).look_up(ID, 0.2)
    assert time.monotonic() - before < 60.0


def test_a_hostile_id_stays_in_its_place(socket_path: str) -> None:
    Handler.bodies = {"/containers/..%2Fimages%3Fx%0D%0A/json": CONTAINER}
    assert Docker(socket_path).look_up("../images?x\r\n", 5.0) is not None


def test_no_socket_is_absent_and_a_dead_one_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineAbsent):
        Docker(str(tmp_path / "none.sock")).look_up(ID, 1.0)
    (tmp_path / "dead.sock").touch()
    with pytest.raises(EngineError) as caught:
        Docker(str(tmp_path / "dead.sock")).look_up(ID, 1.0)
    assert not isinstance(caught.value, EngineAbsent)
