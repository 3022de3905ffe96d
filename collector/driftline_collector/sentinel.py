"""Who notices when an agent goes silent, or no longer sees all it should.

In: every sign of life. Out: ``agent.silent`` and ``agent.degraded``, stored like all deviations, and told again when
they are resolved. Why a clock of its own: only time in which agents could be heard counts. A collector that was down,
stopped or could not store must not cry; a wall clock that was set changes nothing. Why a note before each deviation:
what was begun is known after any crash, and what was begun is ended. Next: ``writer`` stores, ``decisions`` forgets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from driftline.errors import StateError
from driftline.nouns import Kind
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector import episodes
from driftline_collector.agents import Agents
from driftline_collector.reader import Reader
from driftline_collector.symptoms import Symptoms, kinds
from driftline_collector.writer import Writer

TOPIC = "episode"
TICK_SECONDS = 1.0
REFRESH_SECONDS = 10.0
"""Between looks at what other replicas know: agents are stored with each heartbeat, every ten seconds."""

STOPPED_FACTOR = 10
"""An agent that said goodbye may be away for so many times longer: it is being upgraded, or its node is."""

RECOVERED_SECONDS = 300.0
"""An agent was well for so long before its episode is over: one that comes and goes is one episode."""

TOLD_AGAIN_SECONDS = 60.0
"""Between two tellings of changed reasons."""

TOGETHER = 256
"""Deviations written at a time: when a network is cut, all agents fall silent at once."""

SILENT, DEGRADED = Kind.AGENT_SILENT.value, Kind.AGENT_DEGRADED.value


class Watching(NamedTuple):
    """``silent_after``: seconds without a sign of life, 0: never told. ``degraded_losses``: in a minute, 0: never."""

    silent_after: float = 60.0
    degraded_losses: int = 1_000


class _Heard(NamedTuple):
    stamp: tuple[str, int]  # what its status said: changes with every sign of life
    at: float  # by our clock
    alive: bool  # it changed since we look, or since its last episode


class _Change(NamedTuple):
    """A deviation to store. ``over``: its episode ends."""

    deviation: deviation_pb2.Deviation
    over: bool
    done: Callable[[], object]


class Sentinel:
    """Watches over ``agents``. Belongs to the event loop; ``run`` is its task."""

    def __init__(self, reader: Reader, writer: Writer, agents: Agents, shared: bool, watching: Watching) -> None:
        self._reader = reader
        self._writer = writer
        self._agents = agents
        self._shared = shared
        self._watching = watching
        self._clock = 0.0  # seconds in which agents could be heard
        self._ticked = time.monotonic()
        self._refreshed = float("-inf")
        self._heard: dict[str, _Heard] = {}
        self._symptoms: dict[str, Symptoms] = {}
        self._well_since: dict[str, float] = {}
        self._told_at: dict[str, float] = {}
        self._open: dict[tuple[str, str], deviation_pb2.Deviation] = {}  # by kind and node
        self.raised = 0
        self.resolved = 0

    def beat(self, status: pb.AgentStatus, heartbeat: pb.Heartbeat) -> None:
        """Take a heartbeat, before it replaces the one in ``status``."""
        node = status.hello.node
        if (symptoms := self._symptoms.get(node)) is None:
            symptoms = self._symptoms[node] = Symptoms(status.heartbeat)
        symptoms.beat(heartbeat, self._clock)

    @property
    def open_episodes(self) -> dict[str, int]:
        """Return how many episodes are open, by kind."""
        return {kind: sum(one == kind for one, _node in self._open) for kind in (SILENT, DEGRADED)}

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            try:
                if self._clock - self._refreshed >= REFRESH_SECONDS:
                    await self._refresh()
                await self._look()
            except StateError:  # the writer says what the store is ill with
                pass
            await asyncio.sleep(TICK_SECONDS)

    def _listen(self) -> None:
        """Let our clock go on, by no more than a tick if we did not look for longer; not while nobody can report."""
        now = time.monotonic()
        elapsed, self._ticked = now - self._ticked, now
        if not self._writer.trouble:
            self._clock += min(elapsed, 2 * TICK_SECONDS)

    async def _refresh(self) -> None:
        """Learn what the store knows: at the start all that was begun, later what other replicas did."""
        first = self._refreshed == float("-inf")
        if first or self._shared:
            if self._shared:
                stored = await self._reader.agents()
                self._agents.learn(stored)
                self._agents.keep_only({status.hello.node for status in stored})
            notes = await self._reader.notes(TOPIC)
            found = [deviation_pb2.Deviation.FromString(body) for body in notes.values()]
            self._open = {(one.kind, one.node): one for one in found}
            if first and found:  # a crash may have come between a note and its deviation
                await self._write(found)
        self._refreshed = self._clock

    async def _look(self) -> None:
        self._listen()
        changes: list[_Change] = []
        for status in self._agents.each():
            node = status.hello.node
            self._hear(node, status)
            changes += self._silence(node, status)
            changes += self._degradation(node, status)
            troubles = [kind for kind in (SILENT, DEGRADED) if (kind, node) in self._open]
            if list(status.troubles) != troubles:
                status.troubles[:] = troubles
        changes += self._forgotten()
        for start in range(0, len(changes), TOGETHER):
            await self._store(changes[start : start + TOGETHER])

    def _forgotten(self) -> list[_Change]:
        """What was open about agents that the retention forgot is over."""
        for name in [name for name in self._heard if self._agents.get(name) is None]:
            self._drop(name)
        gone = [told for (_kind, node), told in self._open.items() if self._agents.get(node) is None]
        why = "the agent was not heard for as long as deviations are kept"
        return [_Change(episodes.resolved(one, why, time.time_ns()), True, lambda: None) for one in gone]

    def _hear(self, node: str, status: pb.AgentStatus) -> None:
        stamp, before = (status.session, status.last_seen_wall_ns), self._heard.get(node)
        if before is None:
            self._heard[node] = _Heard(stamp, self._clock, alive=self._agents.here(node))
        elif before.stamp != stamp:
            self._heard[node] = _Heard(stamp, self._clock, alive=True)

    # --- agent.silent ------------------------------------------------------------------------------------------------

    def _silence(self, node: str, status: pb.AgentStatus) -> list[_Change]:
        heard, limit = self._heard[node], self._watching.silent_after
        told = self._open.get((SILENT, node))
        if told is not None:
            return self._end_of_silence(node, status, told) if heard.alive and self._agents.here(node) else []
        limit *= STOPPED_FACTOR if status.stopped else 1
        if not limit or self._clock - heard.at <= limit:
            return []
        told = episodes.silent(status, limit)
        return [_Change(told, False, lambda: self._heard.update({node: heard._replace(alive=False)}))]

    def _end_of_silence(self, node: str, status: pb.AgentStatus, told: deviation_pb2.Deviation) -> list[_Change]:
        away = (time.time_ns() - told.first_wall_ns) / episodes.NS
        why = f"heard again after {episodes.duration(max(0.0, away))}"
        if told.id == episodes.silent(status, 0.0).id:  # its stream went on: its next silence is another episode
            status.session = f"{status.session[:36]}+{told.last_wall_ns}"
        return [_Change(episodes.resolved(told, why, time.time_ns()), True, lambda: None)]

    # --- agent.degraded ----------------------------------------------------------------------------------------------

    def _degradation(self, node: str, status: pb.AgentStatus) -> list[_Change]:
        """Only who has the agent's stream knows its heartbeats."""
        symptoms = self._symptoms.get(node)
        if symptoms is None or not self._agents.here(node):
            self._well_since.pop(node, None)
            return []
        reasons, told = symptoms.reasons(self._clock, self._watching.degraded_losses), self._open.get((DEGRADED, node))
        if reasons:
            self._well_since.pop(node, None)
            return self._worse(node, status, reasons, told)
        if told is None or self._clock - self._well_since.setdefault(node, self._clock) < RECOVERED_SECONDS:
            return []
        why = f"well for {episodes.duration(RECOVERED_SECONDS)}"
        return [_Change(episodes.resolved(told, why, time.time_ns()), True, lambda: None)]

    def _worse(
        self, node: str, status: pb.AgentStatus, reasons: list[str], told: deviation_pb2.Deviation | None
    ) -> list[_Change]:
        def noted() -> None:
            self._told_at[node] = self._clock

        if told is None:
            return [_Change(episodes.degraded(status, reasons, time.time_ns()), False, noted)]
        new = kinds(reasons).keys() - kinds(list(told.notes)).keys()
        if not new or self._clock - self._told_at.get(node, float("-inf")) < TOLD_AGAIN_SECONDS:
            return []
        return [_Change(episodes.changed(told, reasons, time.time_ns()), False, noted)]

    # --- storing -----------------------------------------------------------------------------------------------------

    async def _store(self, changes: list[_Change]) -> None:
        """Note what begins, store, then note what is over. What fails is tried again at the next look."""
        begun = {_name(one.deviation): one.deviation.SerializeToString() for one in changes if not one.over}
        over = {_name(one.deviation): None for one in changes if one.over}
        if begun:
            await self._writer.run(lambda store: store.note(TOPIC, begun))
        await self._write(one.deviation for one in changes)
        if over:
            await self._writer.run(lambda store: store.note(TOPIC, over))
        for one in changes:
            key = one.deviation.kind, one.deviation.node
            if one.over:
                self.resolved += self._open.pop(key, None) is not None
            else:
                self.raised += key not in self._open
                self._open[key] = one.deviation
            one.done()

    async def _write(self, deviations: Iterable[deviation_pb2.Deviation]) -> None:
        copies = [deviation_pb2.Deviation.FromString(one.SerializeToString()) for one in deviations]
        await self._writer.write(copies, [])  # copies: the store raises their counts to what it knows

    async def forget(self, node: str, by: str) -> str:
        """Forget the agent of ``node``; return why not, "" if done. Raises StateError."""
        if self._shared:
            await self._refresh()
        if self._agents.get(node) is None:
            return f"no agent of a node called '{escape(node[:253])}' ever reported"
        if self._agents.here(node):
            return "this agent reports at present: stop it first"
        why = f"the node was retired{f' by {by}' if by else ''}"
        told = [one for kind in (SILENT, DEGRADED) if (one := self._open.get((kind, node)))]
        await self._store([_Change(episodes.resolved(one, why, time.time_ns()), True, lambda: None) for one in told])
        await self._writer.run(lambda store: store.forget([node]))
        self._agents.drop(node)
        self._drop(node)
        return ""

    def _drop(self, node: str) -> None:
        for known in (self._heard, self._symptoms, self._well_since, self._told_at):
            known.pop(node, None)


def _name(deviation: deviation_pb2.Deviation) -> str:
    return f"{deviation.kind} {deviation.node}"
