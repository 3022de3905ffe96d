"""An agent as the exchange of baselines sees it, and what people ask the collector about baselines.

In: an address. Out: an agent that announces, uploads and answers as it is told, over a real stream. Why not the agent
itself: it must be able to misbehave. Next: test_baselines*.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc

from driftline.baseline.format.canonical import to_msgpack, version_of
from driftline.baseline.schema import LEARNED, Baseline, Entry, Standing, State
from driftline.nouns import Behaviour, OpenBehaviour
from driftline.wire import service
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import Gathering, Whole, deflate, parts

PATIENCE = 20.0
KEY = "sha256:" + "1a" * 32
MSGPACK = baseline_pb2.BASELINE_FORMAT_MSGPACK
TAKEN, REFUSED, FAILED = baseline_pb2.OUTCOME_TAKEN, baseline_pb2.OUTCOME_REFUSED, baseline_pb2.OUTCOME_FAILED

Answer = Callable[[str, str, bool], "baseline_pb2.Outcome | None"]


def learned(
    *paths: str, key: str = KEY, revision: int = 1, state: State = State.CANDIDATE, review: Sequence[str] = ()
) -> Baseline:
    """A baseline with reads of ``paths``; those in ``review`` wait for review."""
    entries: dict[Behaviour, Entry] = {
        OpenBehaviour(path, "read"): Entry(
            LEARNED,
            5,
            6,
            1,
            frozenset({"c1"}),
            standing=Standing.NEEDS_REVIEW if path in review else Standing.ALLOWED,
            checks=("NL-01",) if path in review else (),
        )
        for path in (*paths, *review)
    }
    return Baseline(
        key, image="shop/web:1", state=state, revision=revision, elapsed_ns=60_000_000_000, startups=1, entries=entries
    )


def content(baseline: Baseline) -> bytes:
    return deflate(to_msgpack(baseline))


def announced(baseline: Baseline) -> baseline_pb2.BaselineInUse:
    state = baseline_pb2.BaselineState.Value(f"BASELINE_STATE_{baseline.state.name}")
    version = "" if baseline.state is State.LEARNING else version_of(baseline)
    return baseline_pb2.BaselineInUse(
        name=baseline.name,
        image=baseline.image,
        state=baseline_pb2.BaselineState.Name(state),
        version=version,
        revision=baseline.revision,
    )


def cut(name: str, version: str, data: bytes) -> list[baseline_pb2.BaselinePart]:
    return list(parts(name, version, MSGPACK, data))


class BaselineAgent:
    """A stream of ``node``. ``answer`` says what becomes of what it is sent; None: it says nothing."""

    def __init__(
        self,
        address: str,
        node: str = "node-a",
        state_id: str = "state-1",
        answer: Answer = lambda _name, _version, _revocation: TAKEN,
        takes: bool = True,
        credentials: Any = None,
    ) -> None:
        self._state_id = state_id
        self._answer = answer
        self._requests: queue.Queue[pb.ReportRequest | None] = queue.Queue()
        self._gathering = Gathering()
        self.uploads: dict[tuple[str, str], Callable[[], list[baseline_pb2.BaselinePart]]] = {}
        self.responses: list[pb.ReportResponse] = []
        self.told: list[tuple[str, str]] = []
        """What came, in order: ("revoke", version), ("publish", version), ("want", version)."""
        self.wholes: list[Whole] = []
        self.error: grpc.RpcError | None = None
        self._channel = (
            grpc.insecure_channel(address) if credentials is None else grpc.secure_channel(address, credentials)
        )
        self._thread = threading.Thread(target=self._run)
        self.send(hello=pb.Hello(node=node, takes_baselines=takes))
        self._thread.start()

    def send(self, **message: Any) -> None:
        self._requests.put(pb.ReportRequest(**message))

    def uses(self, *baselines: Baseline, state_id: str = "") -> None:
        """Announce, and be ready to upload."""
        self._state_id = state_id or self._state_id
        for one in baselines:
            version = version_of(one)
            self.uploads.setdefault((one.name, version), lambda one=one: cut(one.name, version_of(one), content(one)))  # type: ignore[misc]
        told = baseline_pb2.BaselinesInUse(state_id=self._state_id, baselines=map(announced, baselines))
        self.send(baselines_in_use=told)

    def _run(self) -> None:
        report = self._channel.stream_stream(
            service.REPORT,
            request_serializer=lambda one: one.SerializeToString(),
            response_deserializer=pb.ReportResponse.FromString,
        )
        try:
            for response in report(iter(self._requests.get, None)):
                self.responses.append(response)
                self._take(response)
        except grpc.RpcError as error:
            self.error = error

    def _take(self, response: pb.ReportResponse) -> None:
        kind = response.WhichOneof("message")
        if kind == "baseline_wanted":
            wanted = response.baseline_wanted
            self.told.append(("want", wanted.version))
            if pieces := self.uploads.get((wanted.name, wanted.version)):
                for part in pieces():
                    self.send(baseline_part=part)
        elif kind == "baseline_part":
            if (whole := self._gathering.take(response.baseline_part)) is not None:
                self.wholes.append(whole)
                self._say("publish", whole.name, whole.version)
        elif kind == "revocation":
            self._say("revoke", response.revocation.name, response.revocation.version)

    def _say(self, what: str, name: str, version: str) -> None:
        self.told.append((what, version))
        if (outcome := self._answer(name, version, what == "revoke")) is not None:
            self.send(
                baseline_outcome=baseline_pb2.BaselineOutcome(
                    name=name,
                    version=version,
                    revocation=what == "revoke",
                    outcome=baseline_pb2.Outcome.Name(outcome),
                    reason="" if outcome == TAKEN else "because",
                )
            )

    def stop(self) -> None:
        """End the stream in order."""
        self._requests.put(None)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self._channel.close()


class People:
    """Whoever lists, fetches, publishes and revokes."""

    def __init__(self, address: str, credentials: Any = None) -> None:
        self._channel = (
            grpc.insecure_channel(address) if credentials is None else grpc.secure_channel(address, credentials)
        )

    def _call(self, kind: str, method: str, request: Any, answer: Any) -> Any:
        make = getattr(self._channel, kind)
        call = make(method, request_serializer=lambda m: m.SerializeToString(), response_deserializer=answer.FromString)
        return call(request, timeout=PATIENCE)

    def list(self) -> dict[str, baseline_pb2.BaselineSummary]:
        found = self._call("unary_unary", service.LIST_BASELINES, pb.ListBaselinesRequest(), pb.ListBaselinesResponse)
        return {one.name: one for one in found.baselines}

    def summary(self, name: str = KEY) -> baseline_pb2.BaselineSummary:
        """Return one of the list, an empty one if it is not there."""
        return self.list().get(name, baseline_pb2.BaselineSummary())

    def get(self, name: str = KEY) -> pb.GetBaselineResponse:
        asked = pb.GetBaselineRequest(name=name)
        found: pb.GetBaselineResponse = self._call("unary_unary", service.GET_BASELINE, asked, pb.GetBaselineResponse)
        return found

    def outcomes(self, name: str = KEY) -> dict[str, int]:
        return {one.node: one.outcome.outcome for one in self.get(name).nodes if one.HasField("outcome")}

    def fetch(self, name: str = KEY, **which: Any) -> Whole:
        gathering, asked = Gathering(), pb.FetchBaselineRequest(name=name, **which)
        for response in self._call("unary_stream", service.FETCH_BASELINE, asked, pb.FetchBaselineResponse):
            if (whole := gathering.take(response.part)) is not None:
                return whole
        raise AssertionError("it ended too early")

    def publish(self, baseline: Baseline) -> baseline_pb2.Published:
        return self.publish_parts(cut(baseline.name, version_of(baseline), content(baseline)))

    def publish_parts(self, pieces: Sequence[baseline_pb2.BaselinePart]) -> baseline_pb2.Published:
        def requests() -> Iterator[pb.PublishBaselineRequest]:
            for part in pieces:
                yield pb.PublishBaselineRequest(part=part, reason="reviewed", author="ann")

        answer: pb.PublishBaselineResponse = self._call(
            "stream_unary", service.PUBLISH_BASELINE, requests(), pb.PublishBaselineResponse
        )
        return answer.published

    def revoke(self, version: str, name: str = KEY, envelope: bytes = b"") -> baseline_pb2.Revocation:
        wanted = baseline_pb2.Revocation(name=name, version=version, reason="bad", author="ann", envelope=envelope)
        asked = pb.RevokeBaselineRequest(revocation=wanted)
        answer: pb.RevokeBaselineResponse = self._call(
            "unary_unary", service.REVOKE_BASELINE, asked, pb.RevokeBaselineResponse
        )
        return answer.revocation

    def close(self) -> None:
        self._channel.close()


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
