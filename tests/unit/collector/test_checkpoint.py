"""The background checkpoint happens, and ends when told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.wire.convert import deviation_to_wire
from driftline_collector import checkpoint as checkpoint_module
from driftline_collector.checkpoint import Checkpointer
from driftline_collector.store_sqlite import SqliteStore as Store
from unit.wire import samples


def folded_in(directory: Path, store: Store, deviations: int, seconds: float) -> bool:
    """Whether ``deviations`` reach the database itself within ``seconds``."""
    checkpointer = Checkpointer(store)
    checkpointer.start()
    before = (directory / "collector.db").stat().st_size
    store.commit([deviation_to_wire(samples.deviation()) for _ in range(deviations)], [])
    deadline = time.monotonic() + seconds
    while (directory / "collector.db").stat().st_size <= before and time.monotonic() < deadline:
        time.sleep(0.01)
    checkpointer.stop()
    return (directory / "collector.db").stat().st_size > before


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(checkpoint_module, "PAUSE_SECONDS", 0.01)
    one = Store(tmp_path)
    yield one
    one.close()


def test_many_changes_are_folded_in_soon(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_module, "CHANGES", 500)
    assert folded_in(tmp_path, store, 500, 60)


def test_few_changes_wait_but_not_for_ever(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not folded_in(tmp_path, store, 500, 0.3)
    monkeypatch.setattr(checkpoint_module, "LONGEST_SECONDS", 0.1)
    assert folded_in(tmp_path, store, 500, 60)


def test_stopping_one_that_never_started_is_fine(tmp_path: Path) -> None:
    store = Store(tmp_path)
    Checkpointer(store).stop()
    store.close()
