"""Try the starter baselines of this directory: the servers at work, judged by them alone, and then attacked.

In: a server's name. Out: ``Checked``. As root: ``make starters``, or
``PYTHONPATH=tests:. python baselines/make.py --check [NAME…]``. Why apart from the tests: the servers' images take half
a minute each to make. Next: ``make``, ``tests/containers/test_starters.py``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from benchmarks.servers.every import STARTERS
from benchmarks.servers.stand import Container, Stand, standing

from rig.agent import Agent

HERE = Path(__file__).parent
WORK_SECONDS = 3.0  # of requests and jobs, in each of three lives of the container
ROUNDS = 3  # of requests, between two rounds of jobs
PAUSE_SECONDS = 0.05
TOLD_SECONDS = 30.0  # a deviation may take on a busy machine
LONG = 3600.0  # a window that never ends: nothing but the starter judges
SEED = 11
LOUD = frozenset({"medium", "high", "critical"})
ANY = LOUD | {"info", "low"}
PAYLOAD = "/tmp/.x1"
ATTACK = ["/bin/sh", "-c", f"/bin/cp /usr/bin/id {PAYLOAD} && {PAYLOAD}"]
MUST_TELL = {"exec.into_container": ("/usr/bin/dash", ANY), "exec.drift": (PAYLOAD, LOUD)}
"""What each kind is about, and how severe it may be: who enters while an image is learned may be a probe, and is told
quietly."""


class Checked(NamedTuple):
    """``told``: the deviations of its ordinary work; ``missed``: kinds as which the attack was not told."""

    told: list[dict[str, Any]]
    missed: list[str]


def begin(stand: Stand, container: Container, name: str) -> None:
    """Have the image begin with the starter, as a person does it."""
    image = f"{container.image.name}@{container.image.digest}"
    words = ("baseline", "begin", image, str(HERE / f"{name}.yaml"), "--reason", "a check")
    command = [sys.executable, "-m", "driftline", *words, "--state-dir", str(stand.state)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)


def check(name: str) -> Checked:
    """Run the server of the starter ``name``, end it in order and by a kill, and attack it."""
    with standing() as stand:
        container, chance = stand.add(STARTERS[name], ordered=False), Random(SEED)
        begin(stand, container, name)
        with stand.agent(LONG, LONG) as agent:
            container.start()
            for graceful in (True, False):
                _work(container, chance)
                container.stop(graceful=graceful)
                container.start()
            _work(container, chance)
            attacked_ns = time.time_ns()
            container.probe(ATTACK)
            missed = [kind for kind, how in MUST_TELL.items() if not _told(agent, kind, *how)]
        return Checked([one for one in agent.deviations if int(one["first_wall_ns"]) < attacked_ns], missed)


def _work(container: Container, chance: Random) -> None:
    server, until = container.server, time.monotonic() + WORK_SECONDS
    while time.monotonic() < until:
        for action in (*(list(server.rounds) * ROUNDS), *server.jobs.values()):
            action(container, chance)
            time.sleep(PAUSE_SECONDS)


def _told(agent: Agent, kind: str, what: str, severities: Collection[str]) -> bool:
    """Whether it is told, as soon as it is."""

    def found() -> bool:
        of_kind = (one for one in agent.deviations if one["kind"] == kind)
        return any(what in one["what"] and one["severity"] in severities for one in of_kind)

    try:
        return bool(agent.wait(found, TOLD_SECONDS))
    except AssertionError:
        return False
