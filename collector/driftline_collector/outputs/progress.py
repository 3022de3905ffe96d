"""How far an output got, and what it counted.

In: revisions the receiver took; failures. Out: the cursor from which a restarted collector goes on, with the counters,
kept in ``STATE/outputs/NAME.json`` or, where several collectors share a store, in that (``leases``). Why after the
receiver took them, and not before: a crash then repeats some deviations, and never leaves any out. Next: ``runner``
reads on from the cursor, ``driftline outputs status`` shows the counters.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from driftline.errors import StateError
from driftline.text import escape

_log = logging.getLogger(__name__)

SAVE_SECONDS = 0.5
"""Between two writes of the file, each a disk flush, while much is sent: what a crash repeats is bounded by it."""

STATE_BYTES = 64 * 1024
"""Largest state file read: a real one has some hundred bytes."""

SUFFIX = ".json"


class Counts(BaseModel):
    """What an output counted since it exists; each field is a row of docs/outputs.md."""

    sent: NonNegativeInt = 0
    failed_attempts: NonNegativeInt = 0
    refused: NonNegativeInt = 0
    dropped_lag: NonNegativeInt = 0
    dropped_retention: NonNegativeInt = 0
    updates_left_out: NonNegativeInt = 0
    silenced: NonNegativeInt = 0


class State(BaseModel):
    """What is kept."""

    model_config = ConfigDict(extra="ignore")  # a newer version's is read as far as we know it

    store_id: str = ""
    revision: NonNegativeInt = 0
    lag: NonNegativeInt = 0
    failing: str = ""
    failing_since: float = 0.0
    counts: Counts = Field(default_factory=Counts)


class Place(Protocol):
    """Where the state of one output is kept, and with it the right to send. Methods raise StateError if that cannot be
    asked."""

    @property
    def pause_s(self) -> float:
        """Seconds between two writes while much is sent."""

    def claim(self) -> bool:
        """Return whether this collector is the one that sends; make it so if nobody else is."""

    def holds(self) -> bool:
        """Return whether it still is."""

    def read(self) -> State | None:
        """Return what is kept, None if nothing is, one without ``store_id`` if it is damaged."""

    def write(self, content: bytes) -> None:
        """Keep ``content``. Raises StateError if it could not be, also if somebody else sends now."""


class FilePlace:
    """A file of a collector that shares its store with nobody: it always sends."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def pause_s(self) -> float:
        """See ``Place``."""
        return SAVE_SECONDS

    def claim(self) -> bool:
        """See ``Place``."""
        return True

    def holds(self) -> bool:
        """See ``Place``."""
        return True

    def read(self) -> State | None:
        """See ``Place``. A damaged file is put aside."""
        try:
            return read(self._path)
        except StateError as error:
            self._path.replace(f"{self._path}.damaged")
            _log.warning("%s; the output begins with the oldest stored deviation", error.args[0])
            return State()

    def write(self, content: bytes) -> None:
        """See ``Place``."""
        try:
            _replace(self._path, content)
        except OSError as error:
            raise StateError(f"{escape(str(self._path))} cannot be written: {error.strerror}") from error


class Progress:
    """The state of one output, kept in ``place``; ``begin`` says where to go on from what is found there, and
    ``newest`` the last revision that can be read.

    Used by the output's thread; ``sending``, ``state`` and ``lag`` may be read by others.
    """

    def __init__(self, place: Place, begin: Callable[[State | None], State], newest: Callable[[], int]) -> None:
        self._place = place
        self._begin = begin
        self._newest = newest
        self.state = State()
        self.sending = False
        self._saved = 0.0
        self._unsaved = False
        self._refuses = False

    def claim(self) -> bool:
        """Return whether this collector sends; as soon as it does, it goes on where the last one left off.

        Raises StateError if that cannot be found out now.
        """
        if self.holds():
            return True
        self.sending = False
        if self._place.claim():
            self.state = self._begin(self._place.read())
            self.sending = self._unsaved = True  # where it begins must be known even if nothing is ever sent
            self.save()
        return self.sending

    def holds(self) -> bool:
        """Return whether this collector still is the one that sends."""
        return self.sending and self._place.holds()

    @property
    def revision(self) -> int:
        """The last revision that is done with."""
        return self.state.revision

    @property
    def lag(self) -> int:
        """Changes in the store that are not done with."""
        return max(0, self._newest() - self.state.revision)

    def taken(self, revision: int, sent: int, refused: int) -> None:
        """Note that everything up to ``revision`` is done with."""
        self.state.counts.sent += sent
        self.state.counts.refused += refused
        self.reached(revision)

    def reached(self, revision: int) -> None:
        """Note that nothing up to ``revision`` is wanted any more."""
        if revision > self.state.revision:
            self.state.revision = revision
        self._unsaved = True
        if time.monotonic() - self._saved >= self._place.pause_s:
            self.save()

    def failed(self, reason: str, say: Callable[[str], None]) -> None:
        """Count an attempt that failed; ``say`` is told the first time, and when the reason changes."""
        self.state.counts.failed_attempts += 1
        if reason != self.state.failing:
            say(f"{reason}; trying again")
        if not self.state.failing:
            self.state.failing_since = time.time()
        self.state.failing = reason
        self._unsaved = True
        if time.monotonic() - self._saved >= self._place.pause_s:
            self.save()

    def worked(self, say: Callable[[str], None]) -> None:
        """Note that an attempt succeeded."""
        if self.state.failing:
            say("works again")
            self.state.failing, self.state.failing_since = "", 0.0

    def save(self) -> None:
        """Keep the state if anything changed. A place that refuses costs repetitions after a crash, nothing else."""
        if not (self._unsaved and self.sending):
            return
        self._saved = time.monotonic()
        self.state.lag = self.lag
        try:
            self._place.write(self.state.model_dump_json().encode())
            self._unsaved = self._refuses = False
        except StateError as error:
            if not self._refuses:
                _log.warning("%s; how far an output is cannot be kept", error.args[0])
            self._refuses = True


def _replace(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path``, then put it in its place: never half a file, even after a power failure."""
    beside = path.with_suffix(".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)


def read(path: Path) -> State | None:
    """Return the state in ``path``, None if there is none. Raises StateError if it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(STATE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{escape(str(path))} cannot be read: {error.strerror}") from error
    return parse(content, escape(str(path)))


def parse(content: bytes, name: str) -> State:
    """Return the state in ``content``, which is called ``name``. Raises StateError if it is none."""
    try:
        return State.model_validate(json.loads(content))
    except (ValueError, ValidationError, RecursionError) as error:
        hint = "remove it; the output then begins anew, with `start: all` from the oldest stored deviation"
        raise StateError(f"{name} is damaged", hint) from error
