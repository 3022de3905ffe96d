"""The running kernel without the pipeline: events and their containers' names, nothing judged.

In: settings. Out: batches of records, and who each cgroup is. Why apart from ``lifecycle``: `events` and `capture` must
show what the kernel tells even where a later stage is wrong. Next: these commands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from driftline.decode.cgroup import decode_cgroup
from driftline.decode.header import unpack_header
from driftline.identify.arrivals import Arrivals
from driftline.identify.cgroups import Role, parse
from driftline.identify.engines.installed import installed_engines
from driftline.identify.hierarchy import Hierarchy, find
from driftline.identify.resolver import Resolver, subject_from_path
from driftline.identify.subjects import Subjects
from driftline.nouns import CgroupChange, Loss, Subject
from driftline.probe.counters import losses as only_losses
from driftline.probe.preflight import choose, examine_providers
from driftline.probe.sensor import Sensor
from driftline.settings import Settings
from driftline.source import follow

CGROUP_KINDS = (5, 6)


def trace_existing(
    hierarchy: Hierarchy, sensor: Sensor, settings: Settings, appear: Callable[[int, str], None]
) -> None:
    """Trace the cgroups that ran before us; the mkdir hook is attached already, so none falls between."""
    for name in settings.watched_roots:
        directory = Path(hierarchy.directory(f"/{name}"))
        if directory.is_dir():
            number = directory.stat().st_ino
            sensor.trace(number, number, True)
    for cgroup in hierarchy.watched(settings.watched_roots):
        found = parse(cgroup.path, settings.watched_roots)
        sensor.trace(cgroup.cgroup, cgroup.cgroup, bool(found and found.role is Role.TREE))
        appear(cgroup.cgroup, cgroup.path)
    sensor.adopt()


class Live:
    """Sensor and names. Use as a context manager; ``batches`` runs until ``until`` says so."""

    def __init__(self, settings: Settings, wake: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self.subjects = Subjects()
        self._arrivals = Arrivals(settings.watched_roots)
        self._found: list[Subject] = []
        self._hierarchy = find()
        self._resolver = Resolver(installed_engines(settings), settings.identify_seconds, settings.watched_roots, wake)
        self.provider, self.reason = choose(examine_providers(), settings.open_provider)

    def __enter__(self) -> Live:
        cache = Path(self._settings.state_dir) / "cache"
        self.sensor = Sensor.start(self._settings, self.provider, Path(self._hierarchy.root), cache)
        self._resolver.start()
        trace_existing(self._hierarchy, self.sensor, self._settings, self._appear_late)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sensor.close()
        self._resolver.stop()

    def _appear_late(self, cgroup: int, path: str) -> None:
        self._appear(cgroup, cgroup, path, True)

    def _appear(self, cgroup: int, subject: int, path: str, late: bool) -> None:
        owner, role = self._arrivals.place(cgroup, subject, path)
        if not self.subjects.appear(cgroup, owner):
            return
        if role is Role.MONITOR:
            self.sensor.untrace(cgroup)
            return
        self.sensor.trace(cgroup, owner, role is Role.TREE)
        if role is Role.CONTAINER:
            started = 0 if late else time.monotonic_ns()
            self._name(subject_from_path(cgroup, path, self._settings.watched_roots, started, late))
            self._resolver.request(cgroup, path, started, late)

    def _name(self, subject: Subject) -> None:
        self.subjects.identify(subject)
        self._found.append(subject)

    def batches(self, until: Callable[[], bool]) -> Iterator[tuple[list[bytes], list[Subject]]]:
        """Records, and containers named since the last batch: first as their path tells, then as their engine does."""
        for records in follow(self.sensor.epoll_fds, self.sensor.read, until):
            for record in records:
                if record[2] in CGROUP_KINDS:
                    self._take_cgroup(record)
            for subject in self._resolver.take():
                self._name(subject)
            named, self._found = self._found, []
            yield records, named
            for cgroup in self.subjects.bury():
                self._arrivals.gone(cgroup)
                self.sensor.forget(cgroup)

    def shortcomings(self) -> list[str]:
        """What is not seen here, a sentence each."""
        return self.sensor.shortcomings()

    def losses(self) -> list[Loss]:
        """What the kernel side lost since the start."""
        return [Loss(hook, cause, count) for (hook, cause), count in only_losses(self.sensor.counters()).items()]

    def _take_cgroup(self, record: bytes) -> None:
        event = decode_cgroup(record, unpack_header(record))
        if event.change is CgroupChange.CREATED:
            self._appear(event.cgroup, event.subject, event.path, False)
            return
        self.subjects.vanish(event.cgroup)
        self._resolver.gone(event.cgroup)
        self.sensor.untrace(event.cgroup)  # `_appear` put it back if it was gone already
