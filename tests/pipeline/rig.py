"""A pipeline with every party in the test's hands: what it tells the kernel is written down, names come when told to.

In: settings. Out: ``Line``: feed it records, name its containers, let time pass, look at what it told. Next: the tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.shelf import Shelf
from driftline.baseline.shelved import Shelved
from driftline.inventories import Inventories
from driftline.nouns import Deviation, Kind, Loss, Subject
from driftline.offline import CaptureClock, Collected
from driftline.pipeline import Pipeline
from driftline.settings import Settings
from driftline.verdict.worker import Task

NS = 1_000_000_000
SETTINGS = Settings(node="n1", learn_seconds=10, learn_quiet_seconds=2, watched_roots=("default", "libpod_parent"))


@dataclass
class WrittenDown:
    """A kernel that remembers what it was told."""

    traced: dict[int, tuple[int, bool, int]] = field(default_factory=dict)
    known: list[bytes] = field(default_factory=list)
    epochs: dict[int, int] = field(default_factory=dict)
    held: Counter[int] = field(default_factory=Counter)
    held_answers: Counter[int] = field(default_factory=Counter)
    relabelled: dict[int, int] = field(default_factory=dict)
    forgotten: list[int] = field(default_factory=list)
    room: int = 1_000

    def know_file(self, key: bytes, value: bytes) -> None:
        self.known.append(key)

    def know_exec(self, key: bytes, value: bytes) -> None:
        self.known.append(key)

    def know_connect(self, key: bytes) -> None:
        self.known.append(key)

    def trace(self, cgroup: int, subject: int, tree: bool, epoch: int = 0) -> bool:
        if len(self.traced) >= self.room:
            return False
        self.traced[cgroup] = (subject, tree, epoch)
        return True

    def untrace(self, cgroup: int) -> None:
        self.traced.pop(cgroup, None)

    def set_epoch(self, cgroups: Iterable[int], subject: int, epoch: int) -> None:
        for cgroup in cgroups:
            self.epochs[cgroup] = epoch

    def relabel(self, pid: int, exec_id: int, flags: int) -> None:
        self.relabelled[pid] = exec_id

    def held_back(self, subject: int) -> tuple[int, int]:
        return self.held[subject], self.held_answers[subject]

    def forget(self, subject: int) -> None:
        self.forgotten.append(subject)


@dataclass
class OnDemand:
    """A namer that answers when the test says so."""

    asked: dict[int, Subject] = field(default_factory=dict)
    answers: list[Subject] = field(default_factory=list)
    lost: list[Loss] = field(default_factory=list)

    def request(self, cgroup: int, path: str, started_ns: int, attached_late: bool) -> None:
        name = path.rpartition("/")[2]
        self.asked[cgroup] = Subject(cgroup, path, "runc", name, started_ns=started_ns, attached_late=attached_late)

    def gone(self, cgroup: int) -> None: ...
    def take(self) -> list[Subject]:
        taken, self.answers = self.answers, []
        return taken

    def losses(self) -> list[Loss]:
        taken, self.lost = self.lost, []
        return taken


@dataclass
class Files:
    """A reader of files that answers when the test says so."""

    tasks: list[Task] = field(default_factory=list)
    done: list[Task] = field(default_factory=list)
    room: int = 1_000

    def put(self, task: Task) -> bool:
        if len(self.tasks) >= self.room:
            return False
        self.tasks.append(task)
        return True

    def take(self) -> list[Task]:
        taken, self.done = self.done, []
        return taken

    def losses(self) -> list[Loss]:
        return []


class Line:
    """One pipeline under test. ``store``: where its baselines are kept, else nowhere."""

    def __init__(
        self,
        store: BaselineStore | None = None,
        settings: Settings = SETTINGS,
        inventories: Inventories | None = None,
    ) -> None:
        self.kernel, self.namer, self.files, self.sink = WrittenDown(), OnDemand(), Files(), Collected()
        self.clock = CaptureClock(1_700_000_000 * NS)
        self.shelf = Shelf(store, settings.learn_seconds, settings.learn_quiet_seconds)
        self.learned: list[Shelved] = []
        self.paths: dict[int, str] = {}
        self.pipeline = Pipeline(
            settings,
            self.kernel,
            self.namer,
            self.shelf,
            self.sink,
            self.files,
            self.learned.append,
            self.paths.get,
            lambda pid: frozenset({"10.0.0.9"}) if pid else frozenset(),
            self.clock,
            inventories,
            lambda pid: frozenset({"10.96.0.10"}) if pid else frozenset(),
        )

    def feed(self, *records: bytes) -> None:
        """The kernel sends records."""
        self.pipeline.feed(list(records))

    def name(self, cgroup: int, **known: str | bool) -> Subject:
        """The engine answers; with no image digest in ``known`` the container has a baseline of its own."""
        subject = replace(self.namer.asked[cgroup], **known)  # type: ignore[arg-type]
        self.namer.answers.append(subject)
        self.pipeline.collect()
        return subject

    def wait(self, seconds: float) -> None:
        """Time passes, in ticks as in the agent."""
        end = self.clock.now + int(seconds * NS)
        while self.clock.now < end:
            self.clock.now = min(end, self.clock.now + NS // 4)
            self.pipeline.collect()
            self.pipeline.tick(self.clock.now)
            self.pipeline.account([])
            self.pipeline.tell_losses(self.clock.now)

    @property
    def told(self) -> list[tuple[Kind, str]]:
        """Kind and subject of every deviation so far, in order."""
        return [(one.kind, one.what) for one in self.deviations]

    @property
    def deviations(self) -> list[Deviation]:
        """Their latest forms."""
        return list(self.sink.deviations.values())

    def of(self, kind: Kind) -> list[Deviation]:
        """Those of one kind."""
        return [one for one in self.deviations if one.kind is kind]
