"""The runner: from the cursor on, each once, in order; what is not sent is counted and told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from driftline.errors import StateError
from driftline.nouns import Kind, Severity
from driftline.wire.convert import SEVERITY_TO_WIRE
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.filters import DeviationFilter
from driftline_collector.outputs import progress as progress_module
from driftline_collector.outputs import runner as runner_module
from driftline_collector.outputs.progress import FilePlace, Progress, State
from driftline_collector.outputs.refusals import Refusals
from driftline_collector.outputs.runner import Runner, Source, Wanted
from driftline_collector.outputs.sending import Unavailable
from unit.collector.outputs import things
from unit.collector.outputs.things import Receiver

PATIENCE = 20.0


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class Rig:
    """A running runner between ``with``; ``progress`` is read from the file as a restarted collector would."""

    def __init__(
        self,
        folder: Path,
        store: things.Store,
        receiver: Receiver,
        conditions: dict[str, Any] | None = None,
        updates: bool = True,
        max_lag: int = 0,
    ) -> None:
        self.path = folder / "out.json"
        wanted_filter = DeviationFilter(pb.DeviationFilter(**conditions or {}))
        self.runner = Runner(
            "out",
            Source(store.store_id, store.revision, store.revision, store.read),
            Wanted(wanted_filter, updates, max_lag),
            receiver,
            Progress(FilePlace(self.path), lambda found: found or State(store_id=store.store_id), store.revision),
            Refusals(folder / "refused"),
        )

    def __enter__(self) -> Runner:
        self.runner.start()
        return self.runner

    def __exit__(self, *_: object) -> None:
        self.runner.ask_to_stop()
        self.runner.stop(PATIENCE)

    @property
    def counts(self) -> dict[str, int]:
        return self.runner.progress.state.counts.model_dump()


def test_what_is_stored_and_what_comes_is_sent_in_order(tmp_path: Path) -> None:
    store, receiver = things.Store(), Receiver()
    ids = store.add(700)
    with Rig(tmp_path, store, receiver) as runner:
        until(lambda: len(receiver.ids) == 700)
        for _ in range(5):
            ids += store.add(3)
            runner.wake()
        until(lambda: len(receiver.ids) == 715)
    assert receiver.ids == ids
    assert max(map(len, receiver.batches)) <= receiver.batch_deviations


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    store, first, second = things.Store(), Receiver(), Receiver()
    ids = store.add(30)
    with Rig(tmp_path, store, first):
        until(lambda: len(first.ids) == 30)
    ids += store.add(5)
    with Rig(tmp_path, store, second):
        until(lambda: len(second.ids) == 5)
    assert first.ids + second.ids == ids


def test_a_stop_before_anything_was_sent_forgets_nothing(tmp_path: Path) -> None:
    """Where an output began is known from its start on: what came meanwhile is not taken for history."""
    rig = Rig(tmp_path, things.Store(), Receiver(), updates=True)
    rig.runner.ask_to_stop()
    with rig:
        pass
    assert progress_module.read(tmp_path / "out.json") == State(store_id="store")


def test_only_what_is_wanted(tmp_path: Path) -> None:
    store, receiver = things.Store(), Receiver()
    store.add(5, severity=Severity.LOW)
    wanted = store.add(2, severity=Severity.HIGH, kind=Kind.FILE_WRITE_CODE)
    store.add(5, severity=Severity.HIGH)
    conditions = {"minimum_severity": SEVERITY_TO_WIRE[Severity.MEDIUM], "kinds": ["file"]}
    rig = Rig(tmp_path, store, receiver, conditions=conditions)
    with rig as runner:
        until(lambda: runner.progress.revision == 12)
    assert receiver.ids == wanted


def test_what_lags_too_far_behind_is_dropped_counted_and_told_to_the_receiver(tmp_path: Path) -> None:
    store, receiver = things.Store(), Receiver(*[Unavailable("down")] * 2)
    ids = store.add(600)
    rig = Rig(tmp_path, store, receiver, max_lag=100)
    with rig as runner:
        until(lambda: runner.progress.revision == 600)
    gaps = [item for item in receiver.items if item.deviation.kind == "coverage.gap"]
    assert sum(gap.deviation.count for gap in gaps) == 500
    assert {gap.deviation.loss.cause for gap in gaps} == {"lag"}
    assert [identity for identity in receiver.ids if identity in set(ids)] == ids[-100:]
    assert rig.counts["dropped_lag"] == 500


def test_what_the_retention_took_is_counted_and_told(tmp_path: Path) -> None:
    store, receiver = things.Store(), Receiver()
    store.add(10)
    rig = Rig(tmp_path, store, receiver, conditions={"minimum_severity": SEVERITY_TO_WIRE[Severity.MEDIUM]})
    rig.runner.progress.claim()
    rig.runner.progress.state.revision = 4
    removed = [(number, SEVERITY_TO_WIRE[Severity.HIGH]) for number in range(1, 8)]
    rig.runner.removed([*removed, (9, SEVERITY_TO_WIRE[Severity.INFO])])  # one below what is wanted
    store.items = store.items[7:]
    with rig as runner:
        until(lambda: runner.progress.revision == 10)
    first = receiver.items[0].deviation
    assert (first.kind, first.count) == ("coverage.gap", 3)
    assert len(receiver.items) == 4
    assert rig.counts["dropped_retention"] == 3


class Turn(FilePlace):
    """A file that says whether it is our turn to send."""

    ours = False

    def claim(self) -> bool:
        return self.ours

    def holds(self) -> bool:
        return self.ours


def test_who_stands_by_sends_counts_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is its turn, and it goes on at what the other noted; and then it is the other's again."""
    monkeypatch.setattr(runner_module, "STANDBY_SECONDS", 0.01)
    monkeypatch.setattr(runner_module, "LOOK_SECONDS", 0.01)
    store, receiver, path = things.Store(), Receiver(), tmp_path / "out.json"
    ids, turn, newest = store.add(10), Turn(path), store.revision
    progress = Progress(turn, lambda found: found or State(), newest)
    source = Source(store.store_id, newest, newest, store.read)
    runner = Runner(
        "out", source, Wanted(DeviationFilter(pb.DeviationFilter()), True, 0), receiver, progress, Refusals(path)
    )
    runner.start()
    runner.removed([(1, SEVERITY_TO_WIRE[Severity.HIGH])])
    time.sleep(0.1)
    assert (receiver.attempts, progress.sending, path.exists()) == (0, False, False)
    path.write_text(State(store_id=store.store_id, revision=4).model_dump_json())
    turn.ours = True
    until(lambda: progress.revision == 10)
    assert receiver.ids == ids[4:]
    turn.ours = False
    until(lambda: not progress.sending)
    store.add(1)
    runner.ask_to_stop()
    runner.stop(PATIENCE)
    assert receiver.ids == ids[4:]
    kept = progress_module.read(path)
    assert kept is not None
    assert (kept.revision, kept.counts.sent, kept.counts.dropped_retention) == (10, 6, 0)


