"""Learning: what an image's containers do becomes its baseline.

In: behaviours that ``verdict`` said may be learned, running time, starts, losses. Out: a growing ``Baseline`` and its
``Matcher``. Why no clock here: time comes in as kernel time that only grows, wall time is for display, so a clock that
jumps changes nothing. Next: ``store`` keeps it, ``shelf`` ends it. The order of observations never matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import NamedTuple

from driftline.baseline import standing
from driftline.baseline.ending import Ending, Window
from driftline.baseline.format.canonical import version_of
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.matching import Matcher
from driftline.baseline.merging import smallest
from driftline.baseline.schema import (
    LEARNED,
    MAX_CONTAINERS,
    MAX_PARTIAL,
    MORE_CONTAINERS,
    Baseline,
    Entry,
    Standing,
    State,
)
from driftline.baseline.startups import Startups
from driftline.nouns import Behaviour, Loss, OpenBehaviour, Process, Subject

MAX_LEARNED = 20_000
"""Behaviours learned per image: several times what a large service shows, about 10 MiB of memory."""
MAX_NEEDS_REVIEW = 1_000
"""Behaviours waiting for review per image: more than a person reads, and what a miner's thousand files may fill."""
MIN_ENTRIES = 3
"""Processes entering a container in the window before what they do counts as a probe's: a one-off ``kubectl exec``
must not become allowed, and an orchestrator's probe comes back every few seconds."""
MAX_CANDIDATES = 4_096
"""Behaviours of entered processes waiting for their third time."""
PATIENCE = 4
"""Windows to wait for quiet, and for a start-up that is under way: then learning ends without. A service that makes new
names for ever would otherwise never be judged."""

FULL = f"more than {MAX_LEARNED} behaviours"
ATTACHED_LATE = "attached late"
NO_STARTUP = "start-up not seen"
WITHOUT_STATE = "agent restarted without state"
RESTLESS = "never quiet"
HEALABLE = frozenset({ATTACHED_LATE, NO_STARTUP, WITHOUT_STATE, RESTLESS})
"""Reasons that go when a later container gives what was missing; so do losses."""


class _Candidate(NamedTuple):
    entry: Entry
    processes: set[tuple[int, int]]  # (pid, start), at most MIN_ENTRIES


