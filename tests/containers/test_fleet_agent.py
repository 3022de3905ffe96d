"""A real agent and what a collector says to it about baselines: it sends what it learned, takes what is published where
the image runs and where it never ran, and lets go of what is revoked."""

from __future__ import annotations

import queue
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from containers.test_baseline_life import Node, applet
from driftline.baseline.format.canonical import from_msgpack, to_msgpack, version_of
from driftline.baseline.keeping.revoked import Revoked
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import LEARNED, Baseline, Entry, State
from driftline.baseline.signing import revocation
from driftline.nouns import Deviation, Kind
from driftline.wire import service
from driftline.wire.convert import deviation_from_wire
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import Gathering, parts
from rig import containerd
from rig.agent import Agent
from unit.signing.making import signed, signed_payload, trust

pytestmark = pytest.mark.containers

PATIENCE = 60.0


class Collector:
    """One that says what it is told to, and keeps what it hears."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(8)
        self._server = grpc.server(self._pool)
        handler = grpc.stream_stream_rpc_method_handler(
            self._report, pb.ReportRequest.FromString, pb.ReportResponse.SerializeToString
        )
        generic = grpc.method_handlers_generic_handler(service.SERVICE, {"Report": handler})
        self._server.add_generic_rpc_handlers((generic,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self.heard: list[pb.ReportRequest] = []
        self.left = True
        """Whether the agent is gone, and all it said is heard."""
        self._say: queue.SimpleQueue[pb.ReportResponse | None] = queue.SimpleQueue()
        self._server.start()

    def _report(self, requests: Iterator[pb.ReportRequest], _context: object) -> Iterator[pb.ReportResponse]:
        self._say = say = queue.SimpleQueue()
        self.left = False
        self._pool.submit(self._listen, requests, say)
        while (response := say.get()) is not None:
            yield response

    def _listen(self, requests: Iterator[pb.ReportRequest], say: queue.SimpleQueue[pb.ReportResponse | None]) -> None:
        try:
            for request in requests:
                self.heard.append(request)
                if request.HasField("hello"):
                    say.put(pb.ReportResponse(welcome=pb.Welcome(store_id="s", takes_baselines=True)))
                if request.HasField("batch"):
                    done = pb.Acknowledgement(sequence=request.batch.sequence)
                    say.put(pb.ReportResponse(acknowledgement=done))
        except grpc.RpcError:
            pass  # the agent is gone
        finally:
            self.left = say is self._say
            say.put(None)

    def say(self, **message: Any) -> None:
        self._say.put(pb.ReportResponse(**message))

    def publish(self, one: Baseline, data: bytes, form: baseline_pb2.BaselineFormat) -> baseline_pb2.BaselineOutcome:
        """Publish ``data``; return what became of it."""
        before = len(self.outcomes)
        for part in parts(one.name, version_of(one), form, zlib.compress(data)):
            self.say(baseline_part=part)
        self.wait(lambda: len(self.outcomes) > before)
        return self.outcomes[-1]

    def revoke(self, one: Baseline, envelope: bytes = b"") -> baseline_pb2.BaselineOutcome:
        before = len(self.outcomes)
        said = baseline_pb2.Revocation(name=one.name, version=version_of(one), reason="bad", envelope=envelope)
        self.say(revocation=said)
        self.wait(lambda: len(self.outcomes) > before)
        return self.outcomes[-1]

    @property
    def outcomes(self) -> list[baseline_pb2.BaselineOutcome]:
        return [one.baseline_outcome for one in list(self.heard) if one.HasField("baseline_outcome")]

    @property
    def in_use(self) -> baseline_pb2.BaselinesInUse | None:
        """The newest list."""
        found = [one.baselines_in_use for one in list(self.heard) if one.HasField("baselines_in_use")]
        return found[-1] if found else None

    def using(self, state: baseline_pb2.BaselineState, revision: int = 0) -> baseline_pb2.BaselineInUse:
        """Wait until the one image of the node is in ``state``."""

        def found() -> baseline_pb2.BaselineInUse | None:
            listed = self.in_use.baselines if self.in_use else []
            return next((one for one in listed if one.state == state and one.revision == revision), None)

        used: baseline_pb2.BaselineInUse = self.wait(found)
        return used

    def want(self, used: baseline_pb2.BaselineInUse) -> Baseline:
        """Ask for a baseline; return it."""
        gathering, before = Gathering(), len(self.heard)
        self.say(
            baseline_wanted=baseline_pb2.BaselineWanted(name=used.name, version=used.version, revision=used.revision)
        )

        def pieces() -> list[baseline_pb2.BaselinePart]:
            return [one.baseline_part for one in list(self.heard)[before:] if one.HasField("baseline_part")]

        self.wait(lambda: sum(len(one.data) for one in pieces()) == (pieces()[0].size if pieces() else -1))
        whole = [gathering.take(one) for one in pieces()][-1]
        assert whole is not None
        return from_msgpack(zlib.decompress(whole.data))

    def told(self, kind: Kind, word: str) -> list[Deviation]:
        """Deviations of one kind with a word in their sentence or arguments."""
        sent = [one for request in list(self.heard) for one in request.batch.deviations]
        found = [one for one in map(deviation_from_wire, sent) if one.kind is kind]
        return [one for one in found if word in one.sentence or word in one.argv]

    def wait(self, what: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (found := what()):
            assert time.monotonic() < deadline, self._all_told()
            time.sleep(0.02)
        return found

    def _all_told(self) -> tuple[object, ...]:
        """For whoever looks at a failure."""
        told = [(one.kind, one.sentence) for request in list(self.heard) for one in request.batch.deviations]
        beats = [one.heartbeat for one in list(self.heard) if one.HasField("heartbeat")]
        how = [(one.counters["pipeline.deviations"], one.queue.waiting, len(one.losses)) for one in beats[-1:]]
        return told, how, self.in_use

    def stop(self) -> None:
        self._server.stop(0).wait(PATIENCE)
        self._say.put(None)
        self._pool.shutdown()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with containerd.running() as daemon:
        yield Node(daemon, tmp_path)


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.stop()


def agent(node: Node, collector: Collector, state: Path, *options: str) -> Agent:
    """An agent that learns for two seconds."""
    scope = ("--containerd-socket", str(node.daemon.socket), "--no-inventory")
    learn = ("--learn-seconds", "2", "--learn-quiet-seconds", "1", "--identify-seconds", "20", "--fold-seconds", "0")
    way = ("--collector", collector.address, "--heartbeat-seconds", "1")
    return Agent(state, *learn, *scope, *way, *options, standalone=False)


def expecting_more(one: Baseline) -> Baseline:
    """What a person makes of it: `factor` is expected, and it is approved."""
    entries = {**one.entries, applet("factor"): Entry(LEARNED, 1, 1, 1, frozenset())}
    return replace(one, entries=entries, state=State.ACTIVE, revision=one.revision + 1)


def counters(collector: Collector) -> dict[str, int]:
    beats = [one.heartbeat for one in list(collector.heard) if one.HasField("heartbeat")]
    return dict(beats[-1].counters) if beats else {}


def test_it_sends_what_it_learned_takes_what_is_published_and_lets_go_of_what_is_revoked(
    node: Node, collector: Collector
) -> None:
    image = node.build("1")
    with agent(node, collector, node.state, "--collector-baselines", "any") as one:
        service = node.run(image, do=["words"])
        used = collector.using(baseline_pb2.BASELINE_STATE_CANDIDATE, 1)
        learned = collector.want(used)
        assert learned == node.baseline(image)
        assert (used.name, used.image, used.version) == (node.digests[image], image, version_of(learned))
        service.do("sum")
        collector.wait(lambda: collector.told(Kind.EXEC_UNKNOWN, "factor"))
        more = expecting_more(learned)
        outcome = collector.publish(more, to_msgpack(more), baseline_pb2.BASELINE_FORMAT_MSGPACK)
        assert (outcome.outcome, outcome.name) == (baseline_pb2.OUTCOME_TAKEN, more.name), outcome
        one.wait_line(f"revision 2 is in force (publish by collector: {collector.address})")
        before = len(collector.told(Kind.EXEC_UNKNOWN, "factor"))
        service.do("sum", "dropped")
        collector.wait(lambda: collector.told(Kind.EXEC_DRIFT, "/tmp/dropped"))  # all before it was judged
        assert len(collector.told(Kind.EXEC_UNKNOWN, "factor")) == before
        collector.using(baseline_pb2.BASELINE_STATE_ACTIVE, 2)

        outcome = collector.revoke(more)
        assert (outcome.outcome, outcome.revocation) == (baseline_pb2.OUTCOME_TAKEN, True), outcome
        collector.wait(lambda: collector.told(Kind.BASELINE_REFUSED, "revoked: bad; what revision 1 expects"))
        used = collector.using(baseline_pb2.BASELINE_STATE_CANDIDATE, 3)
        assert used.version == version_of(learned)
        service.do("sum")
        collector.wait(lambda: len(collector.told(Kind.EXEC_UNKNOWN, "factor")) > before)
        collector.wait(
            lambda: (
                [counters(collector).get(f"baselines.{name}") for name in ("uploaded", "taken", "revoked")] == [1, 1, 1]
            )
        )
    state_id = collector.in_use.state_id if collector.in_use else ""
    collector.wait(lambda: collector.left)
    collector.heard.clear()
    with agent(node, collector, node.state, "--collector-baselines", "any") as one:
        collector.using(baseline_pb2.BASELINE_STATE_CANDIDATE, 3)
        assert collector.in_use is not None
        assert collector.in_use.state_id == state_id
        again = replace(more, revision=9)
        outcome = collector.publish(again, to_msgpack(again), baseline_pb2.BASELINE_FORMAT_MSGPACK)
        assert outcome.outcome == baseline_pb2.OUTCOME_REFUSED
        assert "was revoked: bad" in outcome.reason
        one.wait_line("was revoked: bad")


def test_where_the_image_never_ran_it_is_judged_from_the_first_second(node: Node, collector: Collector) -> None:
    image = node.build("1")
    with node.agent(2) as first:
        learning = node.run(image, do=["words"])
        first.wait_line(f"detecting {image}", 90)
        assert learning.task
        node.daemon.remove(learning.task.id)
    one, fresh = node.baseline(image), node.directory / "fresh"
    fresh.mkdir()
    trust(fresh / "trust", "alice")
    with agent(node, collector, fresh, "--require-signatures") as second:
        collector.wait(lambda: collector.in_use)
        refused = collector.publish(one, signed("mallory", one=one), baseline_pb2.BASELINE_FORMAT_DSSE)
        assert (refused.outcome, "0 of 1 needed signatures" in refused.reason) == (baseline_pb2.OUTCOME_REFUSED, True)
        taken = collector.publish(one, signed("alice", one=one), baseline_pb2.BASELINE_FORMAT_DSSE)
        assert taken.outcome == baseline_pb2.OUTCOME_TAKEN, taken
        node.run(image).do("words", "sum")
        collector.wait(lambda: collector.told(Kind.EXEC_UNKNOWN, "factor"))
        assert collector.told(Kind.EXEC_UNKNOWN, "wc") == []
        assert collector.told(Kind.BASELINE_REFUSED, "") == []
        assert collector.revoke(one).outcome == baseline_pb2.OUTCOME_REFUSED, "nobody signed that"
        said = signed_payload(revocation.payload_of(Revoked(one.name, version_of(one), "stolen")), "alice")
        assert collector.revoke(one, said).outcome == baseline_pb2.OUTCOME_TAKEN
        collector.wait(lambda: collector.told(Kind.BASELINE_REFUSED, "revoked: stolen; the image is learned anew"))
        second.wait_line("learned anew (revoke by agent)")
    kept = BaselineStore(str(fresh)).load_one(one.name)
    assert isinstance(kept, Baseline)
    assert kept.state in (State.RETIRED, State.LEARNING, State.CANDIDATE)
