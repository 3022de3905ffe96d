"""Lets only signed baselines come into force, on an agent that requires signatures.

In: names of baselines that are about to be used, or changed. Out: for each a ``Choice``; what was refused, to be told.
Why a thread: a child verifies, for a tenth of a second and more, and no event waits for it. Keys that are added or
taken away, and signatures that expire, are noticed while the agent runs. Next: ``vetted`` loads what was chosen.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from driftline.baseline.beginning import predecessors
from driftline.baseline.format.canonical import MAX_FILE, load_head
from driftline.baseline.format.plaintext import MAX_PLAIN_FILE
from driftline.baseline.keeping.files import is_of, read_file
from driftline.baseline.keeping.history import path_of
from driftline.baseline.keeping.store import MSGPACK
from driftline.baseline.signing import files, memory
from driftline.baseline.signing.apart import MAX_NAMES, ChildError, verify_apart
from driftline.baseline.signing.clock import LatestTime
from driftline.baseline.signing.judged import ABSENT, Answer, Request, own_directory
from driftline.baseline.signing.memory import Seen
from driftline.baseline.signing.ruling import Choice, Ruling, rule
from driftline.errors import DriftlineError, SignatureError, StateError
from driftline.nouns import Severity
from driftline.text import escape
from driftline.workthread import MAX_ERRORS, WorkThread

MAX_KNOWN = 4_096
"""Baselines whose choice is remembered, 200 bytes each; the one longest not asked for is verified again if needed."""
MAX_TOLD = 4_096
"""Refusals remembered so as to tell each once; beyond it the oldest may be told again."""
MAX_WAITING = 256
"""Refusals waiting to be told: more than a node has images."""
POLL_SECONDS = 1.0
"""How late an expiry is noticed."""
LOOK_SECONDS = 10.0
"""How late a change of the trusted keys is noticed."""
RETRY_SECONDS = 60.0
"""Before what could not be verified at all is tried again."""
SWEEP_SECONDS = 3600.0
"""Between two looks for what need not be remembered any more."""
STOP_SECONDS = 1.0
"""Longest ``stop`` waits: a child still at work ends with the agent."""


class Refusal(NamedTuple):
    """Something to tell about a baseline."""

    name: str
    image: str
    severity: Severity
    why: str


class Wanted(NamedTuple):
    """A baseline somebody is about to use."""

    key: str
    workload: str
    image: str

    @property
    def name(self) -> str:
        """What it is filed under, see ``Baseline.name``."""
        return f"{self.key}+{self.workload}" if self.workload else self.key


class Guard:
    """Owns the thread ``signatures``. ``wake`` is called on it when there is something new."""

    def __init__(self, state_dir: str, trust_dir: str, threshold: int, wake: Callable[[], None]) -> None:
        self.state_dir, self._trust_dir, self._threshold = state_dir, trust_dir, threshold
        self._wake = wake
        self._thread: WorkThread[DriftlineError] = WorkThread(
            "signatures", "verifies signatures", self._run, wake, MAX_ERRORS
        )
        self._changed = self._thread.changed  # guards what follows
        self._waiting: dict[str, Wanted] = {}
        self._choices: OrderedDict[str, tuple[Wanted, Choice]] = OrderedDict()
        self._must: set[str] = set()  # names that are fresh whatever is chosen
        self._fresh: list[str] = []  # names with a new choice, or that changed on the disk
        self._refusals: deque[Refusal] = deque(maxlen=MAX_WAITING)
        self._told: OrderedDict[str, str] = OrderedDict()  # the thread's own from here: why, by name
        self._expired: set[tuple[str, int]] = set()
        self._clock = LatestTime(state_dir)
        self._trust = self._stamp()
        self._next_look = self._next_sweep = self._retry_at = 0.0
        self.refused = 0

    # --- for the pipeline's thread -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def want(self, wanted: Wanted) -> None:
        """Have a baseline verified, unless it was already."""
        with self._changed:
            if wanted.name in self._choices:
                self._choices.move_to_end(wanted.name)
                return
            self._waiting[wanted.name] = wanted
            self._changed.notify()

    def want_again(self, name: str) -> None:
        """A baseline changed on the disk: it is fresh once it was verified."""
        key, _, workload = name.partition("+")
        with self._changed:
            known = self._choices.get(name)
            self._waiting[name] = known[0] if known else Wanted(key, workload, "")
            self._must.add(name)
            self._changed.notify()

    def want_all_again(self) -> None:
        """Signatures or keys changed, nobody knows whose: verify all that was chosen."""
        with self._changed:
            self._waiting = {name: wanted for name, (wanted, _choice) in self._choices.items()} | self._waiting
            self._changed.notify()

    def choice_of(self, name: str) -> Choice | None:
        """Return what to judge by, None while nobody knows."""
        with self._changed:
            found = self._choices.get(name)
        return found[1] if found else None

    def take_fresh(self) -> list[str]:
        """Return the names with a new choice since the last call."""
        with self._changed:
            fresh, self._fresh = self._fresh, []
        return fresh

    def take_refusals(self) -> list[Refusal]:
        """Return what is to be told since the last call."""
        with self._changed:
            found = list(self._refusals)
            self._refusals.clear()
        return found

    def take_errors(self) -> list[DriftlineError]:
        """Return what the disk refused since the last call. Raises DriftlineError, once, if the thread died."""
        return self._thread.take()

    def stop(self) -> bool:
        """End the thread after the child in hand; False if it did not end in ``STOP_SECONDS``."""
        return self._thread.stop(STOP_SECONDS)

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._on_disk("the latest time seen", self._clock.recall)
        while (batch := self._next()) is not None:
            if batch:
                self._vet(batch)
            self._watch()
        self._on_disk("the latest time seen", lambda: self._clock.keep(at_once=True))

    def _next(self) -> list[Wanted] | None:
        with self._changed:
            if not (self._waiting or self._thread.stopping):
                self._changed.wait(POLL_SECONDS)
            if self._thread.stopping:
                return None
            batch, self._waiting = list(self._waiting.values()), {}
        return batch

    def _vet(self, batch: list[Wanted]) -> None:
        """Verify, with those a new image may start from; publish all at once."""
        todo = {one.name: one for wanted in batch for one in (*self._before(wanted), wanted)}
        names, ruled = iter(todo), {}
        while part := tuple(islice(names, MAX_NAMES)):
            for answer in self._ask(part):
                ruled[answer.name] = self._rule(answer)
        for name, wanted in todo.items():
            self._publish(wanted, ruled.get(name))
        with self._changed:
            while len(self._choices) > MAX_KNOWN:
                self._choices.popitem(last=False)
        self._wake()

    def _before(self, wanted: Wanted) -> Iterator[Wanted]:
        """The baselines of older versions of an image that has none of its own."""
        if (own_directory(self.state_dir, wanted.name) / MSGPACK).exists():
            return
        root = Path(self.state_dir, "baselines")
        for name in predecessors(root, wanted.key, wanted.workload, wanted.image):
            key, _, workload = name.partition("+")
            yield Wanted(key, workload, wanted.image)

    def _ask(self, names: tuple[str, ...]) -> list[Answer]:
        try:
            return verify_apart(Request(self.state_dir, self._trust_dir, self._threshold, names))
        except SignatureError as error:
            if isinstance(error, ChildError) and len(names) > 1:  # one of them must not keep out the others
                return [answer for name in names for answer in self._ask((name,))]
            self._thread.give(error)
            self._retry_at = time.monotonic() + RETRY_SECONDS
            return []

    def _rule(self, answer: Answer) -> Ruling:
        ruling = rule(answer, self._recall(answer.name), self._clock.now_ns())
        if (seen := ruling.remember) is not None:
            self._on_disk(_remembered(answer.name), lambda: self._remember(seen))
            if ruling.choice.kept and self._recall(answer.name) != seen:  # an earlier one that could not be kept
                return self._rule(replace(answer, earlier=ABSENT))
        elif ruling.forget:
            memory.forget(self.state_dir, answer.name)
        return ruling

    def _remember(self, seen: Seen) -> None:
        """Keep the very file that was judged; if it is another by now, that one is judged next. Raises OSError."""
        directory = own_directory(self.state_dir, seen.name)
        data = _file_of(directory, seen)
        if data is None:
            return
        try:
            envelope = (
                files.read_of(directory, seen.revision, load_head(data)[1], MAX_PLAIN_FILE) if seen.signed else None
            )
        except ValueError:
            return
        if self._recall(seen.name) != seen or memory.kept_envelope(self.state_dir, seen.name) != envelope:
            memory.remember(self.state_dir, seen, data, envelope)

    def _recall(self, name: str) -> Seen | None:
        found: list[Seen | None] = []
        self._on_disk(_remembered(name), lambda: found.append(memory.recall(self.state_dir, name)))
        return found[0] if found else None

    def _publish(self, wanted: Wanted, ruling: Ruling | None) -> None:
        with self._changed:
            before = self._choices.get(wanted.name)
            failed = Ruling(before[1] if before else Choice(held=True, nothing=True), "it cannot be verified now")
            choice, why, severity, *_ = ruling or failed
            self._choices[wanted.name] = (wanted, choice)
            self._choices.move_to_end(wanted.name)
            if before is None or before[1] != choice or wanted.name in self._must:
                self._must.discard(wanted.name)
                self._fresh.append(wanted.name)
        self._tell(wanted, severity, why)

    def _tell(self, wanted: Wanted, severity: Severity, why: str) -> None:
        """Tell a refusal once, and again if it is another, or after the baseline was good."""
        before = self._told.pop(wanted.name, "")
        if not why:
            return
        self._told[wanted.name] = why
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
        if why == before:
            return
        self.refused += 1
        with self._changed:
            self._refusals.append(Refusal(wanted.name, wanted.image, severity, why))

    # --- keys and time -----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Notice keys that changed, signatures that expired, and what is to be tried again."""
        now = time.monotonic()
        again = bool(self._retry_at) and now >= self._retry_at
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            before, self._trust = self._trust, self._stamp()
            again |= before != self._trust
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            self._on_disk("what was learned here", lambda: memory.sweep(self.state_dir))
        if again:
            self._retry_at = 0.0
            self.want_all_again()
        self._watch_time(self._clock.now_ns())

    def _watch_time(self, now_ns: int) -> None:
        with self._changed:
            over = {
                (name, choice.expires_ns): wanted
                for name, (wanted, choice) in self._choices.items()
                if choice.signed and 0 < choice.expires_ns <= now_ns
            }
            new = {
                name: wanted for (name, expires_ns), wanted in over.items() if (name, expires_ns) not in self._expired
            }
            self._waiting |= new
        self._expired = set(over)
        self._on_disk("the latest time seen", lambda: self._clock.keep(at_once=bool(new)))

    def _on_disk(self, what: str, step: Callable[[], None]) -> None:
        """Read or write what is remembered; what fails is told, and the guard goes on without it."""
        try:
            step()
        except OSError as error:
            hint = "free space, or make the state directory writable"
            self._thread.give(StateError(f"{what} cannot be kept or read: {error.strerror}", hint))
        except ValueError as error:
            self._thread.give(StateError(f"{what} is damaged: {error}", "look who changed it; docs/signing.md"))

    def _stamp(self) -> tuple[object, ...]:
        """Tells the keys in the trust directory from those that take their place."""
        try:
            with os.scandir(self._trust_dir) as found:
                entries = sorted(found, key=lambda one: one.name)
                stats = [(one.name, one.stat()) for one in entries]
        except OSError as error:
            return (error.errno,)
        return tuple((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def _file_of(directory: Path, seen: Seen) -> bytes | None:
    """The very file that was judged: what lies in the baseline's place, or the revision. Raises OSError."""
    for path in (directory / MSGPACK, path_of(directory, seen.revision)):
        try:
            data = read_file(path, MAX_FILE)
        except (FileNotFoundError, ValueError):
            continue
        if is_of(data, seen.sha256):
            return data
    return None


def _remembered(name: str) -> str:
    return f"what is remembered of the baseline {escape(name)}"
