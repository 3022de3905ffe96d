"""Verdict on the open by which an interpreter takes its script: a script counts as code.

In: an ``OpenEvent``, and the exec it belongs to. Out: exec.drift if the script is not the image's, else the open's own
verdict. Why here and not at the exec: only the kernel's view of the opened file says where it comes from; the argument
is text a program chose. Next: ``judge``.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.baseline.matching import Matcher
from driftline.nouns import ExecBehaviour, Kind, OpenEvent, Origin, Severity, Subject
from driftline.verdict.checks.table import FILELESS, NOT_OF_IMAGE, hit
from driftline.verdict.failing import failing
from driftline.verdict.outcome import EXPECTED_ONCE, LEARN_ONCE, Verdict, image

_NOT_OF_IMAGE = {
    Origin.WRITABLE: "the script it was given was written into the container after it started",
    Origin.TMPFS: "the script it was given lies in memory (tmpfs)",
    Origin.VOLUME: "the script it was given lies on a volume",
    Origin.HOST: "the script it was given was reached through a mount from outside the container",
}
_FILELESS = {
    Origin.MEMFD: "the script it was given has no file (memfd)",
    Origin.DELETED: "the script it was given was deleted",
}


class Run(NamedTuple):
    """An interpreter that was given a script, as its exec said."""

    scripts: tuple[str, ...]  # absolute as far as the arguments tell
    interpreter: str  # path of the executable
    by: str
    entered: bool
    chosen: bool  # by whoever started the container: it is the container's own first program
    init: bool  # the process is the container's init
    told: bool  # its place was told already at the exec


def judge_script(
    event: OpenEvent,
    run: Run,
    subject: Subject,
    matcher: Matcher,
    learning: bool,
    excused: frozenset[str],
    otherwise: Verdict,
) -> Verdict:
    """Return the verdict on opening the script of ``run``; ``otherwise``: that on the open as such.

    The kernel remembers no such open: the next interpreter that is given the file must be seen.
    """
    origin = event.file.origin
    reason = _NOT_OF_IMAGE.get(origin) or _FILELESS.get(origin)
    if reason is None:
        return otherwise
    number = NOT_OF_IMAGE if origin in _NOT_OF_IMAGE else FILELESS
    if number in excused or (run.chosen and origin is Origin.VOLUME):
        return _once(otherwise)
    behaviour = ExecBehaviour(run.interpreter, event.file.path, run.by, run.entered, origin.value)
    if run.told or (matcher.foreign and _is_approved(behaviour, matcher)):
        return _once(otherwise) if otherwise.kind is not Kind.FILE_READ_UNKNOWN else EXPECTED_ONCE
    severity = Severity.HIGH if origin is Origin.VOLUME else None
    found = hit(number, f"{reason} (not in the image {image(subject)})", severity)
    what = f"{event.file.path} ({run.interpreter})"
    verdict = failing(event, subject, what, [found], learning, behaviour=behaviour)
    # The container's own first program on a volume was chosen by whoever started it: what it does may be learned
    return verdict._replace(taints=not (run.init and origin is Origin.VOLUME))


def _is_approved(behaviour: ExecBehaviour, matcher: Matcher) -> bool:
    if behaviour in matcher.foreign:
        return True
    unseen = ExecBehaviour(behaviour.path, behaviour.invoked, behaviour.by, behaviour.entered, Origin.UNKNOWN.value)
    return unseen in matcher.foreign


def _once(verdict: Verdict) -> Verdict:
    if verdict.kind is not None or not verdict.cacheable:
        return verdict
    return LEARN_ONCE if verdict.learn else EXPECTED_ONCE
