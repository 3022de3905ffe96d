"""Deviations on their way to the collector, kept in memory until acknowledged.

In: deviations and heartbeats from any thread. Out: messages for the uplink, in order; after a lost connection what was
not acknowledged comes again under its old sequence number. Why apart from the uplink: a spool on disk takes this
module's place (it is one ``wire.uplink.Source``). Next: ``stream`` wires it to the uplink.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator

from driftline.nouns import Deviation, Loss
from driftline.report.queue import SeverityQueue
from driftline.wire import service
from driftline.wire.convert import deviation_to_wire, loss_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2

WINDOW_BATCHES = 8
"""Batches sent and not acknowledged: enough to keep the collector busy, few enough to bound memory at about 8 MiB."""

HEARTBEAT_LOSSES = 1000
"""Losses told one by one in a heartbeat: some causes for each of hundreds of containers, in about 40 KiB."""


class Backlog:
    """Implements ``wire.uplink.Source``. ``hello`` opens every connection; at most ``capacity`` deviations wait."""

    def __init__(self, hello: pb.Hello, capacity: int) -> None:
        self._hello = hello
        self._queue = SeverityQueue(capacity)
        self._unacknowledged: deque[pb.Batch] = deque()
        self._unacknowledged_deviations = 0
        self._heartbeat: pb.Heartbeat | None = None
        self._losses: Counter[str] = Counter()
        self._sequence = 0
        self._connection = 0
        self._finishing = False
        self._changed = threading.Condition()
        self._building = threading.Lock()  # one connection at a time turns deviations into batches

    def put(self, deviation: Deviation) -> None:
        """Add ``deviation``. When full, the oldest of the lowest severity is given up and counted."""
        with self._changed:
            if self._queue.put(deviation) is not None:
                self._losses["queue_full"] += 1
            self._changed.notify_all()

    def put_heartbeat(self, heartbeat: pb.Heartbeat) -> None:
        """Send ``heartbeat`` next, in place of one that still waits."""
        with self._changed:
            heartbeat.queue.CopyFrom(self._figures())
            self._heartbeat = heartbeat
            self._changed.notify_all()

    def losses(self) -> list[Loss]:
        """Return what was given up, by cause."""
        with self._changed:
            return [Loss("report", cause, count) for cause, count in sorted(self._losses.items())]

    def abandon(self) -> None:
        """Count all that is left as not delivered: the agent ends."""
        with self._changed:
            if left := len(self._queue) + self._unacknowledged_deviations:
                self._losses["not_delivered"] = left

    def open(self) -> Iterator[pb.ReportRequest]:
        """See ``wire.uplink.Source``."""
        with self._changed:
            self._connection += 1
            return self._messages(self._connection)

    def close(self) -> None:
        """See ``wire.uplink.Source``."""
        with self._changed:
            self._connection += 1
            self._changed.notify_all()

    def finish(self) -> None:
        """See ``wire.uplink.Source``."""
        with self._changed:
            self._finishing = True
            self._changed.notify_all()

    @property
    def done(self) -> bool:
        """See ``wire.uplink.Source``."""
        with self._changed:
            return self._finishing and not self._queue and not self._unacknowledged

    def acknowledge(self, acknowledgement: pb.Acknowledgement) -> None:
        """See ``wire.uplink.Source``."""
        with self._changed:
            while self._unacknowledged and self._unacknowledged[0].sequence <= acknowledgement.sequence:
                self._unacknowledged_deviations -= len(self._unacknowledged.popleft().deviations)
            if acknowledgement.rejected:
                self._losses["rejected"] += acknowledgement.rejected
            self._changed.notify_all()

    def _messages(self, connection: int) -> Iterator[pb.ReportRequest]:
        yield pb.ReportRequest(hello=self._hello)
        sent = 0
        while (message := self._next(connection, sent)) is not None:
            sent = max(sent, message.batch.sequence)
            yield message

    def _next(self, connection: int, sent: int) -> pb.ReportRequest | None:
        """Wait for the next message on ``connection``, which has sent batches up to ``sent``; None when it ends."""
        with self._building:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._something(connection, sent))
                    if self._connection != connection:
                        return None
                    if (message := self._ready(sent)) is not None:
                        return message
                    if not self._queue:
                        return None
                self._build()

    def _something(self, connection: int, sent: int) -> bool:
        return (
            self._connection != connection
            or self._heartbeat is not None
            or self._unsent(sent) is not None
            or (bool(self._queue) and len(self._unacknowledged) < WINDOW_BATCHES)
            or (self._finishing and not self._queue)
        )

    def _ready(self, sent: int) -> pb.ReportRequest | None:
        if (heartbeat := self._heartbeat) is not None:
            self._heartbeat = None
            return pb.ReportRequest(heartbeat=heartbeat)
        batch = self._unsent(sent)
        return None if batch is None else pb.ReportRequest(batch=batch)

    def _unsent(self, sent: int) -> pb.Batch | None:
        return next((batch for batch in self._unacknowledged if batch.sequence > sent), None)

    def _build(self) -> None:
        """Turn what waits into one batch. Not under ``_changed``: escaping takes time, and ``put`` never waits."""
        batch, size = pb.Batch(), 0
        while len(batch.deviations) < service.BATCH_DEVIATIONS and size < service.BATCH_BYTES:
            with self._changed:
                deviation = self._queue.pop()
            if deviation is None:
                break
            if (message := self._encode(deviation)) is not None:
                batch.deviations.append(message)
                size += message.ByteSize()
        if batch.deviations:
            with self._changed:
                self._sequence += 1
                batch.sequence = self._sequence
                self._unacknowledged.append(batch)
                self._unacknowledged_deviations += len(batch.deviations)

    def _encode(self, deviation: Deviation) -> deviation_pb2.Deviation | None:
        try:
            message = deviation_to_wire(deviation)
        except (ValueError, TypeError):  # a number its field cannot hold must not end the stream for all others
            cause = "unencodable"
        else:
            if message.ByteSize() <= service.DEVIATION_BYTES:
                return message
            cause = "too_large"
        with self._changed:
            self._losses[cause] += 1
        return None

    def _figures(self) -> pb.QueueFigures:
        return pb.QueueFigures(
            waiting=len(self._queue),
            unacknowledged=self._unacknowledged_deviations,
            capacity=self._queue.capacity,
        )


def make_heartbeat(losses: list[Loss], counters: dict[str, int], providers: dict[str, str]) -> pb.Heartbeat:
    """Return the message for one heartbeat; a loss named twice (same hook, cause, cgroup) is told once.

    Beyond HEARTBEAT_LOSSES the smallest are added up by hook and cause, no longer attributed to a cgroup.
    """
    unique = {(loss.hook, loss.cause, loss.cgroup): loss for loss in losses}
    largest = sorted(unique.values(), key=lambda loss: loss.count, reverse=True)
    sums: Counter[tuple[str, str]] = Counter()
    for loss in largest[HEARTBEAT_LOSSES:]:
        sums[loss.hook, loss.cause] += loss.count
    told = [*largest[:HEARTBEAT_LOSSES], *(Loss(hook, cause, count) for (hook, cause), count in sums.items())]
    return pb.Heartbeat(losses=map(loss_to_wire, told), counters=counters, hook_providers=providers)
