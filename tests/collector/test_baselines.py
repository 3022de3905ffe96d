"""What people decide about baselines reaches every node once, and holds."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from collector.baseline_agent import (
    FAILED,
    KEY,
    MSGPACK,
    PATIENCE,
    REFUSED,
    TAKEN,
    BaselineAgent,
    People,
    content,
    cut,
    learned,
)
from collector.baseline_rig import Join, Start, counters, refused
from collector.rig import listing, until
from driftline.baseline.format.canonical import version_of
from driftline.baseline.schema import Review, State
from driftline.nouns import CONTAINER_KEY
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.service import PART_BYTES
from driftline_collector import again, notices
from driftline_collector.baseline_apart import Apart
from driftline_collector.baseline_facts import Facts
from driftline_collector.server import Collector
from unit.signing.making import revocation_of, signed
from unit.wire import samples


def test_published_reaches_who_is_there_and_who_comes_later_once(address: str, people: People, join: Join) -> None:
    early, one = join(address, "node-a"), learned("/etc/a", revision=4)
    said = people.publish(one)
    assert (said.version, said.revision, said.author, said.made_by) == (version_of(one), 4, "ann", "")
    until(lambda: early.told == [("publish", version_of(one))])
    assert early.wholes[0].data == content(one)
    late = join(address, "node-b")
    until(lambda: people.outcomes() == {"node-a": TAKEN, "node-b": TAKEN})
    assert people.fetch(published=True).data == content(one)
    summary = people.summary()
    assert (summary.published.revision, summary.nodes_taken, summary.nodes_waiting) == (4, 2, 0)
    late.stop()  # what it takes from here on, nobody tells the one that comes back
    returned = join(address, "node-b")
    other = learned("/etc/a", key="sha256:" + "2b" * 32)
    people.publish(other)
    until(lambda: ("publish", version_of(other)) in returned.told)
    assert returned.told == [("publish", version_of(other))]
    assert late.told[0] == ("publish", version_of(one))
    assert version_of(one) not in [version for what, version in late.told if what == "want"]


def test_another_state_directory_has_nothing(address: str, people: People, join: Join) -> None:
    agent, one = join(address, "node-a"), learned("/etc/a")
    people.publish(one)
    people.revoke("sha256:" + "0" * 64)
    until(lambda: len(agent.told) == 2)
    until(lambda: people.outcomes() == {"node-a": TAKEN})
    agent.uses(state_id="state-2")
    until(lambda: len(agent.told) == 4)
    assert agent.told[2:] == [("revoke", "sha256:" + "0" * 64), ("publish", version_of(one))]


def test_refused_is_final_and_failed_is_tried_again(start: Start, join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "RETRY_SECONDS", 0.05)
    address = start()
    people, fails = People(address), [FAILED, FAILED, TAKEN]
    failing = join(address, "node-a", answer=lambda *_what: fails.pop(0))
    refusing = join(address, "node-b", answer=lambda *_what: REFUSED)
    one = learned("/etc/a")
    people.publish(one)
    until(lambda: people.outcomes() == {"node-a": TAKEN, "node-b": REFUSED})
    assert (len(failing.told), len(refusing.told)) == (3, 1)
    assert {node.node: node.outcome.reason for node in people.get().nodes} == {"node-a": "", "node-b": "because"}
    assert people.summary().nodes_refused == 1
    people.publish(one)  # the very same again: for those who refused it
    until(lambda: len(refusing.told) == 2)
    assert len(failing.told) == 3
    until(lambda: counters(address).get("baselines.pushed.refused") == 2)
    assert counters(address)["baselines.pushed.failed"] == 2
    people.close()


def test_an_answer_about_what_was_replaced_meanwhile_is_not_taken_for_an_answer_about_the_new_one(
    address: str, people: People, join: Join
) -> None:
    answers: list[tuple[threading.Event, baseline_pb2.Outcome]] = [(threading.Event(), one) for one in (REFUSED, TAKEN)]
    places = iter(answers)

    def answer(_name: str, _version: str, _revocation: bool) -> baseline_pb2.Outcome:
        may, outcome = next(places)
        assert may.wait(PATIENCE)
        return outcome

    agent, one = join(address, "node-a", answer=answer), learned("/etc/a")
    people.publish(one)
    until(lambda: len(agent.told) == 1)
    people.publish(replace(one, reviews=(Review(1, "ann", "sign", "the same version in other bytes"),)))
    answers[0][0].set()
    until(lambda: len(agent.told) == 2)
    answers[1][0].set()
    until(lambda: people.outcomes() == {"node-a": TAKEN})
    assert counters(address).get("baselines.pushed.refused", 0) == 0


def test_versions_count_up(people: People) -> None:
    first, second = learned("/etc/a", revision=3), learned("/etc/a", "/etc/b", revision=4)
    people.publish(first)
    people.publish(second)
    people.publish(second)
    for old in (first, learned("/etc/c", revision=4)):
        code, why = refused(lambda old=old: people.publish(old))  # type: ignore[misc]
        assert (code, "revision 4 was published" in why) == (grpc.StatusCode.FAILED_PRECONDITION, True), why
    people.revoke(version_of(second))
    assert not people.summary().HasField("published")
    assert refused(lambda: people.fetch(published=True))[0] is grpc.StatusCode.NOT_FOUND
    assert "revoked" in refused(lambda: people.publish(second))[1]
    assert "revision 4 was published" in refused(lambda: people.publish(first))[1]
    assert people.publish(replace(first, revision=5)).revision == 5


def test_what_nobody_could_use_is_not_published(people: People) -> None:
    one = learned("/etc/a")
    wrong: dict[str, list[baseline_pb2.BaselinePart]] = {
        "its key and workload make it": cut("sha256:" + "2b" * 32, version_of(one), content(one)),
        "what it expects makes it": cut(KEY, "sha256:" + "0" * 64, content(one)),
        "it is learning": cut(KEY, version_of(one), content(replace(one, state=State.LEARNING))),
        "it is retired": cut(KEY, version_of(one), content(replace(one, state=State.RETIRED))),
        "names no version": cut(f"{CONTAINER_KEY}1", version_of(one), content(one)),
        "ended too early": [],
        "not zlib": cut(KEY, version_of(one), b"nothing"),
    }
    for why, pieces in wrong.items():
        code, said = refused(lambda pieces=pieces: people.publish_parts(pieces))  # type: ignore[misc]
        assert (code, why in said) == (grpc.StatusCode.INVALID_ARGUMENT, True), (why, said)
    assert people.list() == {}


def test_revocations_go_first_and_what_is_revoked_never_goes(address: str, people: People, join: Join) -> None:
    bad, good = learned("/etc/a"), learned("/etc/b", key="sha256:" + "2b" * 32)
    people.publish(bad)
    people.publish(good)
    said = people.revoke(version_of(bad))
    assert people.revoke(version_of(bad)) == said
    agent = join(address, "node-a", bad)
    until(lambda: len(agent.told) == 2)
    assert agent.told == [("revoke", version_of(bad)), ("publish", version_of(good))]
    assert [one.version for one in people.get().revocations] == [version_of(bad)]
    assert refused(lambda: people.fetch(merged=True))[0] is grpc.StatusCode.NOT_FOUND
    envelope = revocation_of(KEY, version_of(bad), "bad")
    people.revoke(version_of(bad), envelope=envelope)  # goes again: perhaps it was refused unsigned
    until(lambda: agent.told[2:] == [("revoke", version_of(bad))])
    assert people.get().revocations[0].envelope == envelope


def test_an_envelope_that_says_something_else_is_refused(people: People) -> None:
    version, other = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    wrong = {
        "another name was signed": revocation_of(f"{KEY}+shop/web", version, "bad"),
        f"another version was signed than the one that is asked for: '{other}'": revocation_of(KEY, other, "bad"),
        "another reason was signed": revocation_of(KEY, version, "worse"),
        "not that of a revocation: no DSSE envelope": b"signed",
        "predicateType: not driftline:revocation/1": signed("alice", one=learned("/etc/a")),
    }
    for why, envelope in wrong.items():
        code, said = refused(lambda envelope=envelope: people.revoke(version, envelope=envelope))  # type: ignore[misc]
        assert (code, why in said) == (grpc.StatusCode.INVALID_ARGUMENT, True), (why, said)
    assert people.list() == {}
    assert refused(people.get)[0] is grpc.StatusCode.NOT_FOUND
    people.revoke(version, envelope=revocation_of(KEY, version, "bad"))
    assert [one.version for one in people.get().revocations] == [version]


def test_what_nodes_answer_to_a_revocation_is_kept_and_shown(address: str, people: People, join: Join) -> None:
    """And forgotten when it is signed and goes again; a node that is away is waited for."""
    bad, calm = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    answers = {bad: REFUSED, calm: TAKEN}
    join(address, "node-a", learned("/etc/a"), answer=lambda _name, version, _revocation: answers[version])
    join(address, "node-b")
    join(address, "node-c", takes=False)
    join(address, "node-d", answer=lambda *_what: None)
    until(lambda: people.summary().nodes_using == 1)
    people.revoke(calm)
    people.revoke(bad)

    def progress() -> list[tuple[str, int, int, int]]:
        found = people.get().progress
        return [(one.version, one.nodes_taken, one.nodes_refused, one.nodes_waiting) for one in found]

    until(lambda: progress() == [(bad, 1, 1, 1), (calm, 2, 0, 1)])
    told = {one.node: [(two.version, two.outcome, two.reason) for two in one.revocations] for one in people.get().nodes}
    waiting = baseline_pb2.OUTCOME_WAITING
    assert told == {"node-a": [(bad, REFUSED, "because")], "node-d": [(bad, waiting, ""), (calm, waiting, "")]}
    assert people.get().summary.nodes_refusing_revocation == people.summary().nodes_refusing_revocation == 1
    answers[bad] = TAKEN
    people.revoke(bad, envelope=revocation_of(KEY, bad, "bad"))
    until(lambda: progress() == [(bad, 2, 0, 1), (calm, 2, 0, 1)])
    assert people.summary().nodes_refusing_revocation == 0


def test_a_stream_that_ended_begins_where_it_was(address: str, people: People, join: Join) -> None:
    """An agent that goes away in the middle of a push gets the whole the next time."""
    one = learned("/etc/a")
    silent = join(address, "node-a", answer=lambda *_what: None)
    people.publish(one)
    until(lambda: silent.told)
    silent.stop()
    assert people.outcomes() == {"node-a": baseline_pb2.OUTCOME_WAITING}
    returned = join(address, "node-a")
    until(lambda: people.outcomes() == {"node-a": TAKEN})
    assert returned.wholes[0].data == content(one)


def test_decisions_and_outcomes_outlive_the_collector(tmp_path: Path) -> None:
    one, running = learned("/etc/a"), Collector(tmp_path)
    people = People(running.start())
    agent = BaselineAgent(running.address)
    agent.uses(learned("/etc/b"))
    people.publish(one)
    people.revoke("sha256:" + "0" * 64)
    until(lambda: people.summary().nodes_taken and people.summary().nodes_learned)
    until(lambda: [one.nodes_taken for one in people.get().progress] == [1])  # else it is told again, as it must be
    for each in (agent, people):
        each.stop() if isinstance(each, BaselineAgent) else each.close()
    running.stop()
    running = Collector(tmp_path)
    people, agent = People(running.start()), BaselineAgent(running.address)
    assert (people.summary().nodes_using, people.summary().nodes_learned) == (1, 1)
    agent.uses(learned("/etc/b"))
    agent.send(batch=pb.Batch(sequence=1, deviations=[deviation_to_wire(samples.deviation())]))
    two = learned("/etc/a", "/etc/c", revision=2)
    people.publish(two)
    until(lambda: agent.told)
    assert agent.told == [("publish", version_of(two))]
    agent.stop()
    people.close()
    running.stop()


def test_a_large_one_holds_up_no_acknowledgement(
    address: str, people: People, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent reads one piece, reports, and waits until that is stored: its acknowledgement comes amid the pieces."""
    data = bytes(30 * 1024 * 1024)

    async def check(_apart: Apart, _form: int, _content: bytes) -> Facts:
        return Facts(KEY, "shop/web:1", "active", "sha256:" + "3" * 64, 1, 1, 0, [], 1, 1, 1)

    monkeypatch.setattr(Apart, "check", check)
    agent = BaselineAgent(address, "node-a")
    deviation = deviation_to_wire(samples.deviation())
    seen: list[str] = []

    def slowly(response: pb.ReportResponse) -> None:
        kind = str(response.WhichOneof("message"))
        seen.append(kind)
        if seen.count("baseline_part") == 1 and kind == "baseline_part":
            agent.send(batch=pb.Batch(sequence=1, deviations=[deviation]))
            until(lambda: listing(address))

    monkeypatch.setattr(agent, "_take", slowly)
    agent.uses()
    people.publish_parts(cut(KEY, "sha256:" + "3" * 64, data))
    pieces = len(data) // PART_BYTES
    until(lambda: seen.count("baseline_part") == pieces)
    assert seen.index("acknowledgement") < len(seen) - pieces // 2
    agent.stop()


