"""Followers: order, filters, bounds."""

from __future__ import annotations

import asyncio

import pytest

from driftline.nouns import Severity
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector import feed as feed_module
from driftline_collector.feed import Feed
from driftline_collector.filters import DeviationFilter
from unit.wire import samples


def changes(first: int, *severities: Severity) -> list[pb.StoredDeviation]:
    return [
        pb.StoredDeviation(revision=revision, deviation=deviation_to_wire(samples.deviation(severity=severity)))
        for revision, severity in enumerate(severities, first)
    ]


def wanted(severity: int = 0) -> DeviationFilter:
    return DeviationFilter(pb.DeviationFilter(minimum_severity=severity))  # type: ignore[arg-type]


def test_a_follower_gets_what_matches_after_it_joined_in_order() -> None:
    async def check() -> None:
        feed = Feed(0)
        feed.publish(changes(1, Severity.HIGH))
        follower = feed.join(wanted(deviation_pb2.SEVERITY_HIGH))
        assert follower is not None
        assert follower.revision == 1
        feed.publish(changes(2, Severity.LOW, Severity.CRITICAL))
        feed.publish(changes(4, Severity.HIGH, Severity.INFO))
        taken, missed = await follower.take(10)
        assert [item.revision for item in taken] == [3, 4]
        assert missed == 0
        assert follower.revision == 5

    asyncio.run(check())


def test_take_waits_and_takes_no_more_than_asked() -> None:
    async def check() -> None:
        feed = Feed(0)
        follower = feed.join(wanted())
        assert follower is not None
        asyncio.get_running_loop().call_later(0.02, feed.publish, changes(1, *[Severity.LOW] * 5))
        sizes = [len((await asyncio.wait_for(follower.take(2), 5))[0]) for _ in range(3)]
        assert sizes == [2, 2, 1]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(follower.take(2), 0.01)

    asyncio.run(check())


def test_a_slow_follower_misses_the_oldest_and_is_told_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "FOLLOWER_DEVIATIONS", 3)

    async def check() -> None:
        feed = Feed(0)
        follower = feed.join(wanted())
        assert follower is not None
        feed.publish(changes(1, *[Severity.LOW] * 5))
        taken, missed = await follower.take(10)
        assert ([item.revision for item in taken], missed) == ([3, 4, 5], 2)
        feed.publish(changes(6, Severity.LOW))
        assert (await follower.take(10))[1] == 0

    asyncio.run(check())


def test_one_who_left_gets_nothing_and_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "FOLLOWERS", 1)

    async def check() -> None:
        feed = Feed(0)
        follower = feed.join(wanted())
        assert follower is not None
        assert feed.join(wanted()) is None
        feed.leave(follower)
        feed.publish(changes(1, Severity.LOW))
        assert follower.revision == 0
        assert feed.join(wanted()) is not None

    asyncio.run(check())


def test_who_has_seen_more_than_we_offered_gets_none_of_it_again() -> None:
    """A follower that another replica served comes to this one, which lags."""

    async def check() -> None:
        feed = Feed(0)
        follower = feed.join(wanted(), after=3)
        assert follower is not None
        feed.publish(changes(1, Severity.LOW, Severity.LOW))
        feed.publish(changes(3, Severity.LOW, Severity.LOW), revision=4)
        feed.publish(changes(5, Severity.LOW))
        taken, missed = await follower.take(10)
        assert ([item.revision for item in taken], missed) == ([4, 5], 0)

    asyncio.run(check())


def test_the_feed_advances_also_past_what_nobody_has() -> None:
    advanced: list[int] = []
    feed = Feed(0, lambda: advanced.append(feed.revision))
    feed.publish([], 7)
    feed.publish(changes(8, Severity.LOW))
    assert advanced == [7, 8]
