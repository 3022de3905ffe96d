"""``driftline baseline fleet``: what all nodes learned, what is published, and where that is in force.

In: what the collector knows. Out: a table, or one baseline node by node; or JSON. Next: ``baseline fetch``.
"""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from driftline.cli.baseline import IMAGE_HELP, Json
from driftline.cli.fleetnames import choose, known
from driftline.cli.fleettext import page, page_json, summary_json, table
from driftline.cli.reaching import Reaching, with_collector
from driftline.cli.stopping import until_nobody_reads


@with_collector
def command(
    reaching: Reaching,
    name: Annotated[str, typer.Argument(metavar="NAME", help=IMAGE_HELP, show_default=False)] = "",
    json: Json = False,
) -> None:
    """Show what all nodes learned of each image, and what is published; with NAME, node by node.

    NODES: judge by it or learn it now. LEARNED: nodes whose part the collector has; COMPLETE: of those, how many miss
    nothing. REVIEW: behaviours that wait for a person, on the node with most. TAKEN, REFUSED, WAITING: nodes, by what
    became of what is published. Of a node: LEARNED, REVIEW: behaviours; STARTS: complete start-ups, FROM: containers,
    FOR: time it was learned from. Needs the role reader.
    """
    with reaching.client() as client:
        summaries = known(client)
        found = client.get_baseline(choose(summaries, name).name) if name else None
    with until_nobody_reads():
        if json:
            print(jsonlib.dumps(page_json(found) if found else list(map(summary_json, summaries))))
        elif found:
            print(*page(found), sep="\n")
        else:
            print(*table(summaries) if summaries else ["no node has told of a baseline yet"], sep="\n")
