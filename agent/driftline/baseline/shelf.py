"""The baselines of this node that are in use: begun, learned, finished, healed.

In: subjects, starts and ends of containers, losses, time. Out: for each image a ``Shelved``, and one more for what a
workload adds to it. Why lazily from the disk: a node keeps the baselines of every image it ever ran, and uses few.
Next: ``judging`` asks, ``pipeline`` lets time pass, ``saving`` writes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from driftline.baseline.carry import settle, unconfirmed
from driftline.baseline.ending import Ending
from driftline.baseline.inventoried import Inventoried, Unread
from driftline.baseline.keeping.saving import NS, Saving, is_dirty
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.learning import ATTACHED_LATE, WITHOUT_STATE, Learning
from driftline.baseline.schema import Baseline, Entry, State
from driftline.baseline.shelved import Shelved
from driftline.errors import StateError
from driftline.nouns import Behaviour, ConnectBehaviour, Loss, Subject
from driftline.text import plural

MAX_IDLE = 128
"""Baselines of images of which no container runs here, kept in memory: about 100 KiB each. Beyond it the one longest
unused is forgotten, and read from the disk when its image runs again."""
MAX_EARLY_LOSSES = 4_096
"""Containers whose losses are remembered until their image is known; further ones count for every learning image."""
COMPUTE_NS = 10 * NS
"""Longest the end of learning may wait behind a disk that hangs; then it is computed at once: something must judge."""
MAX_COMPUTING = 1_000
"""Behaviours of images whose learning ends at the same time, beyond the first image: copies of them take memory."""
INVENTORY_NS = 120 * NS
"""Longest a finished window waits for the image's inventory while it is made: most take seconds, Syft a minute."""


