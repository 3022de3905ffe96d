"""The agent's pages: ready when armed, healthy while its main loop comes round, metrics made by that loop."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from driftline import health, metrics
from driftline.health import Health
from driftline.report.sink import SinkFigures
from driftline.wire.exposition import Histogram


class Loop:
    """A main loop that comes round when woken."""

    def __init__(self) -> None:
        self.woken, self.pages, self.stopping = threading.Event(), 0, False
        self.health = Health("127.0.0.1:0", self.woken.set)
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.stopping:
            if self.woken.wait(0.05):
                self.woken.clear()
            self.health.come_round(self.page)

    def page(self) -> str:
        self.pages += 1
        if self.pages == 3:
            raise ValueError("a bug")
        return f"page {self.pages}\n"

    def stop(self) -> None:
        self.stopping = True
        if self.thread.ident:
            self.thread.join()


@pytest.fixture
def loop() -> Iterator[Loop]:
    one = Loop()
    yield one
    one.stop()
    one.health.stop()


def get(loop: Loop, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{loop.health.address}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_from_start_to_stop(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    assert get(loop, "/healthz") == (200, "ok\n")  # a compiler may take a while: no reason to be restarted
    assert get(loop, "/readyz") == (503, "starting\n")
    assert get(loop, "/metrics") == (503, "starting\n")
    loop.health.armed()
    loop.thread.start()
    assert get(loop, "/readyz") == (200, "ok\n")
    assert [get(loop, "/metrics")[1] for _ in range(4)] == [
        "page 1\n",
        "page 2\n",
        "the main loop does not answer\n",
        "page 4\n",
    ]
    assert "the metrics cannot be made" in caplog.text
    loop.health.stopping()
    assert get(loop, "/readyz") == (503, "stopping\n")


def test_a_stuck_main_loop_is_seen(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.1)
    loop.health.armed()
    loop.health.come_round(loop.page)
    assert get(loop, "/healthz")[0] == 200
    monkeypatch.setattr(health, "STALL_SECONDS", 0.2)
    time.sleep(0.3)
    assert get(loop, "/healthz") == (503, "the main loop is stuck\n")
    assert get(loop, "/metrics") == (503, "the main loop does not answer\n")


def test_a_port_that_is_taken_is_no_reason_to_end(loop: Loop) -> None:
    other = Health(loop.health.address, lambda: None)
    assert (other.address, "cannot be shown" in other.trouble) == ("", True)
    other.stop()
    assert Health("", lambda: None).trouble == ""


def test_kernel_losses_are_not_told_twice() -> None:
    figures = metrics.AgentFigures(
        "lsm",
        {"kernel.open.sent": 5, "kernel.open.ring_full": 3, "pipeline.records": 7, "spool.bytes": 1},
        {("open", "ring_full"): 3, ("report", "queue_full"): 2},
        {"identify": 4},
        1,
        {"learning": 1},
        Histogram(),
        Histogram(),
        SinkFigures(1, 2, 3, True, {"spool.bytes": 9, "spool.dropped.low": 4}, Histogram()),
    )
    page = metrics.page(figures)
    assert 'driftline_agent_kernel_events_total{hook="open",outcome="sent"} 5\n' in page
    assert 'outcome="ring_full"' not in page
    assert 'driftline_agent_lost_total{hook="open",cause="ring_full"} 3\n' in page
    assert "driftline_agent_pipeline_records_total 7\n" in page
    assert "driftline_agent_spool_bytes 9\n" in page
    assert 'driftline_agent_spool_dropped_total{severity="low"} 4\n' in page
    assert 'driftline_agent_waiting{stage="identify"} 4\n' in page
