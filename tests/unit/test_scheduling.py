"""A thread asks for short slices, or lets others go first; nobody else is changed by it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from driftline.scheduling import let_others_first, prefer_short_slices

pytestmark = pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="system call number unknown")


def in_a_thread(ask: Callable[[], bool]) -> tuple[bool, int]:
    """What ``ask`` returns in a thread of its own, and the scheduling policy it has then."""
    found: list[tuple[bool, int]] = []
    thread = threading.Thread(target=lambda: found.append((ask(), os.sched_getscheduler(0))))
    thread.start()
    thread.join()
    return found[0]


def test_short_slices_are_taken_and_keep_the_policy() -> None:
    assert in_a_thread(prefer_short_slices) == (True, os.SCHED_OTHER)


def test_a_thread_that_lets_others_go_first_is_a_batch_thread() -> None:
    assert in_a_thread(let_others_first) == (True, os.SCHED_BATCH)
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
