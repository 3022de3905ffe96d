"""What an agent's heartbeats say about its health.

In: one heartbeat after the other. Out: reasons to call it degraded, a sentence each. Why losses per minute and not in
all: a flood a week ago is no reason to look today. Pure but for what it remembers. Next: ``sentinel``.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

WINDOW_SECONDS = 60.0
"""Losses are summed over so long."""

BEATS = 128
"""Heartbeats remembered of a window: agents send one in half a second at most."""

NAMES_ONLY = "dns"
"""The hook whose losses hide nothing a container did."""

WORST = 3
"""Causes of loss named one by one."""

Losses = dict[tuple[str, str], int]


class Symptoms:
    """Of one agent. ``before``: its last stored heartbeat. Times in seconds, of any clock that only goes forward."""

    def __init__(self, before: pb.Heartbeat) -> None:
        self._totals = _totals(before)
        self._window: deque[tuple[float, Losses]] = deque(maxlen=BEATS)
        self._providers = dict(before.hook_providers)
        self._troubles: list[str] = []
        self._missing: list[str] = []
        self.beaten = 0.0
        """When the last heartbeat came."""

    def beat(self, heartbeat: pb.Heartbeat, now: float) -> None:
        """Take the next heartbeat."""
        totals = _totals(heartbeat)
        if sum(totals.values()) < sum(self._totals.values()):  # another agent process: it counts from nothing
            self._totals = {}
        more = {key: count - self._totals.get(key, 0) for key, count in totals.items()}
        self._window.append((now, {key: count for key, count in more.items() if count > 0}))
        self._totals = totals
        now_provided = {hook: provider for hook, provider in heartbeat.hook_providers.items() if provider}
        self._missing = [
            f"hook {hook} has no provider any more, it was {provider}"
            for hook, provider in sorted(self._providers.items())
            if provider and hook not in now_provided
        ]
        self._providers |= now_provided
        self._troubles = list(heartbeat.troubles)
        self.beaten = now

    def reasons(self, now: float, most_losses: int) -> list[str]:
        """Return why it is degraded, nothing if it is not. ``most_losses``: per minute; 0: losses are no reason."""
        while self._window and now - self._window[0][0] > WINDOW_SECONDS:
            self._window.popleft()
        lost: Counter[tuple[str, str]] = Counter()
        for _at, more in self._window:
            lost.update(more)
        told = []
        if most_losses and lost.total() >= most_losses:
            worst = ", ".join(f"{hook} {cause} {count}" for (hook, cause), count in lost.most_common(WORST))
            told.append(f"{lost.total()} losses within a minute ({worst})")
        return [*told, *self._missing, *self._troubles]


def _totals(heartbeat: pb.Heartbeat) -> Losses:
    totals: Counter[tuple[str, str]] = Counter()
    for loss in heartbeat.losses:
        if loss.hook != NAMES_ONLY:
            totals[loss.hook, loss.cause] += loss.count
    return dict(totals)


def kinds(reasons: list[str]) -> Mapping[str, None]:
    """Return ``reasons`` without their numbers: what makes them others."""
    return dict.fromkeys("".join(char for char in reason if not char.isdigit()) for reason in reasons)
