"""``driftline baseline publish``: a reviewed baseline, put in force on every node.

In: a file. Out: a published baseline at the collector; on how many nodes it arrived, and who refused it and why. What
is signed is published exactly as it is; what is not is numbered above what was published before, and says who decided.
Next: the collector tells the agents, ``baseline fleet`` shows what became of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from driftline.baseline import decisions
from driftline.baseline.decisions import DecisionError, needing_review
from driftline.baseline.format.canonical import to_msgpack, version_of
from driftline.baseline.format.reading import DocumentError
from driftline.baseline.schema import Baseline, Review, State, with_review
from driftline.baseline.signing.statement import Statement, check
from driftline.baseline.signing.verification import read_envelope, read_statement
from driftline.cli.authors import author_or_default
from driftline.cli.baseline import Author, Reason, checked_reason, day, label, numbered, short_digest
from driftline.cli.baselinefile import read_baseline, read_signed
from driftline.cli.fleetanswers import REFUSED, is_refused, of_published, open_lines
from driftline.cli.fleetnames import Wait, by, known
from driftline.cli.fleettext import arrived
from driftline.cli.main import printable
from driftline.cli.reaching import Reaching, with_collector
from driftline.errors import SignatureError
from driftline.text import escape, plural
from driftline.wire.client import CollectorClient
from driftline.wire.gen.driftline.v1 import baseline_pb2 as pb
from driftline.wire.gen.driftline.v1 import collector_pb2
from driftline.wire.pieces import Whole, deflate
from driftline.wire.service import WHOLE_BYTES

WAIT_SECONDS = 10
"""Nodes that are connected answer within a second or two; one that is not may be away for days."""
PAUSE_SECONDS = 0.5


class _Wanted(NamedTuple):
    """What is to be published. ``envelope``: b"" if nobody signed it."""

    baseline: Baseline
    envelope: bytes


@with_collector
def command(
    reaching: Reaching,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML, JSON or msgpack; or a signed file.")],
    reason: Reason,
    signatures: Annotated[
        Path | None, typer.Option(metavar="ENVELOPE", help="The signed file, if FILE is only the baseline in it.")
    ] = None,
    author: Author = "",
    force: Annotated[
        bool, typer.Option("--force", help="Although it is being learned, or behaviours need review.")
    ] = False,
    revision: Annotated[
        int, typer.Option(metavar="N", min=0, help="Number of an unsigned one. Default: above what was published.")
    ] = 0,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Put the baseline in a file in force on every node.

    Nodes take only what enough of the keys they trust signed, unless they were told otherwise (`collector_baselines`).
    Needs the role reviewer. Exit status 1: it is published, and a node refused it.
    """
    wanted = _read(file, signatures)
    _check(wanted.baseline, force)
    reason, author = checked_reason(reason), author_or_default(author)
    with reaching.client() as client:
        before = _known(client, wanted.baseline.name)
        if wanted.envelope:
            _check_signed(wanted.baseline, before)
        else:
            new = _numbered(_promoted(wanted.baseline, force), before.summary, revision)
            review = Review(time.time_ns(), author, "publish", reason)
            wanted = _Wanted(with_review(new, review), b"")
            _refuse_revoked(wanted.baseline, before.revocations)
            print("nobody signed it: nodes refuse it, except where collector_baselines is any", file=sys.stderr)
        published = client.publish_baseline(_whole(wanted), escape(reason), escape(author))
        print(f"{label(wanted.baseline)}: {numbered(wanted.baseline)}, published by {by(author, published.made_by)}")
        _follow(client, wanted.baseline, wait)


# --- before -----------------------------------------------------------------------------------------------------------


def _read(file: Path, signatures: Path | None) -> _Wanted:
    if signatures is None:
        envelope = read_signed(file)
    elif (envelope := read_signed(signatures)) is None:
        raise SignatureError(f"{escape(str(signatures))} is no signed file", "driftline baseline sign")
    if envelope is None:
        return _Wanted(read_baseline(file), b"")
    statement = read_statement(read_envelope(envelope))
    if signatures is not None and statement.baseline != read_baseline(file):
        raise SignatureError(f"what was signed is not what is in {escape(str(file))}", "publish the signed file itself")
    _refuse_expired(statement)
    return _Wanted(statement.baseline, envelope)


