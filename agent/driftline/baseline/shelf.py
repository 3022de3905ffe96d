"""The baselines of this node, one per image: loaded at the start, learned, finished, saved.

In: subjects and behaviours. Out: for each image a ``Shelved``: what to judge against, and whether it is still learned.
Why: only a learning baseline keeps its statistics in memory; an active one's stay on disk. Next: pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator

from driftline.baseline.canonical import version_of
from driftline.baseline.learning import ATTACHED_LATE, Learning
from driftline.baseline.matching import Matcher
from driftline.baseline.schema import Baseline, State
from driftline.baseline.store import BaselineStore
from driftline.errors import StateError
from driftline.nouns import CONTAINER_KEY, Loss, Subject

NS = 1_000_000_000
MAX_IDLE = 128
"""Baselines of images of which no container runs here, kept in memory: about 100 KiB each. Beyond it the one longest
unused is forgotten, and read from the disk when its image runs again."""
MAX_EARLY_LOSSES = 4_096
"""Containers whose losses are remembered until their image is known; further ones count for every learning image."""
SAVE_NS = 15 * NS
"""Least time between two writes of one learning baseline: what a kill -9 costs at most."""


class Shelved:
    """One image's baseline in use. ``learning`` is None once it is active; ``reasons`` say why it may be incomplete."""

    __slots__ = ("containers", "image", "key", "learning", "matcher", "reasons", "saved_ns", "unsaved", "used")

    def __init__(self, baseline: Baseline) -> None:
        self.key = baseline.key
        self.image = baseline.image
        self.containers: set[int] = set()  # cgroups of its living containers
        self.learning: Learning | None = None
        self.unsaved: Learning | None = None  # finished, but the disk refused it
        self.saved_ns = 0  # CLOCK_MONOTONIC
        self.used = False  # a container of it was seen
        self.reasons: tuple[str, ...] = baseline.reasons
        if baseline.state is State.LEARNING:
            self.learning = Learning(baseline)
            self.matcher = self.learning.matcher
        else:
            self.matcher = Matcher(baseline.entries, version_of(baseline))

    @property
    def version(self) -> str:
        """Content digest judged against, "" while learning."""
        return self.matcher.version