class Shelf:
    """Baselines in use. Belongs to the pipeline's thread.

    ``keep_ended``: for a replay, which ends by itself: baselines of containers alone stay, and workloads add nothing to
    an image's. ``stateless``: nothing outlives this agent, which says so in what it learns of containers it finds.
    ``saving``: another way to keep baselines than the plain one in ``store``.
    """

    def __init__(
        self,
        store: BaselineStore | None,
        learn_seconds: float,
        quiet_seconds: float,
        keep_ended: bool = False,
        stateless: bool = False,
        saving: Saving | None = None,
    ) -> None:
        self._saving = saving or Saving(store)
        self._keep_ended, self._stateless = keep_ended, stateless
        self._learn_ns, self._quiet_ns = int(learn_seconds * NS), int(quiet_seconds * NS)
        self._shelved: dict[str, Shelved] = {}  # by name, in the order they were last used
        self._early_losses: dict[int, int] = {}  # of containers that live
        self._wall_ns = time.time_ns()
        self._now_ns = self._lost_ns = 0  # kernel time: now, and when something was last lost of nobody knows whom
        self._changed: list[Shelved] = []  # judging otherwise since ``advance`` said so
        self._computing: dict[str, int] = {}  # of whom the end is computed: how many behaviours
        self._late: set[str] = set()  # names somebody changed on disk while they were written
        self.inventories: Inventoried = Unread()

    @property
    def errors(self) -> list[StateError]:
        """What the disk refused since somebody cleared it."""
        return self._saving.errors

    def __iter__(self) -> Iterator[Shelved]:
        return iter(self._shelved.values())

    # --- for replays -------------------------------------------------------------------------------------------------

    def put(self, baseline: Baseline) -> None:
        """Judge by ``baseline`` from now on."""
        self._shelved[baseline.name] = shelved = Shelved(baseline)
        shelved.excuse(self._wall_ns)

    def finish_all(self) -> list[Baseline]:
        """End every learning now, and with it every start-up; return what was learned."""
        found = []
        for shelved in self._shelved.values():
            if shelved.learning:
                for cgroup in shelved.containers:
                    shelved.learning.ended(cgroup)
                shelved.learning.finish()
                found.append(shelved.learning.baseline)
        return found

    def without_baseline(self) -> list[str]:
        """Images that were seen and had no baseline."""
        return [shelved.image or shelved.key for shelved in self if shelved.used and shelved.learning]

    def unused(self) -> list[str]:
        """Names of baselines no container was judged by."""
        return [shelved.name for shelved in self if not shelved.used]

    # --- containers --------------------------------------------------------------------------------------------------

    def of(self, subject: Subject) -> Shelved:
        """The baseline of a container's image; if there is none, one begins to be learned."""
        key = subject.baseline_key
        shelved = self._shelved.get(key) or self._begin(key, key, "", subject)
        if subject.cgroup not in shelved.containers:
            self._join(shelved, subject)
        return shelved

    def overlay_of(self, subject: Subject) -> Shelved | None:
        """What a container's workload adds to it, None if it belongs to none."""
        workload = subject.overlay
        if not workload:
            return None
        name = f"{subject.baseline_key}+{workload}"
        shelved = self._shelved.get(name)
        if shelved is None:
            if self._keep_ended:
                return None
            shelved = self._begin(name, subject.baseline_key, workload, subject)
        if subject.cgroup not in shelved.containers:
            self._join(shelved, subject)
        return shelved

    def all_of(self, subject: Subject) -> list[Shelved]:
        """Both."""
        overlay = self.overlay_of(subject)
        return [self.of(subject)] if overlay is None else [self.of(subject), overlay]

    def find(self, name: str) -> Shelved | None:
        """The baseline filed under ``name``, if it is in use."""
        return self._shelved.get(name)

    def discard(self, name: str) -> None:
        """Let go of a baseline nobody uses, on the disk too."""
        self._shelved.pop(name, None)
        self._saving.remove(name)

    def _begin(self, name: str, key: str, workload: str, subject: Subject) -> Shelved:
        shelved = self._shelved[name] = self._saving.begin(key, workload, subject.image)
        shelved.excuse(self._wall_ns)
        return shelved

    def _join(self, shelved: Shelved, subject: Subject) -> None:
        """A container of it shows itself for the first time."""
        shelved.containers.add(subject.cgroup)
        shelved.used = True
        self._shelved[shelved.name] = self._shelved.pop(shelved.name)  # last in the order of use
        self._saving.mark_used(shelved)
        learning = shelved.learning
        if learning and not learning.heals:
            learning.note_losses(self._early_losses.get(subject.cgroup, 0), subject.cgroup)
            if subject.attached_late:
                learning.mark_partial(ATTACHED_LATE)
                if self._stateless:
                    learning.mark_partial(WITHOUT_STATE)
            shelved.reasons = learning.baseline.reasons
        self._forget_idle()

    def started(self, subject: Subject, kernel_ns: int) -> None:
        """The runtime executed a container's init at ``kernel_ns``: its start is seen, unless something of it was lost.
        A baseline that lacks just that is healed now."""
        if subject.attached_late or subject.cgroup in self._early_losses or kernel_ns <= self._lost_ns:
            return
        for shelved in self.all_of(subject):
            if shelved.may_heal:
                self._heal(shelved)
            if shelved.learning:
                shelved.learning.startups.begin(subject.cgroup)

    def _heal(self, shelved: Shelved) -> None:
        baseline = self._saving.load(shelved.name)
        if baseline is not None and baseline.state is State.CANDIDATE and baseline.revision == shelved.revision:
            shelved.heal(baseline)

    def ended(self, cgroup: int) -> None:
        """A container ended; what it did last may still be on its way here.

        Its time goes on until it is ``gone``, a minute later: a job that runs for seconds is learned after some runs.
        """
        for shelved in self:
            if cgroup in shelved.containers and shelved.learning:
                shelved.learning.ended(cgroup)

    def gone(self, cgroup: int) -> None:
        """A container is forgotten. A baseline filed under the container alone, for want of a digest, ends with it."""
        self._early_losses.pop(cgroup, None)
        for shelved in list(self):
            if cgroup in shelved.containers:
                self._leave(shelved, cgroup)

    def _leave(self, shelved: Shelved, cgroup: int) -> None:
        shelved.containers.discard(cgroup)
        if shelved.is_lone and not shelved.containers and not self._keep_ended:
            self.discard(shelved.name)

    def _forget_idle(self) -> None:
        """Only what the disk has can be forgotten."""
        if not self._saving.keeps or len(self._shelved) <= MAX_IDLE:
            return
        idle = [one for one in self if not (one.containers or one.learning or one.unsaved or one.is_lone)]
        for shelved in idle[: max(0, len(idle) - MAX_IDLE)]:
            del self._shelved[shelved.name]

    def move(self, before: Subject, after: Subject) -> int:
        """A container got its image's name late. What it taught meanwhile goes over to what is still learned.

        Return how many behaviours were let pass that nothing it is judged by holds.
        """
        old, news = self._shelved.get(before.baseline_key), self.all_of(after)
        entries = old.learning.baseline.entries if old and old.learning else {}
        parts: tuple[dict[Behaviour, Entry], dict[Behaviour, Entry]] = ({}, {})  # of the image, of the workload
        for behaviour, entry in entries.items():
            parts[isinstance(behaviour, ConnectBehaviour)][behaviour] = entry
        data = old.learning.data if old and old.learning else set()
        unjudged = _hand_over(parts[0], news[0], after, data) + _hand_over(parts[1], news[-1], after, data)
        if old:
            if old.learning and (old.learning.started or old.learning.startups.under_way):
                self.started(after, self._now_ns)
            self._leave(old, before.cgroup)
        return unjudged

    # --- losses ------------------------------------------------------------------------------------------------------

    def note_losses(self, count: int, cgroup: int = 0) -> None:
        """Records were lost: of one container, or (0) of nobody knows whom, then every learning image's."""
        self._lost_ns = self._lost_ns if cgroup else self._now_ns
        of = [one for one in self if not cgroup or cgroup in one.containers]
        if cgroup and not of:
            if len(self._early_losses) < MAX_EARLY_LOSSES:
                self._early_losses[cgroup] = self._early_losses.get(cgroup, 0) + count
                return
            of = list(self)
        for shelved in of:
            if shelved.learning:
                shelved.learning.note_losses(count, cgroup)

    def losses(self) -> list[Loss]:
        """Return and reset what the bounds of learning held back, and what was learned and then not approved."""
        let_pass, self._saving.let_pass = self._saving.let_pass, 0
        passed = [Loss("learning", "let_pass", let_pass)] if let_pass else []
        return passed + [loss for shelved in self if shelved.learning for loss in shelved.learning.take_losses()]

    # --- time --------------------------------------------------------------------------------------------------------

    def advance(self, kernel_ns: int, wall_ns: int = 0) -> list[Shelved]:
        """Let time pass; return the baselines that judge otherwise now: their ``news`` say why."""
        self._now_ns, self._wall_ns = kernel_ns, wall_ns or self._wall_ns
        self._saving.errands.come_back()
        for one in self:
            self._advance(one, kernel_ns)
        self._reload(kernel_ns)
        changed, self._changed = list(dict.fromkeys(self._changed)), []
        return changed

    def _advance(self, shelved: Shelved, now_ns: int) -> None:
        if shelved.excuse(self._wall_ns):
            self._changed.append(shelved)
        learning = shelved.learning
        if learning is None:
            return
        learning.advance(now_ns, bool(shelved.containers), self._quiet_ns)
        if learning.baseline.predecessor and not learning.baseline.packages and self._settle(shelved):
            self._changed.append(shelved)
        if self._is_over(shelved, now_ns):
            self._end(shelved, learning, now_ns)
        else:
            shelved.ends_ns = 0

    def _settle(self, shelved: Shelved) -> bool:
        """Whether the packages of an image that started from its predecessor's baseline are known now."""
        inventory, learning = self.inventories.of_image(shelved.key), shelved.learning
        if inventory is None or learning is None or not inventory.packages:
            return False
        count = settle(learning.baseline, inventory)
        learning.refresh()
        shelved.matcher = learning.matcher
        left = unconfirmed(learning.baseline)
        shelved.news = f"{plural(count, 'behaviour')} of unchanged packages carried over, {left} to be seen again"
        return True

    def _is_over(self, shelved: Shelved, now_ns: int) -> bool:
        learning = shelved.learning
        if learning is None or (learning.heals and learning.lost):
            return learning is not None
        if not learning.is_over(self._learn_ns, self._quiet_ns):
            shelved.waits_ns = 0
            return False
        if not self.inventories.is_coming(shelved.key):
            return True
        shelved.waits_ns = shelved.waits_ns or now_ns
        return now_ns - shelved.waits_ns >= INVENTORY_NS

    def _end(self, shelved: Shelved, learning: Learning, now_ns: int) -> None:
        """Have the end of learning computed, when it is its turn."""
        shelved.ends_ns = shelved.ends_ns or now_ns
        if now_ns - shelved.ends_ns >= COMPUTE_NS:
            self._finish(shelved, learning)
            return
        size = len(learning.baseline.entries)
        if shelved.name in self._computing or (
            self._computing and sum(self._computing.values()) + size > MAX_COMPUTING
        ):
            return
        window = learning.window(self.inventories.of_image(shelved.key))
        ended = partial(self._computed, shelved, learning, learning.changes)
        self._computing[shelved.name] = size
        if not self._saving.errands.put(window.compute, ended):
            del self._computing[shelved.name]

    def _computed(self, shelved: Shelved, learning: Learning, changes: int, ending: Ending) -> None:
        """Judge by it, unless something new was learned meanwhile: then the window may be over no more."""
        self._computing.pop(shelved.name, None)
        if shelved.learning is not learning:
            return
        if learning.changes == changes:
            self._finish(shelved, learning, ending)
        elif self._is_over(shelved, self._now_ns):
            self._finish(shelved, learning)

    def _finish(self, shelved: Shelved, learning: Learning, ending: Ending | None = None) -> None:
        before = (learning.matcher.version, shelved.reasons)
        ending = ending or learning.window(self.inventories.of_image(shelved.key)).compute()
        shelved.matcher = learning.finish(ending)
        shelved.learning, shelved.state, shelved.ends_ns = None, learning.baseline.state, 0
        shelved.reflect(learning.baseline)
        shelved.excuse(self._wall_ns)
        self._changed.append(shelved)
        if learning.heals and before == (shelved.version, shelved.reasons):
            shelved.news = f"still partial: {', '.join(shelved.reasons)}"
            return
        lacks = f", partial: {', '.join(shelved.reasons)}" if shelved.reasons else ""
        shelved.news = f"{plural(len(learning.baseline.entries), 'behaviour')} learned{lacks}"
        shelved.unsaved = learning
        self._saving.save(shelved, self._now_ns)

    def _reload(self, now_ns: int) -> None:
        """What somebody changed on disk."""
        names = self._late | set(self._saving.changed(now_ns))
        found = [one for name in sorted(names) if (one := self._shelved.get(name))]
        self._late.clear()
        for shelved in found:
            self.reload(shelved)

    def reload(self, shelved: Shelved) -> None:
        """Judge by what the disk has now; once it is written, if it is being written."""
        if shelved.writing:
            self._late.add(shelved.name)
            return
        self._saving.reload(shelved, self._now_ns)
        shelved.excuse(self._wall_ns)
        self._changed.append(shelved)

    # --- the disk ----------------------------------------------------------------------------------------------------

    def save_next(self, now_ns: int) -> None:
        """Have the one baseline written that changed and has waited longest, if any is due and none is on its way: a
        copy of each takes memory."""
        due = [one for one in self if self._saving.is_due(one, now_ns)]
        if due and not any(one.writing for one in self):
            self._saving.save(min(due, key=lambda one: one.saved_ns), now_ns)

    def take_put_in_force(self) -> bool:
        """Whether a learned baseline was written since the last call."""
        done, self._saving.put_in_force = self._saving.put_in_force, False
        return done

    def save(self) -> None:
        """Write all that changed, and wait for it. What the disk refuses is in ``errors`` and tried again next time."""
        self._saving.errands.settle()  # what is on its way may not be all
        for shelved in self:
            if is_dirty(shelved):
                self._saving.save(shelved, shelved.saved_ns)
        self._saving.errands.settle()


def _hand_over(entries: dict[Behaviour, Entry], to: Shelved, subject: Subject, data: set[Behaviour]) -> int:
    """Teach what a nameless container showed, or count what is not expected of its image."""
    if to.learning is None:
        return sum(behaviour not in to.matcher for behaviour in entries)
    to.learning.take_over(entries, subject, data)
    to.matcher = to.learning.matcher
    return 0
