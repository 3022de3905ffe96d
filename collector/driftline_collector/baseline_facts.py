"""What is known of a baseline, or of a signed revocation, once somebody has read it.

In: nothing. Out: ``Facts`` and ``Withdrawal``, and how a baseline fits what was announced. Why apart from the child:
the collector itself never imports what reads baselines. Next: ``baseline_child`` finds them, ``intake`` and
``baselines`` judge by them.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.nouns import CONTAINER_KEY

MERGE, CHECK, REVOCATION = "merge", "check", "revocation"
"""The child's jobs."""

LENGTH_BYTES = 8
"""Before each block that goes to the child or comes from it: how long it is, big-endian."""

LEARNED = frozenset({"candidate", "active"})
"""States of a baseline that somebody may judge by."""


class Facts(NamedTuple):
    """A baseline in figures; texts are escaped."""

    name: str
    image: str
    state: str
    version: str
    revision: int
    behaviours: int
    needs_review: int
    reasons: list[str]
    elapsed_ns: int
    startups: int
    containers: int


class Withdrawal(NamedTuple):
    """What an envelope revokes, and why; texts are escaped."""

    name: str
    version: str
    reason: str


class Misfit(NamedTuple):
    """Why a baseline is not taken: a cause to count by, and a sentence."""

    cause: str
    reason: str


def misfit(facts: Facts, name: str, version: str) -> Misfit | None:
    """Return why what was read is not the learned baseline ``name`` in ``version``, None if it is."""
    if facts.name != name:
        return Misfit("name", f"its key and workload make it {facts.name}")
    if facts.version != version:
        return Misfit("version", f"what it expects makes it {facts.version}")
    if facts.state not in LEARNED:
        return Misfit("state", f"it is {facts.state}")
    if name.startswith(CONTAINER_KEY):
        return Misfit("name", "it is of one container, not of an image")
    return None
