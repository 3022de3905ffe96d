"""The pipeline over a capture: no kernel, no engines, no root.

In: a capture, a shelf of baselines. Out: deviations in a list. Why the same pipeline: what is checked in a build is
what runs on the node. All time is the capture's own, so the same capture always gives the same result. Next:
``driftline baseline learn`` and ``check``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from driftline.baseline.shelf import Shelf
from driftline.decode.header import unpack_header
from driftline.errors import RecordError
from driftline.nouns import Deviation, Loss, Subject
from driftline.pipeline import Pipeline
from driftline.ports import NoEvidence, NoKernel
from driftline.report.sink import SinkFigures
from driftline.settings import Settings
from driftline.source import Notes, kernel_time, read_notes, replay
from driftline.wire.exposition import Histogram

Choose = Callable[[Subject], Subject | None]
"""Whom a container is judged as; None: not at all."""

TICK_NS = 250_000_000
SLICE = 512  # records fed at once
_SUBJECT = 6  # place in a record's header of the cgroup its container was made with


class NotedNames:
    """Names containers from the capture's own notes; whom they do not name stays unnamed."""

    def __init__(self, notes: Notes) -> None:
        self._known = notes.subjects
        self._found: list[Subject] = []

    def request(self, cgroup: int, path: str, started_ns: int, attached_late: bool) -> None:
        """Find the note."""
        if cgroup in self._known:
            self._found.append(self._known[cgroup])

    def gone(self, cgroup: int) -> None:
        """Nothing to do."""

    def take(self) -> list[Subject]:
        """Subjects found since the last call."""
        found, self._found = self._found, []
        return found

    def losses(self) -> list[Loss]:
        """None."""
        return []


class CaptureClock:
    """Time as the records tell it."""

    def __init__(self, wall_offset_ns: int) -> None:
        self._offset = wall_offset_ns
        self.now = 0

    def now_ns(self) -> int:
        """Kernel time of the latest record so far."""
        return self.now

    def wall_offset_ns(self) -> int:
        """As noted in the capture."""
        return self._offset


class Collected:
    """A sink that keeps the latest form of each deviation, in order."""

    def __init__(self) -> None:
        self.deviations: dict[str, Deviation] = {}

    def start(self) -> None: ...
    def submit(self, deviation: Deviation) -> None:
        """Keep."""
        self.deviations[deviation.id] = deviation

    def heartbeat(self, losses: list[Loss], counters: dict[str, int], troubles: Sequence[str] = ()) -> None: ...
    def figures(self) -> SinkFigures:
        """Nothing waits."""
        return SinkFigures(0, 0, 0, False, {}, Histogram())

    def losses(self) -> list[Loss]:
        """None."""
        return []

    def stop(self, timeout: float) -> None: ...


def run(path: Path, settings: Settings, shelf: Shelf, choose: Choose | None = None) -> list[Deviation]:
    """Feed a capture through the pipeline; with ``choose``, only the containers it returns.

    Raises RecordError, also for a single record that is none.
    """
    notes = read_notes(path)
    if choose is not None:
        chosen = {cgroup: choose(subject) for cgroup, subject in notes.subjects.items()}
        notes.subjects = {cgroup: subject for cgroup, subject in chosen.items() if subject is not None}
    sink, clock = Collected(), CaptureClock(notes.wall_offset_ns)
    pipeline = Pipeline(
        replace(settings, deviation_rate=0),  # whoever asks what a capture holds wants all of it
        NoKernel(),
        NotedNames(notes),
        shelf,
        sink,
        NoEvidence(),
        lambda _shelved: None,
        lambda cgroup: notes.subjects[cgroup].cgroup_path if cgroup in notes.subjects else None,
        lambda _pid: frozenset(),
        clock,
    )
    for subject in notes.subjects.values():
        if subject.attached_late:  # no record tells of its birth
            pipeline.appear(subject.cgroup, subject.cgroup, subject.cgroup_path, 0, attached_late=True)
    _feed(path, pipeline, clock, None if choose is None else frozenset(notes.subjects))
    pipeline.release_all()
    pipeline.account(notes.losses)  # now, when it is known whose baselines they spoil
    pipeline.tell_losses(clock.now)
    pipeline.finish()
    return list(sink.deviations.values())


def _feed(path: Path, pipeline: Pipeline, clock: CaptureClock, only: frozenset[int] | None) -> None:
    for records in _slices(path, only):
        clock.now = max(clock.now, *map(kernel_time, records))
        pipeline.collect()
        pipeline.feed(records)
        if pipeline.figures.malformed:
            raise RecordError(f"{path} holds records that are none of this version's", "record it again")
        pipeline.collect()
        pipeline.tick(clock.now)
        pipeline.account([])
        pipeline.tell_losses(clock.now)


def _slices(path: Path, only: frozenset[int] | None) -> Iterator[list[bytes]]:
    """Records of at most TICK_NS together, of the containers ``only``: time passes as often as it does in the agent."""
    together: list[bytes] = []
    end = 0
    for record in chain.from_iterable(replay(path)):
        if only is not None and unpack_header(record)[_SUBJECT] not in only:
            continue
        if together and kernel_time(record) >= end:
            yield together
            together = []
        if not together:
            end = kernel_time(record) + TICK_NS
        together.append(record)
        if len(together) == SLICE:
            yield together
            together = []
    if together:
        yield together
