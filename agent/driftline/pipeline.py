"""Records in, deviations out: the stages in the order of the data, on one thread.

In: batches of record bytes from a ring or a capture, and the passing of time. Out: deviations to a sink, verdicts back
to the kernel's cache. Why one thread: the state of every stage is plain and unlocked; whatever may wait (engines,
files, collector) has its own thread and hands results over. Next: ``lifecycle`` drives it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from driftline.baseline.shelf import Shelf
from driftline.baseline.shelved import Shelved
from driftline.decode.record import decode
from driftline.errors import RecordError
from driftline.identify.addresses import own_addresses
from driftline.identify.lineage import Lineage
from driftline.identify.snapshot import Snapshot
from driftline.identify.waiting import WaitingRoom
from driftline.inventories import Inventories
from driftline.judging import Judging
from driftline.nouns import (
    CgroupChange,
    CgroupEvent,
    ConnectEvent,
    Deviation,
    DnsEvent,
    Event,
    ExecEvent,
    Kind,
    Loss,
    RecordFlag,
    Subject,
)
from driftline.ports import Clock, Evidence, Kernel, LiveClock, Namer, NoKernel
from driftline.postponed import Held, Ruling
from driftline.report.sink import Sink
from driftline.roster import Roster
from driftline.settings import Settings
from driftline.verdict.alike import name_pattern
from driftline.verdict.evidence import Context, deviation_of
from driftline.verdict.folding import Folder, brief_key
from driftline.verdict.gap import Gaps
from driftline.verdict.ownership import mismatch_of, ownership_notes
from driftline.verdict.refusal import Refused, refusal_of
from driftline.verdict.uuid7 import Uuid7
from driftline.verdict.worker import ContentsTask, HashTask
from driftline.wire.exposition import Histogram

_log = logging.getLogger(__name__)

NS = 1_000_000_000
UNSEEN = frozenset({"ring_full", "bucket_empty", "read_fault", "scratch", "recursion", "cgroups_full"})
UNSEEN |= {"waiting_full", "malformed", "failed", "named_late"}
"""Causes by which an event was not seen at all: a baseline learned meanwhile is not complete."""
NAMES_ONLY = "dns"
"""The hook whose losses hide nothing a container did: only names of addresses are missing then."""
IS_INIT = int(RecordFlag.IS_INIT)


@dataclass(slots=True)
class Figures:
    """Counts since the start, for heartbeats and the status file."""

    records: int = 0
    malformed: int = 0
    deviations: int = 0
    told: Histogram = field(default_factory=Histogram)
    """From the kernel's event to the sink."""