def _refuse_expired(statement: Statement) -> None:
    if 0 < statement.expires_ns <= time.time_ns():
        raise SignatureError(f"it expired on {day(statement.expires_ns)} UTC", "sign it again: --anew --expires 90d")


def _check(baseline: Baseline, force: bool) -> None:
    waiting = len(needing_review(baseline))
    if waiting and not force:
        hint = "approve or reject them (`driftline baseline show FILE --needs-review`); --force leaves them open"
        raise DecisionError(f"{plural(waiting, 'behaviour')} need review", hint)


def _known(client: CollectorClient, name: str) -> collector_pb2.GetBaselineResponse:
    """What the collector knows of it; empty if nothing."""
    if any(one.name == escape(name) for one in known(client)):
        return client.get_baseline(escape(name))
    return collector_pb2.GetBaselineResponse()


def _check_signed(baseline: Baseline, before: collector_pb2.GetBaselineResponse) -> None:
    _refuse_revoked(baseline, before.revocations)
    last, version = before.summary.published, version_of(baseline)
    again = (last.revision, last.version) == (baseline.revision, version)
    if before.summary.HasField("published") and baseline.revision <= last.revision and not again:
        hint = f"sign it as a newer one: driftline baseline sign FILE --revision {last.revision + 1}"
        raise DecisionError(f"revision {last.revision} is published, and this is {baseline.revision}", hint)


def _refuse_revoked(baseline: Baseline, revocations: Sequence[pb.Revocation]) -> None:
    version = version_of(baseline)
    for one in revocations:
        if one.version == version:
            hint = "change what was wrong with it: another content is another version"
            raise DecisionError(f"sha256:{short_digest(version)} was revoked: {printable(one.reason)}", hint)


def _promoted(baseline: Baseline, force: bool) -> Baseline:
    if baseline.state is State.RETIRED:
        raise DecisionError("it is retired", "sign it, to have it retired on every node")
    return baseline if baseline.state is State.ACTIVE else decisions.promote(baseline, force)


def _numbered(baseline: Baseline, before: pb.BaselineSummary, number: int) -> Baseline:
    """What nobody signed, above all that was published before."""
    last = before.published.revision if before.HasField("published") else 0
    parent = before.published.version or baseline.parent
    new = replace(baseline, revision=number or max(baseline.revision, last + 1), parent=parent)
    try:
        check(new)
    except DocumentError as error:
        raise DecisionError(f"it can be of no image for good: {error}") from error
    return new


def _whole(wanted: _Wanted) -> Whole:
    baseline = wanted.baseline
    form = pb.BASELINE_FORMAT_DSSE if wanted.envelope else pb.BASELINE_FORMAT_MSGPACK
    data = deflate(wanted.envelope or to_msgpack(baseline))
    if len(data) > WHOLE_BYTES:
        raise DecisionError(f"compressed it has {len(data)} bytes, at most {WHOLE_BYTES} can be sent")
    return Whole(escape(baseline.name), version_of(baseline), form, data)


# --- after ------------------------------------------------------------------------------------------------------------


def _follow(client: CollectorClient, baseline: Baseline, seconds: int) -> None:
    """Say where it arrived, when all nodes answered or the time is over."""
    name, until = escape(baseline.name), time.monotonic() + seconds
    while True:
        found = client.get_baseline(name)
        if not found.summary.nodes_waiting or time.monotonic() >= until:
            break
        time.sleep(PAUSE_SECONDS)
    answers = of_published(found.nodes)
    print(arrived(found.summary), *open_lines(answers, f"driftline baseline fleet {printable(name)}"), sep="\n")
    if is_refused(answers):
        raise typer.Exit(REFUSED)
