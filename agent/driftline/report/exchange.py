"""What agent and collector say to each other about baselines: a state machine without threads of its own.

In: what the collector says (``hear``), the list of baselines in use (``offer``), what ``courier`` made of a task. Out:
messages for the stream (``next``), tasks for the courier (``task``). Why apart from ``backlog``: that one decides when
there is time for them, after every deviation. One whole goes out at a time, one comes in at a time; what a lost
connection cut short begins anew on the next one. Next: ``courier`` reads and writes the disk.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from driftline.report.incoming import Incoming
from driftline.text import unescape
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import PieceError, parts

MAX_TASKS = 64
"""Wholes and revocations that wait to be taken. A collector waits for each answer, so there is one; more fail."""
MAX_WHOLES = 4
"""Of these, wholes: each is a file."""
MAX_ENVELOPE = 1024 * 1024
"""Bytes of a signed revocation: names, a reason, some signatures."""
_LEARNED = frozenset({baseline_pb2.BASELINE_STATE_CANDIDATE, baseline_pb2.BASELINE_STATE_ACTIVE})


class Upload(NamedTuple):
    """Read a baseline the collector wants."""

    name: str
    version: str
    revision: int


class Receive(NamedTuple):
    """Take a published baseline, or (``file`` None) a revocation. ``connection``: to which the answer goes."""

    connection: int
    part: baseline_pb2.BaselinePart | None  # the last one, without its data
    file: Path | None
    revocation: baseline_pb2.Revocation | None

    @property
    def outcome(self) -> baseline_pb2.BaselineOutcome:
        """The answer, but for what became of it."""
        what = self.part or self.revocation
        assert what is not None
        return baseline_pb2.BaselineOutcome(name=what.name, version=what.version, revocation=self.part is None)


class Exchange:
    """Thread-safe. ``poke`` is called, without a lock held, when there may be something to send."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming  # the uplink's thread alone
        self._failed_part = False  # of the whole that comes in: nothing more is said of it
        self._changed = threading.Condition()
        self._connection = 0
        self._welcome = False  # the present connection's collector takes part
        self._offer: baseline_pb2.BaselinesInUse | None = None
        self._offer_is_sent = False
        self._outcomes: deque[baseline_pb2.BaselineOutcome] = deque(maxlen=MAX_TASKS)
        self._wanted: dict[Upload, str] = {}  # in the order they were asked for: the name as on the wire
        self._out: Iterator[baseline_pb2.BaselinePart] | None = None
        self._next_part: baseline_pb2.BaselinePart | None = None
        self._tasks: deque[Receive] = deque()
        self._ended = False
        self.counts: Counter[str] = Counter()
        """Of heartbeats."""
        self.poke: Callable[[], None] = _nobody

    # --- the collector's words: the uplink's thread ------------------------------------------------------------------

    def hear(self, response: pb.ReportResponse) -> None:
        """Take what the collector says; what concerns others is passed over."""
        if response.HasField("welcome"):
            self._begin(response.welcome.takes_baselines)
        elif not self._welcome:
            return
        elif response.HasField("baseline_wanted"):
            self._want(response.baseline_wanted)
        elif response.HasField("baseline_part"):
            self._take_part(response.baseline_part)
        elif response.HasField("revocation"):
            self._take_revocation(response.revocation)

    def close(self) -> None:
        """The connection is gone. The next one begins with nothing under way."""
        with self._changed:
            self._connection += 1
            self._welcome, self._out, self._next_part = False, None, None
            self._wanted.clear()
            self._outcomes.clear()
            dropped, self._tasks = self._tasks, deque()
        self._incoming.drop()
        for task in dropped:
            remove(task)

    def _begin(self, welcome: bool) -> None:
        with self._changed:
            self._welcome, self._offer_is_sent = welcome, False
        self.poke()

    def _want(self, wanted: baseline_pb2.BaselineWanted) -> None:
        """Only what was listed is sent, and only what is learned."""
        with self._changed:
            listed = self._offer.baselines if self._offer is not None else ()
            for one in listed:
                if (one.name, one.version, one.revision) == (wanted.name, wanted.version, wanted.revision):
                    if one.state in _LEARNED:
                        self._wanted[Upload(unescape(one.name), one.version, one.revision)] = one.name
                    break
            self._changed.notify_all()

    def _take_part(self, part: baseline_pb2.BaselinePart) -> None:
        if part.offset == 0:
            self._failed_part = False
        try:
            file = self._incoming.take(part)
        except (PieceError, OSError) as error:
            if not self._failed_part:
                why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
                self._fail(Receive(self._connection, _without_data(part), None, None), why)
            self._failed_part = True
            return
        if file is not None:
            self._add(Receive(self._connection, _without_data(part), file, None))

    def _take_revocation(self, revocation: baseline_pb2.Revocation) -> None:
        task = Receive(self._connection, None, None, revocation)
        if len(revocation.envelope) > MAX_ENVELOPE:
            why = f"an envelope of {len(revocation.envelope)} bytes, at most {MAX_ENVELOPE} are taken"
            self.received(task, baseline_pb2.OUTCOME_REFUSED, why)
        else:
            self._add(task)

    def _add(self, task: Receive) -> None:
        with self._changed:
            wholes = sum(one.file is not None for one in self._tasks)
            room = len(self._tasks) < MAX_TASKS and (task.file is None or wholes < MAX_WHOLES)
            if room:
                self._tasks.append(task)
                self._changed.notify_all()
        if not room:
            remove(task)
            self._fail(task, "too many at the same time")

    def _fail(self, task: Receive, why: str) -> None:
        self.received(task, baseline_pb2.OUTCOME_FAILED, why)

    # --- the node's baselines: the main loop -------------------------------------------------------------------------

    def offer(self, in_use: baseline_pb2.BaselinesInUse) -> None:
        """Tell what is in use from now on."""
        with self._changed:
            self._offer, self._offer_is_sent = in_use, False
        self.poke()

    # --- the stream: gRPC's thread -----------------------------------------------------------------------------------

    def ready(self, idle: bool) -> bool:
        """Whether ``next`` has a message."""
        with self._changed:
            return self._welcome and (self._short_ready or (idle and self._next_part is not None))

    @property
    def _short_ready(self) -> bool:
        return bool(self._outcomes) or (self._offer is not None and not self._offer_is_sent)

    def next(self, idle: bool) -> pb.ReportRequest | None:
        """Return the next message; ``idle``: no deviation waits, so that there is time for a piece of a baseline."""
        with self._changed:
            if not self._welcome:
                return None
            if self._outcomes:
                return pb.ReportRequest(baseline_outcome=self._outcomes.popleft())
            if self._offer is not None and not self._offer_is_sent:
                self._offer_is_sent = True
                return pb.ReportRequest(baselines_in_use=self._offer)
            if not idle or self._next_part is None:
                return None
            part = self._next_part
            self._advance()
        return pb.ReportRequest(baseline_part=part)

    def _advance(self) -> None:
        self._next_part = next(self._out, None) if self._out is not None else None
        if self._next_part is None and self._out is not None:
            self._out = None
            self.counts["uploaded"] += 1
            self._changed.notify_all()

    # --- the courier's thread ----------------------------------------------------------------------------------------

    def task(self, seconds: float) -> Receive | Upload | None:
        """Return what is to be done next, None if there is nothing within ``seconds``. Revocations go first."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._tasks or self._may_upload, seconds)
            if self._ended:
                return None
            if self._tasks:
                task = next((one for one in self._tasks if one.revocation is not None), self._tasks[0])
                self._tasks.remove(task)
                return task
            return next(iter(self._wanted)) if self._may_upload else None

    @property
    def _may_upload(self) -> bool:
        return bool(self._wanted) and self._out is None

    def uploaded(self, task: Upload, data: bytes | None) -> None:
        """Send ``data`` (zlib) next; None: it is not there any more, and the list in use will say so."""
        with self._changed:
            name = self._wanted.pop(task, None)
            if name is None or not data or self._out is not None:
                return
            try:
                self._out = parts(name, task.version, baseline_pb2.BASELINE_FORMAT_MSGPACK, data)
            except PieceError:  # larger than any collector takes
                return
            self._advance()
        self.poke()

    def received(self, task: Receive, outcome: baseline_pb2.Outcome, why: str = "") -> None:
        """Answer what was received; ``why``: escaped. Nobody waits for an answer on a later connection."""
        answer = task.outcome
        answer.outcome, answer.reason = outcome, why
        with self._changed:
            if outcome == baseline_pb2.OUTCOME_TAKEN:
                self.counts["taken" if task.part is not None else "revoked"] += 1
            else:
                self.counts["declined" if outcome == baseline_pb2.OUTCOME_REFUSED else "failed"] += 1
            if task.connection == self._connection:
                self._outcomes.append(answer)
        self.poke()

    def end(self) -> None:
        """There are no more tasks: the agent stops."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether ``end`` was called."""
        return self._ended


def remove(task: Receive) -> None:
    """Remove the file of a whole."""
    if task.file is not None:
        task.file.unlink(missing_ok=True)


def _without_data(part: baseline_pb2.BaselinePart) -> baseline_pb2.BaselinePart:
    head = baseline_pb2.BaselinePart()
    head.CopyFrom(part)
    head.ClearField("data")
    return head


def _nobody() -> None:
    """Nobody sends yet."""
