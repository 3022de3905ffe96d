"""Folding: repeats of one deviation within a window become one with a count.

In: deviations. Out: each new one at once; when its window ends, an update of it (same id, the count, the last times) if
it was repeated; and what went beyond its container's budget as one (``budget``). Why: a loop must not bury the one
line that matters. Different things never fold together: the key
holds all that tells them apart, but neither pid nor time; of names made anew each time, their pattern (``alike``).
Next: ``report``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import replace

from driftline.identify.names import ANSWERED
from driftline.nouns import ConnectEvent, Deviation, Event, ExecEvent, Kind, OpenEvent, Subject
from driftline.text import escape
from driftline.verdict.budget import Budgets
from driftline.verdict.outcome import Verdict

MAX_FOLDS = 4_096
"""Deviations folded at a time, about 4 MiB. When full the oldest is told early and its window ends: nothing is lost."""

MAX_PASSED = 1_024
"""Windows with repeats remembered after their end, some 100 bytes each."""

PASSED_NS = 600 * 1_000_000_000
"""How long: what comes again after ten minutes is not the same flood."""

BEFORE = "like it before: "
"""How the note begins that says how many there were in the window before."""

MAX_OTHERS = 3
"""Names told of those counted with the first, alike but not the same: enough to see what they are."""

MAX_OTHER = 256
"""Characters of such a name; of longer ones the pattern says what there is to say."""

OTHERS = "counted with it: other files called "
"""How the note begins that says so of an open, with the pattern and some of the names."""

_EXECS = frozenset(kind for kind in Kind if kind.startswith("exec."))


def fold_key(deviation: Deviation, pattern: str = "") -> Hashable:
    """Return what two deviations have in common exactly if one is a repeat of the other.

    ``pattern``: the names its file's counts as one of (``alike``), "" if that is its own alone.

    Of a program that ran, its file's identity and digest count too: the same path with other contents is another
    program. The arguments always count: ``sh -c A`` and ``sh -c B`` are two things.
    """
    process, subject, loss = deviation.process, deviation.subject, deviation.loss
    file = deviation.file if deviation.kind in _EXECS else None
    own_name = escape(deviation.what) if pattern else ""  # some notes begin with it
    return (
        deviation.kind,
        (subject.cgroup, subject.container_id, deviation.node, deviation.baseline, deviation.learning),
        (
            deviation.severity,
            (pattern, deviation.file and deviation.file.origin) if pattern else deviation.what,
            deviation.checks,
            deviation.access,
            deviation.flags,
            deviation.environment,
        ),
        (deviation.exe, deviation.argv, deviation.cwd, deviation.tty, deviation.sha256),
        (deviation.protocol, deviation.address, deviation.port),
        (process.uid, process.euid, process.gid) if process else None,
        (file.origin, file.device, file.inode, file.size) if file else None,
        tuple([(image.path, image.argv, image.uid) for image in deviation.ancestors]),
        (loss.hook, loss.cause, loss.cgroup) if loss else None,
        tuple(
            [
                note.partition(ANSWERED)[0].removeprefix(own_name)
                for note in deviation.notes
                if not note.startswith(BEFORE)
            ]
        ),
    )


def brief_key(event: Event, verdict: Verdict, subject: Subject, judged: Hashable, pattern: str = "") -> Hashable | None:
    """Return what makes an event a repeat, from what is at hand before its deviation is made; None for an exec.

    Finer than ``fold_key``: events with one brief key have one fold key. ``judged``: the baseline's version and state,
    and what a connect's address is called. ``pattern``: as in ``fold_key``.
    The id of the program image stands for executable, arguments and ancestors. Why: a loop's repeats are most of what
    deviates in a busy second, and making a deviation costs as much again as all that comes before it.
    """
    if isinstance(event, ExecEvent):
        return None
    process = event.process
    more = event.access if isinstance(event, OpenEvent) else None
    if isinstance(event, ConnectEvent):
        more = event.port
    what = (pattern, event.file.origin) if pattern and isinstance(event, OpenEvent) else verdict.what
    return (
        (verdict.kind, verdict.severity, what, verdict.notes, verdict.checks, event.flags, more),
        (event.protocol, event.address) if isinstance(event, ConnectEvent) else None,
        (process.exec_id, process.uid, process.euid, process.gid),
        (subject.cgroup, subject.container_id),
        judged,
    )


class _Fold:
    __slots__ = ("brief", "count", "first", "last_kernel_ns", "last_wall_ns", "others", "pattern")

    def __init__(self, first: Deviation, pattern: str) -> None:
        self.first, self.pattern = first, pattern
        self.others: tuple[str, ...] = ()  # names alike, each told once
        self.brief: Hashable | None = None  # the last brief key it was offered with
        self.count = first.count
        self.last_kernel_ns = first.last_kernel_ns
        self.last_wall_ns = first.last_wall_ns

    def add(self, count: int, kernel_ns: int, wall_ns: int, what: str) -> None:
        self.count += count
        self.last_kernel_ns = max(self.last_kernel_ns, kernel_ns)
        self.last_wall_ns = max(self.last_wall_ns, wall_ns)
        if self.pattern and len(self.others) < MAX_OTHERS and what not in (self.first.what, *self.others):
            self.others += (what,) if len(what) <= MAX_OTHER else ()

    def update(self) -> Deviation | None:
        if self.count == self.first.count:
            return None
        return replace(
            self.first,
            count=self.count,
            last_kernel_ns=self.last_kernel_ns,
            last_wall_ns=self.last_wall_ns,
            notes=(*self.first.notes, *self._said()),
            loss=self.first.loss and replace(self.first.loss, count=self.count),
        )

    def _said(self) -> tuple[str, ...]:
        """The note that other names were counted too."""
        if not self.others:
            return ()
        return (f"{OTHERS}{self.pattern}, such as {', '.join(self.others)}",)


class Folder:
    """Folds repeats within ``window_ns`` of the first. Not thread-safe: belongs to the pipeline's thread."""

    def __init__(self, window_ns: int, rate: int = 0) -> None:
        self._window_ns = window_ns
        self.budgets = Budgets(rate, window_ns)
        self._passed: OrderedDict[int, tuple[int, int]] = OrderedDict()  # hash of a key: count and last time
        self._folds: OrderedDict[Hashable, _Fold] = OrderedDict()  # by the time of the first
        self._briefs: dict[Hashable, _Fold] = {}  # at most one for each of _folds
        self._early: list[Deviation] = []
        self.early = 0
        """How often ``MAX_FOLDS`` ended a window early: a figure for the agent's counters."""
        self.repeats = 0
        """How many were counted as repeats."""

    def repeat(self, brief: Hashable, kernel_ns: int, wall_ns: int, what: str) -> bool:
        """Count an event as a repeat of what was offered under ``brief``; False if it has to be offered itself.

        ``what``: as in its deviation.
        """
        fold = self._briefs.get(brief)
        if fold is None or kernel_ns - fold.first.first_kernel_ns >= self._window_ns:
            return False
        fold.add(1, kernel_ns, wall_ns, what)
        self.repeats += 1
        return True

    def offer(self, deviation: Deviation, brief: Hashable | None = None, pattern: str = "") -> Deviation | None:
        """Return ``deviation`` if it is to be told now, None if it is counted as a repeat.

        With ``brief``, its ``brief_key``, the next ones like it are left to ``repeat``. ``pattern``: see ``fold_key``.
        """
        key = fold_key(deviation, pattern)
        fold = self._folds.get(key)
        now = deviation.first_kernel_ns
        if fold is not None and deviation.first_kernel_ns - fold.first.first_kernel_ns < self._window_ns:
            fold.add(deviation.count, deviation.last_kernel_ns, deviation.last_wall_ns, deviation.what)
            self.repeats += 1
            self._abbreviate(fold, brief)
            return None
        if fold is not None:
            self._end(key, self._folds.pop(key))
        if not self.budgets.take(deviation):
            return None
        if len(self._folds) >= MAX_FOLDS:
            self.early += 1
            self._end(*self._folds.popitem(last=False))
        deviation = self._with_passed(deviation, hash(key), now)
        fold = self._folds[key] = _Fold(deviation, pattern)
        self._abbreviate(fold, brief)
        return deviation

    def over(self, subject: Subject, verdict: Verdict, kernel_ns: int, wall_ns: int) -> bool:
        """Count an event that goes beyond its container's budget; False if it has to be offered."""
        kind = verdict.kind
        return kind is not None and self.budgets.over(subject, kind, verdict.severity, kernel_ns, wall_ns)

    def _with_passed(self, deviation: Deviation, key: int, now: int) -> Deviation:
        """Return ``deviation`` with a note of how many there were like it in the window before."""
        count, last_ns = self._passed.pop(key, (0, 0))
        if not count or now - last_ns > PASSED_NS:
            return deviation
        note = f"{BEFORE}{count}, the last {max(0, now - last_ns) / 1e9:.0f} s earlier"
        return replace(deviation, notes=(*deviation.notes, note))

    def _abbreviate(self, fold: _Fold, brief: Hashable | None) -> None:
        if fold.brief is not None:
            self._briefs.pop(fold.brief, None)
        fold.brief = brief
        if brief is not None:
            self._briefs[brief] = fold

    def amend(self, told: Deviation, amended: Deviation) -> None:
        """Let a later update of ``told`` carry what was found out since (a digest): same id, same key."""
        fold = self._folds.get(fold_key(told))
        if fold is not None and fold.first.id == told.id:
            fold.first = amended

    def _end(self, key: Hashable, fold: _Fold) -> None:
        """Keep a fold's update for the next ``expire``."""
        self._abbreviate(fold, None)
        update = fold.update()
        if update is not None:
            self._early.append(update)
            self._passed[hash(key)] = fold.count, fold.last_kernel_ns
            if len(self._passed) > MAX_PASSED:
                self._passed.popitem(last=False)

    def expire(self, now_kernel_ns: int) -> list[Deviation]:
        """Return the updates of windows that ended before ``now_kernel_ns``, oldest first."""
        while self._folds:
            key, fold = next(iter(self._folds.items()))
            if now_kernel_ns - fold.first.first_kernel_ns < self._window_ns:
                break
            del self._folds[key]
            self._end(key, fold)
        updates, self._early = self._early, []
        return updates + self.budgets.expire(now_kernel_ns)

    def drain(self) -> list[Deviation]:
        """End every window and return the updates: the agent stops."""
        while self._folds:
            self._end(*self._folds.popitem(last=False))
        updates, self._early = self._early, []
        return updates + self.budgets.drain(0)
