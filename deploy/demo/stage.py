"""Everything the demo needs, up and down again: image, network, containerd, collector, agent, tail, the service.

In: a directory for logs and state. Out: ``Stage`` with addresses and the running parts. Why one exit stack: whatever
fails, and wherever, all that came up goes down in reverse order. Next: ``demo``.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import traffic
from driftline.wire.client import CollectorClient
from rig import containerd, images, mounts, network, packages, session
from rig.containerd import Containerd, RunOptions, Task
from rig.images import Image

IMAGE = "localhost/driftwood:1"
PACKAGES = ("python3", "dash", "coreutils")
LEARN_SECONDS, QUIET_SECONDS, HEARTBEAT_SECONDS = 8, 3, 1
_READY_SECONDS = 30.0
_STOP_SECONDS = 10.0
_HERE = Path(__file__).parent


@dataclass(slots=True)
class Stage:
    """What is up. ``collector``: HOST:PORT."""

    directory: Path
    network: network.Network
    daemon: Containerd
    collector: str
    agent: Program
    service: Task

    def losses(self) -> int:
        """Everything the agent counted as lost, after a heartbeat that is newer than this call."""
        asked = time.time_ns()
        client = CollectorClient(self.collector)
        with contextlib.closing(client):
            until = time.monotonic() + _READY_SECONDS
            while time.monotonic() < until:
                agents = client.list_agents().agents
                if agents and all(agent.last_seen_wall_ns > asked for agent in agents):
                    return sum(loss.count for agent in agents for loss in agent.heartbeat.losses)
                time.sleep(0.1)
        raise RuntimeError("the agent's heartbeat did not come")


class Program:
    """A part of Driftline as its own process; its standard error is kept in a file and can be waited for."""

    def __init__(self, name: str, arguments: list[str], directory: Path, on_line: Callable[[str], None] | None) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as log:
            # Its own session: Ctrl-C is for the demo, which ends its parts in order.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "driftline", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if on_line else subprocess.DEVNULL,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=_read, args=(self._process.stdout, on_line), name=f"{name}-lines")
        self._reader.start()

    def wait_for(self, pattern: str, seconds: float = _READY_SECONDS) -> str:
        """Wait for a line of its standard error that matches; return the first group."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := re.search(pattern, self.log.read_text(errors="replace"), re.MULTILINE):
                return found[1]
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"driftline {self.name}: no line like {pattern!r}; it said:\n{self.log.read_text()}")

    def stop(self) -> None:
        """SIGTERM, and wait; SIGKILL if that takes too long."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()


def _read(stream: IO[str] | None, on_line: Callable[[str], None] | None) -> None:
    if stream and on_line:
        for line in stream:
            on_line(line)


@contextlib.contextmanager
def standing(say: Callable[[str], None], on_deviation: Callable[[str], None]) -> Iterator[Stage]:
    """Bring everything up, the service last; take it down at the end of the block."""
    with contextlib.ExitStack() as undo:
        directory = session.scratch("demo")
        undo.callback(mounts.discard, directory)
        say("building the image of a small web service from distribution packages")
        image = build_image(directory)
        say(f"starting containerd, with its own state in {directory.parent}")
        net = undo.enter_context(network.veth())
        undo.enter_context(traffic.listening(net.host))
        daemon = undo.enter_context(containerd.running())
        daemon.pull(image)
        say("starting driftline collector, tail and agent")
        collector, agent = _driftline(undo, directory, daemon, on_deviation)
        say(f"running the service as a container of {image.name} ({image.digest[:19]}…)")
        service = daemon.run(image.name, f"driftwood-{os.getpid()}", _options(directory, net))
        traffic.wait_ready(net.inside)
        undo.enter_context(traffic.flowing(net.inside))
        yield Stage(directory, net, daemon, collector, agent, service)


def _driftline(
    undo: contextlib.ExitStack, directory: Path, daemon: Containerd, on_deviation: Callable[[str], None]
) -> tuple[str, Program]:
    def start(name: str, *arguments: str, on_line: Callable[[str], None] | None = None) -> Program:
        program = Program(name, [name, *arguments], directory, on_line)
        undo.callback(program.stop)
        return program

    server = start("collector", "--listen", "127.0.0.1:0", "--state", str(directory / "collector"))
    collector = server.wait_for(r"listening on (\S+:\d+)")
    start("tail", "--collector", collector, "--json", on_line=on_deviation)
    learning = ("--learn-seconds", str(LEARN_SECONDS), "--learn-quiet-seconds", str(QUIET_SECONDS))
    engine = ("--containerd-socket", str(daemon.socket), "--heartbeat-seconds", str(HEARTBEAT_SECONDS))
    # Other containers of this machine, and what is lost of them, are not the demo's business.
    scope = ("--watched-roots", session.NAMESPACE, "--state-dir", str(directory / "agent"), "--node", "demo")
    agent = start("agent", "--collector", collector, *scope, *engine, *learning)
    agent.wait_for(r"^driftline agent: (armed .*)$")
    return collector, agent


def build_image(directory: Path) -> Image:
    """Two layers: packages, and the service with what a careless team leaves in an image."""
    layer = directory / "image"
    for name in ("etc", "root/.ssh", "run", "tmp", "var/log/web", "proc", "sys", "dev"):
        (layer / name).mkdir(parents=True, exist_ok=True)
    (layer / "tmp").chmod(0o1777)
    (layer / "var" / "run").symlink_to("/run")
    (layer / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (layer / "etc" / "group").write_text("root:x:0:\n")
    (layer / "etc" / "shadow").write_text("root:$y$j9T$not$ahash:20000:0:99999:7:::\n")
    (layer / "root" / ".ssh" / "id_ed25519").write_text("not a key, but it lies where keys lie\n")
    subprocess.run(["cp", "-r", _HERE / "image" / "app", layer / "app"], check=True)
    options = images.ImageOptions(
        entrypoint=("/usr/bin/python3", "/app/service.py"), environment={"PYTHONDONTWRITEBYTECODE": "1"}
    )
    return images.build(IMAGE, [packages.layer(PACKAGES), layer], options, directory / "image.tar")


def _options(directory: Path, net: network.Network) -> RunOptions:
    """With the pod's token mounted as Kubernetes does it."""
    token = directory / "serviceaccount"
    token.mkdir()
    (token / "token").write_text("eyJhbGciOiJub25lIn0.e30.")
    return RunOptions(
        network=net.namespace,
        volumes={"/run/secrets/kubernetes.io/serviceaccount": token},
        environment={
            "LISTEN": f"{net.inside}:{traffic.SERVICE_PORT}",
            "UPSTREAM": f"{net.host}:{traffic.UPSTREAM_PORT}",
        },
    )
