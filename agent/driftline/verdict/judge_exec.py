"""Verdict on an exec.

In: an ``ExecEvent``. Out: exec.drift, exec.fileless, exec.suspicious, exec.into_container, exec.unknown, exec.unowned,
exec.parent, or expected. Order: what no baseline can excuse (a terminal, a socket, arguments), then the baseline, then
the checks of programs it does not hold. A file that is not the image's is only ever expected from the place it came
from, and because a person said so.
"""

from __future__ import annotations

from driftline.baseline.applet import invoked_name, names_by_argument
from driftline.baseline.behaviour import foreign_origin
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.matching import Matcher
from driftline.baseline.patterns.paths import is_temporary
from driftline.nouns import ExecBehaviour, ExecEvent, Kind, Origin, RecordFlag, Severity, Subject
from driftline.verdict.checks.execs import PRELOADS, Call, call_of, circumstances, hangs_on_arguments, unknown_program
from driftline.verdict.checks.table import FILELESS, NOT_OF_IMAGE, TEMPORARY, Hit, hit
from driftline.verdict.failing import NO_CHECKS, failing, still
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

_ENTERED = int(RecordFlag.ENTERED)
_SCRIPT = int(RecordFlag.SCRIPT)
_IS_INIT = int(RecordFlag.IS_INIT)
_PARENT_UNKNOWN = int(RecordFlag.NO_LINEAGE | RecordFlag.SNAPSHOT)
_FOREIGN = int(RecordFlag.FOREIGN_MOUNT_NS)
_PATH_UNSURE = int(RecordFlag.FOREIGN_MOUNT_NS | RecordFlag.PATH_TRUNCATED | RecordFlag.NAME_ONLY)

DRIFT = {
    Origin.WRITABLE: "its file was written into the container after it started",
    Origin.TMPFS: "its file lies in memory (tmpfs)",
    Origin.VOLUME: "its file lies on a volume",
    Origin.HOST: "its file was reached through a mount from outside the container",
}
_FILELESS = {
    Origin.MEMFD: "it never had a file (memfd), so there is nothing to find on the disk",
    Origin.DELETED: "its file was deleted before it ran",
}
UNSEEN_PLACES = tuple(origin.value for origin in (Origin.UNKNOWN, *DRIFT))
"""Origins a script may have been approved with that is told before it was opened."""


def judge_exec(
    event: ExecEvent,
    subject: Subject,
    matcher: Matcher,
    learning: bool,
    inventory: Inventory | None = None,
    excused: frozenset[str] = NO_CHECKS,
    preset: frozenset[str] = NO_CHECKS,
) -> Verdict:
    """Return the verdict on an exec.

    ``inventory``: of its image, if there is one. ``preset``: ``checks.execs.started_with`` of its container.
    """
    if event.file.origin is Origin.COPYUP:
        return COMPARE
    invoked = invoked_name(event)
    known = _is_known(event, matcher, invoked)
    if known and not (event.tty or event.inet_stdio or event.flags & _SCRIPT or hangs_on_arguments(event, invoked)):
        return _expected(event, learning, invoked)
    call = call_of(event, invoked)
    hits = still(circumstances(event, call), excused)
    script = _temporary_script(event, call, matcher, subject) if TEMPORARY not in excused else None
    if known and not hits and script is None:
        return _expected(event, learning, invoked)
    foreign = [] if known else still(_foreign(event, subject), excused)
    hits += foreign
    if script is not None:
        hits.append(script)
    if not known:
        hits += still(unknown_program(event, call, preset), excused)
    otherwise = EXPECTED_ONCE
    if not known and not foreign:
        otherwise = _judge_unknown(event, subject, matcher, learning, invoked, inventory)
    if not hits:
        return otherwise
    return _failing(event, subject, hits, learning, known, otherwise, call if script is not None else None)


def _failing(
    event: ExecEvent,
    subject: Subject,
    hits: list[Hit],
    learning: bool,
    known: bool,
    otherwise: Verdict,
    script: Call | None,
) -> Verdict:
    """Tell it; ``script``: the call, if the interpreter's script is what failed."""
    foreign = any(one.id in (NOT_OF_IMAGE, FILELESS) for one in hits)  # then its name is free text
    what, behaviour = event.file.path if foreign else _what(event, invoked_name(event)), None
    if script is not None:
        what = f"{script.scripts[0]} ({event.file.path})"
        known, behaviour = False, script_behaviour(event, script.scripts[0], Origin.UNKNOWN)
    verdict = failing(event, subject, what, hits, learning, known, otherwise, behaviour)
    variables = tuple(note for note in _variables(event) if note not in verdict.notes)
    return verdict._replace(notes=variables + verdict.notes)


def _is_known(event: ExecEvent, matcher: Matcher, invoked: str) -> bool:
    """Whether the baseline holds it; who ran it does not matter where that cannot be said."""
    path, entered, origin = event.file.path, bool(event.flags & _ENTERED), foreign_origin(event.file)
    if origin:
        return bool(matcher.foreign) and (
            ExecBehaviour(path, invoked, event.by_path, entered, origin) in matcher.foreign
        )
    if (path, invoked, event.by_path, entered) in matcher.execs:
        return True
    return (path, invoked) in matcher.programs and _parent_unknown(event)


