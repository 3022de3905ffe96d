"""Live deviations for those who follow.

In: the changes of each commit. Out: a bounded queue per follower. Why bounded per follower: a slow terminal costs its
owner some lines (it is told how many), never the others, and never ingest. Everything here runs in the event loop.
Next: ``follow`` sends them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.filters import DeviationFilter

FOLLOWER_DEVIATIONS = 10_000
"""Matching deviations that may wait for one follower: about 10 MiB, a second of the heaviest ingest."""

FOLLOWERS = 256
"""Followers at the same time: bounds memory at 2.5 GiB if every one is stuck; people and exporters are few."""


class Follower:
    """One follower's queue; ``revision`` is the last one it was offered."""

    def __init__(self, wanted: DeviationFilter, revision: int, after: int) -> None:
        self._wanted = wanted
        self._after = after
        self._waiting: deque[pb.StoredDeviation] = deque()
        self._missed = 0
        self.missed = 0
        """In all."""
        self._filled = asyncio.Event()
        self.revision = revision

    def offer(self, changes: list[pb.StoredDeviation], revision: int) -> None:
        """Queue what matches; the oldest make room and are counted. Nothing more will come up to ``revision``."""
        if self._after > self.revision:
            changes = [change for change in changes if change.revision > self._after]
        self._waiting.extend(change for change in changes if self._wanted.matches(change.deviation))
        while len(self._waiting) > FOLLOWER_DEVIATIONS:
            self._waiting.popleft()
            self._missed += 1
            self.missed += 1
        self.revision = revision
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
    """All followers, and the last revision they were offered; ``advanced`` is called whenever that has grown."""

    def __init__(self, revision: int, advanced: Callable[[], None] = lambda: None) -> None:
        self._followers: set[Follower] = set()
        self._advanced = advanced
        self._missed = 0  # by followers that have gone
        self.revision = revision

    @property
    def followed(self) -> bool:
        """Whether anybody follows."""
        return bool(self._followers)

    @property
    def followers(self) -> int:
        """How many follow."""
        return len(self._followers)

    @property
    def missed(self) -> int:
        """Deviations that followers were too slow for."""
        return self._missed + sum(follower.missed for follower in self._followers)

    def publish(self, changes: list[pb.StoredDeviation], revision: int = 0) -> None:
        """Offer ``changes`` to every follower: all there are up to ``revision``, or to the last of them."""
        self.revision = revision or changes[-1].revision
        for follower in self._followers:
            follower.offer(changes, self.revision)
        self._advanced()

    def join(self, wanted: DeviationFilter, after: int = 0) -> Follower | None:
        """Return a follower of everything after ``revision`` and after ``after``; None if there are too many."""
        if len(self._followers) >= FOLLOWERS:
            return None
        follower = Follower(wanted, self.revision, after)
        self._followers.add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        """Forget ``follower``."""
        if follower in self._followers:
            self._missed += follower.missed
        self._followers.discard(follower)
