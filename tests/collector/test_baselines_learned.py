"""What nodes learned comes together at the collector, and nothing else does."""

from __future__ import annotations

import zlib
from dataclasses import replace

import grpc
import pytest

from collector.baseline_agent import (
    KEY,
    TAKEN,
    People,
    content,
    cut,
    digest,
    learned,
)
from collector.baseline_rig import Join, Start, counters, forget, refused
from collector.rig import until
from driftline.baseline.format.canonical import from_msgpack, to_msgpack, version_of
from driftline.baseline.schema import Baseline, State
from driftline.nouns import CONTAINER_KEY, OpenBehaviour
from driftline.packing import pack, unpack
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import inflate
from driftline.wire.service import WHOLE_BYTES
from driftline_collector import again
from unit.wire import samples


def test_what_nodes_learned_comes_together(address: str, people: People, join: Join) -> None:
    here, there = learned("/etc/a", "/etc/b"), learned("/etc/b", "/etc/c", review=["/etc/shadow"], revision=3)
    join(address, "node-a", here)
    join(address, "node-b", replace(there, partial=("attached late",)))
    join(address, "node-c", learned(state=State.LEARNING, revision=0))
    until(lambda: people.summary().nodes_learned == 2)
    until(lambda: people.summary().nodes_using == 3)
    summary = people.summary()
    assert (summary.image, summary.nodes_learning, summary.nodes_complete) == ("shop/web:1", 1, 1)
    assert (summary.needs_review, summary.HasField("published")) == (1, False)
    nodes = {one.node: one for one in people.get().nodes}
    assert nodes.keys() == {"node-a", "node-b", "node-c"}
    part = nodes["node-b"].learned
    assert (part.version, part.revision, part.behaviours, part.needs_review) == (version_of(there), 3, 3, 1)
    assert (list(part.reasons), part.startups, part.containers) == (["attached late"], 1, 1)
    assert not nodes["node-c"].HasField("learned")
    assert people.fetch(node="node-a").data == content(here)
    merged = people.fetch(merged=True)
    baseline = from_msgpack(inflate(merged.data, WHOLE_BYTES))
    assert version_of(baseline) == merged.version
    names = {one.path for one in baseline.entries if isinstance(one, OpenBehaviour)}
    assert names == {"/etc/a", "/etc/b", "/etc/c", "/etc/shadow"}
    assert baseline.state is State.CANDIDATE


def test_a_newer_one_replaces_the_older_and_an_equal_one_is_not_asked_for(
    address: str, people: People, join: Join
) -> None:
    first, second = learned("/etc/a"), learned("/etc/a", "/etc/b", revision=2)
    agent = join(address, "node-a", first)
    until(lambda: people.summary().nodes_learned)
    agent.uses(second)
    until(lambda: [one.learned.revision for one in people.get().nodes] == [2])
    assert people.fetch(node="node-a").data == content(second)
    second_stream = join(address, "node-a", second)
    second_stream.uses(second, learned("/etc/z", key="sha256:" + "2b" * 32))
    until(lambda: len(people.list()) == 2 and all(one.nodes_learned for one in people.list().values()))
    assert version_of(second) not in [version for _what, version in second_stream.told]


def test_an_agent_that_does_not_take_baselines_is_told_nothing(address: str, people: People, join: Join) -> None:
    taking = join(address, "node-a")
    old = join(address, "node-old", learned("/etc/a"), takes=False)
    one = learned("/etc/b")
    people.publish(one)
    people.revoke("sha256:" + "0" * 64)
    until(lambda: len(taking.told) == 2)
    old.send(batch=pb.Batch(sequence=1, deviations=[deviation_to_wire(samples.deviation(node="node-old"))]))
    until(lambda: len(old.responses) == 2)
    assert [response.WhichOneof("message") for response in old.responses] == ["welcome", "acknowledgement"]
    assert old.responses[0].welcome.takes_baselines
    assert {node.node for node in people.get().nodes} == {"node-a"}