class Pipeline:
    """All stages of one agent. ``listener`` is told when an image's learning ends."""

    def __init__(
        self,
        settings: Settings,
        kernel: Kernel,
        namer: Namer,
        shelf: Shelf,
        sink: Sink,
        worker: Evidence,
        listener: Callable[[Shelved], None],
        path_of: Callable[[int], str | None],
        addresses: Callable[[int], frozenset[str]] = own_addresses,
        clock: Clock | None = None,
        inventories: Inventories | None = None,
        name_servers: Callable[[int], frozenset[str]] = lambda _pid: frozenset(),
        refused: Callable[[], list[Refused]] = list,
    ) -> None:
        self._settings = settings
        self._clock = clock or LiveClock()
        self._kernel, self._namer, self._shelf, self._sink, self._worker = kernel, namer, shelf, sink, worker
        self._listener, self._name_servers, self._refused = listener, name_servers, refused
        self._inventories = shelf.inventories = inventories or Inventories()
        self._roster = Roster(settings.watched_roots, kernel, namer, path_of, self._clock)
        self.subjects, self.lineage, self._waiting = self._roster.subjects, Lineage(), WaitingRoom()
        self.names = self._roster.names
        self._ids = Uuid7()
        self._folder = Folder(int(settings.fold_seconds * NS), settings.deviation_rate)
        self._digested: list[HashTask] = []  # since the last tick: what one thread reads in a quarter of a second
        self._gaps = Gaps(settings.node, self._ids)
        stages = (kernel, shelf, self._roster, self._inventories, worker, addresses, self.lineage)
        self.judging = Judging(*stages, settings.expect_package_reads)
        self._wall_offset = self.judging.wall_offset_ns = self._clock.wall_offset_ns()
        self.figures = Figures()
        self.lost: dict[tuple[str, str], int] = {}

    # --- events ------------------------------------------------------------------------------------------------------

    def feed(self, records: list[bytes]) -> None:
        """Take a batch of records."""
        self.figures.records += len(records)
        for record in records:
            try:
                self.take(decode(record))
            except RecordError:
                self.figures.malformed += 1
                self._lose([Loss("decode", "malformed", 1)])
            except Exception:  # noqa: BLE001 - see _failed
                self._failed()

    def take(self, event: Event | CgroupEvent | DnsEvent) -> None:
        """Take one event: hold it until its container has a name, or judge it."""
        if not isinstance(event, Event):
            self._take_other(event)
            return
        subject = self.subjects.get(event.cgroup) or self._roster.find(event.cgroup)
        if subject is None and self._roster.is_monitor(event.cgroup):
            return
        if isinstance(event, ExecEvent):
            self._take_exec(event)
        if subject is None:
            self._waiting.hold(event, self._clock.now_ns())
        elif (ruling := self.judging.judge(event, subject)) is not None:
            self._tell(event, subject, ruling)

    def _take_other(self, event: CgroupEvent | DnsEvent) -> None:
        """Take what no process of a container did."""
        if isinstance(event, DnsEvent):
            self._roster.hear(event)
            return
        self._roster.take(event)
        if event.change is CgroupChange.REMOVED:
            self._shelf.ended(event.cgroup)

    def _take_exec(self, event: ExecEvent) -> None:
        by = self.lineage.image(event.by_exec_id)
        if by is not None:
            event.by_path = by.path
        self.lineage.record(event)
        if event.flags & IS_INIT:
            container = self._roster.container(event.cgroup)
            if not container.init:  # its first program: nothing in it has run yet that could have changed the file
                container.resolvers = self._name_servers(event.process.pid)
            container.init = event.process.pid

    def appear(self, cgroup: int, subject: int, path: str, kernel_ns: int, attached_late: bool) -> bool:
        """A watched cgroup is there; return whether it is a container of its own. See ``Roster.appear``."""
        return self._roster.appear(cgroup, subject, path, kernel_ns, attached_late)

    def take_snapshot(self, snapshot: Snapshot) -> None:
        """Take what a container was doing before the agent came."""
        self.lineage.seed(snapshot.seeds)
        self._lose(snapshot.losses)
        for event in snapshot.events:
            process = event.process
            if isinstance(event, ExecEvent):
                self._kernel.relabel(process.pid, process.exec_id, event.flags)
            self.take(event)

    def collect(self) -> None:
        """Take what other threads finished: names of containers, digests, comparisons."""
        for subject in self._namer.take():
            self._take_name(subject)
        for task in self._worker.take():
            if isinstance(task, HashTask):
                self._digested.append(task)
            elif isinstance(task, ContentsTask):
                self._rule(task.event, task.subject, self.judging.examined(task))
            else:
                self._rule(task.event, task.subject, self.judging.compared(task.event, task.subject, task.same))

    def _take_name(self, subject: Subject) -> None:
        before = self.subjects.get(subject.cgroup)
        if not self.subjects.identify(subject):
            return
        if before is not None and before.baseline_key != subject.baseline_key:
            self._rename(before, subject)
        self._shelf.all_of(subject)  # a quiet container has baselines too
        self._release(subject.cgroup, subject)

    def _release(self, cgroup: int, subject: Subject) -> None:
        for event in self._waiting.release(cgroup):
            try:
                self._rule(event, subject, self.judging.judge(event, subject))
            except Exception:  # noqa: BLE001 - see _failed
                self._failed()

    def _rule(self, event: Event, subject: Subject, ruling: Ruling | None) -> None:
        if ruling is not None:
            self._tell(event, subject, ruling)

    def _failed(self) -> None:
        """A bug of ours: one odd event must not blind the node, nor pass in silence. The first is logged whole."""
        if ("pipeline", "failed") not in self.lost:
            _log.exception("an event could not be judged and counts as lost: please report this")
        self._lose([Loss("pipeline", "failed", 1)])

    def _rename(self, before: Subject, subject: Subject) -> None:
        """Its engine answered after the events had to go on: what the kernel knows of it holds for no baseline now."""
        unjudged = self._shelf.move(before, subject)
        self._lose([Loss("identify", "named_late", unjudged, subject.cgroup)] if unjudged else [])
        self._roster.bump_epoch(subject.cgroup)

    # --- telling -----------------------------------------------------------------------------------------------------

    def _tell(self, event: Event, subject: Subject, ruling: Ruling) -> None:
        verdict, shelved = ruling
        wall_ns = event.kernel_ns + self._wall_offset
        named = self.names.said(event) if isinstance(event, ConnectEvent) else ()
        judged = (shelved.version, shelved.learning is not None, shelved.reasons, named)
        pattern = name_pattern(event, verdict, lambda: self._inventories.of(subject))
        brief = brief_key(event, verdict, subject, judged, pattern)
        if brief is not None and self._folder.repeat(brief, event.kernel_ns, wall_ns, verdict.what):
            return
        if self._folder.over(subject, verdict, event.kernel_ns, wall_ns):
            return
        is_exec = isinstance(event, ExecEvent)
        exec_id = event.by_exec_id if isinstance(event, ExecEvent) else event.process.exec_id
        image = self.lineage.image(exec_id)
        above = self.lineage.ancestors(exec_id)
        context = Context(
            node=self._settings.node,
            wall_ns=wall_ns,
            subject=subject,
            baseline=shelved.version,
            learning=shelved.learning is not None,
            reasons=shelved.reasons,
            image=None if is_exec else image,
            ancestors=(image, *above) if is_exec and image else above,
            notes=self._notes(event, subject),
        )
        deviation = self._folder.offer(deviation_of(event, verdict, context, self._ids), brief, pattern)
        if deviation is None:
            return
        self._submit(deviation)
        self.figures.told.observe(max(0, self._clock.now_ns() - event.kernel_ns) / NS)
        if is_exec or verdict.kind is Kind.EXEC_DRIFT:  # of a script, what its interpreter opened
            # At once, and again with the digest: a responder should not wait for a disk
            self._worker.put(HashTask(deviation, self._roster.container(event.cgroup).init))

    def _tell_held(self, held: list[Held]) -> None:
        """Tell what waited for the packages of a new version of its image."""
        for one in held:
            self._tell(one.event, one.subject, one.ruling)

    def _notes(self, event: Event, subject: Subject) -> tuple[str, ...]:
        if isinstance(event, ConnectEvent):
            return self.names.notes(event)
        return ownership_notes(event, self._inventories.of(subject))

    def _submit(self, deviation: Deviation) -> None:
        self.figures.deviations += 1
        self._sink.submit(deviation)

    def _tell_digests(self) -> None:
        """Tell again, with the digest, what was told at once. Not the moment it is known: the first telling is on its
        way then, and the second would hold it up in every process it passes."""
        for task in self._digested:
            told = replace(task.deviation, sha256=task.sha256, sha256_note=task.note)
            self._folder.amend(task.deviation, told)
            self._sink.submit(told)
        self._digested.clear()

    def _tell_mismatches(self, now_ns: int) -> None:
        for subject, inventory in self._inventories.take_mismatches():
            wall_ns = now_ns + self._wall_offset
            self._submit(mismatch_of(inventory, subject, self._settings.node, wall_ns, now_ns, self._ids))

    def _tell_refused(self, now_ns: int) -> None:
        for one in self._refused():
            self._submit(refusal_of(one, self._settings.node, now_ns + self._wall_offset, now_ns, self._ids))

    # --- time --------------------------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """Let time pass (CLOCK_MONOTONIC): windows end, the unnamed go on unnamed, the dead are buried."""
        self._wall_offset = self.judging.wall_offset_ns = self._clock.wall_offset_ns()
        for shelved in self._shelf.advance(now_ns, now_ns + self._wall_offset):
            self._new_epoch(shelved)
            self._listener(shelved)
        self._tell_held(self.judging.postponed.take(now_ns))
        self._tell_digests()
        self.judging.examine()
        self._tell_mismatches(now_ns)
        self._tell_refused(now_ns)
        for update in self._folder.expire(now_ns):
            self._sink.submit(update)
        limit = int((self._settings.identify_seconds + 1) * NS)  # the namer itself gives up a second earlier
        for cgroup in self._waiting.overdue(now_ns, limit):
            self._unnamed(cgroup)
        for cgroup in self._roster.bury():
            self._shelf.gone(cgroup)
            self._inventories.contents.give_up(cgroup)
            self.lineage.forget(cgroup)

    def release_all(self) -> None:
        """Nobody will name anybody any more: judge what waits."""
        for cgroup in self._waiting.overdue(self._clock.now_ns(), 0):
            self._unnamed(cgroup)

    def _unnamed(self, cgroup: int) -> None:
        """Events of a cgroup nobody named, perhaps because the record of its birth was lost: told all the same."""
        subject = self.subjects.get(cgroup) or self._roster.nameless(cgroup)
        self.subjects.appear(cgroup, cgroup)
        self.subjects.identify(subject)
        self._release(cgroup, subject)

    def _new_epoch(self, shelved: Shelved) -> None:
        for subject in shelved.containers:
            self._roster.bump_epoch(subject)

    # --- losses ------------------------------------------------------------------------------------------------------

    def account(self, kernel_losses: list[Loss]) -> None:
        """Count what was lost since the last call: in the kernel, and in every stage."""
        stages = (self._roster, self._waiting, self.lineage, self._namer, self._worker, self._shelf, self._inventories)
        self._lose([*kernel_losses, *(loss for stage in stages for loss in stage.losses())])

    def _lose(self, losses: list[Loss]) -> None:
        for loss in losses:
            key = (loss.hook, loss.cause)
            self.lost[key] = self.lost.get(key, 0) + loss.count
            if loss.cause in UNSEEN and loss.hook != NAMES_ONLY:
                self._shelf.note_losses(loss.count, loss.cgroup)
        self._gaps.add(losses)

    def tell_losses(self, now_ns: int) -> None:
        """Report what was lost since the last call as coverage.gap."""
        for deviation in self._gaps.tell(now_ns + self._wall_offset, now_ns, self.subjects.get):
            told = self._folder.offer(deviation)
            if told is not None:
                self._submit(told)

    def counters(self) -> dict[str, int]:
        """How often a bound was reached that costs no event, only something beside it."""
        return {
            "pipeline.records": self.figures.records,
            "pipeline.deviations": self.figures.deviations,
            "verdict.folds_ended_early": self._folder.early,
            "verdict.held_back": self._folder.budgets.held_back,
            "verdict.repeats": self._folder.repeats,
            "verdict.taints_forgotten": self.judging.taint.evictions,
            "verdict.scripts_forgotten": self.judging.scripts.evictions,
            "verdict.contents_skipped": self._inventories.contents.skipped,
            "identify.images_forgotten": self.lineage.evictions,
            "identify.names_forgotten": self.names.evictions,
            "identify.layers_unknown": self._inventories.unplaced,
        }

    @property
    def waiting(self) -> int:
        """Events whose container has no name yet."""
        return self._waiting.count

    def detach(self) -> None:
        """The sensor is closed: nothing can be written back any more. What is still held can be judged."""
        self._kernel = NoKernel()
        self._roster.detach()
        self.judging.detach()

    def finish(self) -> None:
        """The end: whatever is still held goes out."""
        self._tell_held(self.judging.postponed.drain())
        self._tell_digests()
        for update in self._folder.drain():
            self._sink.submit(update)
        self._shelf.save()
