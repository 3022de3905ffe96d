"""Errands: done in order on another thread, their results handed over on the caller's, and no disk holds up the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from driftline.baseline.keeping import errands as module
from driftline.baseline.keeping.errands import AtOnce, Beside, Errands
from driftline.errors import DriftlineError

PATIENCE = 60.0


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Beside]:
    monkeypatch.setattr(module, "SETTLE_SECONDS", PATIENCE)
    made = Beside()
    made.start()
    yield made
    assert made.stop()


def test_results_come_back_in_order_on_the_callers_thread(beside: Beside) -> None:
    where: list[str] = []
    results: list[tuple[int, str]] = []

    def do(number: int) -> int:
        where.append(threading.current_thread().name)
        return number

    def then(number: int) -> None:
        results.append((number, threading.current_thread().name))

    for number in range(7):
        assert beside.put(lambda number=number: do(number), then)  # type: ignore[misc]
    assert results == []
    beside.settle()
    assert where == ["keeping"] * 7
    assert results == [(number, threading.current_thread().name) for number in range(7)]


def test_what_an_errand_leads_to_is_done_after_it(beside: Beside) -> None:
    done: list[str] = []
    beside.put(lambda: "one", lambda one: beside.put(lambda: f"{one} two", done.append) and None)
    beside.settle()
    beside.settle()
    assert done == ["one two"]


def test_an_errand_that_hangs_holds_up_neither_the_caller_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.05)
    beside, disk = Beside(), threading.Event()
    beside.start()
    done: list[bool] = []
    beside.put(lambda: disk.wait(PATIENCE), done.append)
    beside.settle()
    assert done == []
    assert not beside.stop()
    disk.set()
    monkeypatch.setattr(module, "SETTLE_SECONDS", PATIENCE)
    assert beside.stop()
    beside.come_back()
    assert done == [True]


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    beside = Beside()  # not started: nothing is ever done
    assert [beside.put(int, print) for _ in range(4)] == [True, True, False, False]


def test_a_bug_ends_the_thread_and_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.01)
    beside, deadline = Beside(), time.monotonic() + PATIENCE
    beside.start()
    beside.put(lambda: 1 // 0, print)
    told = ""
    while not told and time.monotonic() < deadline:
        try:
            beside.settle()
        except DriftlineError as error:
            told = str(error)
    assert told == "the thread that writes baselines ended: ZeroDivisionError('integer division or modulo by zero')"
    beside.settle()
    assert beside.stop()


def test_for_a_replay_everything_is_done_on_the_spot() -> None:
    done: list[int] = []
    errands: Errands = AtOnce()
    assert errands.put(lambda: 23, done.append)
    assert done == [23]
    errands.come_back()
    errands.settle()
