"""Outputs of two collectors on one PostgreSQL: one of them sends; when it goes, the other goes on where it was."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from collector.cluster import Cluster
from collector.outputs import receivers
from collector.outputs.rig import until
from collector.rig import DRIFTLINE, PATIENCE, sink
from driftline_collector.outputs.runner import READ_DEVIATIONS
from rig import ports
from unit.wire import samples

KILLS = 3


class Replica:
    """``driftline collector`` with outputs and metrics, as a process; a new one each time it is started."""

    def __init__(self, state: Path, url: str, outputs: Path, program: Sequence[str] = DRIFTLINE) -> None:
        self._program = program
        self._arguments = ["--state", str(state), "--store", url, "--outputs", str(outputs)]
        self._log = state.with_suffix(".log")
        self.address, self._http = f"127.0.0.1:{ports.free()}", ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("wb") as log:
            listen = ["--listen", self.address, "--http", "127.0.0.1:0"]
            self.process = subprocess.Popen([*self._program, "collector", *listen, *self._arguments], stderr=log)
        pattern = r"listening on ([^ ,]+), .* on http://(\S+)"
        until(lambda: re.search(pattern, self.said) or self.process.poll() is not None)  # type: ignore[union-attr]
        found = re.search(pattern, self.said)
        assert found, self.said
        self.address, self._http = found[1], found[2]

    @property
    def said(self) -> str:
        return self._log.read_text()

    def metric(self, name: str) -> float | None:
        """Return the value of an output's metric, None if it is not shown."""
        with urllib.request.urlopen(f"http://{self._http}/metrics", timeout=PATIENCE) as answer:
            page = answer.read().decode()
        found = re.search(rf'^driftline_collector_output_{name}\{{output="hook"\}} (\S+)$', page, re.MULTILINE)
        return float(found[1]) if found else None

    @property
    def sends(self) -> bool:
        return self.metric("sending") == 1

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE)


@pytest.fixture
def pair(cluster: Cluster, database: str, tmp_path: Path) -> Iterator[tuple[receivers.Http, list[Replica]]]:
    """A receiver, and two replicas with the same output to it; none has started."""
    with receivers.http() as server:
        outputs = tmp_path / "outputs.yaml"
        outputs.write_text(f"outputs:\n  - {{name: hook, type: webhook, url: '{server.url}', batch: 9, start: all}}\n")
        replicas = [Replica(tmp_path / name, cluster.url(database), outputs) for name in "ab"]
        try:
            yield server, replicas
        finally:
            for one in replicas:
                one.end(signal.SIGKILL)


def posted(server: receivers.Http) -> list[str]:
    return [one["id"] for request in list(server.taken) for one in json.loads(request.body)]


def deliver(address: str, count: int, sent: list[str]) -> Callable[[], None]:
    """Have an agent submit ``count`` more; return what waits for their acknowledgement."""
    agent = sink(address)
    for _ in range(count):
        sent.append((one := samples.deviation()).id)
        agent.submit(one)
    return lambda: agent.stop(PATIENCE)


def test_the_other_goes_on_when_the_one_that_sends_is_killed(pair: tuple[receivers.Http, list[Replica]]) -> None:
    """Again and again, while an agent delivers to whichever is there: each arrives, few of them twice."""
    server, (sender, other) = pair
    sender.start()
    until(lambda: sender.sends)
    other.start()
    sent: list[str] = []
    deliver(other.address, 300, sent)()
    until(lambda: len(posted(server)) == 300)  # whoever took them, one sends them
    assert posted(server) == sent
    assert (sender.sends, other.sends) == (True, False)
    assert other.metric("sent") is None
    for _ in range(KILLS):
        settle = deliver(other.address, 200, sent)
        sender.end(signal.SIGKILL)
        settle()
        until(lambda: other.sends)  # noqa: B023 - evaluated at once
        until(lambda: "hook: is sent by this collector from now on" in other.said)  # noqa: B023
        sender.start()
        sender, other = other, sender
    until(lambda: set(posted(server)) >= set(sent))
    until(lambda: sender.metric("lag") == 0)
    assert (sender.sends, other.sends) == (True, False)
    arrived = posted(server)
    assert list(dict.fromkeys(arrived)) == sent  # none is missing, first arrivals are in order
    assert len(arrived) - len(sent) <= KILLS * READ_DEVIATIONS


def test_one_that_stops_in_order_hands_over_without_repeating(pair: tuple[receivers.Http, list[Replica]]) -> None:
    server, (first, second) = pair
    first.start()
    until(lambda: first.sends)
    second.start()
    sent: list[str] = []
    deliver(first.address, 500, sent)()
    until(lambda: len(posted(server)) >= 200)
    first.end()
    until(lambda: second.sends)
    deliver(second.address, 50, sent)()
    until(lambda: second.metric("lag") == 0)
    assert posted(server) == sent
    assert second.metric("sent_total") == 550


def test_one_whose_session_ended_stands_by_or_goes_on(
    pair: tuple[receivers.Http, list[Replica]], cluster: Cluster, database: str
) -> None:
    """The database ends every session: exactly one of both has the lease afterwards, and nothing is missing."""
    server, replicas = pair
    for one in replicas:
        one.start()
    sent: list[str] = []
    deliver(replicas[0].address, 100, sent)()
    for _ in range(2):
        others = f"datname = '{database}' AND pid != pg_backend_pid()"
        cluster.execute("postgres", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        deliver(replicas[1].address, 100, sent)()
        until(lambda: set(posted(server)) >= set(sent))
        until(lambda: sorted(one.sends for one in replicas) == [False, True])
    assert list(dict.fromkeys(posted(server))) == sent


def test_status_shows_what_is_kept_in_the_store(
    pair: tuple[receivers.Http, list[Replica]], cluster: Cluster, database: str, tmp_path: Path
) -> None:
    _, (first, _) = pair
    first.start()
    deliver(first.address, 7, [])()
    until(lambda: first.metric("lag") == 0)
    first.end()
    command = [*DRIFTLINE, "outputs", "status", "--store", cluster.url(database)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout == "hook                 sent 7, 0 behind\n"
    assert not list((tmp_path / "a" / "outputs").glob("*.json"))
