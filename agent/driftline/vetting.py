"""Containers wait until the signatures of their baselines are verified, where signatures are required.

In: named containers from the namer. Out: the same, as soon as it is known what they are judged by; what was refused,
each with a container it concerns. Why here: until then they are like containers without a name, and the pipeline
knows how to hold their events, and what to do if it takes too long. Next: ``pipeline``.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from driftline.baseline.keeping.errands import Errands
from driftline.baseline.keeping.saving import Saving
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.signing.guard import Guard, Refusal, Wanted
from driftline.baseline.signing.judged import TRUST
from driftline.baseline.signing.vetted import VettedSaving
from driftline.errors import StateError
from driftline.nouns import Loss, Subject
from driftline.ports import Namer
from driftline.settings import Settings
from driftline.verdict.refusal import Refused

MAX_MET = 4_096
"""Baselines whose latest container is remembered, to name one in a refusal. The oldest goes first."""
MAX_HELD = 4_096
"""Containers that wait, as many as are named at a time; more go on at once, and learn until it is known."""


def make_guard(settings: Settings, state: Path | None, wake: Callable[[], None]) -> Guard:
    """Return the guard that ``settings`` ask for. Raises StateError where it could remember nothing."""
    if state is None or not os.access(state, os.W_OK):
        hint = "make it writable, or do not require signatures"
        raise StateError("what was accepted cannot be remembered: the state directory cannot be written", hint)
    return Guard(str(state), settings.trust_dir or str(state / TRUST), settings.signature_threshold, wake)


def saving_of(guard: Guard, errands: Errands | None = None) -> Saving:
    """Return how the shelf keeps baselines with ``guard``."""
    return VettedSaving(BaselineStore(guard.state_dir, careful=True), guard, errands)


class Vetting:
    """A namer in front of another. Belongs to the pipeline's thread."""

    def __init__(self, namer: Namer, guard: Guard) -> None:
        self._namer, self._guard = namer, guard
        self._held: list[Subject] = []
        self._met: OrderedDict[str, Subject] = OrderedDict()

    def request(self, cgroup: int, path: str, started_ns: int, attached_late: bool) -> None:
        """Have a container named."""
        self._namer.request(cgroup, path, started_ns, attached_late)

    def gone(self, cgroup: int) -> None:
        """Say that it ended."""
        self._namer.gone(cgroup)

    def take(self) -> list[Subject]:
        """Return the containers that have a name and whose baselines are verified."""
        for subject in self._namer.take():
            for wanted in _wanted(subject):
                self._meet(wanted, subject)
                self._guard.want(wanted)
            self._held.append(subject)
        ready: list[Subject] = []
        waiting: list[Subject] = []
        for subject in self._held:
            (ready if len(waiting) >= MAX_HELD or self._is_ready(subject) else waiting).append(subject)
        self._held = waiting
        return ready

    def _meet(self, wanted: Wanted, subject: Subject) -> None:
        self._met.pop(wanted.name, None)
        self._met[wanted.name] = subject
        if len(self._met) > MAX_MET:
            self._met.popitem(last=False)

    def _is_ready(self, subject: Subject) -> bool:
        return all(self._guard.choice_of(wanted.name) is not None for wanted in _wanted(subject))

    def take_refused(self) -> list[Refused]:
        """Return what was refused since the last call."""
        return [
            Refused(self._met.get(one.name) or _nobody(one), one.severity, one.why)
            for one in self._guard.take_refusals()
        ]

    def losses(self) -> list[Loss]:
        """Return and reset what the namer lost."""
        return self._namer.losses()


def _wanted(subject: Subject) -> list[Wanted]:
    """The baselines a container is judged by that somebody can sign: none without an image's digest."""
    if not subject.image_known:
        return []
    of_image = Wanted(subject.baseline_key, "", subject.image)
    return [of_image, of_image._replace(workload=subject.overlay)] if subject.overlay else [of_image]


def _nobody(refusal: Refusal) -> Subject:
    """No container of it was met lately."""
    return Subject(0, "", image=refusal.image, image_digest=refusal.name.partition("+")[0])
