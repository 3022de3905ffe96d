"""Captures: kernel records apart from notes, notes checked field by field, a bound on the time they claim."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.errors import RecordError
from driftline.nouns import Loss, Subject
from driftline.probe.capture import RECORD_BYTES, CaptureWriter
from driftline.probe.layout import ABI, HEADER
from driftline.source import (
    BATCH,
    CLOCK_KIND,
    LOSS_KIND,
    SUBJECT_KIND,
    clock_record,
    follow,
    loss_record,
    read_notes,
    replay,
    subject_record,
)

SUBJECT = Subject(7, "/default/x", "runc", "x", labels=(("a", "b"),), started_ns=5, attached_late=True)
texts = st.binary(max_size=20).map(os.fsdecode)


def capture(path: Path, *records: bytes) -> Path:
    with contextlib.closing(CaptureWriter(path)) as writer:
        writer.write(list(records))
    return path


def note(kind: int, payload: bytes) -> bytes:
    return HEADER.pack(ABI, kind, 0, 0, 1, 7, 7, 0, 0, *(0,) * 8, bytes(16)) + payload


@given(st.builds(Subject, st.integers(0, 2**64 - 1), texts, texts, texts, texts, texts, labels=st.just((("k", "v"),))))
def test_a_subject_comes_back(tmp_path_factory: pytest.TempPathFactory, subject: Subject) -> None:
    path = capture(tmp_path_factory.mktemp("source") / "x.cap", subject_record(subject, 1))
    assert read_notes(path).subjects == {subject.cgroup: subject}


def test_notes_apart_from_records(tmp_path: Path) -> None:
    kernel = [note(1, bytes(number)) for number in range(BATCH + 7)]
    notes = [clock_record(5, 105), subject_record(SUBJECT, 6), loss_record(Loss("open", "ring_full", 23), 9)]
    path = capture(tmp_path / "x.cap", *kernel[:3], *notes, *kernel[3:])
    found = read_notes(path)
    assert found.subjects == {7: SUBJECT}
    assert (found.losses, found.wall_offset_ns) == ([Loss("open", "ring_full", 23)], 100)
    assert [len(batch) for batch in replay(path)] == [BATCH, 7]
    assert [record for batch in replay(path) for record in batch] == kernel


def test_the_last_name_counts(tmp_path: Path) -> None:
    named = Subject(7, "/default/x", name="web")
    path = capture(tmp_path / "x.cap", subject_record(SUBJECT, 1), subject_record(named, 2))
    assert read_notes(path).subjects == {7: named}


def test_labels_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    many = tuple((f"label{number}", "x" * 4000) for number in range(20))
    record = subject_record(Subject(7, "/x", name="web", labels=many), 1)
    assert len(record) < RECORD_BYTES
    found = read_notes(capture(tmp_path / "x.cap", record)).subjects[7]
    assert (found.name, found.labels) == ("web", ())


def subject_with(**changes: Any) -> bytes:
    return json.dumps({"cgroup": 7, "cgroup_path": "/x"} | changes).encode()


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (SUBJECT_KIND, b""),
        (SUBJECT_KIND, b"[]"),
        (SUBJECT_KIND, b"\xff"),
        (SUBJECT_KIND, b"[" * 60_000),
        (SUBJECT_KIND, b'{"cgroup": 7}'),
        (SUBJECT_KIND, subject_with(cgroup="7")),
        (SUBJECT_KIND, subject_with(cgroup=-1)),
        (SUBJECT_KIND, subject_with(cgroup=True)),
        (SUBJECT_KIND, subject_with(cgroup=2**64)),
        (SUBJECT_KIND, subject_with(name=None)),
        (SUBJECT_KIND, subject_with(name="\ud800")),
        (SUBJECT_KIND, subject_with(attached_late=1)),
        (SUBJECT_KIND, subject_with(labels=[["a"]])),
        (SUBJECT_KIND, subject_with(labels=[["a", 1]])),
        (SUBJECT_KIND, subject_with(unheard_of=1)),
        (CLOCK_KIND, b"{}"),
        (CLOCK_KIND, b'{"wall_ns": 1.5}'),
        (LOSS_KIND, b'{"hook": "a", "cause": "b", "count": -1, "cgroup": 0}'),
        (LOSS_KIND, b'{"hook": 1, "cause": "b", "count": 1, "cgroup": 0}'),
    ],
)
def test_a_note_somebody_made_up_is_refused(tmp_path: Path, kind: int, payload: bytes) -> None:
    with pytest.raises(RecordError, match="malformed note"):
        read_notes(capture(tmp_path / "x.cap", note(kind, payload)))


def test_a_time_no_kernel_has_is_refused(tmp_path: Path) -> None:
    record = HEADER.pack(ABI, 1, 0, 0, 1 << 63, 7, 7, 0, 0, *(0,) * 8, bytes(16))
    with pytest.raises(RecordError, match="impossible time"):
        list(replay(capture(tmp_path / "x.cap", record)))


def test_following_ends_when_asked_and_reads_what_is_left() -> None:
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, b"x")
        asked = iter([False, False, True])
        batches = iter([[b"1"], [b"2"], [b"3"]])
        assert list(follow((read_end,), lambda: next(batches), lambda: next(asked))) == [[b"1"], [b"2"], [b"3"]]
    finally:
        os.close(read_end)
        os.close(write_end)
