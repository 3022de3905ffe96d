"""The spool's clock counts what really went by and never runs backwards."""

from __future__ import annotations

from driftline.report.clock import Moment, SpoolClock


class Ticks:
    """A time since boot that a test sets."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def test_it_counts_seconds_and_goes_on_after_a_restart_in_the_same_boot() -> None:
    ticks = Ticks(1000)
    clock = SpoolClock(None, now=ticks, boot="a")
    ticks.now += 30
    assert clock.now() == 30
    moment = clock.moment()
    ticks.now += 500  # no agent ran
    assert SpoolClock(moment, now=ticks, boot="a").now() == 530


def test_time_the_node_was_down_is_not_counted() -> None:
    assert SpoolClock(Moment(530, "a", 9000), now=Ticks(9500), boot="b").now() == 530


def test_it_never_runs_backwards() -> None:
    ticks = Ticks(1000)
    clock = SpoolClock(Moment(70, "a", 5000), now=ticks, boot="a")  # a kept reading from the future
    assert clock.now() == 70
    ticks.now = 900
    assert clock.now() == 70


def test_a_lost_cursor_does_not_make_entries_older_than_now() -> None:
    assert SpoolClock(None, at_least=400, now=Ticks(3), boot="a").now() == 400