class Learning:
    """Learns one baseline from all containers of its image. Not thread-safe: belongs to the pipeline's thread.

    ``why``: why a baseline that already judges is learned again; "" for a first run, which judges nothing yet.
    ``heals``: what it learned before is there, only what was missing is waited for.
    """

    def __init__(self, baseline: Baseline, why: str = "", heals: bool = False) -> None:
        self.baseline = baseline
        self.why, self.heals = why, heals
        self._startups_before = baseline.startups if heals else 0
        self.matcher = self._matcher()
        self.startups = Startups()
        self.lost = False
        """Whether anything was lost in this window."""
        self.restless = False
        """Whether the window ended without quiet."""
        self.dirty = False
        """Whether the baseline changed since the caller last saved it (and set this to False)."""
        self.changes = 0
        """How often what is expected changed: more than evidence."""
        self._candidates: dict[Behaviour, _Candidate] = {}
        self.data: set[Behaviour] = set()  # opens of files that are not the image's: only their names are made up
        self._containers = set(baseline.containers)
        self._sets: dict[frozenset[str], frozenset[str]] = {}
        self._alone: dict[str, frozenset[str]] = {}
        self._last_ns: int | None = None
        self._waiting = sum(entry.standing is Standing.NEEDS_REVIEW for entry in baseline.entries.values())
        self._dropped = 0

    @property
    def prior(self) -> bool:
        """Whether it already judges while it is learned."""
        return bool(self.why)

    # --- observing ---------------------------------------------------------------------------------------------------

    def observe(
        self,
        behaviour: Behaviour,
        wall_ns: int,
        subject: Subject,
        process: Process,
        entered: bool,
        checks: tuple[str, ...] = (),
        package: str = "",
        data: bool = False,
        example: str = "",
    ) -> bool:
        """Count one sighting; return whether it teaches anything new. ``data``: a file was opened that is not the
        image's; ``example``: of a pattern, the path that was opened.

        One that failed ``checks`` enters as needing review. Of the rest, a process that ``entered`` the container
        teaches only what ``MIN_ENTRIES`` different ones did. What a person decided stays decided.
        """
        container = self._container(subject)
        if data and len(self.data) < MAX_LEARNED:
            self.data.add(behaviour)
        entry = self.baseline.entries.get(behaviour)
        if entry is not None:
            self._see(entry, wall_ns, container, example)
            return self._stand(behaviour, entry, checks, subject)
        if self.prior and (data or not isinstance(behaviour, OpenBehaviour)) and behaviour in self.matcher:
            return False  # a pattern of what was learned before
        candidate = self._candidates.get(behaviour) if self._candidates else None
        if candidate is None:
            entry = Entry(LEARNED, wall_ns, wall_ns, 1, self._only(container), package=package)
        else:
            entry = candidate.entry
            self._see(entry, wall_ns, container)
        if example:
            entry.examples = smallest(entry.examples, (example,))
        if checks or candidate is not None:
            entry.standing, entry.checks = standing.fresh(checks)
        if entered and not checks and not self._comes_back(behaviour, entry, process):
            return False
        return self._admit(behaviour, entry, subject)

    def _stand(self, behaviour: Behaviour, entry: Entry, checks: tuple[str, ...], subject: Subject) -> bool:
        """What another sighting makes of a known behaviour; return whether that is new."""
        before = entry.standing
        entry.standing, entry.checks = standing.after(before, entry.checks, checks, self.prior)
        if entry.standing is before:
            return False
        self._waiting += (entry.standing is Standing.NEEDS_REVIEW) - (before is Standing.NEEDS_REVIEW)
        if before is Standing.UNCONFIRMED and entry.standing is Standing.ALLOWED:
            self.matcher.add(behaviour)
        else:
            self.refresh()
        self._news(subject)
        return True

    def take_over(self, entries: Mapping[Behaviour, Entry], subject: Subject, data: Set[Behaviour]) -> None:
        """Take what was learned of one of its containers before its image had a name; ``data``: as in ``observe``."""
        self.data |= data & entries.keys()
        for behaviour, other in entries.items():
            entry = self.baseline.entries.get(behaviour)
            if entry is None:
                self._admit(behaviour, other, subject)
                continue
            entry.count += other.count
            entry.first_ns, entry.last_ns = min(entry.first_ns, other.first_ns), max(entry.last_ns, other.last_ns)
            entry.containers = self._set_of(entry.containers | other.containers)
            self._stand(behaviour, entry, other.checks, subject)
            self.dirty = True

    def _comes_back(self, behaviour: Behaviour, entry: Entry, process: Process) -> bool:
        """Remember an entered process; whether enough different ones did the same."""
        candidate = self._candidates.get(behaviour)
        if candidate is None:
            if len(self._candidates) >= MAX_CANDIDATES:
                self._dropped += 1
                return False
            candidate = self._candidates[behaviour] = _Candidate(entry, set())
        candidate.processes.add((process.pid, process.start_ns))
        return len(candidate.processes) >= MIN_ENTRIES

    def _admit(self, behaviour: Behaviour, entry: Entry, subject: Subject) -> bool:
        if self._candidates:
            self._candidates.pop(behaviour, None)
        waits = entry.standing is Standing.NEEDS_REVIEW
        if waits and self._waiting >= MAX_NEEDS_REVIEW:
            self._dropped += 1  # told all the same, and never allowed
            return False
        if len(self.baseline.entries) >= MAX_LEARNED:
            self._dropped += 1
            self.mark_partial(FULL)
            return False
        self.baseline.entries[behaviour] = entry
        if waits:
            self._waiting += 1
            self.matcher.pending |= {behaviour}
        elif entry.standing is Standing.ALLOWED:
            self.matcher.add(behaviour)
        self._news(subject)
        return True

    def _news(self, subject: Subject) -> None:
        self.changes += 1
        self.baseline.quiet_ns = 0
        self.startups.novel(subject.cgroup)
        self.dirty = True

    def _see(self, entry: Entry, wall_ns: int, container: str, example: str = "") -> None:
        entry.count += 1
        if example:
            entry.examples = smallest(entry.examples, (example,))
        entry.first_ns = min(entry.first_ns, wall_ns)
        entry.last_ns = max(entry.last_ns, wall_ns)
        if container not in entry.containers:
            entry.containers = self._set_of(entry.containers | {container})
        self.dirty = True

    def _container(self, subject: Subject) -> str:
        name = subject.container_id or subject.cgroup_path
        if name not in self._containers:
            if len(self._containers) >= MAX_CONTAINERS:
                return MORE_CONTAINERS
            self._containers.add(name)
        return name

    def _only(self, container: str) -> frozenset[str]:
        found = self._alone.get(container)
        if found is None:
            found = self._alone[container] = self._set_of(frozenset({container}))
        return found

    def _set_of(self, containers: frozenset[str]) -> frozenset[str]:
        """One shared set per combination: thousands of entries were seen in the same containers."""
        return self._sets.setdefault(containers, containers)

    # --- the window --------------------------------------------------------------------------------------------------

    def advance(self, kernel_ns: int, running: bool, learn_quiet_ns: int = 0) -> None:
        """Let time pass until ``kernel_ns``; it counts only while a container of the image was ``running``."""
        if self._last_ns is not None and running:
            passed = max(0, kernel_ns - self._last_ns)
            self.baseline.elapsed_ns += passed
            self.baseline.quiet_ns += passed
            self.baseline.startups += self.startups.advance(passed, learn_quiet_ns)
            self.dirty = self.dirty or passed > 0
        self._last_ns = kernel_ns if self._last_ns is None else max(self._last_ns, kernel_ns)

    def ended(self, cgroup: int) -> None:
        """A container ended."""
        if self.startups.end(cgroup):
            self.baseline.startups += 1
            self.dirty = True

    def mark_partial(self, reason: str) -> None:
        """Say in the baseline why it may be incomplete."""
        partial = self.baseline.partial
        if reason not in partial and len(partial) < MAX_PARTIAL:
            self.baseline.partial = tuple(sorted((*partial, reason)))
            self.dirty = True

    def note_losses(self, count: int, cgroup: int = 0) -> None:
        """Count ``count`` records of its containers lost while learning; ``cgroup``: of which one, 0: unknown."""
        if count:
            self.baseline.losses += count
            self.lost = self.dirty = True
            self.startups.spoil(cgroup)

    def take_losses(self) -> list[Loss]:
        """What the bounds of this module held back since the last call."""
        dropped, self._dropped = self._dropped, 0
        return [Loss("learning", "full", dropped)] if dropped else []

    def is_over(self, learn_ns: int, learn_quiet_ns: int) -> bool:
        """Whether the window ended: long enough, quiet for long enough, no start-up to wait for; or patience did."""
        elapsed, restless = self.baseline.elapsed_ns, self.baseline.quiet_ns < learn_quiet_ns
        if elapsed < learn_ns:
            return False
        waits = restless or (self.startups.under_way and not self.started)
        if waits and elapsed < PATIENCE * max(learn_ns, learn_quiet_ns):
            return False
        self.restless = restless
        return True

    @property
    def started(self) -> bool:
        """Whether this window saw a complete start-up."""
        return self.baseline.startups > self._startups_before

    def refresh(self) -> None:
        """Judge by the baseline as it is now: somebody else changed it."""
        self.changes += 1
        self.matcher = self._matcher()

    def _matcher(self) -> Matcher:
        return Matcher(self.baseline.entries, version_of(self.baseline) if self.why else "")

    def window(self, inventory: Inventory | None = None) -> Window:
        """Return the learned as it is now, for ``finish``. ``inventory``: of the image, if there is one."""
        baseline = replace(self.baseline, entries=dict(self.baseline.entries))
        return Window(baseline, frozenset(self.data), inventory)

    def finish(self, ending: Ending | None = None) -> Matcher:
        """End learning; return what to judge against from now on. ``ending``: computed, and nothing changed since."""
        ending = ending or self.window().compute()
        baseline = self.baseline
        self._settle_reasons(baseline)
        baseline.entries, baseline.packages, self.matcher = ending
        baseline.state = State.CANDIDATE
        self.dirty = True
        return self.matcher

    def _settle_reasons(self, baseline: Baseline) -> None:
        """Say what is missing now, and no more what this window gave."""
        healed = self.heals and self.started and not self.lost
        if self.started and (healed or not self.heals):
            baseline.partial = tuple(reason for reason in baseline.partial if reason not in HEALABLE)
        elif not (self.started or self.heals or baseline.losses or ATTACHED_LATE in baseline.partial):
            self.mark_partial(NO_STARTUP)  # the others say why
        if healed:
            baseline.losses = 0
        if self.restless:
            self.mark_partial(RESTLESS)
