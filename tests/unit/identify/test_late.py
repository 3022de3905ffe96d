"""The thread that reads containers that ran before: real cgroup directories, ended in time, never quietly dead."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.identify import late as module
from driftline.identify.late import LateReader
from driftline.identify.snapshot import Snapshot
from driftline.nouns import ExecEvent


def taken(reader: LateReader, count: int) -> list[Snapshot]:
    found: list[Snapshot] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        found += reader.take()
        time.sleep(0.01)
    return found


def test_a_process_is_read_through_a_directory_that_names_it(tmp_path: Path) -> None:
    """A cgroup directory is a file ``cgroup.procs`` to the reader: a process of ours in it needs no root."""
    child = subprocess.Popen(["sleep", "60"])
    try:
        (tmp_path / "cgroup.procs").write_text(f"{child.pid}\n")
        woken = threading.Event()
        reader = LateReader({7: str(tmp_path), 8: str(tmp_path / "gone")}, woken.set)
        reader.start()
        one, gone = taken(reader, 2)
        assert woken.is_set()
        assert (one.cgroup, gone.cgroup, gone.events) == (7, 8, [])
        (event,) = [event for event in one.events if isinstance(event, ExecEvent)]
        assert (event.process.pid, event.argv) == (child.pid, ("sleep", "60"))
        assert reader.stop()
    finally:
        child.kill()
        child.wait()


def test_nothing_to_read_starts_nothing() -> None:
    before = threading.active_count()
    reader = LateReader({}, lambda: None)
    reader.start()
    assert threading.active_count() == before
    assert reader.take() == []
    assert reader.stop()


def test_a_stop_reads_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    first = threading.Event()

    def slowly(directories: dict[int, str]) -> Iterator[Snapshot]:
        for cgroup in directories:
            yield Snapshot(cgroup)
            first.wait(60)

    monkeypatch.setattr(module, "read_running", slowly)
    reader = LateReader(dict.fromkeys(range(1000), os.devnull), lambda: None)
    reader.start()
    assert len(taken(reader, 1)) == 1
    reader._thread.stopping = True
    first.set()
    assert reader.stop()
    assert len(reader.take()) <= 1


def test_what_a_thread_that_dies_did_not_read_is_a_loss(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(directories: dict[int, str]) -> Iterator[Snapshot]:
        yield Snapshot(1)
        raise RuntimeError("boom")

    monkeypatch.setattr(module, "read_running", broken)
    reader = LateReader({1: "/", 2: "/", 3: "/"}, lambda: None)
    reader.start()
    snapshots = taken(reader, 3)
    losses = [(loss.cause, loss.cgroup) for snapshot in snapshots for loss in snapshot.losses]
    assert losses == [("not_read", 2), ("not_read", 3)]
    assert "boom" in caplog.text
