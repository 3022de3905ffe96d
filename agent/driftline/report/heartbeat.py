"""How the agent is, as one message.

In: losses and counters since the agent started. Out: a heartbeat of bounded size. Next: ``backlog`` sends the newest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from driftline.nouns import Loss
from driftline.text import escape
from driftline.wire.convert import loss_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

HEARTBEAT_LOSSES = 1000
"""Losses told one by one in a heartbeat: some causes for each of hundreds of containers, in about 40 KiB."""


TROUBLES = 16
"""Troubles told: there are fewer hooks."""

TROUBLE_CHARACTERS = 300


def make_heartbeat(
    losses: list[Loss], counters: dict[str, int], providers: dict[str, str], troubles: Sequence[str] = ()
) -> pb.Heartbeat:
    """Return the message for one heartbeat; a loss named twice (same hook, cause, cgroup) is told once.

    Beyond HEARTBEAT_LOSSES the smallest are added up by hook and cause, no longer attributed to a cgroup.
    """
    unique = {(loss.hook, loss.cause, loss.cgroup): loss for loss in losses}
    largest = sorted(unique.values(), key=lambda loss: loss.count, reverse=True)
    sums: Counter[tuple[str, str]] = Counter()
    for loss in largest[HEARTBEAT_LOSSES:]:
        sums[loss.hook, loss.cause] += loss.count
    told = [*largest[:HEARTBEAT_LOSSES], *(Loss(hook, cause, count) for (hook, cause), count in sums.items())]
    sentences = [escape(trouble[:TROUBLE_CHARACTERS]) for trouble in troubles[:TROUBLES]]
    losses_told = map(loss_to_wire, told)
    return pb.Heartbeat(losses=losses_told, counters=counters, hook_providers=providers, troubles=sentences)
