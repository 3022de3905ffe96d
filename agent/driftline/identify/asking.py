"""Which container to ask which engine about next, and when to stop waiting for an answer.

In: containers to be named, a clock. Out: subjects, named or (their time being up) as far as the path told. Why apart
from ``resolver``: all waiting is decided here, without threads, so a test walks through it with its own clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from driftline.errors import EngineError
from driftline.identify.engines import ANSWER_SECONDS, Answer, Engine, EngineAbsent
from driftline.identify.kubernetes import pod_names
from driftline.nouns import Subject

Clock = Callable[[], float]
"""Seconds, as ``time.monotonic``."""
RETRY_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Pauses between questions while events wait: an engine that registers a container after making its cgroup is some
milliseconds late, a loaded one some tenths of a second."""
LATE_RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Pauses once the container was delivered unnamed: the engine may be restarting."""
LATE_SECONDS = 600.0
"""How long an unnamed container is asked about after that: an upgrade of the engine takes minutes, not more."""
SILENCE_SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""How long an engine that failed is left alone, by failures in a row: others must not wait for it again and again."""


@dataclass(slots=True)
class _Case:
    subject: Subject
    due: float
    deadline: float  # until then its events wait
    asked: int = 0
    delivered: bool = False
    gone: bool = False


@dataclass(slots=True)
class _Health:
    failures: int = 0
    silent_until: float = 0.0


class Asking:
    """Containers being named. ``step`` asks about one of them at most."""

    def __init__(self, engines: Sequence[Engine], identify_seconds: float, clock: Clock) -> None:
        self._engines = engines
        self._limit = identify_seconds
        self._clock = clock
        self._cases: dict[int, _Case] = {}
        self._health = {engine.name: _Health() for engine in engines}
        self.failures = 0
        """Look-ups that ended in an error."""
        self.last_error = ""
        """What the last of them said."""

    def __len__(self) -> int:
        return len(self._cases)

    def add(self, subject: Subject) -> None:
        """Have ``subject`` named; it holds what its cgroup's path told."""
        now = self._clock()
        self._cases[subject.cgroup] = _Case(subject, now, now + self._limit)

    def gone(self, cgroup: int) -> None:
        """Note that the container ended: nobody waits for a late answer."""
        if case := self._cases.get(cgroup):
            case.gone = True
            if case.delivered:
                del self._cases[cgroup]

    def next_due(self) -> float | None:
        """Return when ``step`` has work to do, None if there is no container left to name."""
        return min((_next(case) for case in self._cases.values()), default=None)

    def step(self) -> list[Subject]:
        """Give up on the overdue, then ask about the container due first. Returns finished subjects."""
        now = self._clock()
        overdue = [case for case in self._cases.values() if not case.delivered and case.deadline <= now]
        finished = [self._deliver_unnamed(case) for case in overdue]
        due = [case for case in self._cases.values() if case.due <= now]
        if due and (named := self._ask(min(due, key=lambda case: (case.delivered, case.due)))):
            finished.append(named)
        return finished

    def close(self) -> None:
        """Close the engines."""
        for engine in self._engines:
            engine.close()

    def _ask(self, case: _Case) -> Subject | None:
        now = self._clock()
        waiting = ANSWER_SECONDS if case.delivered else min(ANSWER_SECONDS, max(case.deadline - now, RETRY_SECONDS[0]))
        absent = True
        for engine in self._candidates(case.subject.engine):
            try:
                answer = self._look_up(engine, case.subject.container_id, waiting)
            except EngineAbsent:
                continue
            absent = False
            if answer is not None:
                del self._cases[case.subject.cgroup]
                return _named(case.subject, answer)
        if absent and not case.delivered:
            return self._deliver_unnamed(case)  # nobody here can name it: its events need not wait
        self._put_off(case)
        return None

    def _candidates(self, hint: str) -> list[Engine]:
        """CRI-O keeps its containers in Podman's storage, so that is a second source for them."""
        wanted = {hint, "podman"} if hint == "cri-o" else {hint}
        return [engine for engine in self._engines if not hint or engine.name in wanted]

    def _look_up(self, engine: Engine, container_id: str, seconds: float) -> Answer | None:
        """Ask, unless the engine failed just now: then it counts as not knowing. Raises EngineAbsent."""
        health = self._health[engine.name]
        if self._clock() < health.silent_until:
            return None
        try:
            answer = engine.look_up(container_id, seconds)
        except EngineAbsent:
            raise
        except EngineError as error:
            self.failures += 1
            self.last_error = str(error)
            pause = SILENCE_SECONDS[min(health.failures, len(SILENCE_SECONDS) - 1)]
            health.silent_until = self._clock() + pause
            health.failures += 1
            return None
        health.failures = 0
        return answer

    def _deliver_unnamed(self, case: _Case) -> Subject:
        case.delivered = True
        case.asked = 0
        self._put_off(case)
        if case.gone:
            self._cases.pop(case.subject.cgroup, None)
        return case.subject

    def _put_off(self, case: _Case) -> None:
        """Set when the container is asked about again, or drop it when that has no use any more."""
        now = self._clock()
        pauses = LATE_RETRY_SECONDS if case.delivered else RETRY_SECONDS
        case.due = now + pauses[min(case.asked, len(pauses) - 1)]
        case.asked += 1
        if case.due > case.deadline + LATE_SECONDS:
            self._cases.pop(case.subject.cgroup, None)


def _next(case: _Case) -> float:
    return case.due if case.delivered else min(case.due, case.deadline)


def _named(subject: Subject, answer: Answer) -> Subject:
    names = pod_names(dict(answer.labels))
    return replace(
        subject,
        engine=subject.engine or answer.engine,
        name=names.container or answer.name,
        image=answer.image,
        image_digest=answer.image_digest,
        namespace=names.namespace,
        pod=names.pod,
        workload=names.workload,
        labels=answer.labels,
    )
