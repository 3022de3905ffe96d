"""The background checkpoint happens, and ends when told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from driftline.wire.convert import deviation_to_wire
from driftline_collector import checkpoint as checkpoint_module
from driftline_collector.checkpoint import Checkpointer
from driftline_collector.store import Store
from unit.wire import samples


def test_the_log_is_folded_in_soon_after_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_module, "PAUSE_SECONDS", 0.01)
    store = Store(tmp_path)
    checkpointer = Checkpointer(store)
    checkpointer.start()
    before = (tmp_path / "collector.db").stat().st_size
    store.commit([deviation_to_wire(samples.deviation()) for _ in range(500)], [])
    deadline = time.monotonic() + 10
    while (tmp_path / "collector.db").stat().st_size <= before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    checkpointer.stop()
    store.close()


def test_stopping_one_that_never_started_is_fine(tmp_path: Path) -> None:
    store = Store(tmp_path)
    Checkpointer(store).stop()
    store.close()
