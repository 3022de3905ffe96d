"""Verdict on an exec.

In: an ``ExecEvent``. Out: exec.drift, exec.fileless, exec.into_container, exec.unknown, exec.unowned, exec.parent, or
expected.
Where the file comes from is decided first: a program that is not the image's is told whatever the baseline says.
"""

from __future__ import annotations

from driftline.baseline.applet import invoked_name, names_by_argument
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.matching import Matcher
from driftline.nouns import ExecEvent, Kind, Origin, RecordFlag, Severity, Subject
from driftline.verdict.kinds import RULES
from driftline.verdict.outcome import (
    COMPARE,
    EXPECTED,
    EXPECTED_ONCE,
    LEARN,
    LEARN_ONCE,
    Verdict,
    deviating,
    image,
    raised,
)
from driftline.verdict.paths import is_temporary

_ENTERED = int(RecordFlag.ENTERED)
_SCRIPT = int(RecordFlag.SCRIPT)
_IS_INIT = int(RecordFlag.IS_INIT)
_PARENT_UNKNOWN = int(RecordFlag.NO_LINEAGE | RecordFlag.SNAPSHOT)
_FOREIGN = int(RecordFlag.FOREIGN_MOUNT_NS)
_PATH_UNSURE = int(RecordFlag.FOREIGN_MOUNT_NS | RecordFlag.PATH_TRUNCATED | RecordFlag.NAME_ONLY)
_STDIN_STDOUT = 0b11

_PRELOADS = frozenset({"LD_PRELOAD", "LD_AUDIT", "GLIBC_TUNABLES"})
"""Variables that put code into a program, or were used to; the others merely move where it looks for code."""

_DRIFT = {
    Origin.WRITABLE: "its file was written into the container after it started",
    Origin.TMPFS: "its file lies in memory (tmpfs)",
    Origin.VOLUME: "its file lies on a volume",
    Origin.HOST: "its file was reached through a mount from outside the container",
}
_FILELESS = {
    Origin.MEMFD: "it never had a file (memfd), so there is nothing to find on the disk",
    Origin.DELETED: "its file was deleted before it ran",
}


def judge_exec(
    event: ExecEvent, subject: Subject, matcher: Matcher, learning: bool, inventory: Inventory | None = None
) -> Verdict:
    """Return the verdict on an exec; ``inventory``: of its image, if there is one."""
    origin = event.file.origin
    if origin is not Origin.IMAGE and origin is not Origin.ROOTFS:
        foreign = _judge_origin(event, subject, origin)
        if foreign is not None:
            return foreign
    invoked = invoked_name(event)
    if event.flags & _SCRIPT and is_temporary(invoked):
        reason = f"the script lies where anybody may write (not in the image {image(subject)})"
        return _told(Kind.EXEC_DRIFT, event, subject, invoked, reason, Severity.HIGH)
    if event.inet_stdio & _STDIN_STDOUT:
        reason = "its input or output is a network connection: a remote shell looks like this"
        return _told(Kind.EXEC_UNKNOWN, event, subject, _what(event, invoked), reason, Severity.CRITICAL)
    verdict = _judge_baseline(event, subject, matcher, learning, invoked)
    if verdict.kind is Kind.EXEC_UNKNOWN and inventory is not None and _is_unowned(event, invoked, inventory):
        reason = "no package of the image owns it, and it never ran while the image was learned"
        return _told(Kind.EXEC_UNOWNED, event, subject, _what(event, invoked), reason)
    return verdict


def _is_unowned(event: ExecEvent, invoked: str, inventory: Inventory) -> bool:
    """Whether it is a file of the image that belongs to no package. Of a script, the script counts."""
    if not inventory.knows_files or event.file.origin is not Origin.IMAGE or event.flags & _PATH_UNSURE:
        return False
    path = inventory.as_listed(invoked) if event.flags & _SCRIPT else event.file.path
    return inventory.owner(path) is None


