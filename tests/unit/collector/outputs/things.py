"""What the tests of outputs share: stored deviations, a sender that does as it is told, a store in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from driftline.nouns import Deviation, ExecImage, File, Kind, Origin, Process
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.filters import DeviationFilter
from driftline_collector.outputs.sending import Taken
from driftline_collector.store import Page
from unit.wire import samples

PROCESS = Process(42, 42, 41, 1, 1, 0, 0, 0, "x")
FILE = File("/tmp/x", Origin.WRITABLE, 1, 2, 1, 0o100755, 1234)


def stored(revision: int = 7, **changes: Any) -> pb.StoredDeviation:
    """Return an exec as the store has it, with all its evidence."""
    values: dict[str, Any] = {
        "process": PROCESS,
        "file": FILE,
        "exe": "/tmp/x",
        "argv": ("/tmp/x", "-a", "b c"),
        "cwd": "/srv",
        "sha256": "ab" * 32,
        "ancestors": (ExecImage(1, 41, 1, "/bin/sh", ("sh",), 0, False),),
        "baseline": "sha256:" + "1" * 64,
        "notes": ("baseline partial: attached late",),
    }
    return wired(samples.deviation(**(values | changes)), revision)


def connect(revision: int = 8, **changes: Any) -> pb.StoredDeviation:
    """Return a connect as the store has it."""
    values: dict[str, Any] = {"kind": Kind.CONNECT_UNKNOWN, "what": "tcp 203.0.113.9:443", "process": PROCESS}
    ends = {"protocol": "tcp", "address": "203.0.113.9", "port": 443}
    return wired(samples.deviation(**(values | ends | changes)), revision)


def wired(deviation: Deviation, revision: int = 7) -> pb.StoredDeviation:
    """Return ``deviation`` as the store has it."""
    return pb.StoredDeviation(revision=revision, deviation=deviation_to_wire(deviation))


class Store:
    """Stored deviations in memory, read as ``Store.forward`` does it."""

    def __init__(self, items: Iterable[pb.StoredDeviation] = ()) -> None:
        self.items = list(items)
        self.store_id = "store"

    def add(self, count: int, **changes: Any) -> list[str]:
        """Store ``count`` new deviations; return their ids."""
        new = [stored(self.revision() + number, **changes) for number in range(1, count + 1)]
        self.items += new
        return [item.deviation.id for item in new]

    def revision(self) -> int:
        """Return the last one."""
        return max((item.revision for item in self.items), default=0)

    def read(self, wanted: DeviationFilter, after: int, last: int, limit: int) -> Page:
        """Return a page."""
        rows = [item for item in self.items if after < item.revision <= last][:limit]
        matches = [item for item in rows if wanted.matches(item.deviation)]
        return Page(matches, rows[-1].revision if len(rows) == limit else last)


class Receiver:
    """A sender that takes what it is given, unless ``answers`` (taken from the front) raise or say something else."""

    batch_deviations = 10
    batch_bytes = 1_000_000

    def __init__(self, *answers: Exception | Taken) -> None:
        self.answers = list(answers)
        self.poison: set[str] = set()
        self.refusal: Exception | None = None
        self.batches: list[list[str]] = []
        self.items: list[pb.StoredDeviation] = []
        self.attempts = 0

    @property
    def ids(self) -> list[str]:
        return [identity for batch in self.batches for identity in batch]

    def send(self, batch: Sequence[pb.StoredDeviation]) -> Taken:
        self.attempts += 1
        ids = [item.deviation.id for item in batch]
        if self.refusal is not None and self.poison & set(ids):
            raise self.refusal
        answer = self.answers.pop(0) if self.answers else Taken()
        if isinstance(answer, Exception):
            raise answer
        self.batches.append(ids)
        self.items += batch
        return answer

    def reopen(self) -> None: ...

    def close(self) -> None: ...