def _foreign(event: ExecEvent, subject: Subject) -> list[Hit]:
    """Checks decided by where the file comes from."""
    origin, path = event.file.origin, event.file.path
    if origin is Origin.VOLUME and event.flags & _IS_INIT and not event.by_path:
        return []  # whoever started the container chose it: docker's --init, an entrypoint on an emptyDir
    if origin in DRIFT:
        severity = Severity.HIGH if origin is Origin.VOLUME else None
        hits = [hit(NOT_OF_IMAGE, f"{DRIFT[origin]} (not in the image {image(subject)})", severity)]
        return [*hits, hit(TEMPORARY)] if is_temporary(path) else hits
    return [hit(FILELESS, _FILELESS[origin])] if origin in _FILELESS else []


def _temporary_script(event: ExecEvent, call: Call, matcher: Matcher, subject: Subject) -> Hit | None:
    """A script where anybody may write is told before it is opened: its place says enough."""
    if not call.scripts or not is_temporary(call.scripts[0]):
        return None
    if is_approved_script(event, call.scripts[0], matcher, UNSEEN_PLACES):
        return None
    return hit(TEMPORARY, f"the script lies where anybody may write (not in the image {image(subject)})")


def is_approved_script(event: ExecEvent, script: str, matcher: Matcher, origins: tuple[str, ...]) -> bool:
    """Whether a person allowed ``script`` from one of ``origins``."""
    if not matcher.foreign:
        return False
    entered = bool(event.flags & _ENTERED)
    return any(
        ExecBehaviour(event.file.path, script, event.by_path, entered, origin) in matcher.foreign for origin in origins
    )


def script_behaviour(event: ExecEvent, script: str, origin: Origin) -> ExecBehaviour:
    """Return the behaviour of an interpreter that was given ``script``."""
    return ExecBehaviour(event.file.path, script, event.by_path, bool(event.flags & _ENTERED), origin.value)


def _judge_unknown(
    event: ExecEvent, subject: Subject, matcher: Matcher, learning: bool, invoked: str, inventory: Inventory | None
) -> Verdict:
    """The verdict on a program the baseline does not hold, as far as no check is concerned."""
    if event.flags & _ENTERED and not event.by_exec_id and not event.by_path:
        return _entered(event, subject, learning, invoked)
    if learning:
        return LEARN_ONCE if event.flags & _ENTERED else _expected(event, learning, invoked)
    what = _what(event, invoked)
    if (event.file.path, invoked) in matcher.programs:
        by = event.by_path or "the container runtime"
        return _told(Kind.EXEC_PARENT, event, subject, what, f"{by} never started it while the image was learned")
    if inventory is not None and _is_unowned(event, invoked, inventory):
        reason = "no package of the image owns it, and it never ran while the image was learned"
        return _told(Kind.EXEC_UNOWNED, event, subject, what, reason)
    return _told(Kind.EXEC_UNKNOWN, event, subject, what, "it never ran while the image was learned")


def _is_unowned(event: ExecEvent, invoked: str, inventory: Inventory) -> bool:
    """Whether it is a file of the image that belongs to no package. Of a script, the script counts."""
    if not inventory.knows_files or event.file.origin is not Origin.IMAGE or event.flags & _PATH_UNSURE:
        return False
    path = inventory.as_listed(invoked) if event.flags & _SCRIPT else event.file.path
    return inventory.owner(path) is None


def _parent_unknown(event: ExecEvent) -> bool:
    """Whether who ran it cannot be said: the process table was full, or the parent's image is forgotten."""
    return bool(event.flags & _PARENT_UNKNOWN or (event.by_exec_id and not event.by_path))


def _expected(event: ExecEvent, learning: bool, invoked: str) -> Verdict:
    """Expected; the kernel may remember it only if its key tells this exec from every other."""
    if (
        event.flags & _FOREIGN
        or _parent_unknown(event)
        or names_by_argument(event)
        or hangs_on_arguments(event, invoked)
    ):
        return LEARN_ONCE if learning else EXPECTED_ONCE
    return LEARN if learning else EXPECTED


def _entered(event: ExecEvent, subject: Subject, learning: bool, invoked: str) -> Verdict:
    """An exec into the container that is no learned probe.

    While learning it may be an orchestrator's probe: told quietly, and learned if it keeps coming back. On a terminal
    it is a person, which a check tells.
    """
    what = _what(event, invoked)
    if not learning:
        return _told(Kind.EXEC_INTO_CONTAINER, event, subject, what, "it came in from outside and is no learned probe")
    reason = "it came in from outside; if it comes back it is taken for a probe"
    return _told(Kind.EXEC_INTO_CONTAINER, event, subject, what, reason, Severity.INFO)._replace(learn=True)


def _told(
    kind: Kind, event: ExecEvent, subject: Subject, what: str, reason: str, severity: Severity | None = None
) -> Verdict:
    verdict = deviating(kind, event, subject, what, reason, severity, notes=_variables(event))
    if PRELOADS.isdisjoint(event.environment):
        return verdict
    return verdict._replace(severity=raised(verdict.severity))


def _variables(event: ExecEvent) -> tuple[str, ...]:
    return tuple(f"{name} was set" for name in event.environment)


def _what(event: ExecEvent, invoked: str) -> str:
    """The program, with the name it was called by where that is another: ``/bin/busybox (nc)``."""
    path = event.file.path
    if event.flags & _SCRIPT:
        return f"{invoked} ({path})"
    return path if path.endswith(f"/{invoked}") else f"{path} ({invoked})"
