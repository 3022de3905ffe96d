"""The relay: own commits and word of others' become one feed without gap, duplicate or disorder."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import replicas
from driftline_collector.feed import Feed
from driftline_collector.filters import DeviationFilter
from driftline_collector.replicas import Relay
from driftline_collector.store import Page

EVERYTHING = DeviationFilter(pb.DeviationFilter())


def change(revision: int) -> pb.StoredDeviation:
    return pb.StoredDeviation(revision=revision)


class Table:
    """What is committed, readable as the reader reads it; fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.revisions: list[int] = []
        self.reads = 0
        self._failures = failures

    async def forward(self, _wanted: DeviationFilter, after: int, last: int, limit: int) -> Page:
        self.reads += 1
        await asyncio.sleep(0)
        if self._failures:
            self._failures -= 1
            raise StateError("not now")
        found = [revision for revision in self.revisions if after < revision <= last][:limit]
        return Page([change(revision) for revision in found], found[-1] if len(found) == limit else last)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(replicas, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(replicas, "BATCH_DEVIATIONS", 3)
    return None


async def relayed(commits: list[tuple[bool, int]], seed: int, followed: bool = True) -> tuple[list[int], Table, Feed]:
    """Commit sizes in order, each ours or another's; word of others' comes when chance wants."""
    chance, table, feed = random.Random(seed), Table(failures=seed % 3), Feed(0)
    follower = feed.join(EVERYTHING) if followed else None
    relay = Relay(table, feed)  # type: ignore[arg-type]
    task = asyncio.ensure_future(relay.run())
    last, unheard = 0, list[int]()
    for own, size in commits:
        changes = [change(last + i) for i in range(1, size + 1)]
        last += size
        table.revisions += [one.revision for one in changes]
        if own:
            relay.committed(changes)
        else:
            unheard.append(last)
        if chance.random() < 0.5:
            await asyncio.sleep(0)
        if unheard and chance.random() < 0.5:
            relay.told(unheard.pop(chance.randrange(len(unheard))))
    relay.told(last)
    async with asyncio.timeout(5):
        while feed.revision < last:
            await asyncio.sleep(0)
    task.cancel()
    seen = list[int]()
    while follower is not None and len(seen) < last:
        taken, missed = await follower.take(1000)
        assert not missed
        seen += [one.revision for one in taken]
    return seen, table, feed


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=1, max_size=30), st.integers(0, 10_000))
def test_followers_see_every_revision_once_in_order(commits: list[tuple[bool, int]], seed: int) -> None:
    seen, _, feed = asyncio.run(relayed(commits, seed))
    assert seen == list(range(1, sum(size for _, size in commits) + 1))
    assert feed.revision == len(seen)


def test_own_commits_alone_cost_no_reading() -> None:
    _, table, _ = asyncio.run(relayed([(True, 5)] * 20, 0))
    assert table.reads == 0


def test_without_followers_nothing_is_read() -> None:
    _, table, feed = asyncio.run(relayed([(False, 5), (True, 3)] * 20, 0, followed=False))
    assert (table.reads, feed.revision) == (0, 160)


def test_own_commits_are_kept_up_to_a_bound_and_read_beyond_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "OWN_DEVIATIONS", 10)
    seen, _, _ = asyncio.run(relayed([(False, 1), *[(True, 4)] * 20], 0))
    assert seen == list(range(1, 82))


def test_a_change_that_moved_on_is_not_waited_for() -> None:
    """Revision 2 was replaced by 5, a repeat of the same deviation, before anybody read it."""

    async def run() -> list[int]:
        table, feed = Table(), Feed(0)
        follower = feed.join(EVERYTHING)
        assert follower is not None
        relay = Relay(table, feed)  # type: ignore[arg-type]
        task = asyncio.ensure_future(relay.run())
        table.revisions = [1, 3, 4, 5]
        relay.told(5)
        async with asyncio.timeout(5):
            while feed.revision < 5:
                await asyncio.sleep(0)
        task.cancel()
        return [one.revision for one in (await follower.take(10))[0]]

    assert asyncio.run(run()) == [1, 3, 4, 5]
