"""Servers in real containers beside a real agent: one containerd, one network, one agent for all of them.

In: ``Server`` descriptions. Out: ``Stand`` with a ``Container`` for each, which does what actions ask of it. Why one
network: they are the containers of one pod, each on its own port. Next: ``benchmarks.false_alarms``,
``baselines/make.py``.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.servers import image
from benchmarks.servers.server import BACKEND_PORT, TLS, Server, swap_certificate

from rig import containerd, images, mounts, network, session
from rig.agent import Agent

ORDER_SECONDS = 40.0
READY_SECONDS = 30.0  # a Java server on a busy machine
START_ATTEMPTS = 5
END_SECONDS = 15.0
NAMESPACE = f"{session.TOKEN}-servers"
"""Of containerd, and so the cgroup above: the agent's only root. Of this process alone: others may use the machine."""


class Container:
    """A server's container, started again and again with the same volumes."""

    def __init__(self, stand: Stand, server: Server, ordered: bool) -> None:
        self.server, self.address, self._stand, self._ordered = server, stand.network.inside, stand, ordered
        self.directory = stand.directory / server.name
        self._number = 0
        upper = self.directory / "upper"
        upper.mkdir(parents=True)
        self.layers = image.layers(server, upper, ordered=ordered)
        self.image: images.Image = image.build(server, self.layers, self.directory / "image.tar", ordered=ordered)
        stand.daemon.pull(self.image, stand.namespace)
        self.image.tar.unlink()
        self._volumes = {path: self._make_volume(number, path) for number, path in enumerate(server.volumes)}
        self._pipes = self._make_pipes() if ordered else {}

    def _make_volume(self, number: int, path: str) -> Path:
        """A directory with what the image has there, as Docker fills a new volume."""
        made = self.directory / f"volume-{number}"
        subprocess.run(["cp", "-aT", self.layers.directory(path), made], check=True)  # owners, too
        if not self.layers.has(path):
            shutil.chown(made, self.layers.uid(self.server.user))
        if path == TLS:
            swap_certificate(made, self.layers.uid(self.server.user))
        return made

    def _make_pipes(self) -> dict[str, int]:
        orders = self.directory / "orders"
        orders.mkdir()
        for name in ("in", "out"):
            os.mkfifo(orders / name)
        flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
        self._volumes[image.ORDERS] = orders
        return {name: os.open(orders / name, flags) for name in ("in", "out")}

    # --- its life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run it, and wait until it answers; again if it does not, as an orchestrator does: PostgreSQL refuses to start
        where another process has the number its predecessor wrote down, and in a container numbers are low."""
        for left in reversed(range(START_ATTEMPTS)):
            self._run()
            try:
                self._wait()
                return
            except OSError as error:
                if not left:
                    raise RuntimeError(f"{self.server.name} does not answer: {error}") from error
                self._stand.daemon.remove(self.task.id, self._stand.namespace)

    def _run(self) -> None:
        self._number += 1
        options = containerd.RunOptions(
            namespace=self._stand.namespace,
            network=self._stand.network.namespace,
            volumes=self._volumes,
            environment={"BACKEND": self._stand.network.host},
        )
        name = f"{self.server.name}-{os.getpid()}-{self._number}"
        self.task = self._stand.daemon.run(self.image.name, name, options)

    def _wait(self) -> None:
        """Until it answers; raises what it said last."""
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                self.server.ready(self, Random(1))
                return
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)

    def stop(self, *, graceful: bool = True) -> None:
        """End it: in order first, if it is asked so, as an orchestrator does."""
        if graceful:
            self.signal(signal.SIGTERM)
        until = time.monotonic() + (END_SECONDS if graceful else 0)
        while self._answers() and time.monotonic() < until:
            time.sleep(0.2)
        self._stand.daemon.remove(self.task.id, self._stand.namespace)

    def _answers(self) -> bool:
        try:
            self.server.ready(self, Random(1))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the pipes."""
        for descriptor in self._pipes.values():
            os.close(descriptor)

    # --- what actions ask of it --------------------------------------------------------------------------------------

    def order(self, line: str) -> None:
        """Have the container's own shell run ``line``, and wait."""
        os.write(self._pipes["in"], line.encode() + b"\n")
        if not select.select([self._pipes["out"]], [], [], ORDER_SECONDS)[0]:
            raise RuntimeError(f"{self.server.name} did not do {line!r}")
        os.read(self._pipes["out"], 4096)

    def signal(self, number: int) -> None:
        """Send a signal to the server's first process."""
        if self._ordered:
            self.order(f"kill -{int(number)} $server")
        else:
            self._stand.daemon.kill(self.task, number)

    def probe(self, argv: Sequence[str]) -> None:
        """Run a program in the container as an orchestrator's exec probe does."""
        self._stand.daemon.exec(self.task, argv, check=False)

    def volume(self, path: str) -> Path:
        """The host's directory of a volume."""
        return self._volumes[path]


class Stand:
    """What all servers share. Made by ``standing``. ``ordered``: their containers take orders, see ``image``."""

    def __init__(self, daemon: containerd.Containerd, net: network.Network, directory: Path) -> None:
        self.daemon, self.network, self.directory = daemon, net, directory
        self.namespace = NAMESPACE
        self.state = directory / "state"
        self.containers: dict[str, Container] = {}

    def add(self, server: Server, *, ordered: bool) -> Container:
        """Make a server's image and volumes; its container is not started."""
        made = self.containers[server.name] = Container(self, server, ordered)
        return made

    def agent(self, learn_seconds: float, quiet_seconds: float, *options: str) -> Agent:
        """An agent that watches these containers alone."""
        self.state.mkdir(exist_ok=True)
        cache = session.CACHE / "bpf"
        cache.mkdir(parents=True, exist_ok=True)
        (self.state / "cache").symlink_to(cache)
        scope = ("--watched-roots", self.namespace, "--containerd-socket", str(self.daemon.socket))
        window = ("--learn-seconds", str(learn_seconds), "--learn-quiet-seconds", str(quiet_seconds))
        return Agent(self.state, *scope, *window, "--identify-seconds", "10", *options)


@contextlib.contextmanager
def standing() -> Iterator[Stand]:
    """A stand without servers; at the end nothing of it is left."""
    with contextlib.ExitStack() as undo:
        directory = session.scratch("servers")
        undo.callback(mounts.discard, directory)
        net = undo.enter_context(network.veth())
        undo.enter_context(_backend(net.host))
        daemon = undo.enter_context(containerd.running())
        stand = Stand(daemon, net, directory)
        try:
            yield stand
        finally:
            for one in stand.containers.values():
                one.close()


@contextlib.contextmanager
def _backend(address: str) -> Iterator[None]:
    """Answers any request with 200."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"ok\n")

        do_POST = do_GET

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # a client that was killed
                super().handle()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer((address, BACKEND_PORT), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
