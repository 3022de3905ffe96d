"""Where records come from: the running kernel, or a capture.

In: settings, or a file. Out: a ``Source``: batches of records until told to stop. Why: events, capture, learn and check
do the same with both. Next: the commands, through ``pipeline`` or alone.
"""

from __future__ import annotations

import json
import select
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from driftline.errors import RecordError
from driftline.nouns import Loss, Subject
from driftline.probe.capture import read_capture
from driftline.probe.layout import ABI, HEADER

SUBJECT_KIND = 64  # made by user space: who a cgroup is, so that a capture needs no engine when it is replayed
BATCH = 512
POLL_SECONDS = 0.2


def subject_record(subject: Subject, kernel_ns: int) -> bytes:
    """A record that names a container."""
    head = HEADER.pack(ABI, SUBJECT_KIND, 0, 0, kernel_ns, subject.cgroup, subject.cgroup, 0, 0, *(0,) * 8, bytes(16))
    return head + json.dumps(asdict(subject)).encode()


def read_subject(record: bytes) -> Subject:
    """Reverse of ``subject_record``. Raises RecordError."""
    try:
        fields: dict[str, Any] = json.loads(record[HEADER.size :])
        fields["labels"] = tuple((name, value) for name, value in fields.get("labels", ()))
        return Subject(**fields)
    except (ValueError, TypeError) as error:
        raise RecordError(f"a subject record is malformed: {error}") from error


def is_subject(record: bytes) -> bool:
    """Whether a record was made by ``subject_record``."""
    return len(record) >= HEADER.size and record[2] == SUBJECT_KIND


class CaptureNamer:
    """Names containers from a capture's own records; what it does not name stays unnamed."""

    def __init__(self) -> None:
        self._found: list[Subject] = []

    def add(self, subject: Subject) -> None:
        """A subject record was read."""
        self._found.append(subject)

    def request(self, cgroup: int, path: str, started_ns: int, attached_late: bool) -> None:
        """Nobody to ask."""

    def gone(self, cgroup: int) -> None:
        """Nothing to do."""

    def take(self) -> list[Subject]:
        """Subjects read since the last call."""
        found, self._found = self._found, []
        return found

    def losses(self) -> list[Loss]:
        """None."""
        return []


def replay(path: Path) -> Iterator[list[bytes]]:
    """Batches of a capture's records. Raises RecordError."""
    batch: list[bytes] = []
    for record in read_capture(path):
        batch.append(record)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch


def kernel_time(record: bytes) -> int:
    """CLOCK_MONOTONIC of a record, ns."""
    return int(struct.unpack_from("<Q", record, 8)[0]) if len(record) >= HEADER.size else 0


def follow(
    epoll_fds: tuple[int, ...], read: Callable[[], list[bytes]], until: Callable[[], bool]
) -> Iterator[list[bytes]]:
    """Batches from the kernel until ``until`` says so; an empty one at least every POLL_SECONDS."""
    poller = select.epoll()
    for descriptor in epoll_fds:
        poller.register(descriptor, select.EPOLLIN)
    try:
        while not until():
            poller.poll(POLL_SECONDS)
            yield read()
        yield read()
    finally:
        poller.close()
