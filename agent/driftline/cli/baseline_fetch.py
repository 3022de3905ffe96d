"""``driftline baseline fetch``: what a fleet learned, as a file to review, sign and keep.

In: a name. Out: YAML, or of what was published signed the very file; what it was made from, on standard error. Next:
``baseline show``, ``diff`` and ``sign`` read the file; ``baseline publish`` puts it in force.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from driftline.baseline.decisions import needing_review
from driftline.cli.baseline import label, numbered
from driftline.cli.baseline_export import Format, encode, write
from driftline.cli.fleetcontent import fetch
from driftline.cli.fleetnames import Name, choose, known
from driftline.cli.main import printable
from driftline.cli.reaching import Reaching, with_collector
from driftline.errors import SettingsError
from driftline.text import escape, plural
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

NAMED = 5
"""Nodes named in a sentence."""


@with_collector
def command(
    reaching: Reaching,
    name: Name,
    published: Annotated[bool, typer.Option("--published", help="What was published last, as it was.")] = False,
    node: Annotated[str, typer.Option(metavar="NODE", help="What this node alone learned.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: standard output.")
    ] = None,
) -> None:
    """Fetch what all nodes learned of an image, merged, as YAML.

    What was published signed comes as the signed file. Needs the role reader.
    """
    if published and node:
        raise SettingsError("--published and --node are two different contents", "name one")
    with reaching.client() as client:
        wanted = choose(known(client), name).name
        found = client.get_baseline(wanted)
        baseline, envelope = fetch(client, _request(wanted, published, node))
    write(envelope or encode(baseline, Format.YAML), output)
    for line in (f"{label(baseline)}: {numbered(baseline)}", *_origin(found, published, node)):
        _say(line)
    if baseline.reasons:
        _say(f"it may be incomplete: {', '.join(map(escape, baseline.reasons))}")
    if waiting := len(needing_review(baseline)):
        _say(f"{plural(waiting, 'behaviour')} need review, and match nothing until then")


def _request(name: str, published: bool, node: str) -> pb.FetchBaselineRequest:
    if published:
        return pb.FetchBaselineRequest(name=name, published=True)
    return (
        pb.FetchBaselineRequest(name=name, node=escape(node))
        if node
        else pb.FetchBaselineRequest(name=name, merged=True)
    )


def _origin(found: pb.GetBaselineResponse, published: bool, node: str) -> list[str]:
    """Of which nodes it is made, and which are not in it."""
    if published:
        return ["as it was published; its signatures are not verified: `driftline baseline verify`"]
    if node:
        return [f"learned by {escape(node)} alone"]
    learned = [one.node for one in found.nodes if one.HasField("learned")]
    rest = [one.node for one in found.nodes if one.HasField("in_use") and not one.HasField("learned")]
    lines = [f"merged from {plural(len(learned), 'node')}: {_named(learned)}"]
    return [*lines, f"not in it: {_named(rest)}, still learning or not heard yet"] if rest else lines


def _named(nodes: list[str]) -> str:
    more = [f"and {len(nodes) - NAMED} more"] if len(nodes) > NAMED else []
    return ", ".join([*map(printable, nodes[:NAMED]), *more])


def _say(line: str) -> None:
    print(f"driftline baseline fetch: {line}", file=sys.stderr)
