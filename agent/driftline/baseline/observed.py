"""Which packages of an image were seen in use, and which never were.

In: a baseline, which says of each behaviour whose package's file it is about. Out: for each package what was seen of
it, and how much was looked at: running time, containers, what was missed. Why so careful: somebody will decide by it
which vulnerability can wait, and what was not seen may still be used tomorrow. Next: ``driftline sbom in-use``.

Counted are files, not events: the kernel keeps repeats to itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from driftline.baseline.inventory.purl import Purl
from driftline.baseline.inventory.purl import parse as parse_purl
from driftline.baseline.schema import CARRIED, Baseline, Entry, Standing
from driftline.errors import StateError
from driftline.nouns import Behaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour
from driftline.text import escape


class Seen(StrEnum):
    """How much is known of a package's use."""

    IN_USE = "in-use"  # one of its files was executed, loaded or opened
    BEFORE = "before"  # only in the image this one's baseline was carried over from
    UNSEEN = "not-seen"  # never, in what was looked at


@dataclass(slots=True)
class Use:
    """What was seen of one package. Times are Unix ns, 0 if never."""

    package: str  # as in ``Baseline.packages``: a purl, or "name version"
    executed: int = 0  # files, each counted once for each way of use
    loaded: int = 0
    read: int = 0  # opened, for writing too
    carried: int = 0  # behaviours known from the image before
    first_ns: int = 0
    last_ns: int = 0
    containers: set[str] = field(default_factory=set)

    @property
    def seen(self) -> Seen:
        """What it comes to."""
        if self.executed or self.loaded or self.read:
            return Seen.IN_USE
        return Seen.BEFORE if self.carried else Seen.UNSEEN

    def add(self, behaviour: Behaviour, entry: Entry) -> None:
        """Count one behaviour."""
        if entry.source == CARRIED or entry.standing is Standing.UNCONFIRMED:
            self.carried += 1
            return
        match behaviour:
            case ExecBehaviour():
                self.executed += 1
            case LoadBehaviour():
                self.loaded += 1
            case OpenBehaviour():
                self.read += 1
        self.first_ns = min(self.first_ns or entry.first_ns, entry.first_ns)
        self.last_ns = max(self.last_ns, entry.last_ns)
        self.containers |= entry.containers


@dataclass(frozen=True, slots=True)
class Observation:
    """All packages of an image, and what was looked at."""

    baseline: Baseline
    uses: tuple[Use, ...]  # sorted by package
    by_purl: dict[Purl, list[Use]]
    first_ns: int
    last_ns: int

    def of(self, purl: str) -> list[Use]:
        """Return the packages ``purl`` means; qualifiers (architecture, distribution) need not agree."""
        wanted = parse_purl(purl)
        return self.by_purl.get(wanted, []) if wanted else []


def observe(baseline: Baseline) -> Observation:
    """Return what was seen of each package. Raises StateError if nobody knows which packages the image ships."""
    if not baseline.packages:
        raise StateError(
            f"the baseline of {escape(baseline.image or baseline.key)} does not say which packages the image ships",
            "give the image's root directory: --root DIR",
        )
    uses = {package: Use(package) for package in baseline.packages}
    for behaviour, entry in baseline.entries.items():
        if entry.package in uses and was_seen(entry):
            uses[entry.package].add(behaviour, entry)
    times = [(entry.first_ns, entry.last_ns) for entry in baseline.entries.values() if was_seen(entry)]
    first = min((first for first, _last in times), default=0)
    last = max((last for _first, last in times), default=0)
    by_purl: dict[Purl, list[Use]] = defaultdict(list)
    for use in uses.values():
        if parsed := parse_purl(use.package):
            by_purl[parsed].append(use)
    return Observation(baseline, tuple(uses[name] for name in sorted(uses)), dict(by_purl), first, last)


def was_seen(entry: Entry) -> bool:
    """Whether a container showed it, and no person only wrote it down. What was rejected happened too."""
    return entry.count > 0 and bool(entry.containers)


def counts(uses: Iterable[Use]) -> dict[Seen, int]:
    """Return how many packages there are of each."""
    found: dict[Seen, int] = defaultdict(int)
    for use in uses:
        found[use.seen] += 1
    return {seen: found[seen] for seen in Seen}
