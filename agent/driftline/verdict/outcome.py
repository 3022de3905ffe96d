"""Verdict: what one event amounts to.

In: what the judge modules found. Out: ``Verdict`` values; the four that say "nothing to tell" are made once and shared,
for they are the outcome of nearly every event. Next: ``judge`` returns them, ``evidence`` makes deviations of the rest.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.nouns import Behaviour, Event, Kind, RecordFlag, Severity, Subject
from driftline.verdict.kinds import RULES

NAMELESS = "something without a name"
_LEVELS = tuple(Severity)
_FOREIGN_MOUNT_NS = int(RecordFlag.FOREIGN_MOUNT_NS)
_ENV_TRUNCATED = int(RecordFlag.ENV_TRUNCATED)
_NAME_ONLY = int(RecordFlag.NAME_ONLY)
_PATH_TRUNCATED = int(RecordFlag.PATH_TRUNCATED)
_NO_LINEAGE = int(RecordFlag.NO_LINEAGE)
_ENTERED = int(RecordFlag.ENTERED)

_NOTES = (
    (_FOREIGN_MOUNT_NS, "in another mount namespace than the container's: the path may mean another file there"),
    (_ENV_TRUNCATED, "not every environment variable was looked at"),
    (_NAME_ONLY, "the path is as the program named it, not resolved by the kernel"),
    (_PATH_TRUNCATED, "the path is longer than recorded: its beginning is missing"),
    (_NO_LINEAGE, "who started the process is unknown"),
    (_ENTERED, "by a process that entered the container from outside"),
)
_NOTED = sum(bit for bit, _note in _NOTES)


class Verdict(NamedTuple):
    """Outcome for one event. ``kind`` None: nothing to tell. A tuple: a third of the cost of a frozen dataclass."""

    kind: Kind | None = None
    severity: Severity = Severity.INFO
    sentence: str = ""
    technique: str = ""
    what: str = ""
    notes: tuple[str, ...] = ()
    cacheable: bool = False
    """The kernel may remember it as known: only what is expected whatever the record did not carry."""
    learn: bool = False
    """It may be learned; only ever true while learning."""
    compare: bool = False
    """Undecided: the file's content must be compared with the image's, see ``judge.judge_compared``."""
    checks: tuple[str, ...] = ()
    """Ids of the never-learned checks it failed, sorted."""
    review: bool = False
    """It may be learned, but only to be reviewed: never as allowed. Only ever true while learning."""
    taints: bool = False
    """What the program does from now on is not learned as allowed either."""
    own: bool = False
    """The check it failed also fails for the service's own work: quiet until somebody looked at it."""
    behaviour: Behaviour | None = None
    """What was judged, where that is not the event itself: a script that was opened is an exec."""


EXPECTED = Verdict(cacheable=True)
EXPECTED_ONCE = Verdict()
LEARN = Verdict(cacheable=True, learn=True)
LEARN_ONCE = Verdict(learn=True)
COMPARE = Verdict(compare=True)


def deviating(
    kind: Kind,
    event: Event,
    subject: Subject,
    what: str,
    why: str,
    severity: Severity | None = None,
    technique: str | None = None,
    notes: tuple[str, ...] = (),
    learn: bool = False,
) -> Verdict:
    """Return a verdict worth telling; what the record's flags say is added as notes and may raise the severity.

    ``severity`` and ``technique`` replace the ones of the kind's rule.
    """
    rule = RULES[kind]
    what = what or NAMELESS
    level = rule.severity if severity is None else severity
    if event.flags & _FOREIGN_MOUNT_NS:
        level = raised(level)
    if event.flags & _NOTED:
        notes += tuple(note for bit, note in _NOTES if event.flags & bit)
    sentence = rule.sentence.format(what=what, where=place(subject), why=why)
    return Verdict(kind, level, sentence, rule.technique if technique is None else technique, what, notes, learn=learn)


def raised(severity: Severity) -> Severity:
    """Return the next higher severity."""
    return _LEVELS[min(severity.rank + 1, len(_LEVELS) - 1)]


def place(subject: Subject) -> str:
    """Return what to call the container in a sentence: its pod and name, else what is known."""
    name = subject.name or subject.container_id[:12] or subject.cgroup_path or "the node"
    return f"{subject.pod}/{name}" if subject.pod else name


def image(subject: Subject) -> str:
    """Return what to call its image in a sentence."""
    return subject.image or subject.image_digest or "(unknown)"
