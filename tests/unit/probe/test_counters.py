"""Counters by name."""

from __future__ import annotations

from driftline.probe.counters import losses


def test_losses_are_what_was_lost_or_arrived_incomplete() -> None:
    counts = {("open", "sent"): 5, ("open", "known"): 7, ("exec", "ring_full"): 1, ("exec", "path_truncated"): 2}
    assert losses(counts) == {("exec", "ring_full"): 1, ("exec", "path_truncated"): 2}
