"""Events of containers whose name is still being looked up.

In: events that came before their container's identity. Out: the same events, in order, when it is known or its time is
up. Why: a new container's first exec is never dropped for being early, and a slow engine never costs unbounded memory.
Pure: time comes in as an argument. Next: whatever judges identified events.
"""

from __future__ import annotations

from collections import Counter

from driftline.nouns import Event, LoadEvent, Loss, OpenEvent

MAX_PER_CONTAINER = 4_096
"""Events one container may have waiting: starting a JVM or a Python service takes 500 to 3 000 novel ones."""
FILES_PER_CONTAINER = 3_584
"""Of those, opens and loads: the last eighth is kept for execs and connects, which matter more and come in tens."""
MAX_EVENTS = 16_384
"""Events waiting in all; at about 800 bytes each this is 13 MiB, reached only when many containers start at once."""
MAX_CONTAINERS = 4_096
"""Containers with events waiting: far more than a node runs; bounds the book-keeping of what was dropped too."""


class WaitingRoom:
    """Holds events per container. What does not fit is dropped, newest first, and counted for its container."""

    def __init__(self) -> None:
        self._events: dict[int, list[Event]] = {}
        self._files: Counter[int] = Counter()
        self._since_ns: dict[int, int] = {}
        self._dropped: Counter[int] = Counter()
        self.count = 0
        """Events waiting now."""

    def hold(self, event: Event, now_ns: int) -> bool:
        """Keep ``event`` until its container is released. False if it was dropped, and counted, for lack of room."""
        cgroup = event.cgroup
        held = self._events.get(cgroup)
        is_file = isinstance(event, OpenEvent | LoadEvent)
        if held is None:
            held = []
        if not self._has_room(cgroup, len(held), is_file):
            self._drop(cgroup)
            return False
        self._events.setdefault(cgroup, held).append(event)
        self._since_ns.setdefault(cgroup, now_ns)
        self._files[cgroup] += is_file
        self.count += 1
        return True

    def release(self, cgroup: int) -> list[Event]:
        """Return and forget the container's events, oldest first."""
        self._since_ns.pop(cgroup, None)
        self._files.pop(cgroup, None)
        events = self._events.pop(cgroup, [])
        self.count -= len(events)
        return events

    def overdue(self, now_ns: int, limit_ns: int) -> list[int]:
        """Return the containers whose first event has waited for ``limit_ns`` or longer, longest first."""
        late = []
        for cgroup, since in self._since_ns.items():  # in order of arrival
            if now_ns - since < limit_ns:
                break
            late.append(cgroup)
        return late

    def losses(self) -> list[Loss]:
        """Return and reset what was dropped, per container."""
        dropped, self._dropped = self._dropped, Counter()
        return [Loss("identify", "waiting_full", count, cgroup) for cgroup, count in dropped.items()]

    def _has_room(self, cgroup: int, held: int, is_file: bool) -> bool:
        if self.count >= MAX_EVENTS or (held == 0 and len(self._events) >= MAX_CONTAINERS):
            return False
        return held < MAX_PER_CONTAINER and not (is_file and self._files[cgroup] >= FILES_PER_CONTAINER)

    def _drop(self, cgroup: int) -> None:
        known = cgroup in self._dropped or len(self._dropped) < MAX_CONTAINERS
        self._dropped[cgroup if known else 0] += 1
