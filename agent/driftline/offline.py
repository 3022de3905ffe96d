"""The pipeline over a capture: no kernel, no engines, no root.

In: a capture, a shelf of baselines. Out: deviations in a list. Why the same pipeline: what is checked in a build is
what runs on the node. Next: ``learn`` and ``check``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from driftline.baseline.shelf import Shelf
from driftline.nouns import Deviation, Loss
from driftline.pipeline import Pipeline
from driftline.settings import Settings
from driftline.source import CaptureNamer, is_subject, kernel_time, read_subject, replay
from driftline.verdict.worker import CompareTask, HashTask, Task


class NoKernel:
    """Nothing to write back to."""

    def know_file(self, key: bytes, value: bytes) -> None: ...
    def know_exec(self, key: bytes, value: bytes) -> None: ...
    def know_connect(self, key: bytes) -> None: ...
    def trace(self, cgroup: int, subject: int, tree: bool, epoch: int = 0) -> bool:
        """Everything fits."""
        return True

    def untrace(self, cgroup: int) -> None: ...
    def set_epoch(self, cgroups: Iterable[int], subject: int, epoch: int) -> None: ...
    def relabel(self, pid: int, exec_id: int, flags: int) -> None: ...

    def held_back(self, subject: int) -> int:
        """Nothing is held back."""
        return 0

    def forget(self, subject: int) -> None: ...


class NoEvidence:
    """The files of a capture's containers are not here: no digests, no comparisons."""

    def put(self, task: HashTask | CompareTask) -> bool:
        """Not possible."""
        return False

    def take(self) -> list[Task]:
        """None."""
        return []

    def losses(self) -> list[Loss]:
        """None."""
        return []


class Collected:
    """A sink that keeps the latest form of each deviation, in order."""

    def __init__(self) -> None:
        self.deviations: dict[str, Deviation] = {}

    def start(self) -> None: ...
    def submit(self, deviation: Deviation) -> None:
        """Keep."""
        self.deviations[deviation.id] = deviation

    def heartbeat(self, losses: list[Loss], counters: dict[str, int]) -> None: ...
    def losses(self) -> list[Loss]:
        """None."""
        return []

    def stop(self, timeout: float) -> None: ...


def run(path: Path, settings: Settings, shelf: Shelf) -> list[Deviation]:
    """Feed a capture through the pipeline; time passes as its records say. Raises RecordError."""
    sink, namer = Collected(), CaptureNamer()
    pipeline = Pipeline(
        settings,
        NoKernel(),
        namer,
        shelf,
        sink,
        NoEvidence(),
        lambda _shelved: None,
        lambda _cgroup: None,
        lambda _pid: frozenset(),
    )
    now = 0
    batches = list(replay(path))
    for batch in batches:  # names first: they were found after the first events they explain
        for record in filter(is_subject, batch):
            subject = read_subject(record)
            namer.add(subject)
            pipeline.appear(subject.cgroup, subject.cgroup, subject.cgroup_path, 0, subject.attached_late)
    pipeline.collect()
    for batch in batches:
        records = [record for record in batch if not is_subject(record)]
        for record in records:
            now = max(now, kernel_time(record))
        pipeline.feed(records)
        pipeline.tick(now)
        pipeline.account([])
        pipeline.tell_losses(now)
    pipeline.release_all()
    pipeline.finish()
    return list(sink.deviations.values())
