"""The collector is away for an hour of attack: the spool's cap holds, what matters survives, the rest is counted.

When it is back the backlog drains, and what is found meanwhile does not wait for it. DRIFTLINE_HOUR says how many
deviations the hour has; they are submitted as fast as the disk takes them, as nothing here depends on the clock.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

import pytest

from collector.rig import PATIENCE, CollectorProcess, replay, until
from driftline.errors import CollectorError
from driftline.nouns import Severity
from driftline.report.backlog import ORDERED
from driftline.report.spool import SpoolOptions
from driftline.report.stream import AgentIdentity, StreamSink
from driftline.wire.client import CollectorClient
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from unit.wire import samples

HOUR = int(os.environ.get("DRIFTLINE_HOUR", "80000"))
CAPACITY = 32 * 1024 * 1024
PATTERN = [Severity.LOW] * 85 + [Severity.MEDIUM] * 10 + [Severity.HIGH] * 4 + [Severity.CRITICAL]
IN_MEMORY = 5_000  # what may wait for the disk: an attack gives it this much time
PAUSE = 0.05  # between two live alerts
LIVE = 20


@pytest.fixture
def process(tmp_path: Path) -> Iterator[CollectorProcess]:
    """A collector that can be away."""
    collector = CollectorProcess(tmp_path / "state")
    yield collector
    collector.clean_up()


class Watcher:
    """A tail of critical ones that notes how old each is when it comes."""

    def __init__(self, address: str) -> None:
        self._client = CollectorClient(address)
        wanted = pb.DeviationFilter(minimum_severity=deviation_pb2.SEVERITY_CRITICAL)
        # with those stored already: it may begin to follow later than the first live one comes
        self._stream = self._client.tail(pb.TailRequest(filter=wanted, replay=True, follow=True))
        self.ages: dict[str, float] = {}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(CollectorError):  # ours: we cancel it
            for response in self._stream:
                for one in response.deviations:
                    self.ages[one.deviation.id] = (time.time_ns() - one.deviation.first_wall_ns) / 1e6

    def stop(self) -> None:
        self._stream.cancel()
        self._thread.join(PATIENCE)
        self._client.close()


def files(directory: Path) -> int:
    """Return what the spool takes on disk; files come and go meanwhile."""
    size = 0
    for path in directory.iterdir():
        try:
            size += path.stat().st_size
        except FileNotFoundError:
            continue
    return size


@pytest.mark.timeout(120 + HOUR // 500)
def test_an_hour_of_attack_while_the_collector_is_away(
    process: CollectorProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = process.start()
    process.end()
    options = SpoolOptions(tmp_path / "spool", CAPACITY, 7.0, "batch", 100)
    agent = StreamSink(address, AgentIdentity("node-a"), 10_000, spool=options)
    agent.start()
    submitted: dict[Severity, list[str]] = {severity: [] for severity in Severity}
    largest = 0
    for index in range(HOUR):
        one = samples.deviation(severity=PATTERN[index % len(PATTERN)], argv=("x" * 300,))
        submitted[one.severity].append(one.id)
        agent.submit(one)
        if index % 500 == 0:
            largest = max(largest, files(tmp_path / "spool"))
            until(lambda: waiting_in_memory(agent) < IN_MEMORY)
    until(lambda: waiting_in_memory(agent) == 0)
    backlog = agent.figures().waiting
    assert max(largest, files(tmp_path / "spool")) <= CAPACITY
    assert backlog > 4 * ORDERED

    process.start()
    watcher, live, overtook = Watcher(address), list[str](), 0
    until(lambda: agent.connected)
    for _ in range(LIVE):
        one = samples.deviation(severity=Severity.CRITICAL)
        live.append(one.id)
        agent.submit(one)
        until(lambda one=one: one.id in watcher.ages)  # type: ignore[misc]
        overtook += agent.figures().waiting > 0
        time.sleep(PAUSE)
    begun = time.monotonic()
    agent.stop(3 * PATIENCE)
    watcher.stop()
    stored = [item.deviation.id for item in replay(address) if item.deviation.kind == "exec.drift"]
    lost = {(loss.hook, loss.cause): loss.count for loss in agent.losses()}
    cut = quantiles([watcher.ages[one] for one in live], n=20)
    with capsys.disabled():
        print(
            f"\n{HOUR} while away: {backlog} waited in {largest / 1e6:.1f} MB at most, {sum(lost.values())} given up "
            f"and counted; live critical ones while it drained: {cut[9]:.0f} ms (median), {cut[18]:.0f} ms (p95), "
            f"{overtook} of {LIVE} before the backlog's end; the rest took {time.monotonic() - begun:.1f} s"
        )
    assert len(stored) == len(set(stored))
    assert set(submitted[Severity.CRITICAL] + submitted[Severity.HIGH] + live) <= set(stored)
    assert lost.keys() == {("spool", "dropped")}
    assert len(stored) + sum(lost.values()) == HOUR + LIVE
    assert overtook > 0, "live ones arrived while the backlog was still draining"


def waiting_in_memory(agent: StreamSink) -> int:
    figures = agent.figures()
    return figures.waiting - figures.counters.get("spool.unsent", 0)
