"""How long what is stored is kept: by age, and by size.

In: limits. Out: a store that stays within them, and counters of what was removed. Why steps: one giant DELETE would
hold up every agent for minutes; a step takes the writer some milliseconds, and a rest follows. Why ages are by the
store's own clock (``store_clock``): no clock that is wrong for a while, a node's or the collector's, may remove
anything too early. A task of the event loop; nothing else removes anything. Next: ``writer`` does it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from driftline.errors import StateError
from driftline_collector.agents import Agents
from driftline_collector.reader import Reader
from driftline_collector.store import Candidate, Store
from driftline_collector.store_clock import ABSENCE_SECONDS, NOTE_SECONDS
from driftline_collector.writer import Writer

PAUSE_SECONDS = 5.0
"""Between looks: at full ingest a store grows by some 60 MiB meanwhile, a hundredth of the default limit."""

STEP = 500
"""Deviations removed in one transaction: some five milliseconds."""

STEP_BYTES = 4 * 1024 * 1024
"""And not more than these bytes of them, should they be large."""

REST = 2.0
"""Rest after each step, in times of what it took: removal takes the writer at most a third of its time."""

MOST_REST_SECONDS = 1.0
DAY_SECONDS = 86_400
JUMP_SECONDS = 3600.0
"""A wall clock that moved so much against the time since boot was set: no agent is forgotten for a day."""

_LOW_WATER = 0.98
"""Removal for space goes on until so much of the limit is left, so that it does not begin again at once."""

_log = logging.getLogger(__name__)


class Keep(NamedTuple):
    """For how many days and in how many bytes deviations are kept; 0: without that limit."""

    days: int = 90
    bytes: int = 5 * 1024**3


@dataclass(slots=True)
class Clock:
    """Tells a wall clock that was set from time that went by."""

    wall_s: float
    boot_s: float
    distrusted_until_s: float = 0.0
    jumps: int = 0

    def trusted(self, wall_s: float, boot_s: float) -> bool:
        """Whether ``wall_s``, read at ``boot_s`` seconds since boot, tells how long ago something was."""
        jump = (wall_s - self.wall_s) - (boot_s - self.boot_s)
        self.wall_s, self.boot_s = wall_s, boot_s
        if abs(jump) > JUMP_SECONDS:
            _log.warning("the clock was set by %+.0f s; deviations grow old as if it had not been", jump)
            self.jumps += 1
            self.distrusted_until_s = boot_s + DAY_SECONDS
        return boot_s >= self.distrusted_until_s


Removed = Callable[[list[tuple[int, int]]], object]
"""Told the revision and severity of each deviation that was removed."""


class Retention:
    """Keeps the store within ``keep``; ``removed`` is called after each step."""

    def __init__(self, reader: Reader, writer: Writer, agents: Agents, keep: Keep, removed: Removed) -> None:
        self._reader = reader
        self._writer = writer
        self._agents = agents
        self._keep = keep
        self._removed = removed
        self._forgotten_s = 0.0  # time since boot when agents were last forgotten
        self._noted_s = 0.0  # time since boot when the store's time was last noted; 0: it must be
        self._full = ""
        self._passed_over = _passed_over(reader.clock.passed_over_s)
        boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._clock = Clock(time.time(), boot_s, boot_s + DAY_SECONDS if self._passed_over else 0.0)
        self.counters: dict[str, int] = {}

    @property
    def warnings(self) -> list[str]:
        """What whoever looks must know."""
        return [sentence for sentence in (self._full, self._passed_over) if sentence]

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            try:
                await self._look()
            except StateError:  # the writer says what the store is ill with
                pass
            await asyncio.sleep(PAUSE_SECONDS)

    async def _look(self) -> None:
        wall, boot = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
        trusted = await self._look_at_clock(wall, boot)
        if self._keep.days:
            age = self._keep.days * DAY_SECONDS
            before = self._reader.clock.now() - age
            await self._remove(lambda: self._reader.expired(before, STEP), "age")
            if trusted:
                await self._forget(int(wall) - age, boot)
        used = await self._reader.used_bytes()
        if self._keep.bytes and used > self._keep.bytes:
            self._warn()
            await self._remove(self._least, "size")
        removed = await self._reader.counters()
        jumps = self._clock.jumps + bool(self._passed_over)
        figures = {"store.bytes": used, "store.clock_jumps": jumps}
        self.counters = {f"store.{name}": value for name, value in removed.items()} | figures

    async def _look_at_clock(self, wall_s: float, boot_s: float) -> bool:
        """Have the store's time noted now and then, and when the wall clock was set; return whether that is trusted."""
        jumps = self._clock.jumps
        trusted = self._clock.trusted(wall_s, boot_s)
        if self._clock.jumps > jumps:
            self._noted_s = 0.0
        if not self._noted_s or boot_s - self._noted_s >= NOTE_SECONDS:
            await self._writer.run(lambda store: store.note_time())
            self._noted_s = boot_s
        return trusted

    async def _least(self) -> list[Candidate]:
        """Return what goes next, nothing once enough has gone."""
        if await self._reader.used_bytes() <= self._keep.bytes * _LOW_WATER:
            return []
        return await self._reader.least(STEP)

    async def _remove(self, choose: Callable[[], Awaitable[list[Candidate]]], cause: str) -> None:
        while candidates := _first(await choose(), STEP_BYTES):
            begun = time.monotonic()
            self._removed(await self._writer.run(partial(_remove, candidates, cause)))
            await asyncio.sleep(min(REST * (time.monotonic() - begun), MOST_REST_SECONDS))

    async def _forget(self, before_s: int, boot_s: float) -> None:
        """Once a day agents that were not heard for as long: their number is bounded, and nodes come and go."""
        if self._forgotten_s and boot_s - self._forgotten_s < DAY_SECONDS:
            return
        if self._reader.shared:  # others may have heard of them since
            self._agents.learn(await self._reader.agents())
        if nodes := self._agents.forget(before_s * 1_000_000_000):
            await self._writer.run(lambda store: store.forget(nodes))
        self._forgotten_s = boot_s

    def _warn(self) -> None:
        if not self._full:
            limit = f"{self._keep.bytes / 1024**2:,.0f} MiB"
            self._full = f"the store has reached --keep-bytes ({limit}): the oldest of the lowest severity go"
            _log.warning("%s; raise it, or find out what floods it", self._full)


def _passed_over(seconds: int) -> str:
    """Return a sentence, and log it, if the wall clock was ``seconds`` further ahead at the start than is believed."""
    if not seconds:
        return ""
    days, most = (seconds + ABSENCE_SECONDS) / DAY_SECONDS, ABSENCE_SECONDS // DAY_SECONDS
    sentence = f"the clock is {days:.0f} days ahead of when the store was last in use: {most} of them count as age"
    _log.warning("%s; look whether it is right", sentence)
    return sentence


def _remove(candidates: list[Candidate], cause: str, store: Store) -> list[tuple[int, int]]:
    return store.remove(candidates, cause)


def _first(candidates: list[Candidate], size: int) -> list[Candidate]:
    """Return the first of ``candidates``, up to ``size`` bytes, at least one."""
    total = 0
    for count, one in enumerate(candidates):
        total += one.size
        if count and total > size:
            return candidates[:count]
    return candidates
