"""What the main loop tells a collector of its baselines, and the containers' owners of what was revoked; with the
courier's own thread, real children and files."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driftline.baseline.format.canonical import to_msgpack, version_of
from driftline.baseline.keeping.revoked import Revoked, recall, remember
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.receiving import identity
from driftline.baseline.schema import Baseline, State
from driftline.baseline.shelf import Shelf
from driftline.nouns import Subject
from driftline.report.stream import AgentIdentity
from driftline.settings import Settings
from driftline.sharing import LOOK_SECONDS, LOOKS_UNTIL_BACK, Sharing
from driftline.text import escape
from driftline.verdict.refusal import Refused
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import Gathering, parts
from unit.cli.baselines import OLD
from unit.signing.making import baseline, trust

ONE = Subject(7, "/c", image="nginx:1", image_digest=OLD)
PATIENCE = 30.0


def wait(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


class Node:
    """The main loop of an agent, and what a collector hears of it."""

    def __init__(self, state: Path, **settings: Any) -> None:
        self.state = state
        self.shelf = Shelf(BaselineStore(str(state)), 300, 60)
        values = {"node": "n", "collector": "127.0.0.1:1", "collector_baselines": "any"} | settings
        self.sharing = Sharing(Settings(**values), str(state), lambda: None)
        self.now = 0.0

    def start(self) -> None:
        self.sharing.start()
        self.hear(welcome=pb.Welcome(takes_baselines=True))

    def hear(self, **message: Any) -> None:
        self.sharing.exchange.hear(pb.ReportResponse(**message))

    def look(self) -> None:
        """Let the time of one look pass."""
        self.now += LOOK_SECONDS
        self.sharing.look(self.shelf, self.now)

    def said(self) -> pb.ReportRequest | None:
        return self.sharing.exchange.next(idle=True)

    def in_use(self) -> baseline_pb2.BaselinesInUse:
        """What is told to be in use, once it is."""

        def told() -> pb.ReportRequest | None:
            self.look()
            return self.said()

        found: pb.ReportRequest = wait(told)
        assert found.HasField("baselines_in_use")
        return found.baselines_in_use

    def outcome(self) -> baseline_pb2.BaselineOutcome:
        found: pb.ReportRequest = wait(self.said)
        assert found.HasField("baseline_outcome")
        return found.baseline_outcome

    def refused(self) -> list[Refused]:
        return self.sharing.take_refused(self.shelf, lambda cgroup: ONE if cgroup == ONE.cgroup else None)

    def use(self, one: Baseline) -> None:
        """Have a container run that is judged by ``one``."""
        self.shelf.discard(one.name)
        BaselineStore(str(self.state)).save(one)
        self.shelf.of(ONE)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    made: list[Node] = []

    def one(**settings: Any) -> Node:
        made.append(Node(tmp_path, **settings))
        return made[-1]

    yield one
    for node in made:
        assert node.sharing.stop()


def test_hello_says_who_takes_baselines() -> None:
    assert [AgentIdentity("n").hello(takes).takes_baselines for takes in (True, False)] == [True, False]


def test_what_containers_are_judged_by_is_listed_and_only_when_it_changed(make: Callable[..., Node]) -> None:
    node = make()
    node.start()
    node.use(baseline(3, state=State.ACTIVE))
    node.shelf.of(Subject(8, "/d", container_id="abc"))  # nobody knows its image: nothing anybody could use elsewhere
    told = node.in_use()
    listed = baseline_pb2.BaselineInUse(
        name=OLD,
        image=baseline().image,
        state=baseline_pb2.BASELINE_STATE_ACTIVE,
        version=version_of(baseline()),
        revision=3,
    )
    assert list(told.baselines) == [listed]
    node.look()
    assert node.said() is None
    node.shelf.gone(ONE.cgroup)
    assert list(node.in_use().baselines) == []


def test_what_is_learned_has_no_version_and_no_revision(make: Callable[..., Node]) -> None:
    node = make()
    node.start()
    node.shelf.of(ONE)
    (told,) = node.in_use().baselines
    assert (told.state, told.version, told.revision) == (baseline_pb2.BASELINE_STATE_LEARNING, "", 0)


def test_what_was_learned_is_sent_when_it_is_wanted(make: Callable[..., Node]) -> None:
    node = make()
    kept = BaselineStore(str(node.state)).commit(baseline(0), "agent", "learn", "complete")
    node.shelf.of(ONE)
    node.start()
    (told,) = node.in_use().baselines
    node.hear(baseline_wanted=baseline_pb2.BaselineWanted(name=told.name, version=told.version, revision=told.revision))
    whole = Gathering().take(wait(node.said).baseline_part)
    assert whole is not None
    assert zlib.decompress(whole.data) == to_msgpack(kept)
    assert node.sharing.counters()["baselines.uploaded"] == 1


def test_what_is_not_on_the_disk_any_more_is_not_sent(make: Callable[..., Node]) -> None:
    node = make()
    store = BaselineStore(str(node.state))
    store.commit(baseline(0), "agent", "learn", "complete")
    node.shelf.of(ONE)
    node.start()
    (told,) = node.in_use().baselines
    other = to_msgpack(replace(baseline(1), entries={}))
    (store.directory(OLD) / "revisions" / "000001.msgpack").write_bytes(other)
    node.hear(baseline_wanted=baseline_pb2.BaselineWanted(name=told.name, version=told.version, revision=told.revision))
    node.hear(revocation=baseline_pb2.Revocation(name=OLD, version="x"))
    assert node.outcome().revocation, "it was passed over"
    assert node.sharing.counters()["baselines.uploaded"] == 0


def test_a_published_one_is_taken_and_a_refusal_said_to_the_operator(make: Callable[..., Node]) -> None:
    node = make()
    node.start()
    one = baseline(4)
    for version, outcome in ((version_of(one), baseline_pb2.OUTCOME_TAKEN), ("x", baseline_pb2.OUTCOME_REFUSED)):
        for part in parts(one.name, version, baseline_pb2.BASELINE_FORMAT_MSGPACK, zlib.compress(to_msgpack(one))):
            node.hear(baseline_part=part)
        assert node.outcome().outcome == outcome
    assert isinstance(BaselineStore(str(node.state)).load_one(OLD), Baseline)
    (error,) = node.sharing.take_errors()
    assert f"the collector's baseline {OLD} is refused: " in str(error)
    counts = node.sharing.counters()
    assert (counts["baselines.taken"], counts["baselines.declined"]) == (1, 1)
    assert list((node.state / "incoming").iterdir()) == []


def test_what_is_revoked_is_told_where_the_image_runs(make: Callable[..., Node]) -> None:
    node = make()
    node.start()
    BaselineStore(str(node.state)).commit(baseline(0), "agent", "learn", "complete")
    node.shelf.of(ONE)
    said = baseline_pb2.Revocation(name=OLD, version=version_of(baseline()), reason=escape("bad\n"))
    node.hear(revocation=said)
    outcome = node.outcome()
    assert (outcome.outcome, outcome.revocation) == (baseline_pb2.OUTCOME_TAKEN, True)
    (told,) = node.refused()
    assert (told.subject, told.why) == (ONE, "revoked: bad\\x0a; the image is learned anew")
    assert node.refused() == []
    assert node.sharing.counters()["baselines.revoked"] == 1


def test_a_revoked_one_that_is_in_force_again_is_told_once(make: Callable[..., Node]) -> None:
    node = make()
    remember(str(node.state), Revoked(OLD, version_of(baseline()), "bad"))
    node.start()
    node.use(baseline(3))
    node.in_use()
    for _ in range(LOOKS_UNTIL_BACK):
        node.look()
    (told,) = node.refused()
    assert told.why.startswith("revoked, and in force here again")
    node.look()
    assert node.refused() == []


def test_the_state_has_a_number_that_goes_with_it(make: Callable[..., Node], tmp_path: Path) -> None:
    before = identity.number(str(tmp_path))
    assert identity.number(str(tmp_path)) == before
    (tmp_path / "baselines" / ".state-id").write_text("torn")
    assert identity.number(str(tmp_path)) != before


def test_what_a_node_would_take_is_part_of_its_number(tmp_path: Path) -> None:
    """Else a collector would not offer again what was refused for want of a key."""
    terms = identity.Terms(str(tmp_path / "trust"), 1, False)
    found = [identity.state_id("0", terms)]
    trust(tmp_path / "trust", "alice")
    found.append(identity.state_id("0", terms))
    trust(tmp_path / "trust", "alice", "bob")
    found += [identity.state_id("0", terms), identity.state_id("0", terms._replace(unsigned=True))]
    found.append(identity.state_id("0", terms._replace(threshold=2)))
    assert len(set(found)) == len(found)
    (tmp_path / "trust" / "alice.pub").touch()
    (tmp_path / "trust" / "README").write_text("no key")
    assert identity.state_id("0", terms) == found[2]


def test_a_damaged_memory_is_asked_for_again(make: Callable[..., Node], tmp_path: Path) -> None:
    before = identity.number(str(tmp_path))
    (tmp_path / "revoked.json").write_text(json.dumps({"format": "?"}))
    node = make()
    node.start()
    assert not node.in_use().state_id.startswith(before)
    (error,) = node.sharing.take_errors()
    assert "is damaged, and was set aside: the collector is asked again" in str(error)
    assert recall(str(tmp_path)) == []
