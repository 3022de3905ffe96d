"""Waits grow, are spread by chance, and have a limit."""

from __future__ import annotations

from driftline.wire.backoff import Backoff


def test_waits_double_up_to_the_limit_and_start_small_again() -> None:
    backoff = Backoff(first=1, longest=8)
    for ceiling in (1, 2, 4, 8, 8):
        assert ceiling / 2 <= backoff.next() <= ceiling
    backoff.reset()
    assert backoff.next() <= 1


def test_agents_do_not_come_back_together() -> None:
    assert len({Backoff().next() for _ in range(20)}) > 10
