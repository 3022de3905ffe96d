"""What the shelf keeps on disk, and what others changed there meanwhile.

In: shelved baselines that changed. Out: files; and shelved baselines that a person changed from the command line. Why
apart from ``shelf``: every trouble with the disk ends here, in ``errors``, and the agent goes on. Writes are
``errands``; while one is on its way, nothing else touches the files of that baseline. Next: ``store``, ``writing``.
"""

from __future__ import annotations

from functools import partial

from driftline.baseline.beginning import JUDGES, Beginning, anew, begin
from driftline.baseline.format.canonical import Judging
from driftline.baseline.keeping.arrivals import last_of
from driftline.baseline.keeping.edit import adopt
from driftline.baseline.keeping.errands import AtOnce, Errands
from driftline.baseline.keeping.files import ABSENT
from driftline.baseline.keeping.snapshot import take
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.keeping.writing import Order, Writer, Written
from driftline.baseline.learning import Learning
from driftline.baseline.schema import Baseline, Review, Standing, State
from driftline.baseline.shelved import Shelved
from driftline.baseline.wording import shortened, text_of
from driftline.errors import StateError
from driftline.text import plural

NS = 1_000_000_000
SAVE_NS = 15 * NS
"""Least time between two writes of one learning baseline: what a kill -9 costs at most."""
LOOK_NS = NS
"""Between two looks whether somebody changed a baseline: a decision counts within two seconds."""
EXAMPLES = 3
"""Behaviours named of those that were let pass."""


