"""What is known of each agent.

In: hellos, heartbeats and batches seen by ``ingest``. Out: one ``AgentStatus`` per node, also for agents that have gone
away: a silent agent must be visible. Lives in the event loop; stored by the writer. Next: ``listing`` shows them.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterable

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

AGENTS = 10_000
"""Nodes remembered: twice the largest Kubernetes cluster that is supported (5 000 nodes)."""

HEARD_NS = 30_000_000_000
"""An agent of another replica that was stored so recently is connected there: it is stored with each heartbeat, every
ten seconds."""


class Agents:
    """The agents by node name; ``known`` are those of the store, none of them connected."""

    def __init__(self, known: Iterable[pb.AgentStatus]) -> None:
        self._statuses = {status.hello.node: status for status in known}
        self._streams: Counter[str] = Counter()
        self._forgotten_wall_ns = 0
        for status in self._statuses.values():
            status.connected, status.rejected = False, 0

    def arrive(self, hello: pb.Hello) -> pb.AgentStatus | None:
        """Note a new stream; return the node's status, None if there are too many nodes."""
        status = self._statuses.get(hello.node)
        if status is None:
            if len(self._statuses) >= AGENTS:
                return None
            status = self._statuses.setdefault(hello.node, pb.AgentStatus())
        status.hello.CopyFrom(hello)
        status.session, status.stopped = str(uuid.uuid4()), False
        self._streams[hello.node] += 1
        status.connected = True
        touch(status)
        return status

    def depart(self, status: pb.AgentStatus) -> None:
        """Note the end of a stream. A reconnected agent may have a newer one already."""
        node = status.hello.node
        self._streams[node] -= 1
        status.connected = self._streams[node] > 0

    def learn(self, stored: Iterable[pb.AgentStatus]) -> None:
        """Take over what other replicas have stored of agents that report to them."""
        for status in stored:
            node = status.hello.node
            known = self._statuses.get(node)
            if self._streams[node] or status.last_seen_wall_ns < self._forgotten_wall_ns:
                continue  # its newest state is ours, or was read before we forgot it
            if known is None and len(self._statuses) < AGENTS:
                self._statuses[node] = known = status
            elif known is not None and _told(known) != _told(status):  # not "newer": its clock may have been set back
                known.CopyFrom(status)
            if known is not None and known.connected:
                known.connected = time.time_ns() - known.last_seen_wall_ns < HEARD_NS

    def forget(self, before_wall_ns: int) -> list[str]:
        """Forget agents that were last heard before then, and return their nodes: nodes come and go for years."""
        self._forgotten_wall_ns = before_wall_ns
        gone = [
            node
            for node, status in self._statuses.items()
            if not self._streams[node] and status.last_seen_wall_ns < before_wall_ns
        ]
        for node in gone:
            del self._statuses[node], self._streams[node]
        return gone

    def drop(self, node: str) -> None:
        """Forget one agent."""
        self._statuses.pop(node, None)

    def keep_only(self, nodes: Collection[str]) -> None:
        """Forget agents that are neither among ``nodes`` nor connected here: another replica has forgotten them."""
        for node in [node for node in self._statuses if node not in nodes and not self._streams[node]]:
            del self._statuses[node]

    def get(self, node: str) -> pb.AgentStatus | None:
        """Return the status of ``node``, None if it is not known."""
        return self._statuses.get(node)

    def here(self, node: str) -> bool:
        """Whether a stream of the agent is open at this collector."""
        return self._streams[node] > 0

    def each(self) -> Collection[pb.AgentStatus]:
        """Return every status."""
        return self._statuses.values()

    def all(self) -> list[pb.AgentStatus]:
        """Return every status by node name."""
        return [self._statuses[node] for node in sorted(self._statuses)]


def _told(status: pb.AgentStatus) -> tuple[str, int]:
    return status.session, status.last_seen_wall_ns


def touch(status: pb.AgentStatus) -> None:
    """Note that the agent was heard now."""
    status.last_seen_wall_ns = time.time_ns()
