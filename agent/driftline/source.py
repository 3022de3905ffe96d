"""Where records come from: the running kernel, or a capture.

In: a file, or descriptors to wait on. Out: batches of kernel records, and what the maker of a capture noted beside
them: who each cgroup is, what time it was, what was lost. Why notes: a replay asks no engine and no clock, and knows
what it does not know. They are records of their own kinds, JSON behind the common header. Next: the commands, through
``pipeline`` or alone.
"""

from __future__ import annotations

import json
import select
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from driftline.errors import RecordError
from driftline.nouns import Loss, Subject
from driftline.probe.capture import RECORD_BYTES, read_capture
from driftline.probe.layout import ABI, HEADER

SUBJECT_KIND, CLOCK_KIND, LOSS_KIND = 64, 65, 66  # far from the kernel's own kinds
BATCH = 512
POLL_SECONDS = 0.2
MAX_NS = 1 << 62  # 146 years: no kernel has run for so long, no wall clock shows more
_TYPES = {"cgroup": int, "started_ns": int, "attached_late": bool, "labels": tuple}  # of Subject; the rest is text


def subject_record(subject: Subject, kernel_ns: int) -> bytes:
    """A note that names a container. Labels that do not fit a record are left out."""
    record = _note(SUBJECT_KIND, kernel_ns, subject.cgroup, asdict(subject))
    if len(record) > RECORD_BYTES:
        return subject_record(replace(subject, labels=()), kernel_ns)
    return record


def clock_record(kernel_ns: int, wall_ns: int) -> bytes:
    """A note of both clocks at one moment."""
    return _note(CLOCK_KIND, kernel_ns, 0, {"wall_ns": wall_ns})


def loss_record(loss: Loss, kernel_ns: int) -> bytes:
    """A note of what the capture lacks."""
    return _note(LOSS_KIND, kernel_ns, loss.cgroup, asdict(loss))


def _note(kind: int, kernel_ns: int, cgroup: int, values: dict[str, Any]) -> bytes:
    head = HEADER.pack(ABI, kind, 0, 0, kernel_ns, cgroup, cgroup, 0, 0, *(0,) * 8, bytes(16))
    return head + json.dumps(values).encode()


@dataclass(slots=True)
class Notes:
    """What the maker of a capture noted."""

    subjects: dict[int, Subject] = field(default_factory=dict)  # by cgroup, as named last
    losses: list[Loss] = field(default_factory=list)
    wall_offset_ns: int = 0  # Unix time minus kernel time; 0 where nobody noted it: times count from the start


def read_notes(path: Path) -> Notes:
    """The notes in a capture. Raises RecordError."""
    notes = Notes()
    for record in _records(path):
        kind = _kind(record)
        try:
            if kind == SUBJECT_KIND:
                subject = _subject(_values(record))
                notes.subjects[subject.cgroup] = subject
            elif kind == LOSS_KIND:
                notes.losses.append(_loss(_values(record)))
            elif kind == CLOCK_KIND:
                notes.wall_offset_ns = _number(_values(record), "wall_ns") - kernel_time(record)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RecordError(f"{path} holds a malformed note: {error}", "record it again") from error
    return notes


def _values(record: bytes) -> dict[str, Any]:
    values = json.loads(record[HEADER.size :])
    if not isinstance(values, dict):
        raise ValueError("no object")
    return values


def _number(values: dict[str, Any], name: str) -> int:
    value = values[name]
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise ValueError(f"{name} is no number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    value.encode("utf-8", "surrogateescape")  # ValueError for what no name on Linux can be
    return value


def _loss(values: dict[str, Any]) -> Loss:
    return Loss(_text(values["hook"]), _text(values["cause"]), _number(values, "count"), _number(values, "cgroup"))


def _subject(values: dict[str, Any]) -> Subject:
    values["labels"] = tuple((_text(name), _text(value)) for name, value in values.get("labels", ()))
    subject = Subject(**values)
    for one in fields(Subject):
        value, wanted = getattr(subject, one.name), _TYPES.get(one.name, str)
        if type(value) is not wanted:
            raise TypeError(f"{one.name} is no {wanted.__name__}")
        if wanted is str:
            _text(value)
        elif wanted is int:
            _number(values | {one.name: value}, one.name)
    return subject


def replay(path: Path) -> Iterator[list[bytes]]:
    """Batches of the kernel's records in a capture. Raises RecordError."""
    batch: list[bytes] = []
    for record in _records(path):
        if _kind(record) >= SUBJECT_KIND:
            continue
        if kernel_time(record) > MAX_NS:
            raise RecordError(f"{path} holds a record of an impossible time", "record it again")
        batch.append(record)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch


def _records(path: Path) -> Iterator[bytes]:
    try:
        yield from read_capture(path)
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error


def _kind(record: bytes) -> int:
    return record[2] if len(record) >= HEADER.size else 0


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
