"""Which baseline of a fleet is meant, and what to call it.

In: what a person typed, what the collector lists. Out: the one meant, or an error that lists the candidates. All text
of the collector's is what some node told it: it is made printable here. Next: ``baseline fleet`` and its like.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from driftline.baseline.schema import Baseline
from driftline.cli.baseline import IMAGE_HELP, LISTED, day, label, matching, short_digest, short_name
from driftline.cli.main import printable
from driftline.errors import StateError
from driftline.text import escape, plural, unescape
from driftline.wire.client import CollectorClient
from driftline.wire.gen.driftline.v1 import baseline_pb2 as pb

Name = Annotated[str, typer.Argument(metavar="NAME", help=IMAGE_HELP)]
Wait = Annotated[int, typer.Option("--wait", metavar="SECONDS", min=0, max=600, help="How long to wait for the nodes.")]


def known(client: CollectorClient) -> Sequence[pb.BaselineSummary]:
    """Return all baselines the collector lists; that there are more is said."""
    found = client.list_baselines()
    if found.left_out:
        print(f"{plural(found.left_out, 'more baseline')} did not fit into the collector's answer", file=sys.stderr)
    return found.baselines


def choose(summaries: Sequence[pb.BaselineSummary], text: str) -> pb.BaselineSummary:
    """Return the baseline ``text`` means. Raises StateError if none, or more than one."""
    named = {summary.name: stub(summary.name, summary.image) for summary in summaries}
    fitting = {id(one) for one in matching(named.values(), text)}
    found = [summary for summary in summaries if id(named[summary.name]) in fitting]
    if not found:
        hint = f"it knows {_candidates([*named.values()])}" if named else "no node has told it of any yet"
        raise StateError(f"no baseline the collector knows fits {escape(text)}", hint)
    in_use = [one for one in found if one.nodes_using] or found
    if len(in_use) > 1:
        which = _candidates([named[one.name] for one in in_use])
        raise StateError(f"{escape(text)} can mean {len(in_use)} baselines", f"say which: {which}")
    return in_use[0]


def stub(name: str, image: str = "") -> Baseline:
    """Return a baseline with nothing but its name and image, as they came from the collector."""
    key, _, workload = _plain(name).partition("+")
    return Baseline(key, workload, _plain(image))


def _plain(text: str) -> str:
    try:
        return unescape(text)
    except ValueError:
        return text  # not escaped as it should be: it is escaped whenever it is shown


def _candidates(found: list[Baseline]) -> str:
    names = [f"{short_name(one)} ({label(one)})" for one in found[:LISTED]]
    more = [f"and {len(found) - LISTED} more"] if len(found) > LISTED else []
    return ", ".join([*names, *more])


# --- what is printed --------------------------------------------------------------------------------------------------


def published_line(published: pb.Published) -> str:
    """Return what is published, by whom, when and why."""
    signed = "signed" if published.format == pb.BASELINE_FORMAT_DSSE else "NOT signed"
    who = by(published.author, published.made_by)
    reason = f": {printable(published.reason)}" if published.reason else ""
    version = short_digest(published.version)
    when = day(published.published_wall_ns)
    return f"revision {published.revision} (sha256:{version}), {signed}, by {who}, {when} UTC{reason}"


def by(author: str, made_by: str) -> str:
    """Return who, and who that proved to be."""
    return f"{printable(author)} as {printable(made_by)}" if made_by else printable(author) or "?"
