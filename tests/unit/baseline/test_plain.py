"""The copy for people is written by a child: of all that is learned, never over something newer, its troubles told."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.format.yamltext import from_yaml
from driftline.baseline.keeping import plain, plainchild
from driftline.baseline.keeping.plain import PlainCopies
from driftline.baseline.keeping.store import MSGPACK, YAML, BaselineStore
from driftline.baseline.schema import State
from driftline.errors import StateError
from unit.baseline.documents import small

DEADLINE_SECONDS = 60


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(str(tmp_path))


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[PlainCopies]:
    found = PlainCopies(str(tmp_path))
    yield found
    found.stop()


def until_idle(copies: PlainCopies) -> list[StateError]:
    """Step until its child ended; return what it complained of."""
    deadline, troubles = time.monotonic() + DEADLINE_SECONDS, []
    while True:
        trouble = copies.step(time.monotonic_ns())
        troubles += [trouble] if trouble else []
        if not copies.is_busy:
            return troubles
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_learned_is_written_and_what_is_being_learned_is_not(store: BaselineStore, copies: PlainCopies) -> None:
    done = store.commit(replace(small(), key="sha256:22", state=State.CANDIDATE), "agent", "learn", "complete")
    store.save(small())
    assert until_idle(copies) == []
    assert from_yaml((store.directory("sha256:22") / YAML).read_text()) == done
    assert not (store.directory(small().name) / YAML).exists()


def test_it_is_written_again_only_when_wanted(store: BaselineStore, copies: PlainCopies) -> None:
    until_idle(copies)  # the agent's start
    done = store.commit(replace(small(), state=State.CANDIDATE), "agent", "learn", "complete")
    until_idle(copies)
    assert not (store.directory(done.name) / YAML).exists()
    copies.want()
    until_idle(copies)
    assert from_yaml((store.directory(done.name) / YAML).read_text()) == done


def test_what_changes_meanwhile_is_left_to_the_next(store: BaselineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    done = store.commit(replace(small(), state=State.CANDIDATE), "agent", "learn", "complete")
    real = plainchild.to_yaml

    def slow(baseline: object) -> str:
        store.commit(done, "agent", "heal", "complete")
        monkeypatch.setattr(plainchild, "to_yaml", real)
        return "old"

    monkeypatch.setattr(plainchild, "to_yaml", slow)
    assert plainchild.write_missing(store.root) == []
    assert not (store.directory(done.name) / YAML).exists()
    assert plainchild.write_missing(store.root) == []
    assert from_yaml((store.directory(done.name) / YAML).read_text()).revision == 2


def test_one_that_is_damaged_keeps_no_other_from_being_written(store: BaselineStore) -> None:
    for key in ("sha256:22", "sha256:33"):
        store.commit(replace(small(), key=key, state=State.CANDIDATE), "agent", "learn", "complete")
    (store.directory("sha256:22") / MSGPACK).write_bytes(b"damaged")
    os.mkdir(store.root / "empty")
    assert plainchild.write_missing(store.root) == []
    assert [path.parent.name for path in store.root.glob(f"*/{YAML}")] == ["sha256-33"]


def test_what_it_cannot_write_is_told(store: BaselineStore, copies: PlainCopies) -> None:
    done = store.commit(replace(small(), state=State.CANDIDATE), "agent", "learn", "complete")
    (store.directory(done.name) / f"{YAML}.new").mkdir()
    (trouble,) = until_idle(copies)
    assert "baselines are not written as YAML: cannot write" in str(trouble)
    assert until_idle(copies) == []


def test_a_child_that_cannot_start_or_does_not_end_holds_nobody_up(
    copies: PlainCopies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    assert "No such file" in str(PlainCopies(str(tmp_path)).step(0))
    monkeypatch.setattr(copies, "_command", ["/bin/sleep", "600"])
    assert copies.step(0) is None
    assert copies.step(plain.MAX_NS - 1) is None
    assert copies.is_busy
    assert "exit status -9" in str(copies.step(plain.MAX_NS))
    assert not copies.is_busy


def test_stopping_ends_the_child(copies: PlainCopies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_command", ["/bin/sleep", "600"])
    copies.step(0)
    copies.stop()
    assert not copies.is_busy
