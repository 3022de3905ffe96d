"""A thread that reads the containers that ran before the agent, so that the agent is armed without waiting for it.

In: their cgroups and directories. Out: ``Snapshot``s, from ``take`` after a call of ``wake``. Next: pipeline.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from driftline.identify.snapshot import Snapshot, read_running
from driftline.nouns import Loss
from driftline.workthread import WorkThread

_log = logging.getLogger(__name__)

STOP_SECONDS = 1.0
"""Longest ``stop`` waits; the child that reads /proc dies with the agent."""


class LateReader:
    """Owns the thread ``snapshot``, which ends by itself when all is read."""

    def __init__(self, directories: dict[int, str], wake: Callable[[], None]) -> None:
        self._directories = directories
        self._wake = wake
        self._thread: WorkThread[Snapshot] = WorkThread("snapshot", "reads what ran before", self._run, wake)

    def start(self) -> None:
        """Start the thread, if there is anything to read."""
        if self._directories:
            self._thread.start()

    def take(self) -> list[Snapshot]:
        """Return what was read since the last call."""
        return self._thread.take()

    def stop(self) -> bool:
        """Read no further container. False if the thread did not end in time."""
        return self._thread.stop(STOP_SECONDS)

    def _run(self) -> None:
        unread = dict.fromkeys(self._directories)
        try:
            for snapshot in read_running(self._directories):
                del unread[snapshot.cgroup]
                self._thread.give(snapshot)
                self._wake()
                if self._thread.stopping:
                    return
        except Exception:  # noqa: BLE001
            # It must not end the agent, which would start again and end again: what was not read is a gap
            _log.exception("containers that ran before the agent cannot be read")
            not_read = (Snapshot(cgroup, losses=[Loss("snapshot", "not_read", 1, cgroup)]) for cgroup in unread)
            self._thread.give(*not_read)
            self._wake()
