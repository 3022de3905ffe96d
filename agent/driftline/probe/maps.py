"""Reading and writing BPF maps by descriptor.

In: a descriptor and the sizes. Out: bytes. Layouts of the values are in ``layout``. Next: ``sensor``, ``counters``.
"""

from __future__ import annotations

import ctypes as c
import errno
from collections.abc import Iterator

from driftline.probe.libbpf import LIB, check


class Map:
    """One BPF map. Keys and values are bytes of exactly the map's sizes."""

    def __init__(self, descriptor: int, key_size: int, value_size: int) -> None:
        self.descriptor = descriptor
        self.key_size = key_size
        self.value_size = value_size

    def get(self, key: bytes) -> bytes | None:
        """The value, None when absent. Safe from any thread."""
        value = c.create_string_buffer(self.value_size)
        if LIB.bpf_map_lookup_elem(self.descriptor, key, value) < 0:
            return None
        return value.raw

    def put(self, key: bytes, value: bytes) -> bool:
        """Insert or replace; False when the map is full."""
        result = LIB.bpf_map_update_elem(self.descriptor, key, value, 0)
        if result in (-errno.E2BIG, -errno.ENOMEM):
            return False
        check(result, "map update")
        return True

    def drop(self, key: bytes) -> None:
        """Delete if there."""
        LIB.bpf_map_delete_elem(self.descriptor, key)

    def keys(self) -> Iterator[bytes]:
        """Every key; the map may change meanwhile."""
        following = c.create_string_buffer(self.key_size)
        key: bytes | None = None
        while LIB.bpf_map_get_next_key(self.descriptor, key, following) == 0:
            key = following.raw
            yield key
