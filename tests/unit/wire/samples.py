"""Deviations for tests: plain ones, and any at all (hypothesis)."""

from __future__ import annotations

import time
import uuid
from typing import Any

from hypothesis import strategies as st

from driftline.nouns import Deviation, ExecImage, File, Kind, Loss, Origin, Process, Severity, Subject

HOSTILE = "/tmp/\x1b[2J\u202e[bold red]\udcff\\x41\n"
"""Clears a terminal, reverses text, is rich markup, is not UTF-8, looks like an escape, breaks the line."""

SUBJECT = Subject(
    cgroup=7,
    cgroup_path="/kubepods/pod1/abc",
    engine="containerd",
    container_id="abc123" * 10,
    name="web",
    image="registry.local/nginx:1.25",
    image_digest="sha256:" + "0" * 64,
    namespace="shop",
    pod="web-0",
)


def deviation(**changes: Any) -> Deviation:
    """Return a plain deviation of now with ``changes``."""
    now = time.time_ns()
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "kind": Kind.EXEC_DRIFT,
        "severity": Severity.HIGH,
        "sentence": "/tmp/x ran, which is not from the image",
        "technique": "T1059",
        "what": "/tmp/x",
        "first_wall_ns": now,
        "last_wall_ns": now,
        "first_kernel_ns": 1,
        "last_kernel_ns": 2,
        "node": "node-a",
        "subject": SUBJECT,
        "baseline": "",
        "learning": False,
    }
    return Deviation(**(values | changes))


texts = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates included
_u32 = st.integers(0, 2**32 - 1)
_u64 = st.integers(0, 2**64 - 1)
_i64 = st.integers(-(2**63), 2**63 - 1)
_plain = st.text("abcdef0123456789-.", max_size=20)
_argv = st.lists(texts, max_size=3).map(tuple)

processes = st.builds(Process, _u32, _u32, _u32, _u64, _u64, _u32, _u32, _u32, texts)
files = st.builds(File, texts, st.sampled_from(Origin), _u64, _u64, _u64, _u32, _u64)
losses = st.builds(Loss, texts, texts, _i64, _u64)
images = st.builds(ExecImage, _u64, _u32, _u64, texts, _argv, _u32, st.booleans())
subjects = st.builds(
    Subject,
    cgroup=_u64,
    cgroup_path=texts,
    engine=texts,
    container_id=texts,
    name=texts,
    image=texts,
    image_digest=texts,
    namespace=texts,
    pod=texts,
    workload=texts,
    labels=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    started_ns=_i64,
    attached_late=st.booleans(),
)
deviations = st.builds(
    Deviation,
    id=_plain,
    kind=st.sampled_from(Kind),
    severity=st.sampled_from(Severity),
    sentence=texts,
    technique=_plain,
    what=texts,
    first_wall_ns=_i64,
    last_wall_ns=_i64,
    first_kernel_ns=_i64,
    last_kernel_ns=_i64,
    node=texts,
    subject=subjects,
    baseline=texts,
    learning=st.booleans(),
    count=_i64,
    process=st.none() | processes,
    argv=_argv,
    cwd=texts,
    tty=texts,
    exe=texts,
    ancestors=st.lists(images, max_size=2).map(tuple),
    file=st.none() | files,
    access=_u32,
    sha256=_plain,
    sha256_note=texts,
    protocol=texts,
    address=texts,
    port=_u32,
    flags=_u64,
    environment=_argv,
    loss=st.none() | losses,
    notes=_argv,
    checks=_argv,
)
