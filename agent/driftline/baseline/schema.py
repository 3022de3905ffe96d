"""Baseline: the behaviours one image may show, each with where it was seen.

In: nothing. Out: the types that learning fills, the store keeps and matching reads. Why apart: the collector reads them
too. Next: ``document`` turns a baseline into plain values, ``canonical`` and ``yamltext`` those into files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from driftline.nouns import Behaviour, ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour

FORMAT = "driftline.baseline/1"

MAX_BEHAVIOURS = 100_000
"""Behaviours in one baseline file: far above any service (thousands), low enough to load in seconds."""
MAX_CONTAINERS = 64
"""Containers told apart per baseline; all further ones count as one, ``MORE_CONTAINERS``."""
MORE_CONTAINERS = "(more)"
MAX_PARTIAL = 16
"""Reasons why a baseline is incomplete; each is a fixed sentence, so there are never many."""

LEARNED = "learned"
"""Source of a behaviour seen during first-run learning."""


class State(StrEnum):
    """Life of a baseline."""

    LEARNING = "learning"  # still growing
    ACTIVE = "active"  # judged against


@dataclass(slots=True)
class Entry:
    """Where one behaviour was seen. Times are Unix ns; ``count`` is how often it reached the agent.

    The kernel's verdict cache keeps repeats from user space, so ``count`` is a lower bound of how often it happened.
    """

    source: str
    first_ns: int
    last_ns: int
    count: int
    containers: frozenset[str]  # ids, at most MAX_CONTAINERS and MORE_CONTAINERS


@dataclass(slots=True)
class Baseline:
    """What is expected of one image. ``key`` is ``Subject.baseline_key``."""

    key: str
    image: str = ""  # reference it was first seen under; one digest can carry several
    state: State = State.LEARNING
    partial: tuple[str, ...] = ()  # sorted reasons why it may be incomplete, besides losses
    losses: int = 0  # records lost while it was learned
    elapsed_ns: int = 0  # observed running time of its containers
    quiet_ns: int = 0  # of that, since the last new behaviour
    entries: dict[Behaviour, Entry] = field(default_factory=dict)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason why it may be incomplete; empty means complete."""
        return (*self.partial, f"losses {self.losses}") if self.losses else self.partial

    @property
    def containers(self) -> frozenset[str]:
        """Ids of all containers it was learned from."""
        return frozenset().union(*{entry.containers for entry in self.entries.values()})


def ordered(behaviours: Iterable[Behaviour]) -> dict[str, list[Behaviour]]:
    """Return behaviours by section (exec, open, load, connect), sorted: one order for equal content."""
    sections: dict[str, list[Behaviour]] = {"connect": [], "exec": [], "load": [], "open": []}
    for behaviour in behaviours:
        sections[section_of(behaviour)].append(behaviour)
    for part in sections.values():
        part.sort(key=fields_of)
    return sections


def section_of(behaviour: Behaviour) -> str:
    """Name of the section a behaviour is filed under."""
    return _SECTIONS[type(behaviour)]


def fields_of(behaviour: Behaviour) -> tuple[str | int, ...]:
    """Its fields in the order of its class."""
    return tuple(getattr(behaviour, name) for name in type(behaviour).__slots__)


_SECTIONS: dict[type[Behaviour], str] = {
    ConnectBehaviour: "connect",
    ExecBehaviour: "exec",
    LoadBehaviour: "load",
    OpenBehaviour: "open",
}
