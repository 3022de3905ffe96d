"""Batches on their way: sent, or about to be, and not acknowledged.

In: batches in order. Out: the same again after a lost connection; what is done once they are acknowledged. Why bounded
by its owner, ``backlog``: these, and only these, are held in memory beside the spool. Not thread-safe: its owner holds
a lock.
"""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

from driftline.wire.exposition import Histogram
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb


class _Sent(NamedTuple):
    batch: pb.Batch
    spooled: tuple[int, int] | None
    in_memory: int
    at: float  # time.monotonic()


class Window:
    """The batches, oldest first, with sequence numbers from 1."""

    def __init__(self) -> None:
        self._batches: deque[_Sent] = deque()
        self._sequence = 0
        self.acknowledged = Histogram()
        """From sending, or the first attempt to, until the acknowledgement."""
        self.deviations = 0
        """How many the batches hold."""

    def __len__(self) -> int:
        return len(self._batches)

    def add(self, batch: pb.Batch, spooled: tuple[int, int] | None, in_memory: int) -> None:
        """Give ``batch`` its number and keep it.

        ``spooled``: first and last sequence of the spool that are done once it is acknowledged; ``in_memory``: how many
        of its deviations are not in the spool.
        """
        self._sequence += 1
        batch.sequence = self._sequence
        self._batches.append(_Sent(batch, spooled, in_memory, time.monotonic()))
        self.deviations += len(batch.deviations)

    def after(self, sequence: int) -> pb.Batch | None:
        """Return the first batch with a greater number, None if there is none."""
        return next((one.batch for one in self._batches if one.batch.sequence > sequence), None)

    def acknowledge(self, sequence: int) -> list[tuple[int, int]]:
        """Forget batches up to ``sequence``; return what of the spool is done."""
        done = []
        while self._batches and self._batches[0].batch.sequence <= sequence:
            sent = self._batches.popleft()
            self.deviations -= len(sent.batch.deviations)
            self.acknowledged.observe(time.monotonic() - sent.at)
            if sent.spooled is not None:
                done.append(sent.spooled)
        return done

    @property
    def in_memory(self) -> int:
        """Deviations that are nowhere else on this node."""
        return sum(sent.in_memory for sent in self._batches)