class Saving:
    """The disk as the shelf sees it. ``store`` None: nothing is kept. ``errands``: who writes, at once if nobody."""

    def __init__(self, store: BaselineStore | None, errands: Errands | None = None) -> None:
        self._store = store
        self.errands = errands or AtOnce()
        self._writer = Writer(store.twin()) if store else None
        self._mark = 0
        self._looked_ns = 0
        self.errors: list[StateError] = []
        self.let_pass = 0
        """Behaviours learned without a word that the baseline put in the place of what was learned does not hold."""
        self.put_in_force = False
        """Whether a learned baseline was written since somebody set this to False."""

    @property
    def keeps(self) -> bool:
        """Whether anything is kept."""
        return self._store is not None

    # --- reading -----------------------------------------------------------------------------------------------------

    def begin(self, key: str, workload: str, image: str) -> Shelved:
        """Return what a container is judged by, the first of its image or workload."""
        judging = self._judging(Baseline(key, workload).name)
        if judging is not None:
            return Shelved(judging.head, judging)
        found: Beginning = begin(self._store, key, workload, image)
        self.errors += found.errors
        return Shelved(found.baseline)

    def _judging(self, name: str) -> Judging | None:
        """What a learned baseline is judged by, without its entries; None if it is not learned, or not there."""
        found = self._store.load_judging(name) if self._store else None
        if isinstance(found, StateError):
            self.errors.append(found)
            return None
        return found if found is not None and found.head.state in JUDGES else None

    def load(self, name: str) -> Baseline | None:
        """Return a baseline as the disk has it."""
        try:
            found = self._store.load_one(name) if self._store else None
        except StateError as error:
            found = error
        if isinstance(found, StateError):
            self.errors.append(found)
            return None
        return found

    def changed(self, now_ns: int) -> list[str]:
        """Return the names of baselines that somebody else changed, at most once in ``LOOK_NS``."""
        if self._store is None or now_ns - self._looked_ns < LOOK_NS:
            return []
        self._looked_ns = now_ns
        try:
            self._mark, names = self._store.changed_since(self._mark)
        except StateError as error:
            self.errors.append(error)
            return []
        return names

    def reload(self, shelved: Shelved, now_ns: int) -> None:
        """Take over what somebody changed. One that was removed or retired is learned anew; one that cannot be read
        changes nothing here."""
        if shelved.learning is not None and not shelved.heals:
            self.save(shelved, now_ns)  # the decisions come back with it
            return
        before = len(self.errors)
        judging = self._judging(shelved.name)
        if judging is not None:
            self._put(shelved, judging.head, judging)
        if judging is not None or len(self.errors) > before:
            return
        found = self.load(shelved.name)
        if len(self.errors) == before:
            self.take_over(shelved, found)

    def take_over(self, shelved: Shelved, found: Baseline | None) -> None:
        """Judge by what is on disk now; None: it was removed."""
        if found is None:
            found = Baseline(shelved.key, shelved.workload, shelved.image)
        elif found.state is State.RETIRED:
            found = anew(found)
        self._put(shelved, found)

    def _put(self, shelved: Shelved, found: Baseline, judging: Judging | None = None) -> None:
        quiet = shelved.learning if shelved.first_run else None
        shelved.take(found, judging)
        last = self._came(shelved) or (found.reviews[-1] if found.reviews else None)
        by = f" ({last.action} by {last.author})" if last else ""
        shelved.news = f"learned anew{by}" if shelved.learning else f"revision {found.revision} is in force{by}"
        if quiet is not None and shelved.learning is None:
            shelved.news += self._let_pass(quiet.baseline, shelved)

    def _came(self, shelved: Shelved) -> Review | None:
        """How it came into force here, if it was signed elsewhere."""
        try:
            directory = self._store.directory(shelved.name) if self._store else None
            return last_of(directory, shelved.revision, shelved.version) if directory else None
        except OSError:
            return None  # then what it says itself is told

    def _let_pass(self, learned: Baseline, shelved: Shelved) -> str:
        """Count what was learned without a word, and is no part of what took its place; return what to say of it."""
        found = [
            behaviour
            for behaviour, entry in learned.entries.items()
            if entry.standing is Standing.ALLOWED and behaviour not in shelved.matcher
        ]
        if not found:
            return ""
        self.let_pass += len(found)
        examples = ", ".join(shortened(text_of(behaviour)) for behaviour in found[:EXAMPLES])
        count = plural(len(found), "behaviour")
        return f"; not in it, though shown here while it was learned: {count}, such as {examples}"

    # --- writing -----------------------------------------------------------------------------------------------------

    def mark_used(self, shelved: Shelved) -> None:
        """Have it noted that a container of it runs."""
        if self._writer is not None and not shelved.is_lone:
            self.errands.put(partial(self._writer.mark, shelved.name, shelved.image), self._tell)

    def is_due(self, shelved: Shelved, now_ns: int) -> bool:
        """Whether it changed, and its last write is long enough ago."""
        return is_dirty(shelved) and now_ns - shelved.saved_ns >= SAVE_NS

    def save(self, shelved: Shelved, now_ns: int) -> None:
        """Have it written. What the disk refuses is in ``errors`` and tried again next time."""
        shelved.saved_ns = now_ns
        learning = shelved.learning or shelved.unsaved
        if self._store is None or self._writer is None or learning is None:
            shelved.unsaved = None
            return
        if shelved.writing:
            return
        baseline = learning.baseline
        content = take(baseline) if baseline.state is State.LEARNING else baseline  # the finished nobody changes
        what = Order(content, self._store.seen(shelved.name), _action(learning), _reason(learning), not shelved.is_lone)
        shelved.writing, learning.dirty = True, False
        if not self.errands.put(partial(self._writer.write, what), partial(self._written, shelved, learning)):
            shelved.writing, learning.dirty = False, True

    def _written(self, shelved: Shelved, learning: Learning, done: Written) -> None:
        """It is on the disk, or not."""
        shelved.writing = False
        self._tell(done.error)
        kept, store = done.kept, self._store
        if kept is None or store is None:
            learning.dirty = True
            return
        if done.state is State.LEARNING and shelved.learning is not learning and kept.state is State.LEARNING:
            # It was finished meanwhile. Decisions that are in the file come back when that is written
            if not done.decided:
                store.see(shelved.name, done.stamp)
            return
        store.see(shelved.name, done.stamp)
        shelved.revision = kept.revision
        if kept.state is not State.LEARNING:
            shelved.unsaved = None
            self.put_in_force = True
        if done.decided:
            self._take_decisions(shelved, learning, kept)
        else:
            learning.baseline.reviews = kept.reviews

    def _take_decisions(self, shelved: Shelved, learning: Learning, kept: Baseline) -> None:
        """What was written is what is judged by: it holds what a person decided meanwhile."""
        if kept.state is State.LEARNING:
            learning.baseline = adopt(learning.baseline, kept)  # it grew while it was written
            learning.dirty = True
            learning.refresh()
            shelved.matcher = learning.matcher
            shelved.reflect(learning.baseline)
            return
        self._put(shelved, anew(kept) if kept.state is State.RETIRED else kept)

    def remove(self, name: str) -> None:
        """Have a baseline removed from the disk."""
        if self._store is not None and self._writer is not None:
            self._store.see(name, ABSENT)
            self.errands.put(partial(self._writer.remove, name), self._tell)

    def _tell(self, error: StateError | None) -> None:
        if error is not None:
            self.errors.append(error)


def _action(learning: Learning) -> str:
    return "heal" if learning.heals else "learn"


def _reason(learning: Learning) -> str:
    reasons = learning.baseline.reasons
    reason = f"partial: {', '.join(reasons)}" if reasons else "complete"
    return f"{reason}; started from the version of the image before" if learning.why and not learning.heals else reason


def is_dirty(shelved: Shelved) -> bool:
    """Whether the disk does not have it as it is, and nothing of it is on its way there. What is healed is kept when it
    is done: the disk has the revision."""
    if shelved.writing:
        return False
    if shelved.unsaved is not None:
        return True
    return shelved.learning is not None and shelved.learning.dirty and not shelved.heals
