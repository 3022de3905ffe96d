"""Tail: no gap and no duplicate at the seam, over restarts, and fair to slow readers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from collector.rig import PATIENCE, CollectorProcess, listing, replay, sink, until
from driftline.errors import CollectorError, SettingsError
from driftline.nouns import Kind, Severity, Subject
from driftline.wire.client import CollectorClient
from driftline.wire.convert import SEVERITY_TO_WIRE
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import feed as feed_module
from driftline_collector import follow as follow_module
from unit.wire import samples


class Tail:
    """A follower in a thread: what it was sent, until ``stop``."""

    def __init__(self, address: str, request: pb.TailRequest) -> None:
        self._client = CollectorClient(address)
        self._stream = self._client.tail(request)
        self.responses: list[pb.TailResponse] = []
        self.ended: Exception | None = None
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            for response in self._stream:
                self.responses.append(response)
        except CollectorError as error:
            self.ended = error

    @property
    def revisions(self) -> list[int]:
        return [stored.revision for response in self.responses for stored in response.deviations]

    @property
    def ids(self) -> list[str]:
        return [stored.deviation.id for response in self.responses for stored in response.deviations]

    def stop(self) -> None:
        self._stream.cancel()
        self._thread.join(PATIENCE)
        self._client.close()


@pytest.mark.parametrize("seam", [10, 1_000_000])
def test_a_tail_sees_each_deviation_once_wherever_it_begins(
    collector: str, monkeypatch: pytest.MonkeyPatch, seam: int
) -> None:
    """Tails begin while an agent sends without pause: catching up first (small seam), or joining at once (large)."""
    monkeypatch.setattr(follow_module, "SEAM_REVISIONS", seam)
    agent, sent, tails = sink(collector), list[str](), list[Tail]()
    for i in range(3001):
        deviation = samples.deviation()
        sent.append(deviation.id)
        agent.submit(deviation)
        if i % 500 == 250:
            tails.append(Tail(collector, pb.TailRequest(replay=True, follow=True)))
        if i % 20 == 0:
            time.sleep(0.001)
    for tail in tails:
        until(lambda tail=tail: len(tail.ids) >= len(sent))  # type: ignore[misc]
        tail.stop()
        assert tail.ids == sent
        assert tail.revisions == sorted(set(tail.revisions))
        assert sum(response.caught_up for response in tail.responses) == 1
    agent.stop(PATIENCE)


def test_without_replay_only_new_ones_come(collector: str) -> None:
    agent = sink(collector)
    agent.submit(samples.deviation())
    until(lambda: listing(collector))
    tail = Tail(collector, pb.TailRequest(follow=True))
    until(lambda: tail.responses)
    assert tail.responses[0].caught_up
    new = samples.deviation()
    agent.submit(new)
    until(lambda: tail.ids)
    tail.stop()
    agent.stop(PATIENCE)
    assert tail.ids == [new.id]


def test_a_repeat_reaches_who_has_seen_the_first(collector: str) -> None:
    agent, tail = sink(collector), Tail(collector, pb.TailRequest(follow=True))
    until(lambda: tail.responses)
    agent.submit(samples.deviation(id="0192f3a0-0000-7000-8000-000000000000"))
    until(lambda: len(tail.ids) == 1)
    agent.submit(samples.deviation(id="0192f3a0-0000-7000-8000-000000000000", count=4))
    until(lambda: len(tail.ids) == 2)
    tail.stop()
    agent.stop(PATIENCE)
    counts = [stored.deviation.count for response in tail.responses for stored in response.deviations]
    assert counts == [1, 4]


def test_a_cursor_goes_on_over_a_restart(process: CollectorProcess) -> None:
    agent, sent = sink(process.start()), list[str]()

    def send(count: int) -> None:
        for _ in range(count):
            deviation = samples.deviation()
            sent.append(deviation.id)
            agent.submit(deviation)

    def follow_until_it_ends(seen: list[str]) -> None:
        tail = Tail(process.address, request)
        until(lambda: len(seen) + len(tail.ids) == len(sent))
        process.end()
        until(lambda: tail.ended)
        tail.stop()
        seen += tail.ids
        request.resume.CopyFrom(tail.responses[-1].cursor)

    request, seen = pb.TailRequest(replay=True, follow=True), list[str]()
    for count in (101, 53, 7):
        send(count)
        follow_until_it_ends(seen)
        process.start()
    agent.stop(PATIENCE)
    assert seen == sent


def test_a_cursor_of_another_store_is_ignored(collector: str) -> None:
    agent = sink(collector)
    agent.submit(samples.deviation())
    agent.stop(PATIENCE)
    client = CollectorClient(collector)
    resume = pb.Cursor(store_id="another", revision=10)
    responses = list(client.tail(pb.TailRequest(replay=True, resume=resume)))
    client.close()
    assert sum(len(response.deviations) for response in responses) == 1


def test_a_slow_follower_is_told_what_it_missed_and_slows_nobody(
    collector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "FOLLOWER_DEVIATIONS", 100)
    client = CollectorClient(collector)
    slow = iter(client.tail(pb.TailRequest(follow=True)))
    next(slow)
    agent, sent, large = sink(collector), 3001, ("x" * 20_000,)  # 60 MB: more than the connection buffers
    for _ in range(sent):
        agent.submit(samples.deviation(argv=large))
    agent.stop(PATIENCE)
    assert agent.losses() == []
    assert len(listing(collector)) == sent
    received = missed = 0
    while received + missed < sent:
        response = next(slow)
        received += len(response.deviations)
        missed += response.missed
    client.close()
    assert missed > 0
    assert received + missed == sent


FILTERED = [
    samples.deviation(kind=Kind.EXEC_DRIFT, severity=Severity.CRITICAL),
    samples.deviation(kind=Kind.FILE_WRITE_CODE, severity=Severity.HIGH, subject=Subject(1, "/x", name="db")),
    samples.deviation(kind=Kind.CONNECT_UNKNOWN, severity=Severity.LOW, last_wall_ns=5),
]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"minimum_severity": SEVERITY_TO_WIRE[Severity.HIGH]}, [0, 1]),
        ({"kinds": ["file", "connect.unknown"]}, [1, 2]),
        ({"container": "db"}, [1]),
        ({"namespace": "shop", "image": "nginx"}, [0, 2]),
        ({"since_wall_ns": 6}, [0, 1]),
        ({"node": "node-b"}, []),
    ],
)
def test_filters_hold_for_stored_listed_and_new_alike(
    collector: str, conditions: dict[str, object], expected: list[int]
) -> None:
    tail = Tail(collector, pb.TailRequest(filter=pb.DeviationFilter(**conditions), follow=True))  # type: ignore[arg-type]
    until(lambda: tail.responses)
    agent = sink(collector)
    for deviation in FILTERED:
        agent.submit(deviation)
    agent.stop(PATIENCE)
    wanted = [FILTERED[i].id for i in expected]
    assert [item.deviation.id for item in replay(collector, **conditions)] == wanted
    assert [item.deviation.id for item in listing(collector, **conditions)] == wanted[::-1]
    live = [FILTERED[i].id for i in ([0, 1, 2] if "since_wall_ns" in conditions else expected)]
    until(lambda: len(tail.ids) == len(live))
    tail.stop()
    assert tail.ids == live


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: list(client.tail(pb.TailRequest(filter=pb.DeviationFilter(image="x" * 5000)))),
        lambda client: client.list_deviations(pb.ListDeviationsRequest(filter=pb.DeviationFilter(kinds=["x"] * 65))),
        lambda client: client.list_deviations(pb.ListDeviationsRequest(page_token="'; DROP TABLE")),
    ],
)
def test_nonsense_is_refused_with_a_reason(collector: str, ask: Callable[[CollectorClient], object]) -> None:
    client = CollectorClient(collector)
    with pytest.raises(SettingsError, match="refused the request"):
        ask(client)
    client.close()


def test_followers_are_bounded(collector: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "FOLLOWERS", 1)
    tail = Tail(collector, pb.TailRequest(follow=True))
    until(lambda: tail.responses)
    refused = Tail(collector, pb.TailRequest(follow=True))
    until(lambda: refused.ended)
    assert "too many followers" in str(refused.ended)
    refused.stop()
    tail.stop()
    until(lambda: _can_follow(collector))


def _can_follow(address: str) -> bool:
    tail = Tail(address, pb.TailRequest(follow=True))
    until(lambda: tail.responses or tail.ended)
    tail.stop()
    return bool(tail.responses)


def test_large_pages_are_cut_to_fit_a_message(collector: str) -> None:
    agent = sink(collector)
    for _ in range(211):
        agent.submit(samples.deviation(argv=("x" * 100_000,)))
    agent.stop(PATIENCE)
    assert len({item.deviation.id for item in listing(collector)}) == 211
    assert len({item.deviation.id for item in replay(collector)}) == 211
