"""Deviations on their way to the collector, kept until acknowledged.

In: deviations and heartbeats from any thread. Out: messages for the uplink; after a lost connection what was not
acknowledged comes again under its old sequence number. With a spool each deviation is written to it before it is sent,
and what no connection takes is only there; without one, or while its disk refuses, the memory queue keeps them. Why
apart from the uplink: that one needs only a ``wire.uplink.Source``. Next: ``stream`` wires it to the uplink.

Order: a batch holds entries in order. A backlog of up to ORDERED entries goes out before anything newer. A longer one
takes turns with what is live, each in its own order: the ids (UUIDv7) tell the order of both together.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.message import DecodeError

from driftline.nouns import Deviation, Loss
from driftline.report.queue import SeverityQueue
from driftline.report.sink import SinkFigures
from driftline.report.spool import Item, Spool
from driftline.report.window import Window
from driftline.wire import service
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2

if TYPE_CHECKING:
    from driftline.report.exchange import Exchange

_log = logging.getLogger(__name__)

WINDOW_BATCHES = 8
"""Batches sent and not acknowledged: enough to keep the collector busy, few enough to bound memory at about 8 MiB."""

BACKLOG_BATCHES = 4
"""Of these, from the backlog: what is live waits behind four batches at most, a fifth of a second."""

ORDERED = 4096
"""Longest backlog in entries that goes out before what is live: the collector stores it in less than half a second."""

BUSY_SECONDS = 0.1
"""How long what is live is left to a connection that took or acknowledged something: a batch takes half of it."""

RETRY_SECONDS = 5.0
"""Pause before a disk that refused is tried again."""


class _Encoded(NamedTuple):
    severity: int
    message: deviation_pb2.Deviation


class Backlog:
    """Implements ``wire.uplink.Source``; ``hello`` opens every connection, ``capacity`` deviations fit into memory.

    ``spooled``: nothing is sent until ``attach`` has brought the spool, or said that there is none.
    ``exchange``: of baselines, which get what time is left.
    """

    def __init__(self, hello: pb.Hello, capacity: int, spooled: bool = False, exchange: Exchange | None = None) -> None:
        self._hello = hello
        self._exchange = exchange
        self._queue = SeverityQueue(capacity)
        self._held: list[_Encoded] = []  # taken from the queue, refused by the disk; at most one batch
        self._window = Window()
        self._heartbeat: pb.Heartbeat | None = None
        self._losses: Counter[str] = Counter()
        self._connection = 0
        self._finishing = False
        self._changed = threading.Condition()
        self._building = threading.Lock()  # one thread at a time takes deviations out: order is kept
        self._in_hand = False
        self._spool: Spool | None = None
        self._opening = spooled
        self._retry_at = 0.0  # time.monotonic() before which the disk is not asked
        self._flowing = False  # the present connection takes batches: gRPC asks for one once the hello is on its way
        self._live_was_last = False
        self._parted = False  # the present connection said goodbye
        self._moved = 0.0  # time.monotonic() at which a connection took or brought something
        self.work = threading.Event()
        """Set when the keeper has something to do."""
        if exchange is not None:
            exchange.poke = self._look_again

    # --- the agent's side --------------------------------------------------------------------------------------------

    def put(self, deviation: Deviation) -> None:
        """Add ``deviation``. When full, the oldest of the lowest severity is given up and counted."""
        with self._changed:
            if self._queue.put(deviation) is not None:
                self._losses["queue_full"] += 1
            self._changed.notify_all()
        self.work.set()

    def put_heartbeat(self, heartbeat: pb.Heartbeat) -> None:
        """Send ``heartbeat`` next, in place of one that still waits."""
        with self._changed:
            heartbeat.queue.CopyFrom(self._figures())
            self._heartbeat = heartbeat
            self._changed.notify_all()

    def losses(self) -> list[Loss]:
        """Return what was given up, by cause."""
        with self._changed:
            own = [Loss("report", cause, count) for cause, count in sorted(self._losses.items())]
        return own + (self._spool.losses() if self._spool else [])

    def counters(self) -> dict[str, int]:
        """Return the spool's figures, none without one."""
        return self._spool.counters() if self._spool else {}

    def abandon(self) -> None:
        """Count all that is only in memory as not delivered: the agent ends."""
        with self._changed:
            if left := len(self._queue) + len(self._held) + self._window.in_memory:
                self._losses["not_delivered"] = left

    def figures(self, connected: bool) -> SinkFigures:
        """Return how delivery goes; ``connected`` is the uplink's to say."""
        with self._changed:
            queue = self._figures()
        return SinkFigures(
            queue.waiting, queue.unacknowledged, queue.capacity, connected, self.counters(), self._window.acknowledged
        )

    def _figures(self) -> pb.QueueFigures:
        spooled = self._spool.unsent if self._spool else 0
        return pb.QueueFigures(
            waiting=max(0, len(self._queue) + len(self._held) + spooled),
            unacknowledged=self._window.deviations,
            capacity=self._queue.capacity,
        )

    # --- the keeper's side -------------------------------------------------------------------------------------------

    def attach(self, spool: Spool | None) -> None:
        """Use ``spool`` from now on; None: there is none at present."""
        with self._changed:
            self._spool, self._opening = spool, False
            self._changed.notify_all()

    def keep(self, everything: bool = False) -> None:
        """Write what waits in memory to the spool, unless a connection is busy taking it."""
        with self._taking_out():
            while self.waiting:
                if self._send_early():
                    continue
                if (self._busy() and not everything) or not self._store():
                    break

    def _busy(self) -> bool:
        """Whether a connection is about to take what waits: then it need not become part of the backlog."""
        moving = time.monotonic() - self._moved < BUSY_SECONDS
        return moving and 2 * len(self._queue) < self._queue.capacity

    def _send_early(self) -> bool:
        """Make a batch of what is live before the connection asks for it: it must not fall behind a long backlog."""
        spool = self._spool
        if spool is None or not (self._flowing and self._overtaken(spool) and len(self._window) < WINDOW_BATCHES):
            return False
        self._send_live()
        return True

    @property
    def waiting(self) -> bool:
        """Whether deviations wait in memory."""
        return bool(self._queue or self._held)

    @property
    def down(self) -> bool:
        """Whether the disk refused a moment ago."""
        return time.monotonic() < self._retry_at

    # --- the uplink's side -------------------------------------------------------------------------------------------

    def open(self) -> Iterator[pb.ReportRequest]:
        """See ``wire.uplink.Source``."""
        with self._changed:
            self._connection += 1
            self._flowing = False
            return self._messages(self._connection)

    def close(self) -> None:
        """See ``wire.uplink.Source``."""
        with self._changed:
            self._connection += 1
            self._flowing, self._moved = False, 0.0
            self._changed.notify_all()
        if self._exchange is not None:
            self._exchange.close()

    def hear(self, response: pb.ReportResponse) -> None:
        """See ``wire.uplink.Source``."""
        if self._exchange is not None:
            self._exchange.hear(response)

    def _look_again(self) -> None:
        with self._changed:
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
            return self._finishing and not self._left() and not self._window

    def acknowledge(self, acknowledgement: pb.Acknowledgement) -> None:
        """See ``wire.uplink.Source``."""
        with self._changed:
            self._moved = time.monotonic()
            done = self._window.acknowledge(acknowledgement.sequence)
            if acknowledgement.rejected:
                self._losses["rejected"] += acknowledgement.rejected
            self._changed.notify_all()
        if self._spool is not None:  # not under ``_changed``: ``put`` never waits for a disk
            for first, last in done:
                self._spool.acknowledge(first, last)
            self.work.set()

    def _messages(self, connection: int) -> Iterator[pb.ReportRequest]:
        yield pb.ReportRequest(hello=self._hello)
        sent = 0
        self._parted = False
        while (message := self._next(connection, sent)) is not None:
            sent = max(sent, message.batch.sequence)
            yield message

    def _next(self, connection: int, sent: int) -> pb.ReportRequest | None:
        """Wait for the next message on ``connection``, which has sent batches up to ``sent``; None when it ends."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._something(connection, sent))
                if self._connection != connection:
                    return None
                if (message := self._ready(sent)) is not None:
                    return message
                if self._finishing and not self._left():
                    return None
            with self._taking_out():
                self._build()

    def _something(self, connection: int, sent: int) -> bool:
        return (
            self._connection != connection
            or self._heartbeat is not None
            or self._window.after(sent) is not None
            or self._buildable()
            or self._exchange_ready()
            or (self._finishing and (not self._parted or not self._left()))
        )

    def _ready(self, sent: int) -> pb.ReportRequest | None:
        if self._finishing and not self._parted:  # at once: what is left may take longer than we have
            self._parted = True
            return pb.ReportRequest(goodbye=pb.Goodbye())
        if (heartbeat := self._heartbeat) is not None:
            self._heartbeat = None
            return pb.ReportRequest(heartbeat=heartbeat)
        if (batch := self._window.after(sent)) is None:
            return None if self._buildable() else self._of_exchange()
        self._flowing = True
        return pb.ReportRequest(batch=batch)

    def _exchange_ready(self) -> bool:
        return self._exchange is not None and not self._finishing and self._exchange.ready(idle=not self._left())

    def _of_exchange(self) -> pb.ReportRequest | None:
        """What there is to say about baselines, now that no deviation can be sent."""
        return self._exchange.next(idle=not self._left()) if self._exchange and not self._finishing else None

    def _left(self) -> bool:
        """Whether anything was not sent yet."""
        return self.waiting or self._in_hand or self._opening or (self._spool is not None and self._spool.more)

    def _buildable(self) -> bool:
        """Whether there is something to send and room in the window for it."""
        if self._opening:
            return False
        live = self.waiting and len(self._window) < WINDOW_BATCHES
        return live or self._backlog_next()

    def _backlog_next(self) -> bool:
        return self._spool is not None and self._spool.more and len(self._window) < BACKLOG_BATCHES

    @contextmanager
    def _taking_out(self) -> Iterator[None]:
        """One thread at a time; meanwhile something may be neither where it was nor where it goes: we are not done."""
        with self._building:
            with self._changed:
                self._in_hand = True
            try:
                yield
            finally:
                with self._changed:
                    self._in_hand = False
                    self._changed.notify_all()

    # --- making batches, under ``_taking_out`` -----------------------------------------------------------------------

    def _build(self) -> None:
        """Make one batch, or bring what must keep its order to disk. Escaping takes time: not under ``_changed``."""
        spool = self._spool
        if not self._buildable():  # another connection's thread was faster
            return
        if self.waiting and spool is not None and spool.more and not self.down:
            if not self._overtaken(spool):
                self._store()
            elif not (self._live_was_last and self._backlog_next()):
                return self._send_live()
        elif self.waiting:
            return self._send_live()
        if spool is not None and self._backlog_next():
            self._send_backlog(spool)

    def _overtaken(self, spool: Spool) -> bool:
        """Whether the backlog is too long to make what is live wait for its end."""
        return spool.unsent > ORDERED and spool.may_overtake

    def _send_live(self) -> None:
        """Put what waits in memory into a batch, after it was written to the spool."""
        taken = self._take()
        first, written = self._write(taken, overtaking=True)
        batch = pb.Batch()
        batch.deviations.extend(one.message for one in taken)
        self._live_was_last = True
        self._moved = time.monotonic()
        self._send(batch, (first, first + written - 1) if written else None, len(taken) - written)

    def _send_backlog(self, spool: Spool) -> None:
        """Put the spool's next entries into a batch."""
        self._live_was_last = False
        chunk = spool.read(service.BATCH_DEVIATIONS, service.BATCH_BYTES)
        if chunk is None:
            return
        batch = pb.Batch()
        for entry in chunk.entries:
            try:
                batch.deviations.append(deviation_pb2.Deviation.FromString(entry.payload))
            except DecodeError:  # the checksum was right: another version wrote something else
                cause = "undecodable"
                self._lose(cause)
        self._send(batch, (chunk.first, chunk.last), 0)

    def _send(self, batch: pb.Batch, spooled: tuple[int, int] | None, in_memory: int) -> None:
        if batch.deviations:
            with self._changed:
                self._window.add(batch, spooled, in_memory)
        elif spooled and self._spool:
            self._spool.acknowledge(*spooled)

    def _store(self) -> bool:
        """Bring up to one batch from memory to disk; False if that cannot be done now."""
        taken = self._take()
        _first, written = self._write(taken, overtaking=False)
        self._held = taken[written:]
        return not self._held

    def _write(self, taken: list[_Encoded], overtaking: bool) -> tuple[int, int]:
        """Write to the spool if there is a disk for it; return the first sequence and how many were written."""
        spool = self._spool
        if spool is None or self.down or not taken:
            return 0, 0
        items = [Item(one.severity, one.message.id, one.message.SerializeToString()) for one in taken]
        first, written = spool.append(items, overtaking)
        if (trouble := spool.trouble) is not None:
            if not self._retry_at:
                _log.warning("the spool cannot be written (%s): deviations wait in memory", trouble.strerror or trouble)
            self._retry_at = time.monotonic() + RETRY_SECONDS
        elif self._retry_at:
            _log.warning("the spool can be written again")
            self._retry_at = 0.0
        return first, written

    def _take(self) -> list[_Encoded]:
        """Return what waits in memory, up to a batch."""
        taken, size = self._held, 0
        self._held = []
        while len(taken) < service.BATCH_DEVIATIONS and size < service.BATCH_BYTES:
            with self._changed:
                deviation = self._queue.pop()
            if deviation is None:
                break
            if (encoded := self._encode(deviation)) is not None:
                taken.append(encoded)
                size += encoded.message.ByteSize()
        return taken

    def _encode(self, deviation: Deviation) -> _Encoded | None:
        try:
            message = deviation_to_wire(deviation)
        except (ValueError, TypeError):  # a number its field cannot hold must not end the stream for all others
            cause = "unencodable"
        else:
            if message.ByteSize() <= service.DEVIATION_BYTES:
                return _Encoded(deviation.severity.rank, message)
            cause = "too_large"
        self._lose(cause)
        return None

    def _lose(self, cause: str) -> None:
        with self._changed:
            self._losses[cause] += 1
