"""The thread of one output: reads the store on from its cursor, and delivers.

In: the store, read by revision. Out: batches in that order to one receiver. Why from the store and not from a queue:
an outage of the receiver costs neither memory nor deviations, for as long as the store keeps them, and no output can
slow down ingest or another output. A deviation that was folded meanwhile comes once, as the store has it now.
Next: ``delivery``.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector.filters import DeviationFilter
from driftline_collector.outputs.delivery import Delivery
from driftline_collector.outputs.gap import gap
from driftline_collector.outputs.progress import Progress
from driftline_collector.outputs.refusals import Refusals
from driftline_collector.outputs.sending import Sender
from driftline_collector.store import Page

_log = logging.getLogger(__name__)

READ_DEVIATIONS = 256
"""Deviations read at a time: some hundred KiB, and 256 MiB if each is as large as the wire allows."""

BREATH_SECONDS = 0.02
"""Pause after each read that found nothing more: bounds the questions to the store to fifty a second."""

LOOK_SECONDS = 1.0
"""Between looks at the store when nobody wakes us."""

AFTER_ERROR_SECONDS = 2.0
"""Pause after the store could not answer."""

STANDBY_SECONDS = 1.0
"""Between looks whether another collector, which sends this output, has gone."""

REMEMBERED = 10_000
"""Deviations remembered as sent, to leave out their updates; of a forgotten one an update is sent once more."""


@dataclass(frozen=True, slots=True)
class Source:
    """What an output needs of the store."""

    store_id: str
    revision: Callable[[], int]  # the last one that is committed and known here
    newest: Callable[[], int]  # the last one that anybody has committed; asks the store
    read: Callable[[DeviationFilter, int, int, int], Page]  # Store.forward
    hidden: Callable[[deviation_pb2.Deviation], bool] = lambda _deviation: False  # by a silence


@dataclass(frozen=True, slots=True)
class Wanted:
    """What goes to an output."""

    filter: DeviationFilter
    updates: bool  # whether repeats and digests of what was sent are sent too
    max_lag: int  # changes behind the newest, beyond which deviations are dropped; 0: never
    silenced: bool = False  # whether what a silence hides is sent too


class Runner:
    """One output called ``name``, between ``start`` and ``stop``."""

    def __init__(
        self,
        name: str,
        source: Source,
        wanted: Wanted,
        sender: Sender,
        progress: Progress,
        refusals: Refusals,
    ) -> None:
        self.name = name
        self.progress = progress
        self._source = source
        self._wanted = wanted
        self._sender = sender
        self._sent: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._removed = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._trouble = ""  # what was last said of the store
        self._stood_by = False
        self._delivery = Delivery(sender, progress, refusals, self._stopping, self._say)
        self._thread = threading.Thread(target=self._run, name=f"driftline-output-{name}"[:64], daemon=True)

    def start(self) -> None:
        """Start the thread. Where the output begins is settled before, if the store can be asked."""
        with suppress(StateError):  # the thread tries again, and says so
            self._ours()
        self._thread.start()

    def discard(self) -> None:
        """Let go of everything instead of starting."""
        self._sender.close()

    def wake(self) -> None:
        """Say that something was stored. Returns at once."""
        self._wake.set()

    def removed(self, places: Iterable[tuple[int, int]]) -> None:
        """Note revisions and severities that the retention takes away; those not sent yet never will be."""
        if not self.progress.sending:
            return
        least = self._wanted.filter.minimum_severity
        count = sum(revision > self.progress.revision and severity >= least for revision, severity in places)
        with self._lock:
            self._removed += count
            self.progress.state.counts.dropped_retention += count

    def reopen(self) -> None:
        """Use the file behind the name anew."""
        self._sender.reopen()

    def ask_to_stop(self) -> None:
        """Begin to stop; what is under way may end."""
        self._stopping.set()
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """Wait for the end of the thread, ``seconds`` at most: what is not acknowledged by then is sent again."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._say("did not stop in time; what it was sending will be sent again")

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                if not self._ours():
                    self._stopping.wait(STANDBY_SECONDS)
                    continue
                more = self._step()
                self._trouble = ""
            except StateError as error:
                self._complain(str(error.args[0]))
                more = not self._stopping.wait(AFTER_ERROR_SECONDS)
            except Exception:  # noqa: BLE001 - a bug in one output must not end it, nor the collector
                _log.exception("output %s", self.name)
                more = not self._stopping.wait(AFTER_ERROR_SECONDS)
            if not more:
                self.progress.save()
                self._wake.wait(LOOK_SECONDS)
                self._stopping.wait(BREATH_SECONDS)
        self.progress.save()
        self._sender.close()

    def _ours(self) -> bool:
        """Return whether this collector sends the output. Raises StateError if nobody knows."""
        if not self.progress.claim():
            self._stood_by = True
        elif self._stood_by:
            self._stood_by = False
            self._say(f"is sent by this collector from now on, after revision {self.progress.revision}")
        return self.progress.sending

    def _step(self) -> bool:
        """Send what one read finds; return whether there may be more."""
        newest, after = self._source.revision(), self.progress.revision
        if newest <= after:
            return False
        if not self._tell_removed(after):
            return False
        page = self._source.read(self._wanted.filter, after, newest, READ_DEVIATIONS)
        late = [item for item in page.deviations if self._is_late(item, newest)]
        if late and not self._tell_gap("lag", len(late), late[-1].revision):
            return False
        self.progress.state.counts.dropped_lag += len(late)
        for batch in self._batches(self._new(self._visible(page.deviations[len(late) :]))):
            if not self._delivery.deliver(batch):
                return False
            self._remember(batch)
        self.progress.reached(page.reached)
        return page.reached < newest

    def _is_late(self, item: pb.StoredDeviation, newest: int) -> bool:
        return 0 < self._wanted.max_lag <= newest - item.revision

    def _visible(self, items: Sequence[pb.StoredDeviation]) -> Sequence[pb.StoredDeviation]:
        """Return ``items`` without those a silence hides, unless this output wants them too."""
        if self._wanted.silenced:
            return items
        seen = [item for item in items if not self._source.hidden(item.deviation)]
        self.progress.state.counts.silenced += len(items) - len(seen)
        return seen

    def _new(self, items: Sequence[pb.StoredDeviation]) -> Sequence[pb.StoredDeviation]:
        """Return ``items`` without the updates of what was sent, if they are not wanted."""
        if self._wanted.updates:
            return items
        new = [item for item in items if _key(item) not in self._sent]
        self.progress.state.counts.updates_left_out += len(items) - len(new)
        return new

    def _remember(self, batch: Sequence[pb.StoredDeviation]) -> None:
        if self._wanted.updates:
            return
        self._sent.update((_key(item), None) for item in batch)
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    def _tell_gap(self, cause: str, count: int, revision: int) -> bool:
        """Tell the receiver that ``count`` deviations up to ``revision`` will never come; False: stopped before."""
        if not count:
            return True
        if not self._delivery.deliver([gap(self.name, cause, count, revision)]):
            return False
        self._say(f"{count} deviations were not sent ({cause})")
        return True

    def _tell_removed(self, revision: int) -> bool:
        with self._lock:
            count = self._removed
        if not self._tell_gap("retention", count, revision):
            return False
        with self._lock:
            self._removed -= count
        return True

    def _batches(self, chosen: Sequence[pb.StoredDeviation]) -> Iterator[list[pb.StoredDeviation]]:
        batch: list[pb.StoredDeviation] = []
        size = 0
        for item in chosen:
            batch.append(item)
            size += item.ByteSize()
            if size >= self._sender.batch_bytes or len(batch) >= self._sender.batch_deviations:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _complain(self, sentence: str) -> None:
        """Say once what the store is ill with."""
        if sentence != self._trouble:
            self._say(sentence)
        self._trouble = sentence

    def _say(self, sentence: str) -> None:
        _log.warning("output %s: %s", self.name, sentence)


def _key(item: pb.StoredDeviation) -> tuple[str, str]:
    return item.deviation.node, item.deviation.id
