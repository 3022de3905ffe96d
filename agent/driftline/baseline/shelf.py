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


class Shelved:
    """One image's baseline in use. ``learning`` is None once it is active; ``reasons`` say why it may be incomplete."""

    __slots__ = ("containers", "image", "key", "learning", "matcher", "reasons")

    def __init__(self, baseline: Baseline) -> None:
        self.key = baseline.key
        self.image = baseline.image
        self.containers: set[int] = set()  # cgroups of its living containers
        self.learning: Learning | None = None
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

    def __init__(self, store: BaselineStore | None, learn_seconds: float, quiet_seconds: float) -> None:
        self._store = store
        self._learn_ns, self._quiet_ns = int(learn_seconds * NS), int(quiet_seconds * NS)
        self._shelved: dict[str, Shelved] = {}
        self.errors: list[StateError] = []

    def load(self) -> None:
        """Read what is kept. What cannot be read is in ``errors``; its image is learned anew."""
        for found in self._store.load() if self._store else ():
            if isinstance(found, StateError):
                self.errors.append(found)
            else:
                self._shelved[found.key] = Shelved(found)

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
        return [shelved.image or shelved.key for shelved in self._shelved.values() if not shelved.matcher.version]

    def __iter__(self) -> Iterator[Shelved]:
        return iter(self._shelved.values())

    def of(self, subject: Subject) -> Shelved:
        """The baseline of a container's image; a new one starts to be learned."""
        shelved = self._shelved.get(subject.baseline_key)
        if shelved is None:
            shelved = self._shelved[subject.baseline_key] = Shelved(Baseline(subject.baseline_key, subject.image))
        if subject.cgroup not in shelved.containers:
            shelved.containers.add(subject.cgroup)
            if subject.attached_late and shelved.learning:
                shelved.learning.mark_partial(ATTACHED_LATE)
                shelved.reasons = shelved.learning.baseline.reasons
        return shelved

    def gone(self, cgroup: int) -> None:
        """A container ended. A baseline filed under the container alone, for want of a digest, ends with it."""
        for shelved in list(self._shelved.values()):
            if cgroup in shelved.containers:
                shelved.containers.discard(cgroup)
                self._drop_if_orphaned(shelved)

    def drop_orphans(self) -> None:
        """Forget the baselines of containers alone that ended while no agent ran."""
        for shelved in list(self._shelved.values()):
            self._drop_if_orphaned(shelved)

    def _drop_if_orphaned(self, shelved: Shelved) -> None:
        if shelved.containers or not shelved.key.startswith(CONTAINER_KEY):
            return
        del self._shelved[shelved.key]
        if self._store is not None:
            try:
                self._store.remove(shelved.key)
            except StateError as error:
                self.errors.append(error)

    def note_losses(self, count: int, cgroup: int = 0) -> None:
        """Records were lost: of one container, or (0) of nobody knows whom, then every learning image's."""
        for shelved in self._shelved.values():
            if shelved.learning and (not cgroup or cgroup in shelved.containers):
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
                self._save(learning)
                shelved.learning = None
                finished.append(shelved)
        return finished

    def save(self) -> None:
        """Write what changed. What the disk refuses is in ``errors`` and tried again next time."""
        for shelved in self._shelved.values():
            if shelved.learning and shelved.learning.dirty:
                self._save(shelved.learning)

    def _save(self, learning: Learning) -> None:
        if self._store is None:
            return
        try:
            self._store.save(learning.baseline)
            learning.dirty = False
        except StateError as error:
            self.errors.append(error)
