"""What a fleet learned of an image, as a table and as plain values.

In: messages of the collector. Out: lines, every part of them printable, or JSON. Next: ``baseline fleet`` prints them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from driftline.cli.baseline import NS, day, label, short_digest, span
from driftline.cli.fleetanswers import counted, instead, is_in_force, published_word, word
from driftline.cli.fleetnames import by, published_line, stub
from driftline.cli.main import printable
from driftline.cli.tables import fitted
from driftline.text import plural
from driftline.wire.gen.driftline.v1 import baseline_pb2 as pb
from driftline.wire.gen.driftline.v1 import collector_pb2
from driftline.wire.jsontext import wall_time

_HEADS = (
    *("IMAGE", "DIGEST", "NODES", "LEARNING", "LEARNED", "COMPLETE", "REVIEW"),
    *("PUBLISHED", "TAKEN", "REFUSED", "WAITING"),
)
_NODE_HEADS = ("NODE", "STATE", "REV", "LEARNED", "REVIEW", "STARTS", "FROM", "FOR", "PUBLISHED")
_STATES = {
    pb.BASELINE_STATE_LEARNING: "learning",
    pb.BASELINE_STATE_CANDIDATE: "candidate",
    pb.BASELINE_STATE_ACTIVE: "active",
    pb.BASELINE_STATE_RETIRED: "retired",
}


def table(summaries: Iterable[pb.BaselineSummary]) -> list[str]:
    """Return a line for each baseline, below a head; below it, how many nodes refused a revocation."""
    rows = list(summaries)
    head, *lines = fitted([_HEADS, *map(_row, rows)], names=2)
    for place, one in reversed(list(enumerate(rows, 1))):
        if one.nodes_refusing_revocation:
            who = plural(one.nodes_refusing_revocation, "node")
            lines.insert(place, f"  a revocation is refused by {who} (`driftline baseline fleet NAME`)")
    return [head, *lines]


def _row(one: pb.BaselineSummary) -> tuple[str, ...]:
    what, out = stub(one.name, one.image), one.HasField("published")
    figures = one.nodes_using, one.nodes_learning, one.nodes_learned, one.nodes_complete, one.needs_review
    arrived = one.nodes_taken, one.nodes_refused, one.nodes_waiting
    return (
        label(what),
        short_digest(what.key),
        *(str(figure or "-") for figure in figures),
        f"rev {one.published.revision}" if out else "-",
        *(str(figure) if out else "-" for figure in arrived),
    )


def page(found: collector_pb2.GetBaselineResponse) -> Iterator[str]:
    """Yield all that is known of one baseline."""
    summary = found.summary
    yield f"{label(stub(summary.name, summary.image))}"
    yield f"name       {printable(summary.name)}"
    if summary.HasField("published"):
        yield f"published  {published_line(summary.published)}"
        yield f"           {arrived(summary)}"
    else:
        yield "published  nothing"
    progress = {one.version: one for one in found.progress}
    for one in found.revocations:
        yield f"revoked    {revocation_line(one)}"
        if one.version in progress:
            yield f"           {obeyed(progress[one.version])}"
    if found.nodes:
        yield ""
        yield from _nodes(found.nodes, summary.published.version)
    if found.left_out:
        yield f"{plural(found.left_out, 'more node')} did not fit into the collector's answer"


def arrived(summary: pb.BaselineSummary) -> str:
    """Return on how many nodes what is published arrived."""
    return counted(summary.nodes_taken, summary.nodes_refused, summary.nodes_waiting)


def obeyed(progress: pb.RevocationProgress) -> str:
    """Return on how many nodes a revocation arrived."""
    return counted(progress.nodes_taken, progress.nodes_refused, progress.nodes_waiting)


def revocation_line(one: pb.Revocation) -> str:
    """Return what was revoked, by whom, when and why."""
    signed = "signed" if one.envelope else "NOT signed"
    who, when = by(one.author, one.made_by), day(one.revoked_wall_ns)
    return f"sha256:{short_digest(one.version)}, {signed}, by {who}, {when} UTC: {printable(one.reason)}"


def _nodes(nodes: Sequence[pb.NodeBaseline], published: str) -> Iterator[str]:
    head, *lines = fitted([_NODE_HEADS, *(_node_row(one, published) for one in nodes)], names=1)
    yield head
    for line, one in zip(lines, nodes, strict=True):
        yield line
        if one.learned.reasons:
            yield f"  partial: {', '.join(map(printable, one.learned.reasons))}"
        if one.outcome.reason:
            yield f"  {word(one.outcome)}: {printable(one.outcome.reason)}"
        if other := instead(one, published):
            yield f"  {other}"
        for answer in one.revocations:
            why = f": {printable(answer.reason)}" if answer.reason else ""
            yield f"  revocation of sha256:{short_digest(answer.version)} {word(answer)}{why}"


def _node_row(one: pb.NodeBaseline, published: str) -> tuple[str, ...]:
    used, learned = one.in_use, one.learned
    containers = f"{learned.containers - 1}+" if learned.containers > 64 else str(learned.containers or "-")
    return (
        printable(one.node),
        _STATES.get(used.state, "-") if one.HasField("in_use") else "-",
        str(used.revision or "-"),
        str(learned.behaviours) if one.HasField("learned") else "-",
        str(learned.needs_review or "-"),
        str(learned.startups or "-"),
        containers,
        span(learned.elapsed_ns // NS),
        published_word(one, published) or "-",
    )


# --- plain values -----------------------------------------------------------------------------------------------------


def summary_json(one: pb.BaselineSummary) -> dict[str, Any]:
    """Return a summary as plain values."""
    return {
        "name": printable(one.name),
        "image": printable(one.image),
        "nodes_using": one.nodes_using,
        "nodes_learning": one.nodes_learning,
        "nodes_learned": one.nodes_learned,
        "nodes_complete": one.nodes_complete,
        "needs_review": one.needs_review,
        "published": _published_json(one.published) if one.HasField("published") else None,
        "nodes_taken": one.nodes_taken,
        "nodes_refused": one.nodes_refused,
        "nodes_waiting": one.nodes_waiting,
        "nodes_refusing_revocation": one.nodes_refusing_revocation,
    }


def page_json(found: collector_pb2.GetBaselineResponse) -> dict[str, Any]:
    """Return all that is known of one baseline as plain values."""
    progress = {one.version: one for one in found.progress}
    published = found.summary.published.version
    return summary_json(found.summary) | {
        "nodes": [_node_json(one, published) for one in found.nodes],
        "nodes_left_out": found.left_out,
        "revocations": [revocation_json(one, progress.get(one.version)) for one in found.revocations],
    }


def _published_json(one: pb.Published) -> dict[str, Any]:
    return {
        "version": printable(one.version),
        "revision": one.revision,
        "signed": one.format == pb.BASELINE_FORMAT_DSSE,
        "reason": printable(one.reason),
        "author": printable(one.author),
        "made_by": printable(one.made_by),
        "at": wall_time(one.published_wall_ns),
    }


def revocation_json(one: pb.Revocation, progress: pb.RevocationProgress | None) -> dict[str, Any]:
    """Return a revocation as plain values; the figures are null for one so old that nobody counts."""
    return {
        "version": printable(one.version),
        "signed": bool(one.envelope),
        "reason": printable(one.reason),
        "author": printable(one.author),
        "made_by": printable(one.made_by),
        "at": wall_time(one.revoked_wall_ns),
        "nodes_taken": progress and progress.nodes_taken,
        "nodes_refused": progress and progress.nodes_refused,
        "nodes_waiting": progress and progress.nodes_waiting,
    }


def _node_json(one: pb.NodeBaseline, published: str) -> dict[str, Any]:
    values: dict[str, Any] = {"node": printable(one.node), "in_use": None, "learned": None, "outcome": None}
    if one.HasField("in_use"):
        used = one.in_use
        version = printable(used.version)
        values["in_use"] = {"state": _STATES.get(used.state), "version": version, "revision": used.revision}
    if one.HasField("learned"):
        values["learned"] = _learned_json(one.learned)
    if one.HasField("outcome"):
        values["outcome"] = _answer_json(one.outcome) | {"in_force": is_in_force(one, published)}
    values["revocations"] = [{"version": printable(two.version)} | _answer_json(two) for two in one.revocations]
    return values


def _answer_json(answer: pb.BaselineOutcome) -> dict[str, Any]:
    return {"outcome": word(answer), "reason": printable(answer.reason)}


def _learned_json(one: pb.LearnedPart) -> dict[str, Any]:
    return {
        "version": printable(one.version),
        "revision": one.revision,
        "behaviours": one.behaviours,
        "needs_review": one.needs_review,
        "reasons": list(map(printable, one.reasons)),
        "elapsed_ns": one.elapsed_ns,
        "startups": one.startups,
        "containers": one.containers,
        "received": wall_time(one.received_wall_ns),
    }
