"""Baseline: the behaviours one image may show, each with where it was seen.

In: nothing. Out: the types that learning fills, the store keeps and matching reads. Why apart: the collector reads them
too. Next: ``document`` turns a baseline into plain values, ``canonical`` and ``yamltext`` those into files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any

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
"""Source of a behaviour seen while the image was learned."""
INVENTORY = "inventory"
"""Source of a behaviour expected because of what the image's packages are."""
CARRIED = "carried"
"""Source of a behaviour taken over from the baseline of the image's predecessor."""
IMPORTED = "imported"
"""Source of a behaviour from a file somebody imported."""
REVIEWED = "reviewed"
"""Source of a behaviour a person wrote."""
SOURCES = frozenset({LEARNED, INVENTORY, CARRIED, IMPORTED, REVIEWED})

MAX_EXAMPLES = 3
"""Examples kept of what a pattern came from."""
MAX_CHECKS = 8
"""Never-learned checks one behaviour can fail at once."""
MAX_EXCUSES = 64
"""Checks excused per image."""
MAX_REVIEWS = 1_000
"""Decisions kept; the oldest goes first, the revisions on disk keep them all."""
MAX_PACKAGES = 20_000
"""Packages listed: ten times what a large image ships."""


STARTER_KEY = "starter:"
"""What the key of a starter baseline begins with: it is of a kind of server, not of one image."""


class State(StrEnum):
    """Life of a baseline. A candidate is judged against like an active one; no person has approved it yet."""

    LEARNING = "learning"  # still growing
    CANDIDATE = "candidate"  # learned, waits for review
    ACTIVE = "active"  # promoted, immutable: a change makes a new revision
    RETIRED = "retired"  # not used any more


class Standing(StrEnum):
    """What a behaviour in a baseline is worth."""

    ALLOWED = "allowed"  # expected
    UNCONFIRMED = "unconfirmed"  # carried over from a package that changed: expected, told quietly until seen again
    NEEDS_REVIEW = "needs-review"  # failed a never-learned check: matches nothing until a person approves
    REJECTED = "rejected"  # a person said no: matches nothing and is never learned again


@dataclass(slots=True)
class Entry:
    """What is known of one behaviour. Times are Unix ns; ``count`` is how often it reached the agent.

    The kernel's verdict cache keeps repeats from user space, so ``count`` is a lower bound of how often it happened.
    """

    source: str
    first_ns: int
    last_ns: int
    count: int
    containers: frozenset[str]  # ids, at most MAX_CONTAINERS and MORE_CONTAINERS
    standing: Standing = Standing.ALLOWED
    checks: tuple[str, ...] = ()  # sorted ids of the never-learned checks it failed, at most MAX_CHECKS
    examples: tuple[str, ...] = ()  # of a pattern: the MAX_EXAMPLES smallest texts it was made from, sorted
    package: str = ""  # owner of the file, an item of Baseline.packages


@dataclass(frozen=True, slots=True)
class Excuse:
    """A never-learned check that does not fire for this image."""

    check: str  # "NL-08"
    reason: str
    author: str
    expires_ns: int  # Unix ns; 0: never


@dataclass(frozen=True, slots=True)
class Review:
    """One decision of a person, or of a policy (author "policy")."""

    wall_ns: int
    author: str
    action: str  # "approve", "reject", "edit", "promote", "rollback", "retire", "import", "excuse", "heal", …
    reason: str
    what: str = ""  # the behaviour or check it was about, as text; empty: the whole baseline


@dataclass(slots=True)
class Baseline:
    """What is expected of one image, or (``workload`` set) what one workload adds to it.

    ``key`` is ``Subject.baseline_key``, ``workload`` is ``Subject.overlay``.
    """

    key: str
    workload: str = ""
    image: str = ""  # reference it was first seen under; one digest can carry several
    state: State = State.LEARNING
    revision: int = 0  # grows by one with each change once learned; 0 while learning
    parent: str = ""  # version of the revision before
    predecessor: str = ""  # key of the image it started from
    partial: tuple[str, ...] = ()  # sorted reasons why it may be incomplete, besides losses
    losses: int = 0  # records lost while it was learned
    elapsed_ns: int = 0  # observed running time of its containers
    quiet_ns: int = 0  # of that, since the last new behaviour
    startups: int = 0  # complete start-ups of containers seen
    entries: dict[Behaviour, Entry] = field(default_factory=dict)
    excuses: tuple[Excuse, ...] = ()  # sorted by check
    reviews: tuple[Review, ...] = ()  # oldest first
    packages: tuple[str, ...] = ()  # sorted purls (or "name version") of everything the image ships, () if unknown

    @property
    def name(self) -> str:
        """What it is filed under: its key, and the workload of an overlay."""
        return f"{self.key}+{self.workload}" if self.workload else self.key

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason why it may be incomplete; empty means complete."""
        return (*self.partial, f"losses {self.losses}") if self.losses else self.partial

    @property
    def containers(self) -> frozenset[str]:
        """Ids of all containers it was learned from."""
        return frozenset().union(*{entry.containers for entry in self.entries.values()})


def with_review(baseline: Baseline, review: Review) -> Baseline:
    """Return ``baseline`` with one more decision, the oldest forgotten beyond ``MAX_REVIEWS``."""
    return replace(baseline, reviews=(*baseline.reviews, review)[-MAX_REVIEWS:])


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


def fields_of(part: Behaviour | Excuse | Review) -> tuple[str | int, ...]:
    """Its fields in the order of its class."""
    fields: tuple[str | int, ...] = _FIELDS[type(part)](part)
    return fields


_FIELDS: dict[type, Callable[[Any], Any]] = {  # each has two fields or more, or it would give no tuple
    kind: attrgetter(*kind.__slots__)
    for kind in (ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour, Excuse, Review)
}
_SECTIONS: dict[type[Behaviour], str] = {
    ConnectBehaviour: "connect",
    ExecBehaviour: "exec",
    LoadBehaviour: "load",
    OpenBehaviour: "open",
}
