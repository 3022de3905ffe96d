"""An event and its container → verdict, what is learned of it, what the kernel may remember of it.

In: events of named containers. Out: verdicts worth telling. Why apart from ``pipeline``: here the baselines of image
and workload meet the judge; there events, names and time come together. Next: ``pipeline`` tells.

What a workload adds to its image (connects, opens on volumes) has a baseline of its own, the overlay: what the image's
does not hold is judged by that one, and learned there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from driftline.baseline.behaviour import WRITE_BITS, behaviour_of, example_of
from driftline.baseline.inuse import InUse
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.matching import WRITE
from driftline.baseline.patterns.addresses import NOTHING_KNOWN, Surroundings, plain_address
from driftline.baseline.schema import State
from driftline.baseline.shelf import Shelf
from driftline.baseline.shelved import Shelved
from driftline.baseline.standing import TAINTED
from driftline.identify.lineage import Lineage
from driftline.inventories import Inventories
from driftline.nouns import (
    ConnectEvent,
    Event,
    ExecEvent,
    ExecImage,
    Kind,
    LoadEvent,
    OpenEvent,
    Origin,
    RecordFlag,
    Subject,
)
from driftline.ports import Evidence, Kernel, NoKernel
from driftline.postponed import Postponed, Ruling
from driftline.roster import Roster
from driftline.verdict.checks.execs import started_with
from driftline.verdict.failing import NO_CHECKS
from driftline.verdict.judge import decided, judge, judge_compared
from driftline.verdict.judge_contents import judge_contents
from driftline.verdict.judge_open import judge_open
from driftline.verdict.judge_script import Run
from driftline.verdict.outcome import EXPECTED, Verdict
from driftline.verdict.scripts import Scripts
from driftline.verdict.standing import REJECTED, UNCONFIRMED, learned_again
from driftline.verdict.taint import Taint
from driftline.verdict.worker import CompareTask, ContentsTask

ENTERED, IS_INIT, SNAPSHOT = int(RecordFlag.ENTERED), int(RecordFlag.IS_INIT), int(RecordFlag.SNAPSHOT)
_VOLUME, _IMAGE = Origin.VOLUME, Origin.IMAGE
_TAINTED = (TAINTED,)
_FILES = (OpenEvent, LoadEvent)


class Scene(NamedTuple):
    """What is known around one event."""

    surroundings: Surroundings = NOTHING_KNOWN
    inventory: Inventory | None = None  # of an exec's image
    preset: frozenset[str] = NO_CHECKS  # what an exec's container was started with
    image: ExecImage | None = None  # the program that connects
    run: Run | None = None  # the script an open is the beginning of


NOTHING_AROUND = Scene()


class Judging:
    """Belongs to the pipeline's thread. ``addresses``: a process's own addresses."""

    def __init__(
        self,
        kernel: Kernel,
        shelf: Shelf,
        roster: Roster,
        inventories: Inventories,
        worker: Evidence,
        addresses: Callable[[int], frozenset[str]],
        lineage: Lineage,
        expect_package_reads: bool = True,
    ) -> None:
        self._kernel, self._shelf, self._roster = kernel, shelf, roster
        self._inventories, self._worker, self._addresses = inventories, worker, addresses
        self._lineage, self._expect_package_reads = lineage, expect_package_reads
        self.wall_offset_ns = 0  # what to add to kernel time
        self.taint, self.scripts = Taint(), Scripts()
        self._in_use = InUse()
        self.postponed = Postponed(inventories)

    def judge(self, event: Event, subject: Subject) -> Ruling | None:
        """Judge, learn, let the kernel remember; return what is to be told."""
        shelved = self._shelf.of(subject)
        if isinstance(event, OpenEvent) and self._is_plain(event, subject, shelved):
            learns = shelved.learning is not None
            verdict = judge_open(event, subject, shelved.matcher, learns, shelved.excused)
            if verdict.kind is None and not learns:
                if verdict.cacheable and event.cache_key:
                    self._kernel.know_file(event.cache_key, event.cache_value)
                return None
            if verdict.kind is None or not _is_reviewed(shelved):
                if verdict.kind is Kind.FILE_READ_UNKNOWN and self._ships(event, subject, shelved, verdict):
                    verdict = EXPECTED
                return self._act(event, subject, shelved, verdict, NOTHING_KNOWN)
        return self._judge(event, subject, shelved)

    def _is_plain(self, event: OpenEvent, subject: Subject, shelved: Shelved) -> bool:
        """Whether an open has nothing to it but its image's baseline. Nearly all opens are such, and nearly all events
        are opens: what ``_judge`` asks besides would cost as much again."""
        if event.process.exec_id in self.scripts.runs and self.scripts.run_of(event) is not None:
            return False
        learning = shelved.learning
        if learning is None:
            known = shelved.matcher.opens.get(event.file.path, 0)
            if known & WRITE or (known and not event.access & WRITE_BITS):
                return True
        elif learning.why:
            return False
        return not _is_reviewed(shelved) and (event.file.origin is not _VOLUME or not subject.overlay)

    def _judge(self, event: Event, subject: Subject, shelved: Shelved) -> Ruling | None:
        scene = self._scene(event, subject)
        overlay = self._shelf.overlay_of(subject) if _is_added(event) else None
        first_run = shelved.first_run and overlay is None
        verdict = self._verdict(event, subject, shelved, first_run, scene, shelved.excused)
        if verdict.compare and isinstance(event, ExecEvent | LoadEvent):
            if self._worker.put(CompareTask(event, subject, self._roster.container(event.cgroup).init)):
                return None
            return self.compared(event, subject, None)
        if isinstance(event, ExecEvent | LoadEvent) or scene.run is not None:
            self._see_code(event, subject)
        if overlay is not None and verdict.kind is not None and REJECTED not in verdict.notes:
            excused = shelved.excused | overlay.excused
            verdict = self._verdict(event, subject, overlay, overlay.first_run, scene, excused)
            shelved = overlay
        return self._act(event, subject, shelved, verdict, scene.surroundings)

    def _scene(self, event: Event, subject: Subject) -> Scene:
        if isinstance(event, OpenEvent):
            run = self.scripts.run_of(event)
            return NOTHING_AROUND if run is None else Scene(run=run)
        if isinstance(event, ConnectEvent):
            surroundings = self._surroundings(event)
            self._roster.names.connected(event)
            return Scene(surroundings, image=self._lineage.image(event.process.exec_id))
        if isinstance(event, ExecEvent):
            inventory = self._inventories.of_exec(event, subject)
            if event.flags & (IS_INIT | SNAPSHOT) == IS_INIT and not event.by_path:
                self._shelf.started(subject, event.kernel_ns)
            return Scene(inventory=inventory, preset=self._preset(event))
        return NOTHING_AROUND

    def compared(self, event: Event, subject: Subject, same: bool | None) -> Ruling | None:
        """Judge what waited for a look into its file, see ``judge_compared``."""
        shelved, inventory = self._shelf.of(subject), self._inventories.of(subject)
        verdict = judge_compared(
            event, subject, shelved.matcher, shelved.first_run, same, inventory, shelved.excused, self._preset(event)
        )
        event = decided(event, same)
        self._see_code(event, subject)
        return self._act(event, subject, shelved, verdict, NOTHING_KNOWN)

    def _see_code(self, event: Event, subject: Subject) -> None:
        if isinstance(event, ExecEvent | LoadEvent | OpenEvent):
            self._inventories.see_code(event, subject, self._roster.container(event.cgroup).init)

    def examine(self) -> None:
        """Have some of the files that ran compared with what their packages recorded."""
        for task in self._inventories.code_to_compare():
            if not self._worker.put(task):
                self._inventories.contents.done(task)

    def examined(self, task: ContentsTask) -> Ruling | None:
        """Judge a file whose contents are known now."""
        self._inventories.contents.done(task)
        event, subject = task.event, task.subject
        shelved, inventory = self._shelf.of(subject), self._inventories.of(subject)
        if inventory is None:
            return None
        behaviour = behaviour_of(event)
        allowed = shelved.state is State.ACTIVE and behaviour is not None and behaviour in shelved.matcher
        learning = shelved.learning is not None
        verdict = judge_contents(
            event, subject, inventory, task.algorithm, task.digest, learning, shelved.excused, allowed
        )
        return None if verdict.kind is None else self._act(event, subject, shelved, verdict, NOTHING_KNOWN)

    def _verdict(
        self,
        event: Event,
        subject: Subject,
        shelved: Shelved,
        first_run: bool,
        scene: Scene,
        excused: frozenset[str],
    ) -> Verdict:
        verdict = judge(
            event,
            subject,
            shelved.matcher,
            first_run,
            scene.surroundings,
            scene.inventory,
            excused,
            scene.preset,
            scene.image,
            scene.run,
        )
        if verdict.kind is Kind.FILE_READ_UNKNOWN and self._ships(event, subject, shelved, verdict):
            return EXPECTED
        return verdict

    def _ships(self, event: Event, subject: Subject, shelved: Shelved, verdict: Verdict) -> bool:
        """Whether it only reads what a package in use ships, and nobody refused that."""
        if not self._expect_package_reads or not isinstance(event, OpenEvent) or REJECTED in verdict.notes:
            return False
        return self._in_use.expects(event, shelved, self._inventories.of(subject))

    def _act(
        self, event: Event, subject: Subject, shelved: Shelved, verdict: Verdict, surroundings: Surroundings
    ) -> Ruling | None:
        learns, tainted = shelved.learning is not None, False
        if not (learns or verdict.taints or isinstance(event, ExecEvent)):
            if verdict.cacheable and event.cache_key:
                self._remember(event)
            return None if verdict.kind is None else Ruling(verdict, shelved)
        if isinstance(event, ExecEvent):
            self.scripts.start(event, verdict)
        if learns or isinstance(event, ExecEvent) or verdict.taints:
            # what a workload adds may be learned while the image's is not
            tainted = self.taint.mark(event, verdict)
        verdict = _again(shelved, verdict, tainted)
        awaited = not tainted and UNCONFIRMED in verdict.notes and self._await(event, subject, shelved, verdict)
        if learns and (tainted or verdict.learn or verdict.review or verdict.kind is None):
            self._learn(event, subject, shelved, verdict, surroundings, tainted)
        if verdict.cacheable and event.cache_key and not tainted:
            self._remember(event)
        return None if verdict.kind is None or awaited else Ruling(verdict, shelved)

    def _await(self, event: Event, subject: Subject, shelved: Shelved, verdict: Verdict) -> bool:
        """Whether it is told when the image's packages are known, if they do not explain it. Asked before it is
        learned: a sighting confirms it."""
        behaviour = verdict.behaviour or behaviour_of(event)
        if behaviour is None or shelved.learning is None:
            return False
        entry = shelved.learning.baseline.entries.get(behaviour)
        package = entry.package if entry is not None else ""
        return self.postponed.hold(event, subject, Ruling(verdict, shelved), behaviour, package)

    def _learn(
        self,
        event: Event,
        subject: Subject,
        shelved: Shelved,
        verdict: Verdict,
        surroundings: Surroundings,
        tainted: bool,
    ) -> None:
        behaviour, learning = verdict.behaviour or behaviour_of(event, surroundings), shelved.learning
        if behaviour is not None and learning is not None:
            checks = verdict.checks if verdict.review else _TAINTED if tainted else ()
            wall_ns, entered = event.kernel_ns + self.wall_offset_ns, bool(event.flags & ENTERED)
            data = isinstance(event, OpenEvent) and event.file.origin is not _IMAGE
            example = example_of(event, behaviour)
            learning.observe(behaviour, wall_ns, subject, event.process, entered, checks, "", data, example)
            shelved.matcher = learning.matcher

    def _remember(self, event: Event) -> None:
        if isinstance(event, _FILES):
            self._kernel.know_file(event.cache_key, event.cache_value)
        elif isinstance(event, ExecEvent):
            self._kernel.know_exec(event.cache_key, event.cache_value)
        else:
            self._kernel.know_connect(event.cache_key)

    def _preset(self, event: Event) -> frozenset[str]:
        """What the container of an exec was started with."""
        if not isinstance(event, ExecEvent):
            return NO_CHECKS
        container = self._roster.container(event.cgroup)
        if event.flags & (IS_INIT | SNAPSHOT) == IS_INIT and not event.by_path:
            container.preset = started_with(event)
        return container.preset

    def _surroundings(self, event: ConnectEvent) -> Surroundings:
        container = self._roster.container(event.cgroup)
        if not container.own:  # nothing was readable: the process ended before we looked
            container.own = self._addresses(event.process.pid) or self._addresses(container.init)
        names = self._roster.names.of(event.cgroup, plain_address(event.address))
        return Surroundings(container.own, container.resolvers, names)

    def detach(self) -> None:
        """The sensor is closed: nothing can be written back any more."""
        self._kernel = NoKernel()


def _again(shelved: Shelved, verdict: Verdict, tainted: bool) -> Verdict:
    """The verdict, by a baseline that judges while it is learned again: quieter, but for what failed a check, and for
    what a program does that did (``tainted``)."""
    learning = shelved.learning
    if learning is None or not learning.why:
        return verdict
    return verdict._replace(review=bool(verdict.checks)) if tainted else learned_again(verdict, learning.why)


def _is_reviewed(shelved: Shelved) -> bool:
    """Whether people or an earlier image said more of it than what is expected."""
    matcher = shelved.matcher
    return bool(matcher.rejected or matcher.unconfirmed or (matcher.pending and shelved.learning is None))


def _is_added(event: Event) -> bool:
    """Whether it is of the things a workload adds to its image."""
    return isinstance(event, ConnectEvent) or (isinstance(event, OpenEvent) and event.file.origin is _VOLUME)
