"""The other end of ``saving``: writes one baseline after the other, on a thread of its own.

In: what to write. Out: how it went. Why with a store of its own: a store belongs to one thread; what each has seen of
the disk travels with the order. Next: ``store``.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.baseline.keeping.files import ABSENT, Stamp
from driftline.baseline.keeping.marks import mark
from driftline.baseline.keeping.snapshot import Snapshot
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline, State
from driftline.errors import StateError

AGENT = "agent"
"""Author of revisions nobody asked for."""


class Order(NamedTuple):
    """A baseline to write. One that is finished becomes a revision, with a review by the agent."""

    content: Snapshot | Baseline
    seen: Stamp | None  # its file as it was last read or written
    action: str
    reason: str
    marked: bool  # note that it is used


class Written(NamedTuple):
    """``kept``: what is on the disk now, None if that refused (``error`` alone does not say so)."""

    kept: Baseline | None = None
    state: State = State.LEARNING  # of what was to be written
    decided: bool = False  # whether ``kept`` holds decisions made on the disk
    stamp: Stamp = ABSENT
    error: StateError | None = None


class Writer:
    """Belongs to the thread that runs errands."""

    def __init__(self, store: BaselineStore) -> None:
        self._store = store

    def write(self, order: Order) -> Written:
        """Write a baseline."""
        content, store = order.content, self._store
        baseline = content.baseline() if isinstance(content, Snapshot) else content
        name = baseline.name
        store.see(name, order.seen or ABSENT)
        try:
            if baseline.state is State.LEARNING:
                kept = store.save(baseline)
            else:
                kept = store.commit(baseline, AGENT, order.action, order.reason)
        except StateError as error:
            return Written(error=error)
        decided = kept.entries is not baseline.entries or kept.state is not baseline.state
        trouble = self.mark(name, baseline.image) if order.marked else None
        return Written(kept, baseline.state, decided, store.seen(name) or ABSENT, trouble)

    def mark(self, name: str, image: str) -> StateError | None:
        """Note that a container of it runs. One that was never saved is marked when it is."""
        directory = self._store.directory(name)
        try:
            if directory.is_dir():
                mark(directory, name, image)
        except OSError as error:
            return StateError(f"cannot write in {directory}: {error.strerror}", "free space")
        return None

    def remove(self, name: str) -> StateError | None:
        """Remove a baseline."""
        try:
            self._store.remove(name)
        except StateError as error:
            return error
        return None
