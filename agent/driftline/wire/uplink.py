"""An agent's stream to the collector, kept alive.

In: a ``Source`` of messages. Out: the same messages at the collector, acknowledgements back to the source. Why apart
from the source: what waits in memory today waits on disk tomorrow, and this does not change. One thread,
``driftline-uplink``; gRPC's own thread reads the source; over TLS a second one, ``driftline-certificates``, begins a
new connection when our certificate was replaced. Next: ``report.stream`` owns one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Protocol

from driftline.errors import DriftlineError
from driftline.wire.backoff import Backoff
from driftline.wire.client import CollectorClient, Stream
from driftline.wire.credentials import Link
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

_log = logging.getLogger(__name__)

CANCEL_SECONDS = 1.0
"""How long a cancelled call may take to end when the agent stops."""


RENEWAL_SECONDS = 5.0
"""How often the certificate's files are looked at: far sooner than an old one ends, and three stat calls."""


class Source(Protocol):
    """Where messages come from. Thread-safe."""

    def open(self) -> Iterator[pb.ReportRequest]:
        """Begin a connection: hello, then what was not acknowledged, then what comes. Ends after ``close``."""

    def close(self) -> None:
        """The connection is gone: end the iterator of the last ``open``."""

    def acknowledge(self, acknowledgement: pb.Acknowledgement) -> None:
        """The collector has stored everything up to this batch."""

    def hear(self, response: pb.ReportResponse) -> None:
        """The collector said something else, its welcome included."""

    def finish(self) -> None:
        """No more will come: the iterator ends once all is sent."""

    @property
    def done(self) -> bool:
        """Finished and everything acknowledged."""


class Uplink:
    """Delivers ``source`` over ``link`` until stopped, whatever happens to the connection.

    Where the link has several addresses, a connection that failed is followed by one to the next; what was not
    acknowledged goes there. Nobody goes back by himself: a collector that works is left only when it fails.
    """

    def __init__(self, link: Link, source: Source) -> None:
        self._link = link
        self._source = source
        self._backoff = Backoff()
        self._stop = threading.Event()
        self._call: Stream | None = None
        self._connected = False
        self._complained = ""  # about whom
        self._renewing = False
        self._thread = threading.Thread(target=self._run, name="driftline-uplink", daemon=True)
        self._renewal = threading.Thread(target=self._renew, name="driftline-certificates", daemon=True)

    def start(self) -> None:
        """Start delivering. An unreachable collector is no error: it is tried until ``stop``."""
        self._thread.start()
        if self._link.tls:
            self._renewal.start()

    def stop(self, timeout: float) -> None:
        """Deliver what is left for at most ``timeout`` seconds, then end."""
        self._source.finish()
        self._thread.join(timeout)
        self._stop.set()
        if (call := self._call) is not None:
            call.cancel()
        self._thread.join(CANCEL_SECONDS)
        if self._link.tls:
            self._renewal.join(CANCEL_SECONDS)

    @property
    def connected(self) -> bool:
        """Whether the collector has welcomed us on the present connection."""
        return self._connected

    def _run(self) -> None:
        while not self._stop.is_set() and not self._source.done:
            try:
                self._connect()
            except DriftlineError as error:
                self._complain(error)
            if not self._source.done:
                if not self._renewing:
                    self._link.advance()
                self._stop.wait(self._backoff.next())

    def _connect(self) -> None:
        self._renewing = False
        client = CollectorClient(self._link)
        try:
            self._call = client.report(self._source.open())
            if not self._stop.is_set():
                self._listen(self._call)
        finally:
            self._connected = False
            self._source.close()
            self._call = None
            client.close()

    def _listen(self, call: Stream) -> None:
        for response in call:
            if response.HasField("acknowledgement"):
                self._source.acknowledge(response.acknowledgement)
                continue
            if response.HasField("welcome"):
                self._welcomed()
            self._source.hear(response)

    def _welcomed(self) -> None:
        self._connected = True
        self._backoff.reset()
        if self._complained == self._link.target:
            _log.warning("collector %s is back", self._link.target)
        elif self._complained:
            _log.warning("deviations go to collector %s now", self._link.target)
        self._complained = ""

    def _complain(self, error: DriftlineError) -> None:
        """Say once per outage that deviations wait: what waits is counted and visible elsewhere."""
        if self._renewing:
            return
        if not self._complained and not self._stop.is_set():
            following = "trying the next" if self._link.choices > 1 else "trying again"
            _log.warning("%s; deviations wait, %s", error.args[0], following)
        self._complained = self._link.target

    def _renew(self) -> None:
        """Connect anew once our files have changed: what was not acknowledged is sent again, nothing is lost."""
        used = self._link.files()
        while not self._stop.wait(RENEWAL_SECONDS):
            if (now := self._link.files()) == used:
                continue
            used = now
            _log.warning("the certificate's files have changed: connecting anew to %s", self._link.target)
            self._renewing = True
            if (call := self._call) is not None:
                call.cancel()
