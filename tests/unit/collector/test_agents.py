"""Agents stay known after they have gone."""

from __future__ import annotations

import pytest

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import agents as agents_module
from driftline_collector.agents import Agents


def test_connected_while_any_stream_of_the_node_is_open() -> None:
    agents = Agents([])
    old = agents.arrive(pb.Hello(node="n1", version="1"))
    new = agents.arrive(pb.Hello(node="n1", version="2"))
    assert old is not None
    assert old is new
    agents.depart(old)
    assert [(status.hello.version, status.connected) for status in agents.all()] == [("2", True)]
    agents.depart(old)
    assert not agents.all()[0].connected
    assert agents.all()[0].last_seen_wall_ns > 0


def test_agents_of_the_store_are_not_connected_until_they_come() -> None:
    agents = Agents([pb.AgentStatus(hello=pb.Hello(node="n1"), connected=True, rejected=3, last_seen_wall_ns=5)])
    (status,) = agents.all()
    assert (status.connected, status.rejected, status.last_seen_wall_ns) == (False, 0, 5)


def test_nodes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents_module, "AGENTS", 1)
    agents = Agents([])
    assert agents.arrive(pb.Hello(node="n1")) is not None
    assert agents.arrive(pb.Hello(node="n2")) is None
    assert agents.arrive(pb.Hello(node="n1")) is not None
