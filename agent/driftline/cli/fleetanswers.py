"""What nodes answered to what was published or revoked, as lines.

In: messages of the collector. Out: lines, every part of them printable. Why "in force" and "taken" are two words: a
node keeps what it took, and judges by it only while a container of the image runs there and nobody there decided
otherwise. Next: ``baseline publish``, ``baseline revoke`` and ``fleettext`` print them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from driftline.cli.baseline import short_digest
from driftline.cli.main import printable
from driftline.text import plural
from driftline.wire.gen.driftline.v1 import baseline_pb2 as pb

REFUSED = 1
"""Exit status when a node refused what was published or revoked: a pipeline must not take that for done."""
LISTED = 20
"""Nodes that are printed."""
_OUTCOMES = {
    pb.OUTCOME_WAITING: "waiting",
    pb.OUTCOME_TAKEN: "taken",
    pb.OUTCOME_REFUSED: "refused",
    pb.OUTCOME_FAILED: "failed",
}
_ORDER = (pb.OUTCOME_REFUSED, pb.OUTCOME_FAILED, pb.OUTCOME_WAITING)

Answers = list[tuple[str, pb.BaselineOutcome]]  # by node


def word(answer: pb.BaselineOutcome) -> str:
    """Return what became of it, in a word."""
    return _OUTCOMES.get(answer.outcome, "?")


def published_word(one: pb.NodeBaseline, published: str) -> str:
    """Return what became of the version ``published`` on a node, "" if nothing is."""
    if not one.HasField("outcome"):
        return ""
    declined = one.outcome.outcome in {
        pb.OUTCOME_REFUSED,
        pb.OUTCOME_FAILED,
    }  # though it may judge by the same contents
    return "in force" if is_in_force(one, published) and not declined else word(one.outcome)


def is_in_force(one: pb.NodeBaseline, published: str) -> bool:
    """Whether the node judges by the version ``published``, whoever put it in force there."""
    return one.HasField("in_use") and bool(published) and one.in_use.version == published


def instead(one: pb.NodeBaseline, published: str) -> str:
    """Return by what a node judges that took something else, "" if it judges by that, or by nothing."""
    taken = one.outcome.outcome == pb.OUTCOME_TAKEN and one.HasField("in_use")
    if not taken or is_in_force(one, published):
        return ""
    if not one.in_use.version:
        return "taken, and when last heard it still learned the image"
    now = f"revision {one.in_use.revision} (sha256:{short_digest(one.in_use.version)})"
    return f"taken, and when last heard it judged by {now}: somebody on the node decided so, or it is about to change"


def counted(taken: int, refused: int, waiting: int) -> str:
    """Return on how many nodes something arrived."""
    parts = [f"on {plural(taken, 'node')}"]
    if refused:
        parts.append(f"refused by {refused}")
    if waiting:
        parts.append(f"{waiting} did not answer yet")
    return ", ".join(parts)


def of_published(nodes: Iterable[pb.NodeBaseline]) -> Answers:
    """Return what nodes answered to what is published."""
    return [(one.node, one.outcome) for one in nodes if one.HasField("outcome")]


def of_revocation(nodes: Iterable[pb.NodeBaseline], version: str) -> Answers:
    """Return what nodes answered to the revocation of ``version``, as far as there is something to tell."""
    return [(one.node, answer) for one in nodes for answer in one.revocations if answer.version == version]


def is_refused(answers: Answers) -> bool:
    """Whether a node does not accept it."""
    return any(answer.outcome == pb.OUTCOME_REFUSED for _node, answer in answers)


def open_lines(answers: Answers, command: str) -> Iterator[str]:
    """Yield a line for each node that did not take it, and why; ``command`` shows them all."""
    left = [one for kind in _ORDER for one in answers if one[1].outcome == kind]
    for node, answer in left[:LISTED]:
        why = f": {printable(answer.reason)}" if answer.reason else ""
        yield f"  {printable(node)}, {word(answer)}{why}"
    if len(left) > LISTED:
        yield f"  and {len(left) - LISTED} more (`{command}`)"
