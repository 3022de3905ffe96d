"""Agents stay known after they have gone."""

from __future__ import annotations

import time

import pytest

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import agents as agents_module
from driftline_collector.agents import HEARD_NS, Agents


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


def test_agents_of_other_replicas_are_known_and_connected_while_they_are_heard() -> None:
    now = time.time_ns()
    agents = Agents([])
    ours = agents.arrive(pb.Hello(node="ours", version="2"))
    assert ours is not None

    def stored(node: str, seen: int) -> pb.AgentStatus:
        return pb.AgentStatus(hello=pb.Hello(node=node, version="1"), connected=True, last_seen_wall_ns=seen)

    agents.learn([stored("ours", now + 10**9), stored("theirs", now), stored("silent", now - 2 * HEARD_NS)])
    states = {status.hello.node: (status.hello.version, status.connected) for status in agents.all()}
    assert states == {"ours": ("2", True), "theirs": ("1", True), "silent": ("1", False)}
    agents.depart(ours)
    as_we_stored_it = stored("ours", ours.last_seen_wall_ns)
    as_we_stored_it.session = ours.session
    agents.learn([as_we_stored_it])
    assert not ours.connected
    agents.learn([stored("ours", now + 10**9)])  # it has gone on elsewhere
    assert ours.connected


def test_agents_long_gone_are_forgotten_and_not_learned_again() -> None:
    agents = Agents([pb.AgentStatus(hello=pb.Hello(node="gone"), last_seen_wall_ns=5)])
    agents.arrive(pb.Hello(node="here"))
    assert agents.forget(time.time_ns() + 1) == ["gone"]
    agents.learn([pb.AgentStatus(hello=pb.Hello(node="gone"), last_seen_wall_ns=5)])  # read before it was removed
    assert [status.hello.node for status in agents.all()] == ["here"]


def test_what_other_replicas_know_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents_module, "AGENTS", 2)
    agents = Agents([])
    agents.learn([pb.AgentStatus(hello=pb.Hello(node=f"n{i}"), last_seen_wall_ns=1) for i in range(5)])
    assert len(agents.all()) == 2
