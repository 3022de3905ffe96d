"""The ring reader: bytes out of the kernel.

In: a ring's descriptor. Out: lists of records as bytes, in order. The callback copies and appends, nothing else: it
must not raise (libbpf would see -1 and stop the batch). libbpf goes on while data arrives, so a batch is bounded in the
callback. Next: ``sensor``.
"""

from __future__ import annotations

import ctypes as c

from driftline.errors import HostError
from driftline.probe.libbpf import LIB, SampleCallback

BATCH = 8192  # records per read: bounds both memory and the time until the control ring is looked at again


class Ring:
    """One BPF ring buffer."""

    def __init__(self, descriptor: int) -> None:
        self._batch: list[bytes] = []
        self._callback = SampleCallback(self._take)
        self._handle = LIB.ring_buffer__new(descriptor, self._callback, None, None)
        if not self._handle:
            raise HostError("the ring buffer cannot be mapped", "raise the memory limit of this container or service")
        self.epoll_fd: int = LIB.ring_buffer__epoll_fd(self._handle)

    def _take(self, _context: object, data: int, size: int, string_at=c.string_at) -> int:  # type: ignore[no-untyped-def]
        batch = self._batch
        batch.append(string_at(data, size))
        return -1 if len(batch) >= BATCH else 0

    def read(self) -> list[bytes]:
        """What is there now, at most BATCH records."""
        batch: list[bytes] = []
        self._batch = batch
        LIB.ring_buffer__consume(self._handle)
        return batch

    def close(self) -> None:
        """Unmap."""
        LIB.ring_buffer__free(self._handle)