# --- replicas --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["postgresql"], indirect=True)
@pytest.mark.parametrize("notified", [True, False])
def test_what_is_decided_at_one_replica_reaches_agents_of_all(
    start: Start, join: Join, monkeypatch: pytest.MonkeyPatch, notified: bool
) -> None:
    """By notice; and by the look every few seconds when no notice came."""
    monkeypatch.setattr(notices, "LOOK_SECONDS", 3600.0 if notified else 0.2)
    if not notified:
        monkeypatch.setattr("driftline_collector.store_postgres.BASELINES_CHANNEL", "nobody_listens")
    here, there = start(), start()
    agent, one = join(there, "node-b", learned("/etc/b")), learned("/etc/a", revision=2)
    people, others = People(here), People(there)
    until(lambda: people.summary().nodes_learned)
    until(lambda: people.summary().nodes_using == 1)
    people.publish(one)
    until(lambda: ("publish", version_of(one)) in agent.told)
    until(lambda: people.outcomes() == {"node-b": TAKEN})
    people.revoke(version_of(one))
    until(lambda: agent.told[-1] == ("revoke", version_of(one)))
    assert "revoked" in refused(lambda: others.publish(one))[1]
    moved = join(here, "node-b")
    two = learned("/etc/c", revision=3)
    others.publish(two)
    until(lambda: ("publish", version_of(two)) in moved.told)
    assert ("publish", version_of(one)) not in moved.told
    for each in (people, others):
        each.close()
    assert moved.wholes[0].form == MSGPACK
