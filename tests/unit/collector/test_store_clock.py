"""The store's clock: it never runs backwards and never leaps, whatever the wall clock does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline_collector import store_clock
from driftline_collector.store_clock import ABSENCE_SECONDS, Noted, StoreClock, read_note

DAY = 86_400
NOW = 1_800_000_000


@pytest.fixture
def boot(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds since boot, to move on."""
    seconds = [1000.0]
    monkeypatch.setattr(store_clock, "_since_boot", lambda: seconds[0])
    return seconds


def test_an_empty_store_begins_with_the_wall_clock_and_counts_seconds(boot: list[float]) -> None:
    clock = StoreClock(None, 0, NOW + 0.9)
    assert (clock.now(), clock.passed_over_s) == (NOW, 0)
    boot[0] += 90 * DAY
    assert clock.now() == NOW + 90 * DAY


def test_a_store_without_a_note_goes_on_from_its_newest_stamp(boot: list[float]) -> None:
    assert StoreClock(None, NOW, NOW + DAY).now() == NOW + DAY
    assert StoreClock(None, NOW, NOW - 400 * DAY).now() == NOW
    ahead = StoreClock(None, NOW, NOW + 365 * DAY)
    assert (ahead.now(), ahead.passed_over_s) == (NOW + ABSENCE_SECONDS, 365 * DAY - ABSENCE_SECONDS)


def test_it_follows_who_is_ahead_and_never_goes_back(boot: list[float]) -> None:
    clock = StoreClock(None, 0, NOW)
    assert clock.stamp(NOW + 5) == NOW + 5
    assert clock.stamp(NOW + 1) == clock.stamp() == clock.now() == NOW + 5
    boot[0] += 1
    assert clock.now() == NOW + 6


def test_a_wall_clock_that_comes_back_is_no_absence(boot: list[float]) -> None:
    clock = StoreClock(Noted(NOW, NOW), NOW, NOW - 400 * DAY)
    boot[0] += DAY
    note = read_note(clock.note(NOW - 399 * DAY))
    assert note == (NOW + DAY, NOW)
    after = StoreClock(note, NOW + DAY, NOW + 2 * DAY)
    assert (after.now(), after.passed_over_s) == (NOW + 3 * DAY, 0)


@pytest.mark.parametrize("body", [b"", b"{}", b"[1, 2]", b"\xff", b'{"store_s": "x", "wall_s": 1}', b"[" * 100_000])
def test_a_damaged_note_counts_as_none(body: bytes) -> None:
    assert read_note(body) is None


def test_the_note_is_plain_to_read(boot: list[float]) -> None:
    assert json.loads(StoreClock(None, 0, NOW).note(NOW)) == {"store_s": NOW, "wall_s": NOW}


@given(st.lists(st.integers(-500 * DAY, 500 * DAY), max_size=20))
def test_however_the_clock_is_set_between_runs_each_adds_a_week_at_most(errors: list[int]) -> None:
    note, newest = Noted(NOW, NOW), NOW
    for error in errors:
        clock = StoreClock(note, newest, NOW + error)
        stamp = clock.stamp()
        assert newest <= stamp <= newest + ABSENCE_SECONDS + 1
        note, newest = read_note(clock.note(NOW + error)) or note, stamp
    assert newest <= NOW + max([0, *errors]) + len(errors)  # and all together no more than the clock was ever ahead
