"""What the sensor saw of one container, event by event.

In: a running ``Sensor``. Out: ``Box`` (a container under a watched root of this run alone) and ``Seen`` (decoded events
of one container since the last look). Why a root of our own: other runs on this machine start containers too, and
neither their events nor their losses may enter our counts. Next: the kernel tests.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from driftline.decode.record import AnyEvent, decode
from driftline.nouns import CgroupEvent, ConnectEvent, ExecEvent, LoadEvent, OpenEvent
from driftline.probe.sensor import Sensor
from rig import rootfs, session
from rig.bundle import ContainerOptions
from rig.runc import Argument, Once, RuncContainer, run_once

ROOT = f"{session.TOKEN}-kernel"
"""Top-level cgroup of this run's containers: the only watched root of its sensors."""

START_SECONDS = 60.0  # a container starts in 50 ms; a machine shared by many needs longer


@dataclass(slots=True)
class Seen:
    """Events of one container in the order of their kernel times."""

    events: list[AnyEvent] = field(default_factory=list)

    def opens(self, below: str = "/") -> list[OpenEvent]:
        """Opens of files below a directory."""
        return [e for e in self.events if isinstance(e, OpenEvent) and e.file.path.startswith(below)]

    def loads(self, below: str = "/") -> list[LoadEvent]:
        """Executable mappings of files below a directory."""
        return [e for e in self.events if isinstance(e, LoadEvent) and e.file.path.startswith(below)]

    def execs(self, path: str = "") -> list[ExecEvent]:
        """Execs, or only those of ``path``."""
        return [e for e in self.events if isinstance(e, ExecEvent) and path in ("", e.file.path)]

    def connects(self) -> list[ConnectEvent]:
        """Connects and datagrams."""
        return [e for e in self.events if isinstance(e, ConnectEvent)]

    def cgroups(self) -> list[CgroupEvent]:
        """Cgroups that came and went."""
        return [e for e in self.events if isinstance(e, CgroupEvent)]


class Watch:
    """Reads a sensor and keeps what it read, sorted by container."""

    def __init__(self, sensor: Sensor, root: str = ROOT) -> None:
        self.sensor = sensor
        self.root = root
        self.records: list[bytes] | None = None  # a list: keep the raw records as well
        self.read = 0
        self._seen: dict[int, Seen] = {}

    def drain(self) -> None:
        """Read until both rings are empty. A workload's records are all there when the workload has ended."""
        while records := self.sensor.read():
            self.read += len(records)
            if self.records is not None:
                self.records += records
            for record in records:
                event = decode(record)
                subject = event.subject if isinstance(event, CgroupEvent) else event.cgroup
                self._seen.setdefault(subject, Seen()).events.append(event)

    def take(self, subject: int) -> Seen:
        """Everything of container ``subject`` since the last ``take``."""
        self.drain()
        seen = self._seen.pop(subject, Seen())
        seen.events.sort(key=lambda event: event.kernel_ns)
        return seen

    def counted(self, hook: str, name: str) -> int:
        """A counter of the kernel side."""
        return self.sensor.counters().get((hook, name), 0)

    @contextlib.contextmanager
    def box(self, options: ContainerOptions | None = None, *, lower: Sequence[Path] = ()) -> Iterator[Box]:
        """A container, gone afterwards. ``lower``: image layers over the usual ones."""
        layers = (*lower, *rootfs.default_layers())
        container = RuncContainer(options, cgroup=f"/{self.root}/{next_name()}", lower=layers)
        with container:
            self._wait_for_init(container.cgroup_id)
            yield Box(self, container)

    def _wait_for_init(self, subject: int) -> None:
        """``runc start`` returns a moment before the init executes."""
        deadline = time.monotonic() + START_SECONDS
        while not any(isinstance(event, ExecEvent) for event in self._seen.get(subject, Seen()).events):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the init of {subject} was not seen")
            self.drain()

    def once(self, argv: Sequence[str], options: ContainerOptions | None = None) -> Once:
        """A container that is nothing but one program."""
        return run_once(argv, options, cgroup=f"/{self.root}/{next_name()}")


_names = iter(range(1, 1_000_000))


def next_name() -> str:
    """A cgroup name no other container of this run has."""
    return f"box{next(_names)}"


@dataclass(slots=True)
class Box:
    """A container and what is seen of it."""

    watch: Watch
    container: RuncContainer

    @property
    def subject(self) -> int:
        """Its cgroup id."""
        return self.container.cgroup_id

    def see(self, argv: Sequence[Argument], env: Mapping[str, str] | None = None) -> Seen:
        """Run ``argv`` in the container; what was seen of exactly that."""
        self.watch.take(self.subject)
        self.container.run(argv, env=env)
        return self.watch.take(self.subject)

    def told(self, argv: Sequence[Argument]) -> tuple[Seen, subprocess.CompletedProcess[str]]:
        """As ``see``, with what the program printed."""
        self.watch.take(self.subject)
        done = self.container.run(argv)
        return self.watch.take(self.subject), done
