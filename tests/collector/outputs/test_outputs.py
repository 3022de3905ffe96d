"""Outputs of a whole collector: from an agent's report to the receiver, through outages and restarts."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from collector.outputs import receivers
from collector.outputs.rig import collector, report, until, written
from collector.outputs.test_outputs_syslog import ids as syslog_ids
from collector.rig import DRIFTLINE, PATIENCE
from driftline.nouns import Kind, Severity
from driftline.wire.client import CollectorClient
from driftline_collector import retention
from driftline_collector.outputs import delivery, manager, progress
from driftline_collector.outputs.configfile import read_outputs
from driftline_collector.retention import Keep
from driftline_collector.server import Collector
from rig import ports
from unit.wire import samples


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "LONGEST_WAIT", 0.3)


def posted(server: receivers.Http) -> list[str]:
    return [one["id"] for request in server.taken for one in json.loads(request.body)]


def counters(address: str) -> dict[str, int]:
    client = CollectorClient(address)
    try:
        return dict(client.list_agents().access)
    finally:
        client.close()


def test_every_output_gets_what_it_wants_in_order(tmp_path: Path) -> None:
    with receivers.http() as server, receivers.tcp() as syslog:
        text = f"""
            name: all, type: file, path: {tmp_path}/all
            name: grave, type: file, path: {tmp_path}/grave, severity: high, kinds: [file]
            name: hook, type: webhook, url: '{server.url}', batch: 7
            name: siem, type: syslog, to: 'tcp://127.0.0.1:{syslog.listener.getsockname()[1]}'
        """
        with collector(tmp_path, text) as (_, address):
            sent = report(address, 50, severity=Severity.LOW)
            grave = report(address, 3, severity=Severity.HIGH, kind=Kind.FILE_WRITE_CODE)
            wanted = sent + grave
            until(lambda: written(tmp_path / "all") == wanted)
            until(lambda: written(tmp_path / "grave") == grave)
            until(lambda: posted(server) == wanted)
            until(lambda: syslog_ids(syslog.messages) == wanted)
            until(lambda: [counters(address)[f"outputs.{name}.sent"] for name in ("hook", "grave")] == [53, 3])
            until(lambda: counters(address)["outputs.all.lag"] == 0)
            told = counters(address)
    assert told["outputs.all.failed_attempts"] == told["outputs.all.failing"] == 0


def test_history_comes_only_if_asked_for(tmp_path: Path) -> None:
    with collector(tmp_path, f"name: first, type: file, path: {tmp_path}/first") as (_, address):
        old = report(address, 5)
    text = f"""
        name: new, type: file, path: {tmp_path}/new
        name: all, type: file, path: {tmp_path}/all, start: all
    """
    with collector(tmp_path, text) as (_, address):
        new = report(address, 5)
        until(lambda: written(tmp_path / "new") == new)
        until(lambda: written(tmp_path / "all") == old + new)


def test_an_outage_loses_nothing_and_holds_up_nobody(tmp_path: Path) -> None:
    port = ports.free()
    text = f"""
        name: down, type: webhook, url: 'http://127.0.0.1:{port}/', batch: 10
        name: up, type: file, path: {tmp_path}/up
    """
    with collector(tmp_path, text) as (_, address):
        sent = report(address, 100)
        until(lambda: written(tmp_path / "up") == sent)
        until(lambda: counters(address)["outputs.down.failing"])
        until(lambda: counters(address)["outputs.down.lag"] == 100)
        with receivers.http(port) as server:
            sent += report(address, 10)
            until(lambda: len(posted(server)) >= 110)
            assert posted(server) == sent
            until(lambda: counters(address)["outputs.down.lag"] == 0)
    assert counters_of(tmp_path, "down").sent == 110


def counters_of(tmp_path: Path, name: str) -> progress.Counts:
    state = progress.read(tmp_path / "state" / "outputs" / f"{name}.json")
    assert state is not None
    return state.counts


def test_a_slow_receiver_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    with receivers.http() as server:
        server.otherwise = lambda _request: (503, {"Retry-After": "300"}, b"")
        with collector(tmp_path, f"name: hook, type: webhook, url: '{server.url}'") as (_, address):
            report(address, 5)
            until(lambda: server.requests)
    with (
        receivers.http() as server,  # the next start goes on, at another address
        collector(tmp_path, f"name: hook, type: webhook, url: '{server.url}'"),
    ):
        until(lambda: len(posted(server)) == 5)


def test_a_receiver_that_hangs_does_not_hold_up_the_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "STOP_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = f"name: hook, type: webhook, timeout_seconds: 20, url: 'http://127.0.0.1:{silent.getsockname()[1]}/'"
        with collector(tmp_path, text) as (_, address):
            report(address, 5)
            connection, _ = silent.accept()
        with connection:
            threads = [one for one in threading.enumerate() if one.name == "driftline-output-hook"]
            assert threads  # it was left to itself: the stop did not wait for its twenty seconds
    for thread in threads:
        thread.join(PATIENCE)


def test_one_poisonous_deviation_is_set_aside(tmp_path: Path) -> None:
    with receivers.http() as server:
        poison: list[str] = []
        server.otherwise = lambda request: (
            (400, {}, b"bad field") if b'"what":"/poison"' in request.body else receivers.OK
        )
        with collector(tmp_path, f"name: hook, type: webhook, url: '{server.url}'") as (_, address):
            good = report(address, 30)
            poison += report(address, 1, what="/poison")
            good += report(address, 30)
            until(lambda: len(posted(server)) == 60)
            until(lambda: counters(address)["outputs.hook.refused"] == 1)
    assert posted(server) == good
    aside = (tmp_path / "state" / "outputs" / "hook.refused.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in aside] == poison
    assert "answers 400 bad field" in json.loads(aside[0])["reason"]


def test_a_restart_repeats_at_most_what_was_under_way(tmp_path: Path) -> None:
    text, sent = f"name: out, type: file, path: {tmp_path}/out", list[str]()
    for _ in range(4):
        with collector(tmp_path, text) as (_, address):
            sent += report(address, 40)
    with collector(tmp_path, text):
        until(lambda: written(tmp_path / "out") == sent)


def test_a_new_store_begins_anew(tmp_path: Path) -> None:
    text = f"name: out, type: file, path: {tmp_path}/out"
    with collector(tmp_path, text) as (_, address):
        sent = report(address, 20)
        until(lambda: written(tmp_path / "out") == sent)
    for path in (tmp_path / "state").glob("collector.db*"):
        path.unlink()
    with collector(tmp_path, text) as (_, address):
        sent += report(address, 5)
        until(lambda: written(tmp_path / "out") == sent)


def test_a_damaged_cursor_costs_repetitions_and_no_deviation(tmp_path: Path) -> None:
    text = f"name: out, type: file, path: {tmp_path}/out"
    with collector(tmp_path, text) as (_, address):
        sent = report(address, 20)
        until(lambda: written(tmp_path / "out") == sent)
    state = tmp_path / "state" / "outputs" / "out.json"
    state.write_text('{"revision"')
    with collector(tmp_path, text):
        until(lambda: written(tmp_path / "out") == sent + sent)
    assert (state.parent / "out.json.damaged").exists()


def test_what_the_retention_took_meanwhile_is_told_to_the_receiver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver is down, the store full: what it never gets, it hears of."""
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.05)
    port = ports.free()
    text = f"name: hook, type: webhook, url: 'http://127.0.0.1:{port}/'"
    with collector(tmp_path, text, Keep(days=0, bytes=600_000)) as (_, address):
        sent = report(address, 600, argv=("a" * 2000,))
        until(lambda: counters(address)["outputs.hook.dropped_retention"] > 100)
        until(lambda: settled(address))
        with receivers.http(port) as server:
            until(lambda: counters(address)["outputs.hook.lag"] == 0)
            got = [one for request in server.taken for one in json.loads(request.body)]
    gaps = [one for one in got if one["kind"] == "coverage.gap"]
    assert {gap["loss"]["cause"] for gap in gaps} == {"retention"}
    assert sum(gap["count"] for gap in gaps) >= 600 - (len(got) - len(gaps))
    arrived = [one["id"] for one in got if one["kind"] != "coverage.gap"]
    assert [identity for identity in sent if identity in set(arrived)] == list(dict.fromkeys(arrived))


