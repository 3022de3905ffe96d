"""Any record → its event.

In: record bytes, from a ring or a capture. Out: an event. Raises RecordError for bytes that are no record of this ABI.
Next: identify.
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.decode.cgroup import decode_cgroup, decode_left
from driftline.decode.connect import decode_connect
from driftline.decode.dns import decode_dns
from driftline.decode.exec import decode_exec
from driftline.decode.file import decode_load, decode_open
from driftline.decode.header import Head, unpack_header
from driftline.errors import RecordError
from driftline.nouns import CgroupEvent, ConnectEvent, DnsEvent, ExecEvent, LeftEvent, LoadEvent, OpenEvent

AnyEvent = ExecEvent | OpenEvent | LoadEvent | ConnectEvent | LeftEvent | CgroupEvent | DnsEvent

DECODERS: dict[int, Callable[[bytes, Head], AnyEvent]] = {
    1: decode_exec,
    2: decode_open,
    3: decode_load,
    4: decode_connect,
    5: decode_cgroup,
    6: decode_cgroup,
    7: decode_left,
    8: decode_dns,
}


def decode(record: bytes) -> AnyEvent:
    """The event in ``record``."""
    head = unpack_header(record)
    decoder = DECODERS.get(head[1])
    if decoder is None:
        raise RecordError(f"a record of unknown kind {head[1]}")
    return decoder(record, head)
