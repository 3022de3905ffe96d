"""The part all records share.

In: record bytes. Out: the header's fields, Process, File. Raises RecordError for bytes of another ABI.
Next: the hooks' decoders.
"""

from __future__ import annotations

from driftline.errors import RecordError
from driftline.nouns import File, Origin, Process
from driftline.probe.layout import ABI, FILE, HEADER

KIND_OFFSET = 2
ORIGINS = (
    Origin.UNKNOWN,
    Origin.IMAGE,
    Origin.WRITABLE,
    Origin.COPYUP,
    Origin.ROOTFS,
    Origin.VOLUME,
    Origin.TMPFS,
    Origin.PSEUDO,
    Origin.MEMFD,
    Origin.DELETED,
    Origin.HOST,
)
PATH_TRUNCATED = 1 << 0
CACHEABLE = 1 << 13
CWD_TRUNCATED = 1 << 14

# abi kind hook flags kernel_ns cgroup subject exec_id start_ns pid tid ppid uid gid euid epoch pad comm
Head = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, bytes]


def unpack_header(record: bytes) -> Head:
    """Fields of the header in the order of record_header."""
    if len(record) < HEADER.size:
        raise RecordError(f"a record of {len(record)} bytes, at least {HEADER.size} expected")
    head: Head = HEADER.unpack_from(record)
    if head[0] != ABI:
        raise RecordError(f"a record of ABI {head[0]}, this version reads {ABI}")
    return head


def process_of(head: Head) -> Process:
    """Process of a record."""
    comm = head[17].partition(b"\0")[0].decode("utf-8", "surrogateescape")
    return Process(head[9], head[10], head[11], head[8], head[7], head[12], head[13], head[14], comm)


def unpack_file(record: bytes, path: str) -> tuple[File, bytes, bytes, int, int]:
    """(File, cache key, cache value, path_bytes, access) of a record with a file part."""
    key, value, size, device, links, mode, path_bytes, origin, access = FILE.unpack_from(record, HEADER.size)
    number = int.from_bytes(value[8:16], "little")
    known = ORIGINS[origin] if origin < len(ORIGINS) else Origin.UNKNOWN
    return File(path, known, device, number, links, mode, size), key, value, path_bytes, access
