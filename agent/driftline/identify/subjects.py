"""Which container a cgroup id belongs to, and what is known about it.

In: cgroups that appear and vanish, identities from ``resolver``. Out: the ``Subject`` of an event's cgroup id. Why: the
hot path needs one dictionary look-up; records of a container that lived 5 ms arrive after it is gone, so the dead are
remembered for a while. Next: ``baseline`` and ``verdict``.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from driftline.nouns import Loss, Subject

MAX_CGROUPS = 16_384
"""Cgroups known at a time, nested and dead ones included: as many as the kernel's table holds (bpf/include/maps.h)."""
MAX_TOMBSTONES = 2_048
"""Dead cgroups remembered: a node that starts and ends 30 containers a second for a minute."""
TOMBSTONE_NS = 60 * 1_000_000_000
"""A record waits in the rings for milliseconds, an engine look-up takes seconds; a minute covers all."""


class Subjects:
    """Registry of cgroup ids. A cgroup is announced by ``appear``, named by ``identify``, ended by ``vanish``."""

    def __init__(self, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._now_ns = now_ns
        self._owners: dict[int, int] = {}  # cgroup → its container's, living and dead
        self._subjects: dict[int, Subject] = {}  # container's cgroup → identity
        self._dead: OrderedDict[int, int] = OrderedDict()  # cgroup → when it vanished
        self._refused = 0
        self._evicted = 0

    def appear(self, cgroup: int, container: int) -> bool:
        """Announce ``cgroup``, which belongs to ``container`` (itself, unless nested). False if the table is full."""
        if cgroup not in self._owners and len(self._owners) >= MAX_CGROUPS:
            self._refused += 1
            return False
        self._owners[cgroup] = self._owners.get(container, container)
        self._dead.pop(cgroup, None)
        return True

    def identify(self, subject: Subject) -> bool:
        """File what is known about a container, living or dead; a later answer replaces it. False if it is unknown."""
        if subject.cgroup not in self._owners:
            return False
        self._subjects[subject.cgroup] = subject
        return True

    def vanish(self, cgroup: int) -> None:
        """Note that a cgroup is gone. Its events are still attributed until ``bury`` forgets it."""
        if cgroup in self._owners:
            self._dead.setdefault(cgroup, self._now_ns())

    def container(self, cgroup: int) -> int | None:
        """Return the container's cgroup that ``cgroup`` is or is nested in; None if it was never announced."""
        return self._owners.get(cgroup)

    def get(self, cgroup: int) -> Subject | None:
        """Return whose events those of ``cgroup`` are; None if not identified (yet)."""
        return self._subjects.get(self._owners.get(cgroup, cgroup))

    @property
    def count(self) -> int:
        """Containers known that have not ended."""
        return sum(cgroup not in self._dead for cgroup in self._subjects)

    def bury(self) -> list[int]:
        """Forget the long dead; return the containers among them, for other stages to forget. Call it now and then."""
        containers = []
        horizon = self._now_ns() - TOMBSTONE_NS
        while self._dead:
            cgroup, died = next(iter(self._dead.items()))
            crowded = len(self._dead) > MAX_TOMBSTONES
            if died > horizon and not crowded:
                break
            self._evicted += died > horizon
            if self._forget(cgroup) == cgroup:
                containers.append(cgroup)
        return containers

    def losses(self) -> list[Loss]:
        """Return and reset how often a bound was reached."""
        losses = [Loss("identify", "cgroups_full", self._refused), Loss("identify", "tombstone_evicted", self._evicted)]
        self._refused = self._evicted = 0
        return [loss for loss in losses if loss.count]

    def _forget(self, cgroup: int) -> int:
        del self._dead[cgroup]
        self._subjects.pop(cgroup, None)
        return self._owners.pop(cgroup)
