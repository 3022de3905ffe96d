"""What the shelf keeps on disk, where signatures are required: only what the guard chose comes into force.

In: what ``Saving`` gets. Out: the same, with the last good baseline in the place of one that was refused. Why the
digest is compared with the very bytes that are loaded: the file may have changed meanwhile. Next: ``shelf``.
"""

from __future__ import annotations

from driftline.baseline.beginning import begin
from driftline.baseline.format.canonical import MAX_FILE, from_msgpack, version_of
from driftline.baseline.keeping.errands import Errands
from driftline.baseline.keeping.files import is_of, read_file
from driftline.baseline.keeping.revoked import reason_of, recall
from driftline.baseline.keeping.saving import LOOK_NS, Saving
from driftline.baseline.keeping.store import MSGPACK, BaselineStore, Superseded
from driftline.baseline.keeping.writing import Written
from driftline.baseline.learning import Learning
from driftline.baseline.schema import Baseline, State
from driftline.baseline.shelved import Shelved
from driftline.baseline.signing.guard import Guard, Wanted
from driftline.baseline.signing.judged import kept_directory
from driftline.baseline.signing.ruling import Choice
from driftline.errors import StateError
from driftline.nouns import CONTAINER_KEY

UNKNOWN = Choice(held=True, nothing=True)
"""What counts until the guard knows more."""
FREE = Choice()
"""What counts for a container without an image's digest: nobody can sign that."""


class VettedSaving(Saving):
    """Belongs to the pipeline's thread."""

    def __init__(self, store: BaselineStore, guard: Guard, errands: Errands | None = None) -> None:
        super().__init__(store, errands)
        self._guard, self._vetted = guard, store
        self._missed = ""  # name of the last baseline that was not as it was verified
        self._look()

    def begin(self, key: str, workload: str, image: str) -> Shelved:
        """Return what a container is judged by. What was refused is not touched: it is learned in memory instead."""
        self._missed = ""
        found = begin(self._vetted, key, workload, image, self._chosen)
        self.errors += found.errors
        shelved = Shelved(found.baseline)
        if not shelved.is_lone:
            self._guard.want(Wanted(key, workload, image))
        self._note(shelved, UNKNOWN if self._missed == shelved.name else self._choice(shelved.name))
        return shelved

    def load(self, name: str) -> Baseline | None:
        """Return a baseline if that is what was chosen."""
        found = self._chosen(name)
        if isinstance(found, StateError):
            self.errors.append(found)
            return None
        return found

    def changed(self, now_ns: int) -> list[str]:
        """Return the names of baselines the guard chose anew; have those verified that somebody changed."""
        free: list[str] = []
        if now_ns - self._looked_ns >= LOOK_NS:
            self._looked_ns = now_ns
            before = self._mark
            for name in self._look():
                if name.startswith(CONTAINER_KEY):
                    free.append(name)
                else:
                    self._guard.want_again(name)
            if self._mark != before:  # perhaps it was signed
                self._guard.want_all_again()
        return free + self._guard.take_fresh()

    def _look(self) -> list[str]:
        try:
            self._mark, names = self._vetted.changed_since(self._mark)
        except StateError as error:
            self.errors.append(error)
            return []
        return names

    def reload(self, shelved: Shelved, now_ns: int) -> None:
        """Take over what was chosen. While the good one is in force, what was refused changes nothing."""
        choice = self._choice(shelved.name)
        learning = shelved.learning is not None and not shelved.heals
        if shelved.signed and choice.nothing and (choice.void or self._is_revoked(shelved)):
            self.take_over(shelved, None)
            self._note(shelved, choice)
            return
        if learning and choice.nothing:
            shelved.held = choice.held
            return
        if choice.held and not learning and (choice.nothing or choice.sha256 == shelved.sha256 or not choice.signed):
            shelved.held = True
            return
        if learning and not choice.signed and not shelved.held:
            super().reload(shelved, now_ns)  # the decisions come back when it is saved
            return
        errors = len(self.errors)
        found = self.load(shelved.name)
        if len(self.errors) > errors or (found is None and not choice.nothing):
            return
        if found is None or not self._is_in_force(shelved, found):
            self.take_over(shelved, found)
            if choice.kept and shelved.learning is None:
                shelved.news = f"revision {shelved.revision} is in force, the last good one that is signed"
        self._note(shelved, choice)

    def save(self, shelved: Shelved, now_ns: int) -> None:
        """Write it, unless what lies there is to be looked at by a person."""
        if shelved.held:
            shelved.saved_ns, shelved.unsaved = now_ns, None
            return
        super().save(shelved, now_ns)

    def _written(self, shelved: Shelved, learning: Learning, done: Written) -> None:
        """What lies there is another one, or what was learned is on the disk now: the guard looks at it."""
        superseded = isinstance(done.error, Superseded)
        super()._written(shelved, learning, done._replace(error=None) if superseded else done)
        if not shelved.is_lone and (superseded or (shelved.learning is None and not shelved.unsaved)):
            self._guard.want_again(shelved.name)

    def _is_revoked(self, shelved: Shelved) -> bool:
        """Whether what is in force was revoked: it is in memory alone, if its file was refused or removed before."""
        try:
            known = recall(self._guard.state_dir)
        except StateError as error:
            self.errors.append(error)
            return False
        return reason_of(known, shelved.name, shelved.version) is not None

    def _is_in_force(self, shelved: Shelved, found: Baseline) -> bool:
        now = (shelved.state, shelved.revision, shelved.version)
        return shelved.learning is None and now == (found.state, found.revision, version_of(found))

    def _note(self, shelved: Shelved, choice: Choice) -> None:
        shelved.signed, shelved.held, shelved.sha256 = choice.signed, choice.held, choice.sha256
        if choice.signed:
            shelved.unsaved = None  # what was learned meanwhile is not written over it

    def _choice(self, name: str) -> Choice:
        if name.startswith(CONTAINER_KEY):
            return FREE
        return self._guard.choice_of(name) or UNKNOWN

    def _chosen(self, name: str) -> Baseline | StateError | None:
        """What was chosen, if it is still there as it was verified; else it is verified again."""
        choice = self._choice(name)
        if choice.nothing or choice is FREE:
            return None if choice.nothing else self._vetted.load_one(name)
        found = self._kept(name, choice.sha256) if choice.kept else self._vetted.load_one(name, choice.sha256)
        if isinstance(found, Baseline) and not choice.sha256 and found.state is not State.LEARNING:
            found = None
        if isinstance(found, Baseline):
            return found
        self._missed = name
        self._guard.want_again(name)
        return None if isinstance(found, Superseded) else found

    def _kept(self, name: str, sha256: str) -> Baseline | StateError | None:
        path = kept_directory(self._guard.state_dir, name) / MSGPACK
        try:
            data = read_file(path, MAX_FILE)
            return from_msgpack(data) if is_of(data, sha256) else None
        except (OSError, ValueError) as error:
            return StateError(f"the last good baseline {path} cannot be read: {error}", "import a signed one")
