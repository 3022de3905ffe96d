"""Opens and loads: bpf/sys_exit, bpf/io_uring, bpf/lsm, bpf/fentry → OpenEvent, LoadEvent.

In: record bytes. Out: events. Why one module for both: one C body (bpf/include/open.h) makes both. Next: identify.
"""

from __future__ import annotations

from driftline.decode.header import CACHEABLE, PATH_TRUNCATED, Head, process_of, unpack_file
from driftline.decode.path import join, text
from driftline.errors import RecordError
from driftline.nouns import File, LoadEvent, OpenEvent, Origin
from driftline.probe.layout import OPEN_BYTES

NAME_ONLY = 1 << 1


def file_path(raw: bytes, origin: Origin, flags: int) -> str:
    """Path of a file part: a memfd and a name as given are one text, everything else is a walk."""
    if flags & NAME_ONLY or origin is Origin.MEMFD:
        return text(raw)
    return join(raw, bool(flags & PATH_TRUNCATED))


def _file(record: bytes, head: Head) -> tuple[File, bytes, bytes, int]:
    if len(record) < OPEN_BYTES:
        raise RecordError(f"a file record of {len(record)} bytes, at least {OPEN_BYTES} expected")
    file, key, value, path_bytes, access = unpack_file(record, "")
    raw = record[OPEN_BYTES : OPEN_BYTES + path_bytes]
    if len(raw) < path_bytes:
        raise RecordError(f"a file record's path has {len(raw)} of {path_bytes} bytes")
    file.path = file_path(raw, file.origin, head[3])
    return (file, key, value, access) if head[3] & CACHEABLE else (file, b"", b"", access)


def decode_open(record: bytes, head: Head) -> OpenEvent:
    """An opened file."""
    file, key, value, access = _file(record, head)
    return OpenEvent(head[4], head[6], process_of(head), head[3], head[15], key, value, file, access)


def decode_load(record: bytes, head: Head) -> LoadEvent:
    """A file mapped executable."""
    file, key, value, _access = _file(record, head)
    return LoadEvent(head[4], head[6], process_of(head), head[3], head[15], key, value, file)