class Shelf:
    """All baselines of the node. Belongs to the pipeline's thread."""

    def __init__(
        self, store: BaselineStore | None, learn_seconds: float, quiet_seconds: float, keep_ended: bool = False
    ) -> None:
        self._store = store
        self._keep_ended = keep_ended  # also baselines of containers alone; for a replay, which ends by itself
        self._learn_ns, self._quiet_ns = int(learn_seconds * NS), int(quiet_seconds * NS)
        self._shelved: dict[str, Shelved] = {}  # in the order they were last used
        self._early_losses: dict[int, int] = {}
        self.errors: list[StateError] = []

    def load(self) -> None:
        """Read what is kept. What cannot be read is in ``errors``; its image is learned anew."""
        for found in self._store.load() if self._store else ():
            if isinstance(found, StateError):
                self.errors.append(found)
            else:
                self._shelved[found.key] = Shelved(found)
                self._forget_idle()

    def put(self, baseline: Baseline) -> None:
        """Judge by ``baseline`` from now on."""
        self._shelved[baseline.key] = Shelved(baseline)

    def finish_all(self) -> list[Baseline]:
        """End every learning now; return what was learned."""
        found = []
        for shelved in self._shelved.values():
            if shelved.learning:
                shelved.learning.finish()
                found.append(shelved.learning.baseline)
        return found

    def without_baseline(self) -> list[str]:
        """Images that were seen and had no baseline."""
        return [shelved.image or shelved.key for shelved in self if shelved.used and shelved.learning]

    def unused(self) -> list[str]:
        """Keys of baselines no container was judged by."""
        return [shelved.key for shelved in self if not shelved.used]

    def __iter__(self) -> Iterator[Shelved]:
        return iter(self._shelved.values())

    def of(self, subject: Subject) -> Shelved:
        """The baseline of a container's image; a new one starts to be learned."""
        shelved = self._shelved.get(subject.baseline_key)
        if shelved is None:
            shelved = self._shelved[subject.baseline_key] = self._read_or_begin(subject)
        if subject.cgroup not in shelved.containers:
            self._join(shelved, subject)
        return shelved

    def _read_or_begin(self, subject: Subject) -> Shelved:
        kept = self._store.load_one(subject.baseline_key) if self._store else None
        if isinstance(kept, StateError):
            self.errors.append(kept)
        return Shelved(kept if isinstance(kept, Baseline) else Baseline(subject.baseline_key, subject.image))

    def _join(self, shelved: Shelved, subject: Subject) -> None:
        """A container of its image shows itself for the first time."""
        shelved.containers.add(subject.cgroup)
        shelved.used = True
        self._shelved[shelved.key] = self._shelved.pop(shelved.key)  # last in the order of use
        lost = self._early_losses.pop(subject.cgroup, 0)
        if shelved.learning:
            shelved.learning.note_losses(lost)
            if subject.attached_late:
                shelved.learning.mark_partial(ATTACHED_LATE)
            shelved.reasons = shelved.learning.baseline.reasons
        self._forget_idle()

    def _forget_idle(self) -> None:
        """Only what the disk has can be forgotten."""
        if self._store is None or len(self._shelved) <= MAX_IDLE:
            return
        idle = [one for one in self if not (one.containers or one.learning or one.unsaved or _is_lone(one))]
        for shelved in idle[: max(0, len(idle) - MAX_IDLE)]:
            del self._shelved[shelved.key]

    def move(self, before: Subject, after: Subject) -> int:
        """A container got its image's name late. What it taught meanwhile goes over if that image is learned too.

        Return how many behaviours were let pass that the image's baseline does not hold.
        """
        old, new = self._shelved.get(before.baseline_key), self.of(after)
        entries = old.learning.baseline.entries if old and old.learning else {}
        unjudged = 0
        if new.learning:
            new.learning.take_over(entries)
        else:
            unjudged = sum(behaviour not in new.matcher for behaviour in entries)
        if old:
            old.containers.discard(before.cgroup)
            self._drop_if_orphaned(old)
        return unjudged

    def gone(self, cgroup: int) -> None:
        """A container ended. A baseline filed under the container alone, for want of a digest, ends with it."""
        self._early_losses.pop(cgroup, None)
        for shelved in list(self):
            if cgroup in shelved.containers:
                shelved.containers.discard(cgroup)
                self._drop_if_orphaned(shelved)

    def drop_orphans(self) -> None:
        """Forget the baselines of containers alone that ended while no agent ran."""
        for shelved in list(self._shelved.values()):
            self._drop_if_orphaned(shelved)

    def _drop_if_orphaned(self, shelved: Shelved) -> None:
        if self._keep_ended or shelved.containers or not _is_lone(shelved):
            return
        del self._shelved[shelved.key]
        if self._store is not None:
            try:
                self._store.remove(shelved.key)
            except StateError as error:
                self.errors.append(error)

    def note_losses(self, count: int, cgroup: int = 0) -> None:
        """Records were lost: of one container, or (0) of nobody knows whom, then every learning image's."""
        of = [one for one in self if not cgroup or cgroup in one.containers]
        if cgroup and not of:
            if len(self._early_losses) < MAX_EARLY_LOSSES:
                self._early_losses[cgroup] = self._early_losses.get(cgroup, 0) + count
                return
            of = list(self)
        for shelved in of:
            if shelved.learning:
                shelved.learning.note_losses(count)

    def losses(self) -> list[Loss]:
        """Return and reset what the bounds of learning held back."""
        return [loss for shelved in self if shelved.learning for loss in shelved.learning.take_losses()]

    def advance(self, kernel_ns: int) -> list[Shelved]:
        """Let time pass; return the baselines whose window just ended, now active."""
        finished = []
        for shelved in self._shelved.values():
            learning = shelved.learning
            if learning is None:
                continue
            learning.advance(kernel_ns, bool(shelved.containers))
            if learning.is_over(self._learn_ns, self._quiet_ns):
                shelved.matcher = learning.finish()
                shelved.reasons = learning.baseline.reasons
                shelved.learning, shelved.unsaved = None, learning
                self._save(shelved, kernel_ns)
                finished.append(shelved)
        return finished

    def save_next(self, now_ns: int) -> None:
        """Write the one baseline that changed and has waited longest, if any is due: syncing takes time, and nothing is
        read from the rings meanwhile."""
        due = [one for one in self if _dirty(one) and now_ns - one.saved_ns >= SAVE_NS]
        if due:
            self._save(min(due, key=lambda one: one.saved_ns), now_ns)

    def save(self) -> None:
        """Write all that changed. What the disk refuses is in ``errors`` and tried again next time."""
        for shelved in self:
            if _dirty(shelved):
                self._save(shelved, shelved.saved_ns)

    def _save(self, shelved: Shelved, now_ns: int) -> None:
        learning = shelved.learning or shelved.unsaved
        shelved.saved_ns = now_ns
        if self._store is None or learning is None:
            shelved.unsaved = None
            return
        try:
            self._store.save(learning.baseline)
            learning.dirty = False
            shelved.unsaved = None
        except StateError as error:
            self.errors.append(error)


def _dirty(shelved: Shelved) -> bool:
    return shelved.unsaved is not None or (shelved.learning is not None and shelved.learning.dirty)


def _is_lone(shelved: Shelved) -> bool:
    """Whether it is filed under one container, for want of an image's name: it ends with that, see ``drop_orphans``."""
    return shelved.key.startswith(CONTAINER_KEY)
