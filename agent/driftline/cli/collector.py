"""``driftline collector``.

In: where to listen and where to keep state. Out: a running collector, until SIGTERM or SIGINT. Next:
``driftline_collector.server``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from driftline.wire.address import DEFAULT_COLLECTOR

DEFAULT_STATE = Path("/var/lib/driftline-collector")


def command(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Loopback address to listen on; port 0 takes a free one.")
    ] = DEFAULT_COLLECTOR,
    state: Annotated[Path, typer.Option(metavar="DIR", help="Directory of the database.")] = DEFAULT_STATE,
) -> None:
    """Take deviations from agents, store them, feed those who follow.

    Prints the address on standard error once it listens. Ends in order on SIGTERM or SIGINT.
    """
    from driftline_collector.server import run

    run(listen, state)
