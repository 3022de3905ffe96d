"""Which node judges by what.

In: each agent's list, when it changed. Out: the lists of all nodes, those of other replicas' agents too, and after a
restart. Why in notes: they are read by replicas when somebody asks, and are gone with the agent. Belongs to the event
loop. Next: ``fleet`` has them stored, ``baselines_figures`` counts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from driftline.nouns import CONTAINER_KEY
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.service import MAX_IN_USE
from driftline_collector.agents import Agents
from driftline_collector.reader import Reader
from driftline_collector.store import IN_USE
from driftline_collector.writer import Writer

ENTRIES = 200_000
"""Entries of all lists together, some 100 MiB: 5 000 nodes with 40 images. Beyond it lists are cut, and say so."""

NAME_CHARACTERS = 1_024
"""Longest name of a baseline or an image: a digest, a namespace and a workload's name take 400."""

REFRESH_SECONDS = 2.0
"""What other replicas know is read again after so long, when somebody asks."""


class InUse:
    """The lists by node."""

    def __init__(self, reader: Reader, writer: Writer, agents: Agents) -> None:
        self._reader = reader
        self._writer = writer
        self._agents = agents
        self._lists: dict[str, baseline_pb2.BaselinesInUse] = {}
        self._changed: set[str] = set()
        self._entries = 0
        self._read_at = float("-inf")
        self.malformed = 0

    def set(self, node: str, told: baseline_pb2.BaselinesInUse) -> baseline_pb2.BaselinesInUse:
        """Take what ``node`` says it uses, without what nobody may say; return it."""
        good = [one for one in told.baselines[:MAX_IN_USE] if _well_formed(one)]
        self.malformed += len(told.baselines) - len(good)
        left_out = told.left_out + len(told.baselines) - len(good)
        clean = baseline_pb2.BaselinesInUse(state_id=told.state_id[:64], baselines=good, left_out=left_out)
        if self._put(node, clean):
            self._changed.add(node)
        return clean

    def _put(self, node: str, told: baseline_pb2.BaselinesInUse) -> bool:
        """File a list, cut to the room there is; return whether it is another one."""
        before = self._lists.get(node)
        room = ENTRIES - self._entries + (len(before.baselines) if before else 0)
        kept = baseline_pb2.BaselinesInUse()
        kept.CopyFrom(told)
        if len(kept.baselines) > room:
            kept.left_out += len(kept.baselines) - room
            del kept.baselines[room:]
        if kept == before:
            return False
        self._entries = ENTRIES - room + len(kept.baselines)
        self._lists[node] = kept
        return True

    async def flush(self) -> None:
        """Store what changed. Raises StateError."""
        changed, self._changed = self._changed, set()
        bodies = {node: one.SerializeToString() for node in changed if (one := self._lists.get(node))}
        if not bodies:
            return
        try:
            await self._writer.run(lambda store: store.note(IN_USE, bodies))
        except BaseException:
            self._changed |= changed
            raise

    async def refresh(self) -> None:
        """Read what is stored: at the start, and then what other replicas know. Raises StateError."""
        first = self._read_at == float("-inf")
        if not first and (not self._reader.shared or time.monotonic() - self._read_at < REFRESH_SECONDS):
            return
        stored = await self._reader.notes(IN_USE)
        self._read_at = time.monotonic()
        for node, body in stored.items():
            if not self._agents.here(node) and node not in self._changed:
                self._put(node, baseline_pb2.BaselinesInUse.FromString(body))

    def all(self) -> Mapping[str, baseline_pb2.BaselinesInUse]:
        """Return the lists of all nodes that are known."""
        for node in [node for node in self._lists if self._agents.get(node) is None]:
            self._entries -= len(self._lists.pop(node).baselines)
        return self._lists


def _well_formed(one: baseline_pb2.BaselineInUse) -> bool:
    return (
        well_named(one.name)
        and len(one.image) <= NAME_CHARACTERS
        and "\0" not in one.image
        and well_versioned(one.version, empty=True)
        and one.revision < 2**63
    )


def well_named(name: str) -> bool:
    """Whether ``name`` may be that of a baseline of an image."""
    return 0 < len(name) <= NAME_CHARACTERS and "\0" not in name and not name.startswith(CONTAINER_KEY)


def well_versioned(version: str, empty: bool = False) -> bool:
    """Whether ``version`` is the digest of a content, or may be ``empty`` and is."""
    algorithm, _, digits = version.partition(":")
    if not version:
        return empty
    return algorithm == "sha256" and len(digits) == 64 and set(digits) <= _HEX


_HEX = frozenset("0123456789abcdef")
