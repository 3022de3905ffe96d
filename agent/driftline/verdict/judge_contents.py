"""Verdict on a file of the image that ran, after its contents were compared with what its package recorded.

In: the event, the digest, the inventory. Out: exec.modified, or expected. Such a file was changed when the image was
built, by whoever built it: a Trojaned base image, or a build that patches what a package brought. Next: ``judging``.
"""

from __future__ import annotations

from driftline.baseline.inventory.inventory import Inventory, describe_package
from driftline.baseline.inventory.schema import Check
from driftline.nouns import Event, ExecEvent, Kind, LoadEvent, OpenEvent, Origin, Severity, Subject
from driftline.verdict.checks.table import NOT_OF_IMAGE, hit
from driftline.verdict.failing import failing
from driftline.verdict.kinds import RULES
from driftline.verdict.outcome import EXPECTED_ONCE, Verdict

ALLOWED = "the promoted baseline allows it"


def judge_contents(
    event: Event,
    subject: Subject,
    inventory: Inventory,
    algorithm: str,
    digest: str,
    learning: bool,
    excused: frozenset[str],
    allowed: bool,
) -> Verdict:
    """Return the verdict; ``digest`` is hex, made with ``algorithm``. ``allowed``: a promoted baseline holds it."""
    if not isinstance(event, ExecEvent | LoadEvent | OpenEvent) or NOT_OF_IMAGE in excused:
        return EXPECTED_ONCE
    path = event.file.path
    if not digest or inventory.check(path, algorithm, digest) is not Check.DIFFERS:
        return EXPECTED_ONCE
    rule = RULES[Kind.EXEC_MODIFIED]
    found = hit(NOT_OF_IMAGE, _reason(event, path, inventory), rule.severity, rule.technique, Kind.EXEC_MODIFIED)
    verdict = failing(event, subject, path, [found], learning)._replace(taints=isinstance(event, ExecEvent))
    if isinstance(event, OpenEvent):
        return verdict._replace(review=False)  # of a script: the interpreter's exec does not name it
    if allowed:
        return verdict._replace(severity=Severity.LOW, notes=(*verdict.notes, ALLOWED))
    return verdict


def _reason(event: ExecEvent | LoadEvent | OpenEvent, path: str, inventory: Inventory) -> str:
    package, recorded = inventory.owner(path), inventory.recorded(path)
    whose = f" for {describe_package(package)}" if package else ""
    by = recorded.by if recorded else "its package"
    when = "in the image itself" if event.file.origin is Origin.IMAGE else "in the image or since it started"
    return f"its contents differ from those {by} recorded{whose}: it was changed {when}"
