"""First-run learning: what an image does in its first minutes becomes its baseline.

In: behaviours that ``verdict`` said may be learned, running time, losses. Out: a growing ``Baseline`` and its
``Matcher``. Why no clock here: time comes in as kernel time that only grows, wall time is for display, so a clock that
jumps changes nothing. Next: ``store`` keeps it, ``lifecycle`` ends it. The order of observations never matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from driftline.baseline.canonical import version_of
from driftline.baseline.matching import Matcher
from driftline.baseline.schema import (
    LEARNED,
    MAX_CONTAINERS,
    MAX_PARTIAL,
    MORE_CONTAINERS,
    Baseline,
    Entry,
    State,
)
from driftline.nouns import Behaviour, Loss, Process, Subject

MAX_LEARNED = 20_000
"""Behaviours learned per image: several times what a large service shows, about 10 MiB of memory."""
MIN_ENTRIES = 3
"""Processes entering a container in the window before what they do counts as a probe's: a one-off ``kubectl exec``
must not become allowed, and an orchestrator's probe comes back every few seconds."""
MAX_CANDIDATES = 4_096
"""Behaviours of entered processes waiting for their third time."""

FULL = f"more than {MAX_LEARNED} behaviours"
ATTACHED_LATE = "attached late"
WITHOUT_STATE = "agent restarted without state"


class _Candidate(NamedTuple):
    entry: Entry
    processes: set[tuple[int, int]]  # (pid, start), at most MIN_ENTRIES


class Learning:
    """Learns one baseline from all containers of its image. Not thread-safe: belongs to the pipeline's thread."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self.matcher = Matcher(baseline.entries)
        self.dirty = False
        """Whether the baseline changed since the caller last saved it (and set this to False)."""
        self._candidates: dict[Behaviour, _Candidate] = {}
        self._containers = set(baseline.containers)
        self._sets: dict[frozenset[str], frozenset[str]] = {}
        self._last_ns: int | None = None
        self._dropped = 0

    def observe(self, behaviour: Behaviour, wall_ns: int, subject: Subject, process: Process, entered: bool) -> bool:
        """Count one sighting; return whether it is new to the baseline.

        A process that ``entered`` the container teaches only what ``MIN_ENTRIES`` different ones did.
        """
        container = self._container(subject)
        entry = self.baseline.entries.get(behaviour)
        if entry is not None:
            self._see(entry, wall_ns, container)
            return False
        candidate = self._candidates.get(behaviour)
        if candidate is None:
            entry = Entry(LEARNED, wall_ns, wall_ns, 1, self._set_of(frozenset({container})))
        else:
            entry = candidate.entry
            self._see(entry, wall_ns, container)
        if entered and not self._comes_back(behaviour, entry, process):
            return False
        return self._admit(behaviour, entry)

    def take_over(self, entries: Mapping[Behaviour, Entry]) -> None:
        """Take what was learned of one of its containers before its image had a name."""
        for behaviour, other in entries.items():
            entry = self.baseline.entries.get(behaviour)
            if entry is None:
                self._admit(behaviour, other)
                continue
            entry.count += other.count
            entry.first_ns, entry.last_ns = min(entry.first_ns, other.first_ns), max(entry.last_ns, other.last_ns)
            entry.containers = self._set_of(entry.containers | other.containers)
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

    def _admit(self, behaviour: Behaviour, entry: Entry) -> bool:
        self._candidates.pop(behaviour, None)
        if len(self.baseline.entries) >= MAX_LEARNED:
            self._dropped += 1
            self.mark_partial(FULL)
            return False
        self.baseline.entries[behaviour] = entry
        self.baseline.quiet_ns = 0
        self.matcher.add(behaviour)
        self.dirty = True
        return True

    def _see(self, entry: Entry, wall_ns: int, container: str) -> None:
        entry.count += 1
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

    def _set_of(self, containers: frozenset[str]) -> frozenset[str]:
        """One shared set per combination: thousands of entries were seen in the same containers."""
        return self._sets.setdefault(containers, containers)

    def advance(self, kernel_ns: int, running: bool) -> None:
        """Let time pass until ``kernel_ns``; it counts only while a container of the image was ``running``."""
        if self._last_ns is not None and running:
            passed = max(0, kernel_ns - self._last_ns)
            self.baseline.elapsed_ns += passed
            self.baseline.quiet_ns += passed
            self.dirty = self.dirty or passed > 0
        self._last_ns = kernel_ns if self._last_ns is None else max(self._last_ns, kernel_ns)

    def mark_partial(self, reason: str) -> None:
        """Say in the baseline why it may be incomplete."""
        partial = self.baseline.partial
        if reason not in partial and len(partial) < MAX_PARTIAL:
            self.baseline.partial = tuple(sorted((*partial, reason)))
            self.dirty = True

    def note_losses(self, count: int) -> None:
        """Count ``count`` records of its containers lost while learning."""
        self.baseline.losses += count
        self.dirty = self.dirty or count > 0

    def take_losses(self) -> list[Loss]:
        """What the bounds of this module held back since the last call."""
        dropped, self._dropped = self._dropped, 0
        return [Loss("learning", "full", dropped)] if dropped else []

    def is_over(self, learn_ns: int, learn_quiet_ns: int) -> bool:
        """Whether the window ended: long enough, and nothing new for long enough."""
        return self.baseline.elapsed_ns >= learn_ns and self.baseline.quiet_ns >= learn_quiet_ns

    def finish(self) -> Matcher:
        """End learning; return what to judge against from now on."""
        self.baseline.state = State.ACTIVE
        self.dirty = True
        self.matcher.version = version_of(self.baseline)
        return self.matcher
