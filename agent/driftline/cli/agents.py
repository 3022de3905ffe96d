"""``driftline agents``: list, forget.

In: a collector. Out: a line per agent with what is wrong with it; an agent less. Next: the collector's ``sentinel``.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from driftline.cli.main import printable
from driftline.cli.reaching import Reaching, with_collector
from driftline.cli.render import grouped
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

NS = 1_000_000_000


@with_collector
def list_agents(
    reaching: Reaching,
) -> None:
    """List every agent and how it is."""
    with reaching.client() as client:
        found = client.list_agents()
    for warning in found.warnings:
        typer.echo(f"warning: {printable(warning)}", err=True)
    for status in found.agents:
        typer.echo(agent_line(status, time.time_ns()))
    if not found.agents:
        typer.echo("no agent ever reported")


def agent_line(status: pb.AgentStatus, now_ns: int) -> str:
    """Return one line about an agent."""
    state = "connected" if status.connected else "stopped" if status.stopped else "away"
    ago = max(0, now_ns - status.last_seen_wall_ns) // NS
    losses = sum(loss.count for loss in status.heartbeat.losses)
    troubles = f"  {' '.join(map(printable, status.troubles))}" if status.troubles else ""
    figures = f"heard {grouped(ago)} s ago  {grouped(losses)} losses  version {printable(status.hello.version)}"
    return f"{printable(status.hello.node):32} {state:10} {figures}{troubles}"


@with_collector
def forget(
    reaching: Reaching,
    node: Annotated[str, typer.Argument(metavar="NODE", help="Name of the node, as listed.")],
) -> None:
    """A node was retired: expect its agent no more. Needs the role admin.

    Its deviations stay. If it reports again, it is expected again.
    """
    with reaching.client() as client:
        client.forget_agent(pb.ForgetAgentRequest(node=node))
    typer.echo(f"the agent of node '{escape(node)}' is forgotten")
