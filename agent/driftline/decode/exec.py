"""Execs: bpf/exec.bpf.c → ExecEvent.

In: record bytes. Out: events; ``by_path`` is empty until lineage fills it. Next: identify.
"""

from __future__ import annotations

from driftline.decode.file import file_path
from driftline.decode.header import CACHEABLE, CWD_TRUNCATED, Head, process_of, unpack_file
from driftline.decode.path import join, text
from driftline.errors import RecordError
from driftline.nouns import ExecEvent
from driftline.probe import environment
from driftline.probe.layout import EXEC, EXEC_BYTES, OPEN_BYTES

EXEC_ID = slice(32, 40)  # of the header


def _arguments(raw: bytes) -> tuple[str, ...]:
    if not raw:
        return ()
    parts = raw.removesuffix(b"\0").split(b"\0")
    return tuple(part.decode("utf-8", "surrogateescape") for part in parts)


def decode_exec(record: bytes, head: Head) -> ExecEvent:
    """A committed program image."""
    if len(record) < EXEC_BYTES:
        raise RecordError(f"an exec record of {len(record)} bytes, at least {EXEC_BYTES} expected")
    file, _key, value, path_bytes, _access = unpack_file(record, "")
    key, by, capabilities, variables, *sizes, inet, unix, tty = EXEC.unpack_from(record, OPEN_BYTES)
    texts, at = [], EXEC_BYTES
    for size in (path_bytes, *sizes):
        texts.append(record[at : at + size])
        at += size
    if len(record) < at:
        raise RecordError(f"an exec record of {len(record)} bytes, its texts need {at}")
    path, cwd, argv, invoked, interpreter = texts
    file.path = file_path(path, file.origin, head[3])
    cacheable = head[3] & CACHEABLE
    return ExecEvent(
        head[4],
        head[6],
        process_of(head),
        head[3],
        head[15],
        key if cacheable else b"",
        value + record[EXEC_ID] if cacheable else b"",  # struct exec_value
        file,
        text(invoked),
        text(interpreter),
        _arguments(argv),
        join(cwd, bool(head[3] & CWD_TRUNCATED)),
        text(tty),
        environment.names(variables),
        inet,
        unix,
        by,
        "",
        capabilities,
    )
