"""Starter baselines against the real servers: what a starter says is what the server does, and it judges from the first
second."""

from __future__ import annotations

import time
from random import Random

import pytest
from baselines.check import LOUD, begin
from benchmarks.servers.every import STARTERS
from benchmarks.servers.stand import Container, standing

from driftline.baseline.format.yamltext import from_yaml
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import STARTER_KEY, Baseline, Standing
from rig import session
from rig.agent import Agent

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]  # the first run makes Debian images
LEARN_SECONDS, QUIET_SECONDS = 12.0, 3.0


def work(agent: Agent, container: Container) -> None:
    """Requests, jobs and a restart, until it is learned."""
    chance, server, restarted = Random(11), container.server, False
    deadline = time.monotonic() + 120
    while not any(f"detecting {container.image.name}" in line for line in agent.lines):
        for action in (*server.rounds, *server.jobs.values()):
            action(container, chance)
            time.sleep(0.05)
        if not restarted:
            container.stop()
            container.start()
            restarted = True
        assert time.monotonic() < deadline, agent.lines


@pytest.mark.parametrize("name", ["redis"])  # each image takes half a minute to make
def test_the_server_does_what_its_starter_says(name: str) -> None:
    starter = from_yaml((session.REPOSITORY / "baselines" / f"{name}.yaml").read_text())
    with standing() as stand:
        container = stand.add(STARTERS[name], ordered=False)
        begin(stand, container, name)
        with stand.agent(LEARN_SECONDS, QUIET_SECONDS) as agent:
            container.start()
            entered = "/usr/bin/nproc"
            container.probe([entered])
            agent.wait_deviation("exec.into_container", entered)
            work(agent, container)
        told = [one for one in agent.deviations if one["severity"] in LOUD and entered not in one["sentence"]]
        assert [one["sentence"] for one in told] == []
        found = BaselineStore(str(stand.state)).load_one(container.image.digest)
        assert isinstance(found, Baseline)
        assert found.predecessor == f"{STARTER_KEY}{name}"
        new = found.entries.keys() - starter.entries.keys()
        assert new == set()
        seen = [one for one in starter.entries if one in found.entries and found.entries[one].count]
        assert len(seen) > len(starter.entries) / 2
        assert all(entry.standing in (Standing.ALLOWED, Standing.UNCONFIRMED) for entry in found.entries.values())
