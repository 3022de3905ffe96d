"""What a container begins with: what is kept, else the last version that judged, else nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline import beginning
from driftline.baseline.beginning import begin
from driftline.baseline.keeping.marks import MARK, mark
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline, Entry, Excuse, Standing, State
from driftline.errors import StateError
from driftline.nouns import Behaviour, LoadBehaviour

LIBRARY, REFUSED = LoadBehaviour("/lib/a.so"), LoadBehaviour("/lib/no.so")
EXCUSE = Excuse("NL-08", "why", "alice", 0)


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(str(tmp_path))


def entry(standing: Standing = Standing.ALLOWED) -> Entry:
    return Entry("learned", 1, 2, 3, frozenset({"c1"}), standing)


def keep(
    store: BaselineStore,
    key: str,
    used: float,
    state: State = State.CANDIDATE,
    image: str = "shop/web:1",
    workload: str = "",
) -> None:
    entries: dict[Behaviour, Entry] = {LIBRARY: entry(), REFUSED: entry(Standing.REJECTED)}
    one = Baseline(key, workload, image, state=state, entries=entries, excuses=(EXCUSE,))
    if state is State.LEARNING:
        store.save(one)
    else:
        store.commit(one, "agent", "learn", "complete")
    mark(store.directory(one.name), one.name, image)
    os.utime(store.directory(one.name) / MARK, (used, used))


def test_the_version_that_ran_last_is_the_predecessor(store: BaselineStore) -> None:
    for used, key in ((100, "sha256:1"), (300, "sha256:3"), (200, "sha256:2")):
        keep(store, key, used)
    found = begin(store, "sha256:9", "", "shop/web:9").baseline
    assert (found.predecessor, found.state, found.image) == ("sha256:3", State.LEARNING, "shop/web:9")
    assert found.entries[REFUSED].standing is Standing.REJECTED


@pytest.mark.parametrize("state", [State.LEARNING, State.RETIRED])
def test_what_does_not_judge_is_no_predecessor(store: BaselineStore, state: State) -> None:
    keep(store, "sha256:1", 100)
    keep(store, "sha256:2", 200, state)
    assert begin(store, "sha256:9", "", "shop/web:9").baseline.predecessor == "sha256:1"


def test_a_damaged_one_is_told_and_the_one_before_taken(store: BaselineStore) -> None:
    keep(store, "sha256:1", 100)
    keep(store, "sha256:2", 200)
    (store.directory("sha256:2") / "baseline.msgpack").write_bytes(b"broken")
    found = begin(store, "sha256:9", "", "shop/web:9")
    assert found.baseline.predecessor == "sha256:1"
    assert "is no baseline" in str(found.errors[0])


def test_an_image_known_by_its_digest_alone_or_of_another_name_has_none(store: BaselineStore) -> None:
    keep(store, "sha256:1", 100, image="sha256:1")
    keep(store, "sha256:2", 100, image="shop/worker:1")
    for image in ("", "sha256:9", "shop/web:9"):
        assert begin(store, "sha256:9", "", image).baseline == Baseline("sha256:9", image=image)


def test_a_container_without_a_digest_has_none(store: BaselineStore) -> None:
    keep(store, "sha256:1", 100)
    assert begin(store, "container:abc", "", "shop/web:1").baseline.predecessor == ""


def test_a_workload_starts_from_the_same_workload_only(store: BaselineStore) -> None:
    keep(store, "sha256:1", 100, workload="shop/web")
    keep(store, "sha256:1", 200)
    keep(store, "sha256:1", 300, workload="shop/admin")
    found = begin(store, "sha256:9", "shop/web", "shop/web:9").baseline
    assert (found.name, found.predecessor) == ("sha256:9+shop/web", "sha256:1")
    assert begin(store, "sha256:9", "shop/other", "shop/web:9").baseline.predecessor == ""


def test_a_kept_one_is_taken_as_it_is(store: BaselineStore) -> None:
    keep(store, "sha256:1", 100)
    keep(store, "sha256:9", 50, image="shop/web:9")
    found = begin(store, "sha256:9", "", "shop/web:9").baseline
    assert (found.predecessor, found.state, found.revision) == ("", State.CANDIDATE, 1)


def test_a_retired_one_leaves_refusals_and_excuses(store: BaselineStore) -> None:
    keep(store, "sha256:9", 50, State.RETIRED)
    found = begin(store, "sha256:9", "", "shop/web:9").baseline
    assert (found.state, found.revision, set(found.entries), found.excuses) == (
        State.LEARNING,
        1,
        {REFUSED},
        (EXCUSE,),
    )
    found.entries[REFUSED] = replace(found.entries[REFUSED])
    found.state = State.CANDIDATE
    assert store.commit(found, "agent", "learn", "complete").revision == 2


def test_what_cannot_be_read_is_an_error_and_begun_anew(store: BaselineStore) -> None:
    keep(store, "sha256:9", 50)
    (store.directory("sha256:9") / "baseline.msgpack").write_bytes(b"broken")
    found = begin(store, "sha256:9", "", "shop/web:9")
    assert "is no baseline" in str(found.errors[0])
    assert found.baseline == Baseline("sha256:9", image="shop/web:9")


def test_few_baselines_are_read_to_find_one(store: BaselineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node keeps thousands; nothing is read from the rings meanwhile."""
    monkeypatch.setattr(beginning, "MAX_TRIED", 3)
    for number in range(20):
        keep(store, f"sha256:{number}", number, State.RETIRED)
    loaded: list[str] = []
    original = store.load_one

    def load_one(name: str) -> Baseline | StateError | None:
        loaded.append(name)
        return original(name)

    monkeypatch.setattr(store, "load_one", load_one)
    begin(store, "sha256:99", "", "shop/web:9")
    assert loaded == ["sha256:99", "sha256:19", "sha256:18", "sha256:17"]
