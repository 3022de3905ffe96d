"""The directory baselines are kept in: ``STATE_DIR/baselines/<directory_name(name)>/``.

In: baselines to save. Out: the baselines of earlier runs. ``baseline.msgpack`` is in force or being learned,
``baseline.yaml`` is the same for people once it is learned, ``revisions/`` holds what was in force before. Agent and
command line change them at the same time, under a lock; the agent hears of it by ``.changed``. A file that cannot be
read is set aside under another name and told, never dropped. Next: ``lifecycle`` loads and saves, the command line
reviews.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from driftline.baseline.format.canonical import MAX_FILE, Judging, from_msgpack, load_matcher, to_msgpack, version_of
from driftline.baseline.format.plaintext import MAX_PLAIN_FILE
from driftline.baseline.format.reading import DocumentError
from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.keeping import arrivals, history, revoked
from driftline.baseline.keeping.arrivals import Arrival
from driftline.baseline.keeping.edit import adopt
from driftline.baseline.keeping.files import (
    ABSENT,
    Stamp,
    is_of,
    make_directory,
    read_file,
    replacing,
    stamp_of,
    sync_directory,
    take_lock,
    touch,
)
from driftline.baseline.keeping.history import Revision
from driftline.baseline.schema import Baseline, Review, State, with_review
from driftline.baseline.signing import files as signatures
from driftline.errors import StateError
from driftline.text import escape

MSGPACK = "baseline.msgpack"
YAML = "baseline.yaml"
CHANGED = ".changed"
"""File of the root whose modification time changes whenever a person changed a baseline."""
REMOVED = ".removed-"
"""Prefix of a directory on its way out."""
BAD = ".bad"
"""Suffix of a file set aside."""
PUBLISH = "publish"
"""Action of a review: the baseline came from the collector."""
MAX_NAME = 100
"""Characters of a directory name made from a key: file systems allow 255 bytes."""
MAX_SAID = 4_096
"""Characters kept of each text of a review: a file may hold 32 768, and a path made up to be long is no reason to lose
the baseline."""
MAX_SEEN = 1_024
"""Baselines whose last known state on disk is remembered, 200 bytes each; of others every write reads first."""
AGENT_LOCK_SECONDS = 0.2
"""How long the agent waits for a lock: nobody reads the rings meanwhile, and it tries again."""
PERSON_LOCK_SECONDS = 10.0
"""How long a person waits for the agent: it writes 100 000 behaviours in some seconds."""

_Read = TypeVar("_Read")
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def directory_name(name: str) -> str:
    """Return a directory name for a baseline's name: ``sha256:ab…`` → ``sha256-ab…``.

    A name that is no plain algorithm and digest gets its own digest instead: two names never share one.
    """
    algorithm, _, digest = name.partition(":")
    if digest and algorithm.isalnum() and _SAFE.issuperset(algorithm + digest) and len(name) <= MAX_NAME:
        return f"{algorithm}-{digest}"
    return "~" + hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()


class Superseded(StateError):
    """In the place of a baseline lies another than the one that was meant."""


class BaselineStore:
    """Baselines on disk. Every method raises StateError when the disk refuses; the agent goes on without it.

    ``by_hand``: for the command line. The agent is told of changes, nothing is set aside, and a baseline that somebody
    else changed since it was loaded is refused; for the agent, ``edit.adopt`` takes the decisions in it over.
    ``careful``: only those in one that is still being learned; anything else is Superseded.
    """

    def __init__(self, state_dir: str, by_hand: bool = False, careful: bool = False) -> None:
        self.root = Path(state_dir) / "baselines"
        self._by_hand, self._careful = by_hand, careful
        self._seen: dict[str, Stamp] = {}  # by name: the file as we last read or wrote it
        self._held: set[str] = set()  # names we hold the lock of

    def twin(self) -> BaselineStore:
        """Return a store of the same directory, for another thread."""
        return BaselineStore(str(self.root.parent), self._by_hand, self._careful)

    def seen(self, name: str) -> Stamp | None:
        """Return the file of a baseline as it was when it was last read or written; None: never, or long ago."""
        return self._seen.get(name)

    def see(self, name: str, stamp: Stamp) -> None:
        """Take the file so stamped for what was last read or written."""
        self._seen.pop(name, None)
        self._seen[name] = stamp
        if len(self._seen) > MAX_SEEN:
            del self._seen[next(iter(self._seen))]

    # --- writing -----------------------------------------------------------------------------------------------------

    def save(self, baseline: Baseline) -> Baseline:
        """Write ``baseline``, both files, no new revision; on return they are on the disk.

        Returns what was written: ``baseline`` itself, or a new one if decisions made meanwhile were taken over.
        """
        with self.locked(baseline.name), self._told("save", baseline.name):
            baseline = self._with_decisions(baseline)
            self._put_in_force(baseline)
        return baseline

    def commit(self, baseline: Baseline, author: str, action: str, reason: str, what: str = "") -> Baseline:
        """Write ``baseline`` as a new revision and put it in force; return it with number, parent and review.

        One that is still being learned gets the review and no number. A crash leaves the revision before in force.
        A person cannot put in force what was revoked.
        """
        directory = self.directory(baseline.name)
        with self.locked(baseline.name), self._told("save", baseline.name):
            before, baseline = baseline, self._with_decisions(baseline)
            if baseline is not before and self.is_signed(baseline):
                return baseline
            baseline = with_review(baseline, made_by(author, action, reason, what))
            learned = baseline.state is not State.LEARNING
            if self._by_hand and baseline.state is not State.RETIRED:
                revoked.refuse(str(self.root.parent), baseline.name, version_of(baseline))
            baseline = self._numbered(directory, baseline) if learned else baseline
            self._put_in_force(baseline, revision=learned)
        return baseline

    def _numbered(self, directory: Path, baseline: Baseline) -> Baseline:
        """``baseline`` as the revision after the one in force."""
        now = history.header(directory / MSGPACK)
        last = max([*history.numbers(directory), baseline.revision, now.revision if now else 0])
        before = history.header(history.path_of(directory, now.revision)) or now if now and now.revision else None
        return replace(baseline, revision=last + 1, parent=before.version if before else baseline.parent)

    def _put_in_force(self, baseline: Baseline, revision: bool = False, came: Review | None = None) -> None:
        """Write it, and before it is in its place the new revision: what is in force has one. ``came``: it is not ours.

        A person's command writes the YAML as well; the agent removes it, and a child writes it anew (``plain``).
        """
        directory, data = self.directory(baseline.name), to_msgpack(baseline)
        with replacing(directory, {MSGPACK: data, **({YAML: to_yaml(baseline).encode()} if self._by_hand else {})}):
            if revision:
                history.add(directory, baseline.revision, data)
            if came:
                arrivals.add(directory, Arrival(baseline.revision, version_of(baseline), came))
            if not self._by_hand:
                (directory / YAML).unlink(missing_ok=True)
        sync_directory(directory)
        self._remember(baseline.name)
        self._announce()

    def _with_decisions(self, baseline: Baseline) -> Baseline:
        """``baseline`` with what somebody else decided on disk since we last read or wrote it."""
        path, seen = self.directory(baseline.name) / MSGPACK, self._seen.get(baseline.name)
        found = stamp_of(path)
        if found in (ABSENT, seen):
            return baseline
        if self._by_hand:
            raise StateError(
                f"the baseline of {escape(baseline.name)} was changed meanwhile", "look at it again, and try again"
            )
        theirs = self._load(path)
        if isinstance(theirs, StateError):
            return baseline
        if self._careful and theirs.state is not State.LEARNING:
            self.see(baseline.name, seen or ABSENT)  # it stays another than ours
            raise Superseded(f"the baseline {path} is another now, and waits to be verified")
        if self.is_signed(theirs) or (theirs.reviews and theirs.reviews[-1].action == PUBLISH):
            return theirs  # made for many nodes: nothing that was seen on this one alone goes into it
        return adopt(baseline, theirs, seen.mtime_ns if seen else 0)

    def install(self, baseline: Baseline, envelope: bytes, revision_in: Callable[[bytes], int], came: Review) -> None:
        """Put a signed baseline in force exactly as it is, with its signatures; ``came``: who does. Raises StateError.

        In the place of a signed one it must be a later revision, or that very one. What this node made itself gives way
        to it, whatever its number; its revisions are set aside. ``revision_in``: which revision an envelope is of.
        """
        directory, version = self.directory(baseline.name), version_of(baseline)
        with self.locked(baseline.name), self._told("save", baseline.name):
            if baseline.state is not State.RETIRED:
                revoked.refuse(str(self.root.parent), baseline.name, version)
            now = history.header(directory / MSGPACK)
            if now is not None and now.revision >= baseline.revision and not self._is_there(directory, baseline):
                there = signatures.read(directory, now.version, MAX_PLAIN_FILE)  # of another one after a rollback
                if there is not None and revision_in(there) == now.revision:
                    what = f"revision {now.revision} of {escape(baseline.name)} is in force here, and signed"
                    raise StateError(f"{what}; this is revision {baseline.revision}", "sign it with a higher revision")
                history.set_aside(directory)
            signatures.write(directory, version, envelope, baseline.revision)
            self._put_in_force(baseline, revision=True, came=came)

    def put_back(self, baseline: Baseline, came: Review) -> None:
        """Put an earlier revision in force exactly as it was signed; ``came``: who does. Raises StateError."""
        with self.locked(baseline.name), self._told("save", baseline.name):
            if envelope := self.signatures_then(baseline):
                signatures.write(self.directory(baseline.name), version_of(baseline), envelope, baseline.revision)
            self._put_in_force(baseline, came=came)

    def _is_there(self, directory: Path, baseline: Baseline) -> bool:
        return read_file(directory / MSGPACK, MAX_FILE) == to_msgpack(baseline)

    def put_signatures(self, baseline: Baseline, envelope: bytes) -> None:
        """Keep the signatures of a baseline beside it, in the place of older ones. Raises StateError."""
        with self.locked(baseline.name), self._told("sign", baseline.name):
            signatures.write(self.directory(baseline.name), version_of(baseline), envelope, baseline.revision)
            self._announce()

    def signatures(self, baseline: Baseline) -> bytes | None:
        """Return the envelope kept of a baseline's version, nothing in it verified; None if there is none."""
        with self._told("read", baseline.name):
            return signatures.read(self.directory(baseline.name), version_of(baseline), MAX_PLAIN_FILE)

    def signatures_then(self, baseline: Baseline) -> bytes | None:
        """Return the envelope kept of an earlier revision, whoever signed its contents since; None: nobody did."""
        directory, version = self.directory(baseline.name), version_of(baseline)
        with self._told("read", baseline.name):
            return signatures.read_of(directory, baseline.revision, version, MAX_PLAIN_FILE)

    def is_signed(self, baseline: Baseline) -> bool:
        """Whether somebody signed a learned baseline: nothing may change in it then. Nothing is verified."""
        if baseline.state is State.LEARNING:
            return False
        return signatures.path_of(self.directory(baseline.name), version_of(baseline)).exists()

    def remove(self, name: str) -> None:
        """Delete the baseline filed under ``name`` and its revisions, if it is kept."""
        directory, aside = self.directory(name), self.root / f"{REMOVED}{directory_name(name)}"
        if not directory.is_dir():
            return
        import shutil  # 0.3 MiB, with the libraries of its archive formats: few agents ever remove one

        with self.locked(name), self._told("remove", name):
            shutil.rmtree(aside, ignore_errors=True)  # of a removal that was cut short
            os.replace(directory, aside)
            sync_directory(self.root)
            shutil.rmtree(aside)
            self._seen.pop(name, None)
            self._announce()

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Keep everybody else from changing the baseline filed under ``name``: to load, change and save it."""
        if name in self._held:
            yield
            return
        seconds = PERSON_LOCK_SECONDS if self._by_hand else AGENT_LOCK_SECONDS
        with self._told("lock", name):
            lock = take_lock(self.directory(name), seconds)
        self._held.add(name)
        try:
            yield
        finally:
            self._held.discard(name)
            os.close(lock)

    @contextmanager
    def _told(self, verb: str, name: str) -> Iterator[None]:
        """Turn what the disk says into a StateError."""
        where = f"the baseline of {escape(name)} in {self.directory(name)}"
        try:
            yield
        except BlockingIOError as error:
            raise StateError(f"cannot {verb} {where}: another process is changing it", "try again") from error
        except OSError as error:
            hint = "free space, or make the directory writable (--state-dir)"
            raise StateError(f"cannot {verb} {where}: {error.strerror}", hint) from error

    # --- reading -----------------------------------------------------------------------------------------------------

    def directory(self, name: str) -> Path:
        """Where the baseline filed under ``name`` is kept."""
        return self.root / directory_name(name)

    def load(self) -> Iterator[Baseline | StateError]:
        """Yield every baseline kept; in the place of one that cannot be read, the error that says why."""
        try:
            names = sorted(os.listdir(self.root))
        except FileNotFoundError:
            return
        except OSError as error:
            yield StateError(f"cannot read {self.root}: {error.strerror}", "check its owner and mode")
            return
        for name in names:
            if not name.startswith(".") and os.path.lexists(self.root / name / MSGPACK):
                yield self.load_directory(name)

    def load_directory(self, directory: str) -> Baseline | StateError:
        """Return the baseline kept in the directory so named."""
        return self._load(self.root / directory / MSGPACK)

    def load_one(self, name: str, sha256: str = "") -> Baseline | StateError | None:
        """Return the baseline filed under ``name``, None if none is kept. ``sha256``: that its file must have."""
        path = self.directory(name) / MSGPACK
        try:
            stamp = self._stamp(path)
        except StateError as error:
            return error
        self.see(name, stamp)  # also of one that cannot be read: a person may replace what they saw is damaged
        return self._load(path, sha256) if stamp != ABSENT else None

    def load_judging(self, name: str) -> Judging | StateError | None:
        """Return what the baseline filed under ``name`` is judged by: a fifth of the time of ``load_one``."""
        path = self.directory(name) / MSGPACK
        try:
            stamp = self._stamp(path)
        except StateError as error:
            return error
        self.see(name, stamp)
        if stamp == ABSENT:
            return None
        return self._read(path, load_matcher, _name_of)

    def revisions(self, name: str) -> list[Revision]:
        """Return the revisions kept of a baseline, oldest first."""
        directory = self.directory(name)
        with self._told("read", name):
            now = history.header(directory / MSGPACK)
            known = [history.describe(directory, number) for number in history.numbers(directory)]
            came = {one.revision for one in arrivals.recall(directory)}
        return history.with_interrupted(known, now.revision if now else 0, came)

    def arrivals(self, name: str) -> list[Arrival]:
        """Return how signed revisions of a baseline came into force here, oldest first."""
        with self._told("read", name):
            return arrivals.recall(self.directory(name))

    def read_revision(self, name: str, number: int) -> Baseline:
        """Return one revision. Raises StateError if there is none, or it is damaged."""
        path = history.path_of(self.directory(name), number)
        try:
            return history.read(self.directory(name), number)
        except FileNotFoundError:
            hint = "`driftline baseline history` lists the revisions"
            raise StateError(f"there is no revision {number} of {escape(name)}", hint) from None
        except OSError as error:
            raise StateError(f"cannot read {path}: {error.strerror}", "check its owner and mode") from error
        except ValueError as error:
            raise StateError(f"{path} is no baseline: {error}", "take another revision, or a copy") from error

    def changed_since(self, mark: int) -> tuple[int, list[str]]:
        """Return a new mark, and the names of the baselines this store loaded, missed or saved that are others now.

        ``mark``: what the last call returned, 0 at first. Without a change it costs one system call.
        """
        now = self._stamp(self.root / CHANGED).mtime_ns
        if now == mark:
            return mark, []
        return now, [name for name, seen in self._seen.items() if self._stamp(self.directory(name) / MSGPACK) != seen]

    def _stamp(self, path: Path) -> Stamp:
        try:
            return stamp_of(path)
        except OSError as error:
            raise StateError(f"cannot read {path}: {error.strerror}", "check its owner and mode") from error

    def _load(self, path: Path, sha256: str = "") -> Baseline | StateError:
        return self._read(path, from_msgpack, lambda found: found.name, sha256)

    def _read(
        self, path: Path, parse: Callable[[bytes], _Read], name_of: Callable[[_Read], str], sha256: str = ""
    ) -> _Read | StateError:
        try:
            stamp = stamp_of(path)  # before reading: what is renamed into its place meanwhile must look new
            data = read_file(path, MAX_FILE)
            if not is_of(data, sha256):
                return Superseded(f"the baseline {path} changed since it was verified")
            found = parse(data)
            name = name_of(found)
            if directory_name(name) != path.parent.name:
                raise DocumentError(f"key: {name!r} does not belong in this directory")
        except OSError as error:
            return StateError(f"cannot read the baseline {path}: {error.strerror}", "check its owner and mode")
        except ValueError as error:
            hint = "`driftline baseline rollback` takes an older revision" if self._by_hand else _set_aside(path)
            return StateError(f"{path} is no baseline: {error}", hint)
        self.see(name, stamp)
        return found

    def _remember(self, name: str) -> None:
        self.see(name, stamp_of(self.directory(name) / MSGPACK))

    def _announce(self) -> None:
        if self._by_hand:
            make_directory(self.root)
            touch(self.root / CHANGED)


def made_by(author: str, action: str, reason: str, what: str = "") -> Review:
    """Return a decision made now, no text of it longer than ``MAX_SAID``."""
    return Review(time.time_ns(), *(text[:MAX_SAID] for text in (author, action, reason, what)))


def _name_of(judging: Judging) -> str:
    return judging.head.name


def _set_aside(path: Path) -> str:
    """Rename a bad file; return what to tell the user about it."""
    aside = path.with_name(path.name + BAD)
    try:
        os.replace(path, aside)
    except OSError as error:
        return f"remove it; it could not be set aside: {error.strerror}"
    return f"it was set aside as {aside}, and the image is learned again; restore it from a copy if you have one"
