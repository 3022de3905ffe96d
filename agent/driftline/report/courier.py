"""Reads the baselines the collector wants, and has taken what it publishes and revokes.

In: tasks of the ``exchange``. Out: what became of them; what is to be told on this node. Why a thread: disks are slow,
and the child that takes a baseline runs for a tenth of a second and more. Next: ``sharing`` tells it in the main loop.
"""

from __future__ import annotations

import base64
import logging
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from driftline.baseline.keeping import revoked
from driftline.baseline.receiving import identity
from driftline.baseline.receiving.apart import Answer, Became, Request, receive_apart
from driftline.baseline.receiving.identity import Terms
from driftline.baseline.receiving.sending import compressed
from driftline.errors import DriftlineError, StateError
from driftline.report.exchange import Exchange, Receive, Upload, remove
from driftline.report.incoming import Incoming
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.workthread import MAX_ERRORS, WorkThread

LOOK_SECONDS = 10.0
"""How late a change of the trusted keys is noticed."""
STOP_SECONDS = 1.0
"""Longest ``stop`` waits: a child still at work ends with the agent."""
MAX_NEWS = 256
"""Revocations that wait to be told: the main loop takes them four times a second."""
_OUTCOMES = {
    Became.TAKEN: baseline_pb2.OUTCOME_TAKEN,
    Became.REFUSED: baseline_pb2.OUTCOME_REFUSED,
    Became.FAILED: baseline_pb2.OUTCOME_FAILED,
}

_log = logging.getLogger(__name__)


class OutOfForce(NamedTuple):
    """A revoked version that was in force here, or what a newer image had from it (``version`` empty).

    ``name``, ``why``: escaped; ``now``: what is in its place.
    """

    name: str
    version: str
    why: str
    now: str


class Place(NamedTuple):
    """Where baselines are kept, on what terms they are taken, and from whom."""

    state_dir: str
    terms: Terms
    required: bool  # signatures, of all that is judged by
    collector: str


class Courier:
    """Owns the thread ``baselines``. ``wake`` is called on it when there is something to tell."""

    def __init__(self, place: Place, exchange: Exchange, incoming: Incoming, wake: Callable[[], None]) -> None:
        self._place, self._exchange, self._incoming, self._wake = place, exchange, incoming, wake
        self._thread: WorkThread[DriftlineError] = WorkThread(
            "baselines", "exchanges baselines", self._run, wake, MAX_ERRORS
        )
        self._lock = self._thread.changed  # guards what follows
        self._out_of_force: deque[OutOfForce] = deque(maxlen=MAX_NEWS)
        self.state_id = ""
        """What the collector is told; "" until it is known."""
        self.known: frozenset[tuple[str, str]] = frozenset()
        """Name and version of all that was revoked."""
        self.forgotten = 0
        """Revocations, for lack of room."""

    # --- for the main loop -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Look at what is on the disk, then start the thread."""
        self._recall()
        self._thread.start()

    def take_out_of_force(self) -> list[OutOfForce]:
        """Return what went out of force since the last call."""
        with self._lock:
            found = list(self._out_of_force)
            self._out_of_force.clear()
        return found

    def take_errors(self) -> list[DriftlineError]:
        """Return what could not be taken since the last call. Raises DriftlineError, once, if the thread died."""
        return self._thread.take()

    def stop(self) -> bool:
        """End the thread after the task in hand; False if it did not end in ``STOP_SECONDS``."""
        self._exchange.end()
        return self._thread.stop(STOP_SECONDS)

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._exchange.ended:
            self._identify()
            task = self._exchange.task(LOOK_SECONDS)
            if isinstance(task, Upload):
                self._exchange.uploaded(task, self._read(task))
            elif task is not None:
                self._receive(task)

    def _recall(self) -> None:
        """Begin with what is on the disk. What cannot be made sense of is asked for again, under another number."""
        state_dir = self._place.state_dir
        try:
            self._incoming.clear()
            if revoked.set_aside_damaged(state_dir):
                identity.forget(state_dir)
                what = f"{revoked.FILE} in {state_dir} is damaged, and was set aside: the collector is asked again"
                self._thread.give(StateError(what, "look who changed it"))
        except OSError as error:
            self._thread.give(StateError(f"{state_dir} cannot be written: {error.strerror}", "free space"))
        self._look_up_revoked()

    def _look_up_revoked(self) -> None:
        try:
            self.known = frozenset((one.name, one.version) for one in revoked.recall(self._place.state_dir))
        except StateError as error:
            self._thread.give(error)

    def _identify(self) -> None:
        try:
            drawn = identity.number(self._place.state_dir)
        except StateError as error:
            self._thread.give(error)
            return
        self.state_id = identity.state_id(drawn, self._place.terms)

    def _read(self, task: Upload) -> bytes | None:
        try:
            return compressed(self._place.state_dir, task.name, task.version, task.revision)
        except OSError as error:
            self._thread.give(StateError(f"the baseline {escape(task.name)} cannot be read: {error.strerror}"))
            return None

    def _receive(self, task: Receive) -> None:
        request = self._request(task)
        try:
            answer = receive_apart(request)
        except StateError as error:
            answer = Answer(became=Became.FAILED, reason=escape(str(error.args[0])))
        finally:
            remove(task)
        if request.revocation:
            self._note_revocation(request, answer)
        self._exchange.received(task, _OUTCOMES[answer.became], answer.said)
        if answer.became is not Became.TAKEN:
            what = "revocation of " if request.revocation else ""
            was = "refused" if answer.became is Became.REFUSED else "not taken now"
            self._thread.give(StateError(f"the collector's {what}baseline {request.name} is {was}: {answer.reason}"))
        self._wake()

    def _note_revocation(self, request: Request, answer: Answer) -> None:
        self._look_up_revoked()
        self.forgotten += answer.forgotten
        news = [OutOfForce(escape(name), "", answer.reason, what) for name, what in answer.inherited.items()]
        if answer.now:
            news.append(OutOfForce(request.name, request.version, answer.reason, answer.now))
        with self._lock:
            self._out_of_force += news

    def _request(self, task: Receive) -> Request:
        place, terms = self._place, self._place.terms
        head = task.part or task.revocation
        assert head is not None
        one = task.revocation
        return Request(
            state_dir=place.state_dir,
            trust_dir=terms.trust_dir,
            threshold=terms.threshold,
            unsigned=terms.unsigned,
            required=place.required,
            collector=place.collector,
            name=head.name,
            version=head.version,
            file=str(task.file or ""),
            signed=task.part is not None and task.part.format == baseline_pb2.BASELINE_FORMAT_DSSE,
            revocation=one is not None,
            reason=one.reason if one else "",
            envelope=base64.b64encode(one.envelope).decode() if one else "",
        )
