"""Delivery: the same order, nothing lost while the receiver is in trouble, one poison alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from driftline.errors import RecordError
from driftline.wire.backoff import Backoff
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.outputs import refusals
from driftline_collector.outputs.delivery import FREE_REFUSALS, Delivery
from driftline_collector.outputs.progress import FilePlace, Progress, State
from driftline_collector.outputs.refusals import Refusals
from driftline_collector.outputs.sending import REASON_CHARACTERS, Refused, Taken, Unavailable, short
from unit.collector.outputs import things
from unit.collector.outputs.things import Receiver


class Rig:
    """A delivery that never waits long, and what it said."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.said: list[str] = []
        self.refused = folder / "out.refused.jsonl"
        self.progress = Progress(FilePlace(folder / "out.json"), lambda found: found or State(), lambda: 8)
        self.progress.claim()
        self.stopping = threading.Event()
        self.backoff = Backoff(first=0.0001, longest=0.001)
        self.delivery = Delivery(
            receiver, self.progress, Refusals(self.refused), self.stopping, self.said.append, self.backoff
        )

    def set_aside(self) -> list[str]:
        lines = self.refused.read_text().splitlines() if self.refused.exists() else []
        return [json.loads(line)["id"] for line in lines]


@pytest.fixture
def batch() -> list[pb.StoredDeviation]:
    return [things.stored(number) for number in range(1, 9)]


def ids(batch: list[pb.StoredDeviation]) -> list[str]:
    return [item.deviation.id for item in batch]


def test_trouble_is_waited_out_and_told_once(tmp_path: Path, batch: list[pb.StoredDeviation]) -> None:
    receiver = Receiver(*[Unavailable("503 busy")] * 5, Unavailable("404 gone"), OSError(111, "Connection refused"))
    rig = Rig(tmp_path, receiver)
    assert rig.delivery.deliver(batch)
    assert receiver.ids == ids(batch)
    assert rig.said == [
        "503 busy; trying again",
        "404 gone; trying again",
        "Connection refused; trying again",
        "works again",
    ]
    counts = rig.progress.state.counts
    assert (counts.sent, counts.failed_attempts, counts.refused) == (8, 7, 0)
    assert rig.progress.revision == 8


def test_a_receiver_too_slow_for_a_batch_gets_smaller_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would get the same batch again and again; in order, and larger ones when it can."""
    batch, receiver = [things.stored(number) for number in range(1, 65)], Receiver()
    most = 5
    take = receiver.send

    def send(part: Sequence[pb.StoredDeviation]) -> Taken:
        if len(part) > most:
            raise Unavailable("timed out")
        return take(part)

    monkeypatch.setattr(receiver, "send", send)
    rig = Rig(tmp_path, receiver)
    assert rig.delivery.deliver(batch)
    assert receiver.ids == ids(batch)
    most = 64
    for _ in range(4):
        assert rig.delivery.deliver(batch)
    assert len(receiver.batches[-1]) == 64


def test_a_stop_ends_the_waiting_and_the_cursor_stays(tmp_path: Path, batch: list[pb.StoredDeviation]) -> None:
    rig = Rig(tmp_path, Receiver(*[Unavailable("no", after=3600)] * 99))
    threading.Timer(0.05, rig.stopping.set).start()
    assert not rig.delivery.deliver(batch)
    assert rig.progress.revision == 0


@pytest.mark.parametrize("poisonous", [[0], [7], [3, 4], [0, 2, 4, 6], list(range(8))])
def test_poison_is_found_and_set_aside(tmp_path: Path, batch: list[pb.StoredDeviation], poisonous: list[int]) -> None:
    receiver = Receiver()
    receiver.refusal, receiver.poison = Refused("400 no"), {ids(batch)[number] for number in poisonous}
    rig = Rig(tmp_path, receiver)
    assert rig.delivery.deliver(batch)
    assert receiver.ids == [identity for identity in ids(batch) if identity not in receiver.poison]
    assert rig.set_aside() == [ids(batch)[number] for number in poisonous]
    counts = rig.progress.state.counts
    assert (counts.sent, counts.refused) == (8 - len(poisonous), len(poisonous))
    assert rig.progress.revision == 8


@pytest.mark.parametrize("bug", [RuntimeError("bug"), RecordError("deviation x cannot be read")])
def test_what_cannot_be_written_is_set_aside_too(
    tmp_path: Path, batch: list[pb.StoredDeviation], bug: Exception
) -> None:
    receiver = Receiver()
    receiver.refusal, receiver.poison = bug, {ids(batch)[2]}
    rig = Rig(tmp_path, receiver)
    assert rig.delivery.deliver(batch)
    assert len(receiver.ids) == 7
    assert rig.set_aside() == [ids(batch)[2]]


def test_a_receiver_that_refuses_everything_is_slowed_down(tmp_path: Path) -> None:
    """After the first few each refusal waits: a wrong receiver must not empty the store."""
    batch = [things.stored(number) for number in range(1, FREE_REFUSALS + 6)]
    receiver = Receiver()
    receiver.refusal, receiver.poison = Refused("422 no"), set(ids(batch))
    rig = Rig(tmp_path, receiver)
    waits = list[float]()
    original = rig.backoff.next
    rig.backoff.next = lambda: waits.append(original()) or 0.0  # type: ignore[method-assign, func-returns-value]
    assert rig.delivery.deliver(batch)
    assert len(waits) == 5
    assert len(rig.said) == 1


def test_partial_success_is_counted(tmp_path: Path, batch: list[pb.StoredDeviation]) -> None:
    rig = Rig(tmp_path, Receiver(Taken(3, "too old")))
    assert rig.delivery.deliver(batch)
    assert (rig.progress.state.counts.sent, rig.progress.state.counts.refused) == (5, 3)
    assert rig.said == ["the receiver refused 3 of 8 deviations: too old"]


def test_the_file_of_refusals_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "REFUSALS_BYTES", 1000)
    kept = Refusals(tmp_path / "a.jsonl")
    for number in range(100):
        kept.keep(things.stored(number), "no")
    assert {one.name for one in tmp_path.iterdir()} == {"a.jsonl", "a.jsonl.1"}
    assert all(one.stat().st_size < 1500 for one in tmp_path.iterdir())


def test_a_receivers_words_cannot_hurt_a_terminal() -> None:
    said = short("no\n\n<html>\x1b[2J\u202e" + "x" * 10_000)
    assert said.isprintable()
    assert len(said) < 2 * REASON_CHARACTERS


def test_whose_turn_is_over_gives_up(tmp_path: Path, batch: list[pb.StoredDeviation]) -> None:
    rig = Rig(tmp_path, receiver := Receiver(*[Unavailable("503 busy")] * 3))
    rig.progress.sending = False
    assert not rig.delivery.deliver(batch)
    assert receiver.attempts == 0
