"""Silences: deviations that somebody knows about and does not want to be told for a while.

In: a person's silences; what was committed. Out: whether a deviation is hidden from tails and outputs, and by which
silence; how many each has hidden. Why at reading and not at writing: what was stored stays, and whoever asks for it
sees it. Belongs to the event loop, but ``hiding`` may be called in any thread. Next: ``follow`` and the outputs ask,
``decisions`` changes.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline.wire.matchers import matches
from driftline_collector.reader import Reader
from driftline_collector.store import Store
from driftline_collector.writer import Writer

TOPIC = "silence"
HIDDEN = "hidden."
"""Where the store keeps them, and how its counters of what each has hidden begin."""

IN_FORCE = 200
"""Silences in force at a time: each is asked about each deviation, and a list that long nobody oversees."""

KEPT = 1_000
"""Silences kept, ended ones too; the one that ended first goes."""

LOOK_SECONDS = 2.0
"""Between looks: so long until a silence made at another replica holds here, so often counts are stored."""

REMEMBERED = 10_000
"""Hidden deviations remembered, so that an update of one is not counted again."""

_log = logging.getLogger(__name__)


class Silences:
    """The silences of a store."""

    def __init__(self, reader: Reader, writer: Writer, shared: bool) -> None:
        self._reader = reader
        self._writer = writer
        self._shared = shared
        self._loaded = False
        self._known: dict[str, pb.Silence] = {}
        self._active: tuple[pb.Silence, ...] = ()  # replaced whole: other threads read it
        self._hidden: Counter[str] = Counter()  # in all
        self._unstored: Counter[str] = Counter()
        self._counted: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def load(self) -> None:
        """Read all from the store. Raises StateError."""
        found = await self._reader.notes(TOPIC)
        counted = await self._reader.counters(HIDDEN)
        self._hidden = Counter({name.removeprefix(HIDDEN): value for name, value in counted.items()})
        self._hidden.update(self._unstored)
        self._known = {name: pb.Silence.FromString(body) for name, body in found.items()}
        self._loaded = True
        self._choose()

    async def begin(self) -> None:
        """Read all before the first output or tail asks; ``run`` does it if the store cannot be read now."""
        try:
            await self.load()
        except StateError as error:
            _log.warning("%s; silences hold once they can be read", error.args[0])

    async def run(self) -> None:
        """Keep up with time and with other replicas, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._store_counts()
                if self._shared or not self._loaded:
                    await self.load()
            except StateError:  # the writer says what the store is ill with
                pass
            self._choose()

    async def _store_counts(self) -> None:
        unstored, self._unstored = self._unstored, Counter()
        if not unstored:
            return
        try:
            await self._writer.run(lambda store: store.count({f"{HIDDEN}{name}": n for name, n in unstored.items()}))
        except StateError:
            self._unstored.update(unstored)
            raise

    def _choose(self) -> None:
        now = time.time_ns()
        active = [one for one in self._known.values() if one.expires_wall_ns > now]
        self._active = tuple(sorted(active, key=_age))

    # --- asking ------------------------------------------------------------------------------------------------------

    def hiding(self, deviation: deviation_pb2.Deviation) -> str:
        """Return the id of the silence that hides ``deviation``, "" if none does. Any thread."""
        if not self._active:
            return ""
        now = time.time_ns()
        for silence in self._active:
            if silence.expires_wall_ns > now and all(matches(one, deviation) for one in silence.matchers):
                return silence.id
        return ""

    def in_force(self) -> list[pb.Silence]:
        """Return the silences in force, oldest first, with what each has hidden."""
        now = time.time_ns()
        return [self._told(one) for one in self._active if one.expires_wall_ns > now]

    def all(self) -> list[pb.Silence]:
        """Return all that are kept, oldest first."""
        return [self._told(one) for one in sorted(self._known.values(), key=_age)]

    def _told(self, silence: pb.Silence) -> pb.Silence:
        told = pb.Silence()
        told.CopyFrom(silence)
        told.hidden = self._hidden[silence.id]
        return told

    def note(self, changes: Iterable[pb.StoredDeviation]) -> None:
        """Count what of a commit is hidden."""
        if not self._active:
            return
        for change in changes:
            if silence := self.hiding(change.deviation):
                key = change.deviation.node, change.deviation.id
                if key not in self._counted:
                    self._hidden[silence] += 1
                    self._unstored[silence] += 1
                self._counted[key] = None
                if len(self._counted) > REMEMBERED:
                    self._counted.popitem(last=False)

    def counters(self) -> dict[str, int]:
        """Return figures for an operator."""
        return {"silences.in_force": len(self._active), "silences.hidden": self._hidden.total()}

    # --- changing ----------------------------------------------------------------------------------------------------

    async def add(self, silence: pb.Silence) -> pb.Silence:
        """Keep a checked ``silence`` and give it its id. Raises StateError; ValueError if there are too many."""
        if len(self.in_force()) >= IN_FORCE:
            raise ValueError(f"there are {IN_FORCE} silences in force already: end one first")
        silence.id = secrets.token_hex(4)
        await self._keep(silence)
        ended = [one for one in self._known.values() if one.expires_wall_ns <= silence.created_wall_ns]
        ended.sort(key=lambda one: one.expires_wall_ns)
        gone = [one.id for one in ended[: max(0, len(self._known) - KEPT)]]
        if gone:
            await self._writer.run(lambda store: store.note(TOPIC, dict.fromkeys(gone)))
            for name in gone:
                del self._known[name]
        return self._told(silence)

    async def end(self, name: str, by: str) -> pb.Silence | None:
        """End the silence in force called ``name``; return it, None if there is none. Raises StateError."""
        if self._shared:
            await self.load()
        silence = self._known.get(name)
        now = time.time_ns()
        if silence is None or silence.expires_wall_ns <= now:
            return None
        ended = pb.Silence()
        ended.CopyFrom(silence)
        ended.expires_wall_ns, ended.ended_by = now, by
        await self._keep(ended)
        return self._told(ended)

    async def _keep(self, silence: pb.Silence) -> None:
        body = silence.SerializeToString()

        def keep(store: Store) -> None:
            store.note(TOPIC, {silence.id: body})

        await self._writer.run(keep)
        self._known[silence.id] = silence
        self._choose()


def _age(silence: pb.Silence) -> tuple[int, str]:
    return silence.created_wall_ns, silence.id