def hostile(kind: str, one: Baseline) -> list[baseline_pb2.BaselinePart]:
    """What an agent sends for ``one``."""
    name, version, good = one.name, version_of(one), content(one)
    if kind == "content truncated":
        return cut(name, version, good[:-20])
    if kind == "content bomb":
        return cut(name, version, zlib.compress(b"\0" * (WHOLE_BYTES + 1)))
    if kind == "content 100000":
        outer = unpack(to_msgpack(one), WHOLE_BYTES, 1_000_000)
        inner = unpack(outer["content"], WHOLE_BYTES, 1_000_000)
        inner["open"] = inner["open"] * 100_001
        outer["content"] = pack(inner)
        outer["version"] = f"sha256:{digest(outer['content']).hex()}"
        return cut(name, version, zlib.compress(pack(outer)))
    if kind == "content none":
        return cut(name, version, zlib.compress(b"nothing"))
    if kind == "name":
        other = replace(one, key="sha256:" + "9" * 64)
        return cut(name, version, content(other))
    if kind == "version":
        return cut(name, version, content(replace(one, entries={})))
    if kind == "state":
        return cut(name, version, content(replace(one, state=State.RETIRED)))
    if kind == "revision":
        return cut(name, version, content(replace(one, revision=7)))
    part = cut(name, version, good)[0]
    part.sha256 = bytes(32)
    return [part]


@pytest.mark.parametrize(
    "kind",
    [
        "content truncated",
        "content bomb",
        "content 100000",
        "content none",
        "name",
        "version",
        "state",
        "revision",
        "pieces",
    ],
)
def test_a_bad_one_is_counted_and_not_asked_for_again(
    start: Start, join: Join, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(again, "RETRY_SECONDS", 0.01)
    address = start()
    one, good = learned("/etc/a"), learned("/etc/b", key="sha256:" + "2b" * 32)
    agent = join(address, "node-a")
    agent.uploads[one.name, version_of(one)] = lambda: hostile(kind, one)
    agent.uses(one)
    until(lambda: counters(address).get(f"baselines.rejected.{kind.split()[0]}") == 1)
    agent.uses(one, good)
    until(lambda: counters(address).get("baselines.taken") == 1)
    assert agent.told == [("want", version_of(one)), ("want", version_of(good))]
    assert [record.message for record in caplog.records if "node-a" in record.message and "not taken" in record.message]
    newer = learned("/etc/a", "/etc/c", revision=2)
    agent.uses(newer)
    until(lambda: counters(address)["baselines.taken"] == 2)


def test_what_nobody_asked_for_is_dropped(address: str, people: People, join: Join) -> None:
    agent, one = join(address, "node-a"), learned("/etc/a")
    for part in cut(KEY, version_of(one), content(one)):
        agent.send(baseline_part=part)
    agent.send(baseline_outcome=baseline_pb2.BaselineOutcome(name=KEY, version=version_of(one)))
    agent.uses(replace(one, key=f"{CONTAINER_KEY}abc"))
    until(lambda: counters(address).get("baselines.rejected.unasked") == 2)
    until(lambda: counters(address).get("baselines.rejected.malformed") == 1)
    assert people.list() == {}


def test_a_forgotten_node_takes_what_it_learned_along(address: str, people: People, join: Join) -> None:
    agent, one = join(address, "node-a", learned("/etc/a")), learned("/etc/b", revision=2)
    until(lambda: people.summary().nodes_learned)
    people.publish(one)
    until(lambda: people.outcomes() == {"node-a": TAKEN})
    agent.stop()
    until(lambda: forget(address, "node-a"))
    assert (list(people.get().nodes), people.summary().nodes_learned) == ([], 0)
    assert refused(lambda: people.fetch(node="node-a"))[0] is grpc.StatusCode.NOT_FOUND
