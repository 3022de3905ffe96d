"""What is known of each agent.

In: hellos, heartbeats and batches seen by ``ingest``. Out: one ``AgentStatus`` per node, also for agents that have gone
away: a silent agent must be visible. Lives in the event loop; stored by the writer. Next: ``listing`` shows them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

AGENTS = 10_000
"""Nodes remembered: twice the largest Kubernetes cluster that is supported (5 000 nodes)."""


class Agents:
    """The agents by node name; ``known`` are those of the store, none of them connected."""

    def __init__(self, known: Iterable[pb.AgentStatus]) -> None:
        self._statuses = {status.hello.node: status for status in known}
        self._streams: Counter[str] = Counter()
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
        self._streams[hello.node] += 1
        status.connected = True
        touch(status)
        return status

    def depart(self, status: pb.AgentStatus) -> None:
        """Note the end of a stream. A reconnected agent may have a newer one already."""
        node = status.hello.node
        self._streams[node] -= 1
        status.connected = self._streams[node] > 0

    def all(self) -> list[pb.AgentStatus]:
        """Return every status by node name."""
        return [self._statuses[node] for node in sorted(self._statuses)]


def touch(status: pb.AgentStatus) -> None:
    """Note that the agent was heard now."""
    status.last_seen_wall_ns = time.time_ns()
