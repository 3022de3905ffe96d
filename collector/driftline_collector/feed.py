"""Live deviations for those who follow.

In: the changes of each commit. Out: a bounded queue per follower. Why bounded per follower: a slow terminal costs its
owner some lines (it is told how many), never the others, and never ingest. Everything here runs in the event loop.
Next: ``follow`` sends them.
"""

from __future__ import annotations

import asyncio
from collections import deque

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.filters import DeviationFilter

FOLLOWER_DEVIATIONS = 10_000
"""Matching deviations that may wait for one follower: about 10 MiB, a second of the heaviest ingest."""

FOLLOWERS = 256
"""Followers at the same time: bounds memory at 2.5 GiB if every one is stuck; people and exporters are few."""


class Follower:
    """One follower's queue; ``revision`` is the last one it was offered."""

    def __init__(self, wanted: DeviationFilter, revision: int) -> None:
        self._wanted = wanted
        self._waiting: deque[pb.StoredDeviation] = deque()
        self._missed = 0
        self._filled = asyncio.Event()
        self.revision = revision

    def offer(self, changes: list[pb.StoredDeviation]) -> None:
        """Queue what matches; the oldest make room and are counted."""
        self._waiting.extend(change for change in changes if self._wanted.matches(change.deviation))
        while len(self._waiting) > FOLLOWER_DEVIATIONS:
            self._waiting.popleft()
            self._missed += 1
        self.revision = changes[-1].revision
        if self._waiting:
            self._filled.set()

    async def take(self, limit: int) -> tuple[list[pb.StoredDeviation], int]:
        """Wait for matches; return up to ``limit`` of them and how many were missed before them."""
        await self._filled.wait()
        taken = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        missed, self._missed = self._missed, 0
        if not self._waiting:
            self._filled.clear()
        return taken, missed


class Feed:
    """All followers, and the last committed revision."""

    def __init__(self, revision: int) -> None:
        self._followers: set[Follower] = set()
        self.revision = revision

    def publish(self, changes: list[pb.StoredDeviation]) -> None:
        """Offer the changes of one commit to every follower."""
        self.revision = changes[-1].revision
        for follower in self._followers:
            follower.offer(changes)

    def join(self, wanted: DeviationFilter) -> Follower | None:
        """Return a follower of everything after ``revision``; None if there are too many."""
        if len(self._followers) >= FOLLOWERS:
            return None
        follower = Follower(wanted, self.revision)
        self._followers.add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        """Forget ``follower``."""
        self._followers.discard(follower)
