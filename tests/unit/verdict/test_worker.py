"""The thread that reads executables: bounded, never silent about what it left undone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.errors import DriftlineError
from driftline.verdict import worker as module
from driftline.verdict.worker import CompareTask, HashTask, Task, Worker
from unit.baseline.making import SUBJECT, executed, seen
from unit.wire.samples import deviation


class Blocking(CompareTask):
    """Takes until it is let go: a file system that does not answer."""

    started, release = threading.Event(), threading.Event()

    def run(self, limit: int, bases: tuple[str, ...]) -> None:
        self.started.set()
        self.release.wait(60)


class Failing(CompareTask):
    """A bug."""

    def run(self, limit: int, bases: tuple[str, ...]) -> None:
        raise RuntimeError("boom")


def compare_task() -> CompareTask:
    return CompareTask(executed(), SUBJECT, 0)


def hash_task(path: Path) -> HashTask:
    mine = executed(pid=os.getpid()).process
    return HashTask(deviation(process=mine, file=seen(path)), os.getpid())


@pytest.fixture
def blocked() -> Iterator[tuple[Worker, Task]]:
    """A worker whose thread is held up by the task given beside it."""
    Blocking.started.clear()
    Blocking.release.clear()
    worker, task = Worker(1 << 20, (), lambda: None), Blocking(executed(), SUBJECT, 0)
    worker.start()
    worker.put(task)
    assert Blocking.started.wait(60)
    yield worker, task
    Blocking.release.set()
    worker.stop()


def taken(worker: Worker, count: int) -> list[Task]:
    found: list[Task] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        found += worker.take()
        time.sleep(0.005)
    return found


def test_a_digest_is_found_and_somebody_is_woken(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(b"abc")
    woken = threading.Event()
    worker = Worker(1 << 20, (), woken.set)
    worker.start()
    worker.put(hash_task(file))
    assert woken.wait(60)
    (task,) = taken(worker, 1)
    assert isinstance(task, HashTask)
    assert task.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert worker.stop()


def test_what_does_not_fit_is_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TASKS", 3)
    worker = Worker(1, (), lambda: None)  # not started: nobody takes them
    assert [worker.put(compare_task()) for _ in range(5)] == [True, True, True, False, False]
    (loss,) = worker.losses()
    assert (loss.hook, loss.cause, loss.count) == ("evidence", "tasks_full", 2)
    assert worker.losses() == []


def test_a_stop_gives_back_what_was_not_done(blocked: tuple[Worker, Task], monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that was not compared with the image's file is still to be judged, one in hand included."""
    monkeypatch.setattr(module, "STOP_SECONDS", 0.05)
    worker, in_hand = blocked
    undone, digest = compare_task(), HashTask(deviation(), 0)
    worker.put(undone)
    worker.put(digest)
    assert worker.stop() is False
    left = worker.take()
    assert left[:2] == [in_hand, undone]
    assert isinstance(left[2], HashTask)
    assert left[2].note == "the agent stopped first"
    Blocking.release.set()
    assert worker.stop()
    assert worker.take() == []


def test_a_thread_that_dies_is_told_once_and_its_task_given_back() -> None:
    worker, task = Worker(1, (), lambda: None), Failing(executed(), SUBJECT, 0)
    worker.start()
    worker.put(task)
    with pytest.raises(DriftlineError, match="boom"):
        taken(worker, 1)
    assert worker.take() == []
    assert worker.stop()
    assert worker.take() == [task]
