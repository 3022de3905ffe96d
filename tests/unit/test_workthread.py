"""A thread beside the main loop: what it gives arrives, its death is told, and it never holds up the end."""

from __future__ import annotations

import threading
import time

import pytest

from driftline.errors import DriftlineError
from driftline.workthread import TaskThread, WorkThread

PATIENCE = 60.0


def until_ended(thread: WorkThread[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while thread.alive:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_results_come_in_order_and_a_death_after_them_once() -> None:
    woken = threading.Event()

    def run() -> None:
        thread.give(1, 2)
        thread.give(3)
        raise RuntimeError("a bug")

    thread: WorkThread[int] = WorkThread("work", "counts", run, woken.set)
    thread.start()
    assert woken.wait(PATIENCE)
    assert thread.take() == [1, 2, 3]
    with pytest.raises(DriftlineError, match=r"the thread that counts ended: RuntimeError\('a bug'\)") as told:
        thread.take()
    assert isinstance(told.value.__cause__, RuntimeError)
    assert thread.take() == []
    assert thread.stop(PATIENCE)


def test_of_sentences_nobody_takes_the_oldest_go() -> None:
    thread: WorkThread[int] = WorkThread("work", "counts", lambda: None, most=2)
    thread.give(1)
    thread.give(2, 3)
    assert thread.take() == [2, 3]


def test_a_thread_that_waits_is_woken_by_the_stop() -> None:
    def run() -> None:
        with thread.changed:
            thread.changed.wait_for(lambda: thread.stopping)

    thread: WorkThread[int] = WorkThread("work", "waits", run)
    thread.start()
    assert thread.stop(PATIENCE)
    assert not thread.alive


def test_a_thread_that_hangs_does_not_hold_up_the_stop() -> None:
    let_go = threading.Event()

    def run() -> None:
        let_go.wait(PATIENCE)

    thread: WorkThread[int] = WorkThread("work", "hangs", run)
    thread.start()
    assert not thread.stop(0.01)
    let_go.set()
    assert thread.stop(PATIENCE)


def test_one_that_never_started_is_stopped_at_once() -> None:
    thread: WorkThread[int] = WorkThread("work", "waits", lambda: None)
    assert thread.stop(PATIENCE)


def test_its_name_and_that_it_ends_with_the_process_are_as_said() -> None:
    seen: list[threading.Thread] = []
    thread: WorkThread[int] = WorkThread("work", "looks", lambda: seen.append(threading.current_thread()))
    thread.start()
    until_ended(thread)
    assert [(one.name, one.daemon) for one in seen] == [("work", True)]


def test_tasks_are_done_in_order_and_those_beyond_the_limit_refused_and_counted() -> None:
    def run() -> None:
        while (task := thread.next()) is not None:
            thread.give(task * 10)
            if task == 2:
                done.set()

    done = threading.Event()
    thread: TaskThread[int, int] = TaskThread("work", "multiplies", run, 2)
    assert [thread.put(number) for number in (1, 2, 3, 4)] == [True, True, False, False]
    assert thread.waiting == 2
    assert (thread.take_refused(), thread.take_refused()) == (2, 0)
    thread.start()
    assert done.wait(PATIENCE)
    assert thread.take() == [10, 20]
    assert thread.stop(PATIENCE)


def test_what_was_not_begun_is_left_after_a_stop() -> None:
    thread: TaskThread[int, int] = TaskThread("work", "waits", lambda: None, 5)
    thread.put(1)
    thread.put(2)
    assert thread.stop(PATIENCE)
    assert thread.next() is None
    assert (thread.take_left(), thread.take_left()) == ([1, 2], [])
