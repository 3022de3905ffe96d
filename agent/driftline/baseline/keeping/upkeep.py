"""What happens to kept baselines without anybody asking: the long unused go, the old enough are promoted.

In: the store, one directory a call. Out: removed and promoted baselines, counted and told. Why in small steps: a node
keeps thousands, and nothing is read from the rings meanwhile; what writes is an errand. Next: ``lifecycle`` calls
``step`` four times a second.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

from driftline.baseline.keeping.errands import AtOnce, Errands
from driftline.baseline.keeping.marks import Mark, directories, mark, read
from driftline.baseline.keeping.promotion import POLICY, Policy, reason_to_promote
from driftline.baseline.keeping.store import MSGPACK, BaselineStore
from driftline.baseline.schema import Baseline, State
from driftline.baseline.shelf import Shelf
from driftline.baseline.shelved import Shelved
from driftline.errors import StateError
from driftline.nouns import CONTAINER_KEY

ROUND_SECONDS = 3600.0
"""Between two rounds through all directories."""
DAY_SECONDS = 24 * 3600.0
SIGNATURES = "signatures"
"""Directory of a baseline somebody signed."""


class Upkeep:
    """Belongs to the pipeline's thread. Time in Unix seconds: it must outlive the agent."""

    def __init__(
        self, store: BaselineStore, shelf: Shelf, keep_days: float, policy: Policy, errands: Errands | None = None
    ) -> None:
        self._store, self._shelf = store, shelf
        self._errands, self._writer = errands or AtOnce(), store.twin()
        self._keep_seconds, self._policy = keep_days * DAY_SECONDS, policy
        self._waiting: list[str] = []
        self._next_round = 0.0
        self._told: list[str] = []
        self.removed = 0
        self.promoted = 0

    def step(self, now: float) -> str:
        """Look after one directory; return what to tell the operator, "" for nothing. ``now``: Unix seconds."""
        self._step(now)
        return self._told.pop() if self._told else ""

    def _step(self, now: float) -> None:
        if not self._waiting:
            if 0 <= self._next_round - now <= ROUND_SECONDS:  # else the clock was set
                return
            self._next_round = now + ROUND_SECONDS
            self._waiting = directories(self._store.root)
            return
        try:
            self._look_after(self._waiting.pop(), now)
        except (StateError, OSError) as error:
            self._shelf.errors.append(error if isinstance(error, StateError) else StateError(str(error)))

    def _look_after(self, directory: str, now: float) -> None:
        found = read(self._store.root / directory) or self._mark(directory)
        if found is None:
            return
        shelved = self._shelf.find(found.name)
        if shelved is not None and (shelved.containers or shelved.learning or shelved.unsaved):
            if now - found.used > DAY_SECONDS and shelved.containers:
                mark(self._store.root / directory, found.name, found.image)
            self._promote(shelved, now)
        elif found.name.startswith(CONTAINER_KEY):
            self._shelf.discard(found.name)  # it ended while no agent ran
        elif now - found.used > self._keep_seconds and not self._is_kept(found.name):
            self._shelf.discard(found.name)
            self.removed += 1
            days = self._keep_seconds / DAY_SECONDS
            self._told.append(f"removed the baseline of {found.image or found.name}: not used for {days:g} days")

    def _mark(self, directory: str) -> Mark | None:
        """Note an age for what has none, and let it count from now on. Of a container alone only its name matters."""
        if not (self._store.root / directory / MSGPACK).exists():
            return None
        baseline = self._store.load_directory(directory)
        if isinstance(baseline, StateError):
            self._shelf.errors.append(baseline)
            return None
        if not baseline.key.startswith(CONTAINER_KEY):
            mark(self._store.root / directory, baseline.name, baseline.image)
        return Mark(baseline.name, baseline.image, time.time())

    def _is_kept(self, name: str) -> bool:
        """Whether a person's work is in it: promoted or signed, and not retired since."""
        baseline = self._store.load_one(name)
        if not isinstance(baseline, Baseline):
            return True
        if baseline.state is State.RETIRED:
            return False
        return baseline.state is State.ACTIVE or (self._store.directory(name) / SIGNATURES).exists()

    def _promote(self, shelved: Shelved, now: float) -> None:
        if not self._policy.after_days or shelved.learning or shelved.state is not State.CANDIDATE:
            return
        if not (shelved.signed or shelved.held or shelved.unsaved):
            self._errands.put(partial(self._commit, shelved.name, now), partial(self._promoted, shelved))

    def _commit(self, name: str, now: float) -> str | StateError:
        """Promote a baseline if it is time; return why, "" if it is not. On the thread of errands."""
        try:
            with self._writer.locked(name):  # what is promoted is what was looked at
                baseline = self._writer.load_one(name)
                if not isinstance(baseline, Baseline):
                    return ""
                reason = reason_to_promote(baseline, self._policy, int(now * 1e9))
                if reason:
                    self._writer.commit(replace(baseline, state=State.ACTIVE), POLICY, "promote", reason)
                return reason
        except StateError as error:
            return error

    def _promoted(self, shelved: Shelved, reason: str | StateError) -> None:
        if isinstance(reason, StateError):
            self._shelf.errors.append(reason)
        elif reason:
            self._shelf.reload(shelved)
            self.promoted += 1
            self._told.append(f"promoted the baseline of {shelved.image or shelved.name}: {reason}")
