"""One batch to one receiver, until it is taken.

In: a batch in the order of the store. Out: nothing of it is left: taken, or set aside because the receiver refuses it.
Why a refused batch is halved: one poisonous deviation must neither stop the others nor take them with it. Why refusals
are slowed down: a receiver that refuses everything is misconfigured, and must not use up what waits. Why batches shrink
after failures and grow after successes: a receiver that needs longer for a whole batch than the time limit would get it
again and again. Next: ``runner`` feeds it, ``progress`` counts.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from itertools import count

from driftline.errors import DriftlineError
from driftline.wire.backoff import Backoff
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.outputs.progress import Progress
from driftline_collector.outputs.refusals import Refusals
from driftline_collector.outputs.sending import Refused, Sender, Taken, Unavailable

_log = logging.getLogger(__name__)

LONGEST_WAIT = 30.0
"""Seconds between attempts at most: what waits is safe in the store, and a receiver that is back is soon noticed."""

LONGEST_ASKED = 300.0
"""Seconds a receiver may ask us to wait (Retry-After): a mistaken hour must not look like an outage of ours."""

FREE_REFUSALS = 10
"""Refusals in a row without a pause: poisonous deviations come in small groups."""

ATTEMPTS = 3
"""Attempts with the same batch before it is halved: a short outage must not make batches small."""

MOST = 4096
"""No limit: more than any output sends at once."""

Batch = Sequence[pb.StoredDeviation]


class Delivery:
    """Delivers through ``sender``; gives up only when ``stopping`` is set or another collector has become the one that
    sends. ``say`` is told of every change."""

    def __init__(
        self,
        sender: Sender,
        progress: Progress,
        refusals: Refusals,
        stopping: threading.Event,
        say: Callable[[str], None],
        backoff: Backoff | None = None,
    ) -> None:
        self._sender = sender
        self._progress = progress
        self._refusals = refusals
        self._stopping = stopping
        self._say = say
        self._backoff = backoff or Backoff(first=0.2, longest=LONGEST_WAIT)
        self._refused_in_a_row = 0
        self._limit = MOST  # deviations in a batch that this receiver manages, as far as known

    def deliver(self, batch: Batch) -> bool:
        """Return whether the whole batch is done with; False: given up before. The progress shows how far it went."""
        parts = [batch]
        while parts:
            part = parts.pop()
            if len(part) > self._limit:
                parts += [part[self._limit :], part[: self._limit]]
                continue
            try:
                taken = self._until_answered(part)
            except Refused as refusal:
                if len(part) > 1:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
                else:
                    self._set_aside(part[0], str(refusal))
                continue
            if taken is not None:
                self._count(part, taken)
            elif self._over():
                return False
            else:
                self._limit = max(1, len(part) // 2)
                parts.append(part)
        return True

    def _until_answered(self, part: Batch) -> Taken | None:
        """Try until the receiver takes or refuses ``part``; None: given up, or a smaller one may do better."""
        for attempt in count():
            if self._over() or (attempt >= ATTEMPTS and len(part) > 1):
                break
            try:
                taken = self._send(part)
            except Unavailable as trouble:
                self._progress.failed(str(trouble), self._say)
                self._stopping.wait(max(self._backoff.next(), min(trouble.after, LONGEST_ASKED)))
            else:
                self._backoff.reset()
                self._limit = min(MOST, self._limit * 2)
                self._progress.worked(self._say)
                return taken
        return None

    def _over(self) -> bool:
        return self._stopping.is_set() or not self._progress.holds()

    def _send(self, part: Batch) -> Taken:
        try:
            return self._sender.send(part)
        except (Refused, Unavailable):
            raise
        except OSError as error:
            raise Unavailable(error.strerror or str(error) or type(error).__name__) from error
        except DriftlineError as error:  # a newer agent's deviation, which this version cannot write in this form
            raise Refused(str(error.args[0])) from error
        except Exception as error:  # a bug of ours with these deviations: the others must go on
            if len(part) == 1:
                _log.exception("deviation %s cannot be sent", part[0].deviation.id)
            raise Refused(f"{type(error).__name__}: {error}") from error

    def _count(self, part: Batch, taken: Taken) -> None:
        self._refused_in_a_row = 0
        if taken.refused:
            self._say(f"the receiver refused {taken.refused} of {len(part)} deviations: {taken.reason}")
        self._progress.taken(part[-1].revision, len(part) - taken.refused, taken.refused)

    def _set_aside(self, item: pb.StoredDeviation, reason: str) -> None:
        self._refusals.keep(item, reason)
        if not self._refused_in_a_row:
            self._say(f"the receiver refuses deviation {item.deviation.id}: {reason}; it is set aside")
        self._progress.taken(item.revision, 0, 1)
        self._refused_in_a_row += 1
        if self._refused_in_a_row > FREE_REFUSALS:
            self._stopping.wait(self._backoff.next())
