"""The collector of the tests of baselines, on either database, with agents and people; what they look at.

In: nothing. Out: fixtures, which conftest.py hands on. Next: test_baselines*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from collector.baseline_agent import BaselineAgent, People
from collector.cluster import Cluster
from driftline.baseline.schema import Baseline
from driftline.errors import CollectorError
from driftline.wire.client import CollectorClient
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.server import Collector
from driftline_collector.storage import Keeping
from driftline_collector.store_address import parse_store

Start = Callable[[], str]
Join = Callable[..., BaselineAgent]


@pytest.fixture(params=["sqlite", "postgresql"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts the collector, or one more replica, and returns its address."""
    running: list[Collector] = []

    def start_one() -> str:
        keeping = Keeping()
        if request.param == "postgresql":
            cluster: Cluster = request.getfixturevalue("cluster")
            keeping = Keeping(parse_store(cluster.url(request.getfixturevalue("database"))))
        running.append(Collector(tmp_path / f"state-{len(running)}", keeping=keeping))
        return running[-1].start()

    if request.param == "postgresql":
        request.getfixturevalue("database")  # dropped after the collectors have gone
    yield start_one
    for one in running:
        one.stop()


@pytest.fixture
def address(start: Start) -> str:
    return start()


@pytest.fixture
def people(address: str) -> Iterator[People]:
    one = People(address)
    yield one
    one.close()


@pytest.fixture
def join(start: Start) -> Iterator[Join]:
    """Connects agents, which end before the collectors do."""
    agents: list[BaselineAgent] = []

    def join_one(address: str, node: str = "node-a", *uses: Baseline, **options: object) -> BaselineAgent:
        agents.append(BaselineAgent(address, node, **options))  # type: ignore[arg-type]
        agents[-1].uses(*uses)
        return agents[-1]

    yield join_one
    for one in agents:
        one.stop()


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def forget(address: str, node: str) -> bool:
    """Whether ``node`` is forgotten; it is not while its stream is open."""
    client = CollectorClient(address)
    try:
        client.forget_agent(pb.ForgetAgentRequest(node=node))
    except CollectorError:
        return False
    finally:
        client.close()
    return True


def counters(address: str) -> dict[str, int]:
    client = CollectorClient(address)
    try:
        return dict(client.list_agents().access)
    finally:
        client.close()
