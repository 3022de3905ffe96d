"""``driftline baseline fleet``, ``fetch``, ``publish``, ``revoke``, against a real collector and agents that answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from collector.baseline_agent import KEY, REFUSED, TAKEN, BaselineAgent, People, learned
from collector.rig import until
from driftline.baseline.format.canonical import from_msgpack, to_msgpack, version_of
from driftline.baseline.format.yamltext import from_yaml, to_yaml
from driftline.baseline.schema import Baseline, Standing, State
from driftline.baseline.signing.revocation import read
from driftline.cli import main
from driftline.nouns import OpenBehaviour
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.pieces import inflate
from driftline.wire.service import WHOLE_BYTES
from unit.signing.making import key, signed, to_pem

OTHER = "sha256:" + "1b" * 32
Join = Callable[..., BaselineAgent]


class Ran(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


class Desk:
    """Where somebody types ``driftline baseline …``; everything printed must be printable."""

    def __init__(self, address: str, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.people, self.directory = People(address), directory
        self._address, self._capsys = address, capsys

    def run(self, *words: str) -> Ran:
        self._capsys.readouterr()
        status = main.run(["baseline", *words, "--collector", self._address])
        out, err = self._capsys.readouterr()
        assert all(line.isprintable() for line in (out + err).splitlines())
        return Ran(status, out, err)

    def publish(self, *words: str) -> Ran:
        return self.run("publish", *words, "--reason", "why")

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json").out)

    def file(self, baseline: Baseline, name: str = "web.yaml") -> str:
        path = self.directory / name
        path.write_text(to_yaml(baseline))
        return str(path)

    def data(self, data: bytes, name: str = "web.dsse.json") -> str:
        path = self.directory / name
        path.write_bytes(data)
        return str(path)

    def key(self, name: str = "alice") -> str:
        return self.data(to_pem(key(name), b"")[0], f"{name}.key")


@pytest.fixture
def desk(collector: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    one = Desk(collector, tmp_path, capsys)
    yield one
    one.people.close()


@pytest.fixture
def join(collector: str) -> Iterator[Join]:
    """Connects agents, which end before the collector does."""
    agents: list[BaselineAgent] = []

    def join_one(node: str, *uses: Baseline, **options: object) -> BaselineAgent:
        agents.append(BaselineAgent(collector, node, **options))  # type: ignore[arg-type]
        agents[-1].uses(*uses)
        return agents[-1]

    yield join_one
    for one in agents:
        one.stop()


def paths(baseline: Baseline) -> set[str]:
    return {one.path for one in baseline.entries if isinstance(one, OpenBehaviour)}


def has_learned(desk: Desk, nodes: int, name: str = KEY) -> None:
    until(lambda: desk.people.summary(name).nodes_learned == nodes)


# --- fleet and fetch --------------------------------------------------------------------------------------------------


def test_nothing_is_known_yet(desk: Desk) -> None:
    assert desk.run("fleet") == (0, "no node has told of a baseline yet\n", "")
    ran = desk.run("fleet", "web")
    assert (ran.status, ran.out) == (5, "")
    assert "no baseline the collector knows fits web" in ran.err
    assert "no node has told it of any yet" in ran.err


def test_what_nodes_learned_comes_as_one_file(desk: Desk, join: Join) -> None:
    join("node-a", replace(learned("/etc/a"), partial=("attached late",), losses=2))
    join("node-b", learned("/etc/b", review=["/etc/shadow"]))
    join("node-c", replace(learned(), state=State.LEARNING, revision=0))
    has_learned(desk, 2)
    until(lambda: desk.people.summary().nodes_using == 3)
    head, row = desk.run("fleet").out.splitlines()
    assert dict(zip(head.split(), row.split(), strict=True)) == {
        **{"IMAGE": "shop/web:1", "DIGEST": "1a1a1a1a1a1a", "NODES": "3", "LEARNING": "1", "LEARNED": "2"},
        **{"COMPLETE": "1", "REVIEW": "1", "PUBLISHED": "-", "TAKEN": "-", "REFUSED": "-", "WAITING": "-"},
    }
    ran = desk.run("fetch", "web")
    found = from_yaml(ran.out)
    assert (ran.status, paths(found), found.state) == (0, {"/etc/a", "/etc/b", "/etc/shadow"}, State.CANDIDATE)
    assert found.entries[OpenBehaviour("/etc/shadow", "read")].standing is Standing.NEEDS_REVIEW
    assert "merged from 2 nodes: node-a, node-b\n" in ran.err
    assert "not in it: node-c" in ran.err
    assert "may be incomplete: losses 2\n" in ran.err
    assert "1 behaviour need review" in ran.err


def test_node_by_node(desk: Desk, join: Join) -> None:
    join("node-a", replace(learned("/etc/a"), partial=("attached late",)))
    join("node-b", learned("/etc/b"), answer=lambda *_: REFUSED)
    has_learned(desk, 2)
    desk.people.publish(learned("/etc/p", revision=4))
    until(lambda: desk.people.outcomes() == {"node-a": TAKEN, "node-b": REFUSED})
    text = desk.run("fleet", "1a1a1a").out
    assert (
        f"  taken, and when last heard it judged by revision 1 (sha256:{version_of(learned('/etc/a'))[7:19]})" in text
    )
    assert "revision 4 (sha256:" in text
    assert "NOT signed, by ann, " in text
    assert "on 1 node, refused by 1\n" in text
    assert "  partial: attached late\n" in text
    assert "  refused: because\n" in text
    found = desk.json("fleet", "shop/web:1")
    assert found["published"]["revision"] == 4
    assert [(one["node"], one["outcome"]["outcome"]) for one in found["nodes"]] == [
        ("node-a", "taken"),
        ("node-b", "refused"),
    ]
    assert found["nodes"][0]["learned"]["reasons"] == ["attached late"]
    assert desk.json("fleet")[0]["nodes_refused"] == 1


def test_a_node_that_refuses_is_told_so_though_it_expects_the_same(desk: Desk, join: Join) -> None:
    one = learned("/etc/a")
    join("node-a", one, answer=lambda *_: REFUSED)
    has_learned(desk, 1)
    desk.people.publish(one)
    until(lambda: desk.people.outcomes() == {"node-a": REFUSED})
    head, row = desk.run("fleet", "web").out.splitlines()[-3:-1]
    found = dict(zip(head.split(), row.split(), strict=True))
    assert (found["NODE"], found["PUBLISHED"], found["FROM"]) == ("node-a", "refused", "1")


def test_of_one_node_and_as_it_was_published(desk: Desk, join: Join) -> None:
    join("node-a", learned("/etc/a"))
    join("node-b", learned("/etc/b"))
    has_learned(desk, 2)
    assert paths(from_yaml(desk.run("fetch", "web", "--node", "node-b").out)) == {"/etc/b"}
    assert desk.run("fetch", "web", "--node", "node-x").status == 2
    assert desk.run("fetch", "web", "--published").status == 2
    desk.people.publish(learned("/etc/p"))
    output = desk.directory / "out.yaml"
    ran = desk.run("fetch", "web", "--published", "-o", str(output))
    assert (ran.status, ran.out) == (0, "")
    assert from_yaml(output.read_text()) == learned("/etc/p")
    assert desk.run("fetch", "web", "--published", "--node", "node-b").status == 2


def test_which_one_is_asked(desk: Desk, join: Join) -> None:
    join("node-a", learned("/etc/a"), learned("/etc/b", key=OTHER))
    has_learned(desk, 1)
    has_learned(desk, 1, OTHER)
    ran = desk.run("fetch", "web")
    assert ran.status == 5
    assert "web can mean 2 baselines" in ran.err
    assert "sha256:1a1a1a1a1a1a (shop/web:1), sha256:1b1b1b1b1b1b (shop/web:1)" in ran.err
    assert paths(from_yaml(desk.run("fetch", "1b1b").out)) == {"/etc/b"}


def test_hostile_names_stay_text(desk: Desk, join: Join) -> None:
    """``Desk`` checks that nothing unprintable is printed."""
    hostile = replace(learned("/etc/a"), image="shop/\x1b[31mweb\u202e", partial=("\x1b]0;x\x07",))
    agent = join("node-\x1b[2J")
    agent.uses(hostile)
    has_learned(desk, 1)
    assert "shop/\\x1b[31mweb" in desk.run("fleet").out
    assert "partial: " in desk.run("fleet", "1a1a").out
    assert desk.run("fetch", "1a1a").status == 0


# --- publish ----------------------------------------------------------------------------------------------------------


def test_published_unsigned_with_who_and_why(desk: Desk, join: Join) -> None:
    agent = join("node-a", learned("/etc/a"))
    join("node-b", learned("/etc/a"), answer=lambda *_: REFUSED)
    has_learned(desk, 2)
    file = desk.file(learned("/etc/a", "/etc/b"))
    ran = desk.run("publish", file, "--reason", "read it all", "--author", "ann\x1b")
    assert ran.status == 1, "a node refused it"
    assert "shop/web:1: active, revision 1 (sha256:" in ran.out
    assert "published by ann\\x1b\n" in ran.out
    assert "on 1 node, refused by 1\n  node-b, refused: because\n" in ran.out
    assert "nobody signed it" in ran.err
    (whole,) = agent.wholes
    sent = from_msgpack(inflate(whole.data, WHOLE_BYTES))
    assert (sent.state, sent.revision, paths(sent)) == (State.ACTIVE, 1, {"/etc/a", "/etc/b"})
    assert [(one.author, one.action, one.reason) for one in sent.reviews] == [("ann\x1b", "publish", "read it all")]


def test_where_it_is_in_force_and_where_it_is_only_kept(desk: Desk, join: Join) -> None:
    join("node-a", learned("/etc/a", revision=2))
    join("node-b")
    join("node-c", replace(learned(), state=State.LEARNING, revision=0))
    join("node-d", answer=lambda *_: None)
    until(lambda: desk.people.summary().nodes_using == 2)
    file = desk.data(signed("alice", one=learned("/etc/a", revision=2)))
    assert desk.publish(file, "--wait", "0").status == 0
    until(lambda: desk.people.summary().nodes_taken == 3)
    ran = desk.publish(file, "--wait", "0")  # once more: three have it
    assert (ran.status, ran.out.splitlines()[1:]) == (0, ["on 3 nodes, 1 did not answer yet", "  node-d, waiting"])
    rows = [line.split() for line in desk.run("fleet", "web").out.splitlines() if line.startswith("node-")]
    assert [(row[0], " ".join(row[8:])) for row in rows] == [
        *[("node-a", "in force"), ("node-b", "taken"), ("node-c", "taken"), ("node-d", "waiting")],
    ]
    assert "  taken, and when last heard it still learned the image\n" in desk.run("fleet", "web").out
    nodes = desk.json("fleet", "web")["nodes"]
    assert [one["outcome"]["in_force"] for one in nodes] == [True, False, False, False]


def test_the_next_one_counts_on(desk: Desk) -> None:
    for path, revision in (("/etc/a", 1), ("/etc/b", 2), ("/etc/c", 3)):
        ran = desk.publish(desk.file(learned(path)), "--wait", "0")
        assert (ran.status, f"revision {revision} (" in ran.out) == (0, True)
    assert desk.people.summary().published.revision == 3
    sent = from_msgpack(inflate(desk.people.fetch(published=True).data, WHOLE_BYTES))
    assert sent.parent == version_of(learned("/etc/b"))


def test_signed_as_it_is(desk: Desk) -> None:
    """And again: the same content may come again; what is older may not."""
    one = learned("/etc/a", revision=5)
    envelope = signed("alice", one=one)
    assert desk.publish(desk.data(envelope), "--wait", "0").status == 0
    whole = desk.people.fetch(published=True)
    assert (whole.form, inflate(whole.data, WHOLE_BYTES)) == (baseline_pb2.BASELINE_FORMAT_DSSE, envelope)
    ran = desk.publish(desk.file(one), "--signatures", desk.data(envelope), "--wait", "0")
    assert (ran.status, ran.err) == (0, "")
    fetched = desk.run("fetch", "web", "--published")
    assert fetched.out.encode() == envelope
    ran = desk.publish(desk.data(signed("alice", one=learned("/etc/b", revision=4))))
    assert ran.status == 2
    assert "revision 5 is published, and this is 4" in ran.err
    assert "--revision 6" in ran.err


@pytest.mark.parametrize("state", [State.CANDIDATE, State.ACTIVE])
def test_what_waits_for_review_is_not_published(desk: Desk, state: State) -> None:
    one = learned("/etc/a", review=["/etc/shadow"], state=state, revision=2)
    for file in (desk.file(one), desk.data(signed("alice", one=one))):
        ran = desk.publish(file, "--wait", "0")
        assert ran.status == 2
        assert "1 behaviour need review" in ran.err
    assert desk.people.list() == {}
    assert desk.publish(desk.file(one), "--wait", "0", "--force").status == 0


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (replace(learned("/etc/a"), state=State.LEARNING), "it is still being learned"),
        (replace(learned("/etc/a"), state=State.RETIRED), "it is retired"),
        (replace(learned("/etc/a"), key="container:x"), "of no image for good"),
        (replace(learned("/etc/a"), key="starter:nginx"), "of no image for good"),
    ],
)
def test_what_nobody_can_publish(desk: Desk, one: Baseline, says: str) -> None:
    ran = desk.publish(desk.file(one), "--wait", "0")
    assert ran.status == 2
    assert says in ran.err
    assert desk.people.list() == {}


def test_nothing_is_published_without_a_reason(desk: Desk) -> None:
    file = desk.file(learned("/etc/a"))
    assert desk.run("publish", file, "--wait", "0").status == 2
    assert desk.run("publish", file, "--reason", " ", "--wait", "0").status == 2


def test_expired_signatures_and_those_of_something_else(desk: Desk) -> None:
    one = learned("/etc/a")
    ran = desk.publish(desk.data(signed("alice", one=one, expires_ns=1)))
    assert (ran.status, "it expired on 1970" in ran.err) == (9, True)
    other = desk.file(learned("/etc/b"))
    ran = desk.publish(other, "--signatures", desk.data(signed("alice", one=one)))
    assert (ran.status, "what was signed is not what is in" in ran.err) == (9, True)
    ran = desk.publish(other, "--signatures", other)
    assert (ran.status, "is no signed file" in ran.err) == (9, True)


# --- revoke -----------------------------------------------------------------------------------------------------------


def test_revoked_and_signed(desk: Desk, join: Join) -> None:
    bad = learned("/etc/a", revision=2)
    agent = join("node-a", bad)
    until(lambda: desk.people.summary().nodes_using == 1)
    assert desk.publish(desk.data(signed("alice", one=bad))).status == 0
    ran = desk.run(
        "revoke", "web", "--reason", "a miner ran", "--key", desk.key(), "--key", desk.key("bob"), "--wait", "0"
    )
    assert (ran.status, ran.err) == (0, "")
    assert f"shop/web:1: sha256:{version_of(bad)[7:19]} is revoked by " in ran.out
    assert "1 node judged by it when last heard: node-a" in ran.out
    until(lambda: ("revoke", version_of(bad)) in agent.told)
    (made,) = desk.people.get().revocations
    assert read(made.envelope, [key("alice").public, key("bob").public], 2) == (KEY, version_of(bad), "a miner ran")
    assert "published  nothing\n" in desk.run("fleet", "web").out
    assert "signed, by " in desk.run("fleet", "web").out
    assert desk.json("fleet", "web")["revocations"][0]["reason"] == "a miner ran"
    again = desk.publish(desk.data(signed("alice", one=replace(bad, revision=3))))
    assert (again.status, "was revoked: a miner ran" in again.err) == (2, True)
    again = desk.publish(desk.file(bad))
    assert (again.status, "was revoked: a miner ran" in again.err) == (2, True)


def test_who_refuses_a_revocation_and_why(desk: Desk, join: Join) -> None:
    bad = learned("/etc/a", revision=2)
    join("node-a", bad, answer=lambda _name, _version, revocation: REFUSED if revocation else TAKEN)
    join("node-b")
    join("node-\x1b[2J", answer=lambda _name, _version, revocation: None if revocation else TAKEN)
    until(lambda: desk.people.summary().nodes_using == 1)
    assert desk.publish(desk.data(signed("alice", one=bad))).status == 0
    revoke = ("revoke", "web", version_of(bad), "--reason", "a miner ran", "--wait", "0")
    desk.run(*revoke)

    def progress() -> list[tuple[int, int, int]]:
        return [(one.nodes_taken, one.nodes_refused, one.nodes_waiting) for one in desk.people.get().progress]

    until(lambda: progress() == [(1, 1, 1)])
    ran, short = desk.run(*revoke), version_of(bad)[7:19]  # once more: two answered
    assert (ran.status, ran.out.splitlines()[1:]) == (
        1,
        [
            "on 1 node, refused by 1, 1 did not answer yet",
            "  node-a, refused: because",
            "  node-\\x1b[2J, waiting",
            "1 node judged by it when last heard: node-a",
        ],
    )
    text = desk.run("fleet", "web").out
    assert "a miner ran\n           on 1 node, refused by 1, 1 did not answer yet\n" in text
    assert f"  revocation of sha256:{short} refused: because\n" in text
    assert f"  revocation of sha256:{short} waiting\n" in text
    assert "\n  a revocation is refused by 1 node (" in desk.run("fleet").out
    found = desk.json("fleet", "web")
    assert (found["nodes_refusing_revocation"], found["revocations"][0]["nodes_refused"]) == (1, 1)
    assert [one["revocations"] for one in found["nodes"]][1:] == [
        [{"version": version_of(bad), "outcome": "refused", "reason": "because"}]
    ]


def test_it_is_said_when_nobody_judges_by_it_any_more(desk: Desk, join: Join) -> None:
    agent = join("node-a", learned("/etc/a"))
    has_learned(desk, 1)
    agent.uses(learned("/etc/b", revision=2))
    ran = desk.run("revoke", "web", version_of(learned("/etc/a")), "--reason", "bad", "--wait", "20")
    assert ran.status == 0
    assert ran.out.endswith("no node that reports judges by it\n")
    assert "nobody signed it" in ran.err


def test_a_version_by_its_beginning(desk: Desk, join: Join) -> None:
    join("node-a", learned("/etc/a"))
    has_learned(desk, 1)
    version = version_of(learned("/etc/a"))
    ran = desk.run("revoke", "web", "0000", "--reason", "bad", "--wait", "0")
    assert (ran.status, "no version of this baseline" in ran.err) == (2, True)
    ran = desk.run("revoke", "web", "--reason", "bad", "--wait", "0")
    assert (ran.status, "nothing is published" in ran.err) == (5, True)
    assert desk.run("revoke", "web", version[7:15], "--reason", "bad", "--wait", "0").status == 0
    assert [one.version for one in desk.people.get().revocations] == [version]


def test_numbers_go_on_after_a_revocation(desk: Desk) -> None:
    assert desk.publish(desk.file(learned("/etc/a", revision=3)), "--wait", "0").status == 0
    assert desk.run("revoke", "web", "--reason", "bad", "--wait", "0").status == 0
    ran = desk.publish(desk.file(learned("/etc/b")), "--wait", "0")
    assert (ran.status, "revision 3 was published before" in ran.err) == (2, True)
    assert desk.publish(desk.file(learned("/etc/b")), "--wait", "0", "--revision", "4").status == 0
    assert desk.people.summary().published.revision == 4


def test_a_large_one_travels_in_pieces(desk: Desk) -> None:
    """15 000 behaviours whose names do not compress, there and back."""
    one = learned(*(f"/srv/{hashlib.sha256(b'%d' % number).hexdigest()}" for number in range(15_000)))
    path = desk.directory / "web.msgpack"
    path.write_bytes(to_msgpack(one))
    assert desk.publish(str(path), "--wait", "0").status == 0
    assert len(desk.people.fetch(published=True).data) > 256 * 1024
    assert paths(from_yaml(desk.run("fetch", "web", "--published").out)) == paths(one)