def settled(address: str) -> bool:
    """Whether the retention has stopped removing."""
    before = counters(address)["outputs.hook.dropped_retention"]
    time.sleep(0.3)
    return counters(address)["outputs.hook.dropped_retention"] == before


def test_folded_repeats_come_as_updates_unless_they_are_not_wanted(tmp_path: Path) -> None:
    text = f"""
        name: all, type: file, path: {tmp_path}/all
        name: once, type: file, path: {tmp_path}/once, updates: false
    """
    deviation = samples.deviation()
    with collector(tmp_path, text) as (_, address):
        for count in (1, 5):
            report(address, 1, id=deviation.id, count=count)
            until(lambda count=count: len(written(tmp_path / "all")) == (1 if count == 1 else 2))  # type: ignore[misc]
        until(lambda: counters(address)["outputs.once.updates_left_out"] == 1)
    assert [json.loads(line)["count"] for line in (tmp_path / "all").read_text().splitlines()] == [1, 5]
    assert written(tmp_path / "once") == [deviation.id]


def test_a_path_that_cannot_be_written_ends_the_start_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "outputs.yaml").write_text(f"outputs:\n  - {{name: a, type: file, path: {tmp_path}/none/out}}\n")
    from driftline.errors import SettingsError

    running = Collector(tmp_path / "state", outputs=read_outputs(tmp_path / "outputs.yaml"))
    with pytest.raises(SettingsError, match=r"output a: .*out cannot be written"):
        running.start()


def test_sighup_opens_the_file_anew(tmp_path: Path) -> None:
    """As a process, with logrotate's ways: moved away, signal, new file."""
    config = tmp_path / "outputs.yaml"
    config.write_text(f"outputs:\n  - {{name: a, type: file, path: {tmp_path}/out}}\n")
    arguments = ["collector", "--listen", "127.0.0.1:0", "--state", str(tmp_path / "state"), "--outputs", str(config)]
    arguments += ["--http", ""]
    process = subprocess.Popen([*DRIFTLINE, *arguments], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        address = process.stderr.readline().split()[4].rstrip(",")
        sent = report(address, 3)
        until(lambda: written(tmp_path / "out") == sent)
        (tmp_path / "out").rename(tmp_path / "out.moved")
        process.send_signal(signal.SIGHUP)

        def anew() -> bool:
            sent.extend(report(address, 1))  # goes to the one that was moved until the signal is heard
            return bool(written(tmp_path / "out"))

        until(anew)
        until(lambda: written(tmp_path / "out.moved") + written(tmp_path / "out") == sent)
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (0, "")
