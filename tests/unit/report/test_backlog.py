"""The backlog sends in order, once per connection, and again only what was not acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice

import pytest

from driftline.nouns import Deviation, Loss, Severity
from driftline.report import backlog as backlog_module
from driftline.report.backlog import WINDOW_BATCHES, Backlog
from driftline.report.heartbeat import HEARTBEAT_LOSSES, make_heartbeat
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline.wire.service import BATCH_BYTES, BATCH_DEVIATIONS
from unit.wire.samples import deviation


def backlog(capacity: int = 100_000) -> Backlog:
    return Backlog(pb.Hello(node="node-a"), capacity)


def acknowledgement(sequence: int, rejected: int = 0) -> pb.Acknowledgement:
    return pb.Acknowledgement(sequence=sequence, rejected=rejected)


def begin(source: Backlog) -> Iterator[pb.ReportRequest]:
    messages = source.open()
    assert next(messages).hello.node == "node-a"
    return messages


def test_what_waits_goes_in_one_batch() -> None:
    source = backlog()
    put = [deviation() for _ in range(3)]
    for item in put:
        source.put(item)
    batch = next(begin(source)).batch
    assert [message.id for message in batch.deviations] == [item.id for item in put]
    assert batch.sequence == 1


def test_a_new_connection_repeats_what_was_not_acknowledged_under_its_number() -> None:
    source = backlog()
    messages = begin(source)
    for _ in range(3):
        source.put(deviation())
        next(messages)
    source.acknowledge(acknowledgement(1))
    source.close()
    source.put(deviation())
    assert [message.batch.sequence for message in islice(begin(source), 3)] == [2, 3, 4]


def test_a_new_connection_after_all_was_acknowledged_waits_for_more() -> None:
    source = backlog()
    source.put(deviation())
    next(begin(source))
    source.acknowledge(acknowledgement(1))
    source.close()
    messages = begin(source)
    later = threading.Timer(0.05, source.put, [deviation()])
    later.start()
    assert next(messages).batch.sequence == 2
    later.join()


def test_close_ends_a_waiting_connection() -> None:
    source = backlog()
    messages = begin(source)
    closer = threading.Timer(0.05, source.close)
    closer.start()
    assert list(messages) == []
    closer.join()


def test_finish_sends_the_rest_then_ends() -> None:
    source = backlog()
    source.put(deviation())
    source.finish()
    goodbye, rest = begin(source)
    assert goodbye.HasField("goodbye")  # first: the rest may take longer than the agent has
    assert rest.batch.sequence == 1
    assert not source.done
    source.acknowledge(acknowledgement(1))
    assert source.done


def test_goodbye_is_said_on_each_connection_and_only_when_it_ends() -> None:
    source = backlog()
    source.put(deviation())
    assert next(begin(source)).HasField("batch")
    source.finish()
    for _ in range(2):
        source.close()
        assert [message.WhichOneof("message") for message in begin(source)] == ["goodbye", "batch"]


def test_batches_are_bounded_in_number_and_bytes() -> None:
    source = backlog()
    for _ in range(BATCH_DEVIATIONS + 1):
        source.put(deviation())
    large = ("x" * 100_000,)
    for _ in range(30):
        source.put(deviation(argv=large))
    source.finish()
    batches = [message.batch for message in begin(source) if message.HasField("batch")]
    assert len(batches[0].deviations) == BATCH_DEVIATIONS
    assert sum(len(batch.deviations) for batch in batches) == BATCH_DEVIATIONS + 31
    assert all(batch.ByteSize() <= BATCH_BYTES + 110_000 for batch in batches)


def test_the_window_holds_back_until_something_is_acknowledged() -> None:
    source = backlog()
    messages = begin(source)
    for _ in range(WINDOW_BATCHES):
        source.put(deviation())
        next(messages)
    source.put(deviation())
    source.put_heartbeat(pb.Heartbeat())
    assert next(messages).HasField("heartbeat")
    source.acknowledge(acknowledgement(1))
    assert next(messages).batch.sequence == WINDOW_BATCHES + 1


def test_overflow_is_counted_and_spares_the_urgent() -> None:
    source = backlog(capacity=1)
    urgent = deviation(severity=Severity.CRITICAL)
    source.put(deviation(severity=Severity.LOW))
    source.put(urgent)
    assert source.losses() == [Loss("report", "queue_full", 1)]
    assert next(begin(source)).batch.deviations[0].id == urgent.id


def test_what_cannot_be_sent_is_counted_and_stops_nothing() -> None:
    source = backlog()
    source.put(deviation(argv=("x" * 2_000_000,)))
    source.put(deviation(count=2**70))
    good = deviation()
    source.put(good)
    assert [message.id for message in next(begin(source)).batch.deviations] == [good.id]
    assert source.losses() == [Loss("report", "too_large", 1), Loss("report", "unencodable", 1)]


def test_rejected_and_left_over_are_counted() -> None:
    source = backlog()
    messages = begin(source)
    source.put(deviation())
    next(messages)
    source.acknowledge(acknowledgement(1, rejected=1))
    source.put(deviation())
    next(messages)
    source.put(deviation())
    source.abandon()
    assert source.losses() == [Loss("report", "not_delivered", 2), Loss("report", "rejected", 1)]


def test_a_heartbeat_replaces_the_one_that_waits_and_tells_the_queue() -> None:
    source = backlog(capacity=50)
    source.put(deviation())
    source.put_heartbeat(make_heartbeat([], {"old": 1}, {}))
    loss = Loss("exec", "ring_full", 3)
    source.put_heartbeat(make_heartbeat([loss, loss], {"new": 2}, {"open": "lsm"}))
    messages = begin(source)
    heartbeat = next(messages).heartbeat
    assert dict(heartbeat.counters) == {"new": 2}
    assert dict(heartbeat.hook_providers) == {"open": "lsm"}
    assert [(item.hook, item.cause, item.count) for item in heartbeat.losses] == [("exec", "ring_full", 3)]
    assert (heartbeat.queue.waiting, heartbeat.queue.capacity) == (1, 50)
    assert next(messages).HasField("batch")


def test_many_losses_are_added_up_and_none_is_forgotten() -> None:
    losses = [Loss("open", "bucket_empty", count, cgroup=count) for count in range(1, HEARTBEAT_LOSSES + 11)]
    told = make_heartbeat(losses, {}, {}).losses
    assert len(told) == HEARTBEAT_LOSSES + 1
    assert sum(loss.count for loss in told) == sum(loss.count for loss in losses)
    assert (told[-1].cgroup, told[-1].count) == (0, sum(range(1, 11)))


def test_what_is_being_encoded_is_not_forgotten_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither in the queue nor in the window: an agent that stops at this moment must wait for it."""
    begun, go_on = threading.Event(), threading.Event()

    def slowly(one: Deviation) -> deviation_pb2.Deviation:
        begun.set()
        assert go_on.wait(60)
        return deviation_to_wire(one)

    monkeypatch.setattr(backlog_module, "deviation_to_wire", slowly)
    source = backlog()
    messages, sent = source.open(), list[pb.ReportRequest]()
    reader = threading.Thread(target=lambda: sent.extend(messages))
    source.put(deviation())
    reader.start()
    assert begun.wait(60)
    source.finish()
    assert not source.done
    go_on.set()
    reader.join(60)
    assert [len(request.batch.deviations) for request in sent if request.HasField("batch")] == [1]
    assert not source.done
    source.acknowledge(acknowledgement(1))
    assert source.done
