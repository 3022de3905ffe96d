"""The collector's pages: ready while the store takes writes, figures of what really happened."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from collector.rig import PATIENCE, CollectorProcess, sink, until
from driftline.errors import StateError
from driftline.nouns import Kind, Severity
from driftline_collector import vitals
from driftline_collector.server import Collector, Looking
from driftline_collector.store_sqlite import SqliteStore
from rig.prometheus import promtool
from unit.wire import samples


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Collector]:
    one = Collector(tmp_path / "state", looking=Looking("127.0.0.1:0"))
    one.start()
    yield one
    one.stop()


def get(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_figures_are_of_what_happened(running: Collector) -> None:
    agent = sink(running.address)
    for _ in range(7):
        agent.submit(samples.deviation(kind=Kind.EXEC_UNKNOWN, severity=Severity.HIGH))
    agent.submit(samples.deviation(kind=Kind.CODE_LOAD, severity=Severity.LOW))
    agent.stop(PATIENCE)
    until(lambda: 'agents{state="away"} 1\n' in get(running.http_address, "/metrics")[1])  # its stream has ended
    status, page = get(running.http_address, "/metrics")
    assert status == 200
    for line in (
        "driftline_collector_received_total 8",
        'driftline_collector_stored_total{kind="exec.unknown",severity="high"} 7',
        'driftline_collector_stored_total{kind="code.load",severity="low"} 1',
        "driftline_collector_store_revision 8",
        'driftline_collector_agents{state="away"} 1',
        "driftline_collector_store_up 1",
    ):
        assert f"\n{line}\n" in page
    promtool("check", "metrics", text=page)


def test_not_ready_while_the_store_refuses(running: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_store: SqliteStore, _more: Mapping[str, int]) -> NoReturn:
        raise StateError("the disk is full")

    monkeypatch.setattr(vitals, "READY_SECONDS", 0.0)
    assert get(running.http_address, "/readyz") == (200, "ok\n")
    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "count", refuse)
        assert get(running.http_address, "/readyz") == (503, "the store does not take writes: the disk is full\n")
        assert get(running.http_address, "/healthz") == (200, "ok\n")  # restarting it would mend no disk
    assert get(running.http_address, "/readyz") == (200, "ok\n")


def test_a_port_that_is_taken_is_told_and_stops_nothing(running: Collector, tmp_path: Path) -> None:
    process = CollectorProcess(tmp_path / "other", "--http", running.http_address)
    try:
        process.start()
        assert process.process is not None
        assert process.process.stderr is not None
        assert f"cannot be shown on {running.http_address}" in process.process.stderr.readline()
    finally:
        process.clean_up()