def _judge_origin(event: ExecEvent, subject: Subject, origin: Origin) -> Verdict | None:
    """The verdict if the file's origin decides it."""
    if origin is Origin.COPYUP:
        return COMPARE
    if origin is Origin.VOLUME and event.flags & _IS_INIT and not event.by_path:
        return None  # whoever started the container chose it: docker's --init, an entrypoint on an emptyDir
    reason = _DRIFT.get(origin)
    if reason is not None:
        severity = Severity.HIGH if origin is Origin.VOLUME else None
        reason = f"{reason} (not in the image {image(subject)})"
        return _told(Kind.EXEC_DRIFT, event, subject, event.file.path, reason, severity)
    reason = _FILELESS.get(origin)
    return None if reason is None else _told(Kind.EXEC_FILELESS, event, subject, event.file.path, reason)


def _judge_baseline(event: ExecEvent, subject: Subject, matcher: Matcher, learning: bool, invoked: str) -> Verdict:
    path, entered = event.file.path, bool(event.flags & _ENTERED)
    known = (path, invoked, event.by_path, entered) in matcher.execs
    program_known = (path, invoked) in matcher.programs
    if known or (program_known and _parent_unknown(event)):
        return _expected(event, learning)
    if entered and not event.by_exec_id and not event.by_path:
        return _entered(event, subject, learning, invoked)
    if learning:
        return LEARN_ONCE if entered else _expected(event, learning)
    what = _what(event, invoked)
    if not program_known:
        return _told(Kind.EXEC_UNKNOWN, event, subject, what, "it never ran while the image was learned")
    by = event.by_path or "the container runtime"
    return _told(Kind.EXEC_PARENT, event, subject, what, f"{by} never started it while the image was learned")


def _parent_unknown(event: ExecEvent) -> bool:
    """Whether who ran it cannot be said: the process table was full, or the parent's image is forgotten."""
    return bool(event.flags & _PARENT_UNKNOWN or (event.by_exec_id and not event.by_path))


def _expected(event: ExecEvent, learning: bool) -> Verdict:
    """Expected; the kernel may remember it only if its key tells this exec from every other."""
    if event.flags & _FOREIGN or _parent_unknown(event) or names_by_argument(event):
        return LEARN_ONCE if learning else EXPECTED_ONCE
    return LEARN if learning else EXPECTED


def _entered(event: ExecEvent, subject: Subject, learning: bool, invoked: str) -> Verdict:
    """An exec into the container that is no learned probe. On a terminal it is a person: never learned.

    Without one, while learning, it may be an orchestrator's probe: told quietly, and learned if it keeps coming back.
    """
    what = _what(event, invoked)
    if event.tty:
        reason = f"somebody came in from outside, on terminal {event.tty}"
        return _told(Kind.EXEC_INTO_CONTAINER, event, subject, what, reason, Severity.HIGH)
    if not learning:
        return _told(Kind.EXEC_INTO_CONTAINER, event, subject, what, "it came in from outside and is no learned probe")
    reason = "it came in from outside; if it comes back it is taken for a probe"
    return _told(Kind.EXEC_INTO_CONTAINER, event, subject, what, reason, Severity.INFO, learn=True)


def _told(
    kind: Kind,
    event: ExecEvent,
    subject: Subject,
    what: str,
    reason: str,
    severity: Severity | None = None,
    learn: bool = False,
) -> Verdict:
    notes = tuple(f"{name} was set" for name in event.environment)
    if not _PRELOADS.isdisjoint(event.environment):
        severity = raised(severity or RULES[kind].severity)
    return deviating(kind, event, subject, what, reason, severity, notes=notes, learn=learn)


def _what(event: ExecEvent, invoked: str) -> str:
    """The program, with the name it was called by where that is another: ``/bin/busybox (nc)``."""
    path = event.file.path
    if event.flags & _SCRIPT:
        return f"{invoked} ({path})"
    return path if path.endswith(f"/{invoked}") else f"{path} ({invoked})"