@pytest.mark.parametrize(("updates", "times"), [(True, 3), (False, 1)])
def test_updates_of_what_was_sent(tmp_path: Path, updates: bool, times: int) -> None:
    """A folded repeat and a digest are newer revisions of the same deviation."""
    store, receiver = things.Store(), Receiver()
    (identity,) = store.add(1)
    rig = Rig(tmp_path, store, receiver, updates=updates)
    with rig as runner:
        for count in (2, 3):
            until(lambda count=count: runner.progress.revision == count - 1)  # type: ignore[misc]
            store.items = [things.stored(count, id=identity, count=count)]
            runner.wake()
        until(lambda: runner.progress.revision == 3)
    assert receiver.ids == [identity] * times
    assert rig.counts["updates_left_out"] == 3 - times


def test_a_store_that_does_not_answer_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "AFTER_ERROR_SECONDS", 0.01)
    store, receiver = things.Store(), Receiver()
    ids, read, errors = store.add(3), store.read, [StateError("locked"), ValueError("bug"), StateError("locked")]

    def stumble(*arguments: Any) -> Any:
        if errors:
            raise errors.pop()
        return read(*arguments)

    monkeypatch.setattr(store, "read", stumble)
    with Rig(tmp_path, store, receiver):
        until(lambda: len(receiver.ids) == 3)
    assert receiver.ids == ids


def test_a_batch_ends_before_it_becomes_too_large(tmp_path: Path) -> None:
    store, receiver = things.Store(), Receiver()
    receiver.batch_bytes = 1
    store.add(5)
    with Rig(tmp_path, store, receiver):
        until(lambda: len(receiver.ids) == 5)
    assert [len(batch) for batch in receiver.batches] == [1] * 5


def test_the_lag_is_known_while_the_receiver_is_down(tmp_path: Path) -> None:
    store, receiver = things.Store(), Receiver(*[Unavailable("down")] * 1000)
    store.add(7)
    with Rig(tmp_path, store, receiver) as runner:
        until(lambda: runner.progress.state.failing)
        assert runner.progress.lag == 7
    saved = json.loads((tmp_path / "out.json").read_text())
    assert (saved["lag"], saved["failing"], saved["revision"]) == (7, "down", 0)


def test_a_damaged_state_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    for content in (b"", b"{", b'{"revision": -1}', b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(StateError, match="damaged"):
            progress_module.read(path)
