"""An agent that requires signatures, with a real container: the signed baseline is in force; a tampered, an unsigned
and an older one are refused aloud, and the last good one stays, whatever happens to its files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from containers.test_baseline_life import Node, Service, applet, of
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import LEARNED, Baseline, Entry
from driftline.baseline.signing.keys import to_pem
from rig import containerd
from rig.agent import Agent
from unit.signing.making import key, trust

pytestmark = pytest.mark.containers

SIGNED = ("--require-signatures", "--fold-seconds", "0")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with containerd.running() as daemon:
        yield Node(daemon, tmp_path)


@pytest.fixture
def image(node: Node) -> str:
    """An image that was learned, by an agent that asks for no signatures."""
    name = node.build("1")
    with node.agent(2) as agent:
        node.run(name, do=["words"])
        agent.wait_line(f"detecting {name}", 90)
    for person in ("alice", "mallory"):
        (node.directory / f"{person}.key").write_bytes(to_pem(key(person), b"")[0])
    trust(node.state / "trust", "alice")
    return name


def sign(node: Node, image: str, person: str) -> None:
    node.driftline("baseline", "sign", image, "--key", str(node.directory / f"{person}.key"))


def commit_more(node: Node, image: str) -> Baseline:
    """What an attacker (or a careless person) does: another revision, in which `factor` is expected."""
    store = BaselineStore(str(node.state), by_hand=True)
    before = store.load_one(node.digests[image])
    assert isinstance(before, Baseline)
    expected = Entry(LEARNED, 1, 1, 1, frozenset())
    changed = replace(before, entries={**before.entries, applet("factor"): expected})
    return store.commit(changed, "eve", "import", "trust me")


def told_of_factor(agent: Agent, service: Service) -> int:
    """How often `factor` was told, after it ran once more."""
    before = len(told(agent, "exec.drift", "/tmp/dropped"))
    service.do("sum", "words", "dropped")
    agent.wait(lambda: len(told(agent, "exec.drift", "/tmp/dropped")) > before)  # everything before it was judged
    assert told(agent, "exec.unknown", "wc") == set()
    return len(told(agent, "exec.unknown", "factor"))


def told(agent: Agent, kind: str, word: str) -> set[str]:
    """Ids of the deviations of one kind that have a word in their arguments."""
    return {one["id"] for one in agent.deviations if one["kind"] == kind and word in one["argv"]}


def refused(agent: Agent, why: str) -> None:
    found = agent.wait(lambda: next((one for one in agent.deviations if _is_refusal(one, why)), None))
    assert found["severity"] == "high"
    assert found["subject"]["name"]


def _is_refusal(one: dict[str, object], why: str) -> bool:
    return one["kind"] == "baseline.refused" and why in str(one["sentence"])


def test_only_signed_baselines_come_into_force_and_the_last_good_one_stays(node: Node, image: str) -> None:
    sign(node, image, "alice")
    name = node.digests[image]
    with node.agent(2, 1, *SIGNED) as agent:
        service = node.run(image)
        assert told_of_factor(agent, service) == 1
        assert of(agent, "baseline.refused", "") == []
        commit_more(node, image)
        refused(agent, "nobody signed revision 2; revision 1 stays in force")
        sign(node, image, "mallory")
        refused(
            agent, f"0 of 1 needed signatures are by trusted keys; signed, as it says, by {key('mallory').public.id};"
        )
        assert told_of_factor(agent, service) == 2
        sign(node, image, "alice")
        agent.wait_line("revision 2 is in force")
        assert told_of_factor(agent, service) == 2  # alice expects it
        store = BaselineStore(str(node.state))
        directory = store.directory(name)
        shutil.copy(directory / "revisions" / "000001.msgpack", directory / "baseline.msgpack")
        (store.root / ".changed").touch()
        refused(agent, "it is revision 1, and revision 2 was in force here; revision 2 stays in force")
        assert told_of_factor(agent, service) == 2
        shutil.rmtree(directory)
        (store.root / ".changed").touch()
        refused(agent, "it is gone; revision 2 stays in force")
    with node.agent(2, 1, *SIGNED) as agent:
        refused(agent, "it is gone; revision 2 stays in force")
        assert told_of_factor(agent, service) == 0
        assert not directory.exists()
        node.driftline("baseline", "list")


def test_when_a_key_is_taken_away_the_one_before_that_others_signed_is_in_force(node: Node, image: str) -> None:
    trust(node.state / "trust", "alice", "mallory")
    sign(node, image, "alice")
    with node.agent(2, 1, *SIGNED) as agent:
        service = node.run(image)
        assert told_of_factor(agent, service) == 1
        commit_more(node, image)
        sign(node, image, "mallory")
        agent.wait_line("revision 2 is in force")
        assert told_of_factor(agent, service) == 1  # mallory expects it
        trust(node.state / "trust", "alice")
        refused(agent, "revision 1 is in force again, the newest before it that enough trusted keys signed")
        agent.wait_line("revision 1 is in force, the last good one that is signed")
        assert told_of_factor(agent, service) == 2
    with node.agent(2, 1, *SIGNED) as agent:
        refused(agent, "revision 1 stays in force")
        assert told_of_factor(agent, service) == 1


def test_what_was_learned_here_counts_until_somebody_signs(node: Node, image: str) -> None:
    with node.agent(2, 1, *SIGNED) as agent:
        service = node.run(image)
        found = agent.wait_deviation("baseline.refused")
        assert found["severity"] == "low"
        assert "what this node learned itself is in force until somebody does" in found["sentence"]
        assert told_of_factor(agent, service) == 1
        sign(node, image, "alice")
        agent.wait(lambda: list(node.state.joinpath("signed").rglob("envelope.dsse.json")))
        commit_more(node, image)
        refused(agent, "nobody signed revision 2")
        assert told_of_factor(agent, service) == 2
