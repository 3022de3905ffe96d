"""Baselines go to the collector and come from it: what the main loop has to do with that.

In: the shelf, now and then. Out: the list of baselines in use; deviations for what was revoked. Why so little: the main
loop reads the rings, so all that may wait is on the threads of ``report.courier`` and of the stream. Next: ``pipeline``
tells what was refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from driftline.baseline.receiving.identity import Terms
from driftline.baseline.schema import State
from driftline.baseline.shelf import Shelf
from driftline.baseline.shelved import Shelved
from driftline.baseline.signing.judged import TRUST
from driftline.errors import DriftlineError
from driftline.nouns import Severity, Subject
from driftline.report.courier import Courier, Place
from driftline.report.exchange import Exchange
from driftline.report.incoming import Incoming
from driftline.settings import Settings
from driftline.text import escape, unescape
from driftline.verdict.refusal import Refused
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.service import MAX_IN_USE

LOOK_SECONDS = 5.0
"""Between two looks at the shelf."""
LOOKS_UNTIL_BACK = 4
"""After a revocation it takes some seconds until the shelf has what is in its place."""
_STATES = {
    State.LEARNING: baseline_pb2.BASELINE_STATE_LEARNING,
    State.CANDIDATE: baseline_pb2.BASELINE_STATE_CANDIDATE,
    State.ACTIVE: baseline_pb2.BASELINE_STATE_ACTIVE,
    State.RETIRED: baseline_pb2.BASELINE_STATE_RETIRED,
}


class _InUse(NamedTuple):
    name: str
    image: str
    state: State
    version: str
    revision: int


class Sharing:
    """Belongs to the main loop's thread. ``wake``: called from other threads."""

    def __init__(self, settings: Settings, state_dir: str, wake: Callable[[], None]) -> None:
        incoming = Incoming(state_dir)
        self.exchange = Exchange(incoming)
        trust_dir = settings.trust_dir or str(Path(state_dir, TRUST))
        unsigned = settings.collector_baselines == "any" and not settings.require_signatures
        terms = Terms(trust_dir, settings.signature_threshold, unsigned)
        place = Place(state_dir, terms, settings.require_signatures, settings.collector)
        self._courier = Courier(place, self.exchange, incoming, wake)
        self._told: tuple[str, list[_InUse]] | None = None
        self._next_look = 0.0
        self._revoked: dict[str, int] = {}  # in force though revoked: at how many looks running
        self._back: list[str] = []  # of these, what is to be told

    def start(self) -> None:
        """Start to exchange."""
        self._courier.start()

    def look(self, shelf: Iterable[Shelved], now: float) -> None:
        """Tell the collector what is in use if that changed; ``now``: time.monotonic()."""
        if now < self._next_look or not self._courier.state_id:
            return
        self._next_look = now + LOOK_SECONDS
        used = [_in_use(one) for one in shelf if (one.containers or one.learning) and not one.is_lone]
        if self._told != (self._courier.state_id, used):
            self._told = self._courier.state_id, used
            self.exchange.offer(_message(self._courier.state_id, used))
        self._look_for_revoked(used)

    def _look_for_revoked(self, used: list[_InUse]) -> None:
        """Find revoked versions that are in force all the same: nothing hinders an image from showing the very same
        again, nor, where no signatures are required, anybody from putting an old file back."""
        known = self._courier.known
        found = {one.name for one in used if known and (one.name, one.version) in known}
        self._revoked = {name: self._revoked.get(name, 0) + 1 for name in found}
        self._back += [name for name, looks in self._revoked.items() if looks == LOOKS_UNTIL_BACK]

    def take_refused(self, shelf: Shelf, subject_of: Callable[[int], Subject | None]) -> list[Refused]:
        """Return what went out of force since the last call, and what came back, where containers of it run."""
        gone = [
            (unescape(one.name), f"revoked: {one.why}; {one.now}" if one.why else f"revoked; {one.now}")
            for one in self._courier.take_out_of_force()
        ]
        back, self._back = self._back, []
        gone += [(name, "revoked, and in force here again: learned anew, or put back by hand") for name in back]
        return [one for name, why in gone for one in _refused(shelf.find(name), why, subject_of)]

    def take_errors(self) -> list[DriftlineError]:
        """Return what is to be told to the operator."""
        return self._courier.take_errors()

    def counters(self) -> dict[str, int]:
        """Return what became of baselines that travelled."""
        counts = self.exchange.counts
        return {
            "baselines.uploaded": counts["uploaded"],
            "baselines.taken": counts["taken"],
            "baselines.revoked": counts["revoked"],
            "baselines.declined": counts["declined"],
            "baselines.failed": counts["failed"],
            "baselines.revocations_forgotten": self._courier.forgotten,
        }

    def stop(self) -> bool:
        """End; False if the courier was too busy for that."""
        return self._courier.stop()


def _in_use(shelved: Shelved) -> _InUse:
    learns = (shelved.learning is not None and not shelved.heals) or shelved.unsaved is not None
    state = State.LEARNING if learns else shelved.state
    version = "" if shelved.first_run else shelved.version
    return _InUse(shelved.name, shelved.image, state, version, 0 if learns else shelved.revision)


def _message(state_id: str, used: list[_InUse]) -> baseline_pb2.BaselinesInUse:
    listed = [
        baseline_pb2.BaselineInUse(
            name=escape(one.name),
            image=escape(one.image),
            state=_STATES[one.state],
            version=one.version,
            revision=one.revision,
        )
        for one in islice(used, MAX_IN_USE)
    ]
    return baseline_pb2.BaselinesInUse(state_id=state_id, baselines=listed, left_out=len(used) - len(listed))


def _refused(shelved: Shelved | None, why: str, subject_of: Callable[[int], Subject | None]) -> list[Refused]:
    """One deviation, with any container of the image; none if no container of it runs."""
    subjects = map(subject_of, shelved.containers if shelved else ())
    subject = next((one for one in subjects if one is not None), None)
    return [Refused(subject, Severity.HIGH, why)] if subject else []
