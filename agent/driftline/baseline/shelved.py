"""One baseline in use: what to judge against, and whether it is still learned.

In: a baseline. Out: ``Shelved``. Why not the baseline itself: only one that is learned keeps its statistics in memory;
of the others the matcher stays, the rest is on disk. Next: ``shelf`` holds them.
"""

from __future__ import annotations

from driftline.baseline.format.canonical import Judging, version_of
from driftline.baseline.learning import HEALABLE, Learning
from driftline.baseline.matching import Matcher
from driftline.baseline.packages import packages_used
from driftline.baseline.schema import STARTER_KEY, Baseline, Excuse, State
from driftline.nouns import CONTAINER_KEY

NOT_EXCUSED: frozenset[str] = frozenset()


class Shelved:
    """A baseline in use, of an image or (``workload`` set) of what one workload adds to it.

    ``learning`` is None once it is learned; ``reasons`` say why it may be incomplete.
    """

    __slots__ = (
        "_excuses",
        "containers",
        "ends_ns",
        "excused",
        "held",
        "image",
        "key",
        "learning",
        "matcher",
        "name",
        "news",
        "packages_used",
        "reasons",
        "revision",
        "saved_ns",
        "sha256",
        "signed",
        "state",
        "unsaved",
        "used",
        "waits_ns",
        "workload",
        "writing",
    )

    def __init__(self, baseline: Baseline, judging: Judging | None = None) -> None:
        self.key, self.workload, self.name = baseline.key, baseline.workload, baseline.name
        self.containers: set[int] = set()  # cgroups of its containers, those included that ended in the last minute
        self.unsaved: Learning | None = None  # finished, but not on the disk yet
        self.saved_ns = 0  # CLOCK_MONOTONIC
        self.writing = False  # a write of it is on its way
        self.used = False  # a container of it was seen
        self.sha256 = ""  # of the file it is, hex, on an agent that requires signatures
        self.signed = False  # enough trusted keys signed it, on an agent that requires it
        self.held = False  # what is on disk was refused: nothing is written over it
        self.news = ""  # what to tell the operator about it, once
        self.take(baseline, judging)

    def take(self, baseline: Baseline, judging: Judging | None = None) -> None:
        """Judge by ``baseline`` from now on, and learn it if that is its state; ``judging``: it was loaded without its
        entries."""
        self.image, self.state, self.revision = baseline.image, baseline.state, baseline.revision
        self.waits_ns = 0  # since when a finished window waits for the image's inventory, CLOCK_MONOTONIC
        self.ends_ns = 0  # since when the window is over and its end not computed, CLOCK_MONOTONIC
        self.learning: Learning | None = None
        if baseline.state is State.LEARNING:
            self.learning = Learning(baseline, _carried(baseline))
            self.matcher = self.learning.matcher
        else:
            self.matcher = judging.matcher if judging else Matcher(baseline.entries, version_of(baseline))
        self.reflect(baseline, judging)

    def reflect(self, baseline: Baseline, judging: Judging | None = None) -> None:
        """Show what changed in ``baseline`` besides what it expects."""
        self.reasons: tuple[str, ...] = baseline.reasons
        self.packages_used = judging.packages_used if judging else packages_used(baseline)
        self._excuses: tuple[Excuse, ...] = baseline.excuses
        self.excused: frozenset[str] = NOT_EXCUSED

    def heal(self, baseline: Baseline) -> None:
        """Learn ``baseline`` again, for what it lacks."""
        baseline.elapsed_ns = baseline.quiet_ns = 0
        self.learning = Learning(baseline, ", ".join(baseline.reasons), heals=True)
        self.matcher = self.learning.matcher

    @property
    def heals(self) -> bool:
        """Whether it is learned again for what it lacks."""
        return self.learning is not None and self.learning.heals

    @property
    def may_heal(self) -> bool:
        """Whether a container that starts now can give what it lacks. What a person promoted or
        signed changes by hand only."""
        if self.learning or self.unsaved or self.state is not State.CANDIDATE or not self.reasons:
            return False
        if self.signed or self.held:
            return False
        return all(reason in HEALABLE or reason.startswith("losses ") for reason in self.reasons)

    @property
    def version(self) -> str:
        """Content digest judged against, "" while there is none."""
        return self.matcher.version

    @property
    def first_run(self) -> bool:
        """Whether it is learned for the first time: nothing to judge against yet."""
        return self.learning is not None and not self.learning.why

    @property
    def is_lone(self) -> bool:
        """Whether it is filed under one container, for want of an image's name: it ends with that."""
        return self.key.startswith(CONTAINER_KEY)

    def excuse(self, wall_ns: int) -> bool:
        """Let excuses begin and expire; return whether any did."""
        if not self._excuses and not self.excused:
            return False
        now = frozenset(one.check for one in self._excuses if not one.expires_ns or one.expires_ns > wall_ns)
        changed = now != self.excused
        self.excused = now or NOT_EXCUSED
        return changed


def _carried(baseline: Baseline) -> str:
    """Why a baseline that is learned judges all the same, "" if it does not."""
    if baseline.predecessor.startswith(STARTER_KEY):
        return "it began with a starter baseline"
    return "a new version of its image" if baseline.predecessor else ""
