"""What the collector's tests share: a collector as a process, an agent's sink, and patience."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from driftline.report.stream import AgentIdentity, StreamSink
from driftline.wire.client import CollectorClient
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from rig import ports

PATIENCE = 30.0
"""Seconds to wait for what should take milliseconds, on a busy machine."""

DRIFTLINE = [sys.executable, "-m", "driftline"]


def until(condition: Callable[[], object]) -> None:
    """Wait for ``condition``, at most PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {PATIENCE} s"
        time.sleep(0.01)


def sink(address: str, node: str = "node-a", capacity: int = 100_000) -> StreamSink:
    """Return a started sink of an agent called ``node``."""
    started = StreamSink(address, AgentIdentity(node=node, abi=1, boot_id="b"), capacity)
    started.start()
    return started


def listing(address: str, **conditions: object) -> list[pb.StoredDeviation]:
    """Return everything stored that matches, newest change first, page by page."""
    client, token, found = CollectorClient(address), "", list[pb.StoredDeviation]()
    try:
        while True:
            wanted = pb.DeviationFilter(**conditions)  # type: ignore[arg-type]
            page = client.list_deviations(pb.ListDeviationsRequest(filter=wanted, page_size=97, page_token=token))
            found.extend(page.deviations)
            if not (token := page.next_page_token):
                return found
    finally:
        client.close()


def replay(address: str, **conditions: object) -> list[pb.StoredDeviation]:
    """Return everything stored that matches, as a tail that does not follow sends it."""
    client = CollectorClient(address)
    wanted = pb.DeviationFilter(**conditions)  # type: ignore[arg-type]
    try:
        responses = client.tail(pb.TailRequest(filter=wanted, replay=True))
        return [stored for response in responses for stored in response.deviations]
    finally:
        client.close()


class CollectorProcess:
    """``driftline collector`` as a process of its own; restarted on the same port."""

    def __init__(self, state: Path, *options: str) -> None:
        self._state = state
        self._options = options if "--http" in options else (*options, "--http", "")  # many at the same time
        self.address = f"127.0.0.1:{ports.free()}"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start it and return its address."""
        arguments = ["collector", "--listen", self.address, "--state", str(self._state), *self._options]
        self.process = subprocess.Popen([*DRIFTLINE, *arguments], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        said = self.process.stderr.readline()
        match = re.fullmatch(r"driftline collector: listening on (\S+), state (\S+?)(, store \S+)?\n", said)
        assert match, said
        self.address = match[1]
        return self.address

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait, and return the exit status. It must have had nothing to complain about."""
        assert self.complaints(number) == ""
        assert self.process is not None
        return int(self.process.returncode)

    def complaints(self, number: signal.Signals = signal.SIGTERM) -> str:
        """Send a signal, wait, and return what it had to complain about."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.communicate(timeout=PATIENCE)[1]

    def clean_up(self) -> None:
        """Leave nothing behind."""
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)
