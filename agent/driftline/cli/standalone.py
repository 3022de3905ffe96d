"""``driftline standalone``: agent, collector and outputs of one machine, with one command.

In: a file of outputs, the agent's settings. Out: a collector on the loopback and the agent, both children of this
process, until a signal or until one of them ends. Why not outputs in the agent: it must stay small and quick whatever
receivers do, and the collector brings the store from which nothing is lost. Next: ``agent``, ``collector``.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.collector import DEFAULT_STATE
from driftline.cli.stopping import stop_on_signals
from driftline.wire.address import DEFAULT_COLLECTOR

STOP_SECONDS = 15.0
"""What each child is given to end in order, more than its own limit: then it is killed, and goes on at its cursor."""

LOOK_SECONDS = 0.25
"""Between looks whether a child has ended."""


def command(
    outputs: Annotated[
        Path, typer.Option(metavar="FILE", help="YAML file with outputs: where deviations go (docs/outputs.md).")
    ],
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="YAML file with the agent's settings.")] = None,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Loopback address of the collector, for `driftline tail`.")
    ] = DEFAULT_COLLECTOR,
    state: Annotated[Path, typer.Option(metavar="DIR", help="Directory of the collector's database.")] = DEFAULT_STATE,
) -> None:
    """Watch this machine and send deviations to your own systems, with one command.

    Runs a collector with outputs on the loopback and the agent beside it. Ends both in order on SIGTERM or SIGINT, and
    when one of them ends by itself.
    """
    asked_to_stop = stop_on_signals()
    collector = _start("collector", "--listen", listen, "--state", str(state), "--outputs", str(outputs))
    # It spools what it sees until the collector listens
    agent = _start("agent", *(["--config", str(config)] if config else []), "--collector", listen)
    signal.signal(signal.SIGHUP, lambda _number, _frame: collector.send_signal(signal.SIGHUP))
    try:
        while not asked_to_stop() and agent.poll() is None and collector.poll() is None:
            time.sleep(LOOK_SECONDS)
        ended = agent.poll() or collector.poll()
    finally:
        _end(agent)  # first: what it still delivers goes out by the collector's outputs
        _end(collector)
    if ended and not asked_to_stop():
        raise typer.Exit(ended)


def _start(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "driftline", *words], start_new_session=True)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
