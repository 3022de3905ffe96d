"""The sink of an agent without a collector: one JSON object per line.

In: deviations. Out: lines on a text stream, flushed at once. Why with a thread: a full pipe or a slow disk must not
hold up the pipeline. Next: whatever reads the lines (a log shipper, ``jq``).
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from driftline.nouns import Deviation, Loss
from driftline.report.queue import SeverityQueue
from driftline.report.sink import SinkFigures
from driftline.wire.exposition import Histogram
from driftline.wire.jsontext import deviation_to_json

_log = logging.getLogger(__name__)

LINES_AT_ONCE = 256
"""Lines per write: bounds what a failing write can lose, and the memory of one."""


class JsonLinesSink:
    """Writes to ``stream``, which stays open; at most ``capacity`` deviations wait. Implements ``sink.Sink``."""

    def __init__(self, stream: TextIO, capacity: int) -> None:
        self._stream = stream
        self._queue = SeverityQueue(capacity)
        self._losses: Counter[str] = Counter()
        self._writing = 0
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="driftline-jsonlines", daemon=True)

    def start(self) -> None:
        """See ``sink.Sink``."""
        self._thread.start()

    def submit(self, deviation: Deviation) -> None:
        """See ``sink.Sink``."""
        with self._changed:
            if self._queue.put(deviation) is not None:
                self._losses["queue_full"] += 1
            self._changed.notify()

    def heartbeat(self, losses: list[Loss], counters: dict[str, int], troubles: Sequence[str] = ()) -> None:
        """Nothing is written: the lines are deviations, and losses reach them as ``coverage.gap``."""

    def figures(self) -> SinkFigures:
        """See ``sink.Sink``: nobody acknowledges lines."""
        with self._changed:
            return SinkFigures(len(self._queue), self._writing, self._queue.capacity, False, {}, Histogram())

    def losses(self) -> list[Loss]:
        """See ``sink.Sink``."""
        with self._changed:
            return [Loss("report", cause, count) for cause, count in sorted(self._losses.items())]

    def stop(self, timeout: float) -> None:
        """See ``sink.Sink``."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout)
        with self._changed:
            if left := len(self._queue) + self._writing:
                self._losses["not_delivered"] = left

    def _run(self) -> None:
        while deviations := self._take():
            try:
                self._stream.write("".join(f"{deviation_to_json(deviation)}\n" for deviation in deviations))
                self._stream.flush()
            except (OSError, ValueError) as error:  # ValueError: the stream was closed
                self._failed(len(deviations), error)
            with self._changed:
                self._writing = 0

    def _take(self) -> list[Deviation]:
        """Wait for deviations; none means the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopping)
            waiting = (self._queue.pop() for _ in range(min(len(self._queue), LINES_AT_ONCE)))
            deviations = [deviation for deviation in waiting if deviation is not None]
            self._writing = len(deviations)
            return deviations

    def _failed(self, count: int, error: Exception) -> None:
        with self._changed:
            first = not self._losses["write_failed"]
            self._losses["write_failed"] += count
        if first:
            _log.warning("deviations cannot be written: %s; they are counted as lost", error)
