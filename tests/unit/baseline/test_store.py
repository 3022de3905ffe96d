"""The store: whole files or none, revisions that stay, decisions that win, bad files told, errors as StateError."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from driftline.baseline.decisions import with_standing
from driftline.baseline.format.canonical import version_of
from driftline.baseline.format.yamltext import from_yaml
from driftline.baseline.keeping import history
from driftline.baseline.keeping.files import LOCK
from driftline.baseline.keeping.store import BAD, CHANGED, MSGPACK, YAML, BaselineStore, directory_name
from driftline.baseline.schema import LEARNED, Baseline, Entry, Standing, State
from driftline.errors import StateError
from driftline.nouns import LoadBehaviour, OpenBehaviour
from unit.baseline.documents import small
from unit.baseline.making import hostile_text

NAME = small().name
LOADED = LoadBehaviour("/lib/x.so")


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(str(tmp_path / "state"))


@pytest.fixture
def by_hand(store: BaselineStore) -> BaselineStore:
    """The same directory as a person's command sees it."""
    return BaselineStore(str(store.root.parent), by_hand=True)


def only(store: BaselineStore) -> Baseline | StateError:
    (found,) = store.load()
    return found


def one(store: BaselineStore, name: str = NAME) -> Baseline:
    found = store.load_one(name)
    assert isinstance(found, Baseline)
    return found


def candidate() -> Baseline:
    return replace(small(), state=State.CANDIDATE)


def test_what_was_saved_is_loaded(store: BaselineStore) -> None:
    assert list(store.load()) == []
    first, second = small(), replace(small(), key="container:/default/ x", image="\udcff")
    overlay = replace(small(), workload="shop/web")
    for baseline in (first, second, overlay):
        assert store.save(baseline) is baseline
    store.save(replace(first, losses=9))
    found = {baseline.name: baseline for baseline in store.load() if isinstance(baseline, Baseline)}
    assert found == {first.name: replace(first, losses=9), second.name: second, overlay.name: overlay}
    directory = store.root / "sha256-11"
    assert sorted(os.listdir(directory)) == [MSGPACK, LOCK]
    assert store.load_directory("sha256-11") == replace(first, losses=9)


def test_a_person_writes_it_for_people_too_and_the_agent_leaves_nothing_old(
    store: BaselineStore, by_hand: BaselineStore
) -> None:
    by_hand.save(small())
    file = store.directory(NAME) / YAML
    assert from_yaml(file.read_text()) == small()
    agents = BaselineStore(str(store.root.parent))
    agents.save(replace(one(agents), losses=9))
    assert not file.exists()


@given(hostile_text, hostile_text)
def test_directory_names_are_safe_and_differ(one: str, other: str) -> None:
    name = directory_name(one)
    assert name not in {"", ".", ".."}
    assert "/" not in name
    assert "\0" not in name
    assert len(os.fsencode(name)) < 200
    assert (directory_name(other) == name) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"), [("a:b", "a-b"), ("a:b-c", "a-b:c"), ("sha256:" + "a" * 64, "sha256:" + "a" * 65), (":x", "-x")]
)
def test_similar_names_do_not_share_a_directory(one: str, other: str) -> None:
    assert directory_name(one) != directory_name(other)


# --- revisions --------------------------------------------------------------------------------------------------------


def test_each_commit_is_a_revision_that_knows_the_one_before(store: BaselineStore) -> None:
    first = store.commit(candidate(), "agent", "learn", "complete")
    second = store.commit(with_standing(first, [LOADED], Standing.REJECTED), "ann", "reject", "no", "load /lib/x.so")
    third = store.commit(replace(second, state=State.ACTIVE), "ann", "promote", "seen it")
    assert [first.revision, second.revision, third.revision] == [1, 2, 3]
    assert [first.parent, second.parent, third.parent] == ["", version_of(first), version_of(second)]
    assert [(each.author, each.action, each.reason, each.what) for each in third.reviews] == [
        ("agent", "learn", "complete", ""),
        ("ann", "reject", "no", "load /lib/x.so"),
        ("ann", "promote", "seen it", ""),
    ]
    assert one(store) == third
    assert [store.read_revision(NAME, number) for number in (1, 2, 3)] == [first, second, third]
    assert [(each.number, each.state, each.version, each.review) for each in store.revisions(NAME)] == [
        (each.revision, each.state, version_of(each), each.reviews[-1]) for each in (first, second, third)
    ]


def test_a_revision_never_changes_though_the_baseline_is_saved_again(store: BaselineStore) -> None:
    first = store.commit(candidate(), "agent", "learn", "complete")
    before = history.path_of(store.directory(NAME), 1).read_bytes()
    store.save(replace(first, losses=99))
    store.commit(replace(first, losses=100), "agent", "heal", "complete")
    assert history.path_of(store.directory(NAME), 1).read_bytes() == before
    assert store.read_revision(NAME, 2).parent == version_of(first)


def test_a_decision_while_learning_is_kept_without_a_revision(store: BaselineStore) -> None:
    found = store.commit(small(), "ann", "approve", "known")
    assert (found.revision, len(found.reviews)) == (0, 1)
    assert one(store) == found
    assert store.revisions(NAME) == []


def test_a_revision_that_never_came_into_force_is_no_revision(store: BaselineStore) -> None:
    """Its writer was killed between the revision and the baseline."""
    first = store.commit(candidate(), "agent", "learn", "complete")
    before = (store.directory(NAME) / MSGPACK).read_bytes()
    store.commit(with_standing(first, [LOADED], Standing.REJECTED), "ann", "reject", "no")
    (store.directory(NAME) / MSGPACK).write_bytes(before)
    assert [(each.number, each.interrupted) for each in store.revisions(NAME)] == [(1, False), (2, True)]
    third = store.commit(one(store), "ann", "promote", "seen it")
    assert (third.revision, third.parent) == (3, version_of(first))
    assert [each.interrupted for each in store.revisions(NAME)] == [False, True, False]


def test_without_what_is_in_force_no_number_is_given_twice(store: BaselineStore) -> None:
    first = store.commit(candidate(), "agent", "learn", "complete")
    (store.directory(NAME) / MSGPACK).unlink()
    assert store.load_one(NAME) is None
    assert store.commit(candidate(), "agent", "learn", "again").revision == 2
    assert store.read_revision(NAME, 1) == first


def test_learning_anew_loses_no_revision(store: BaselineStore) -> None:
    store.commit(store.commit(candidate(), "agent", "learn", ""), "ann", "promote", "")
    (store.directory(NAME) / MSGPACK).write_bytes(b"damaged")
    assert isinstance(store.load_one(NAME), StateError)
    store.save(small())
    assert len(store.revisions(NAME)) == 2
    assert store.commit(candidate(), "agent", "learn", "again").revision == 3
    assert [(each.number, each.interrupted) for each in store.revisions(NAME)] == [(1, False), (2, False), (3, False)]


def test_damaged_and_missing_revisions_are_told(store: BaselineStore) -> None:
    store.commit(store.commit(candidate(), "agent", "learn", ""), "ann", "promote", "")
    history.path_of(store.directory(NAME), 1).write_bytes(b"\x80")
    damaged, whole = store.revisions(NAME)
    assert damaged.damage
    assert not whole.damage
    with pytest.raises(StateError, match=r"000001\.msgpack is no baseline"):
        store.read_revision(NAME, 1)
    with pytest.raises(StateError, match="there is no revision 7"):
        store.read_revision(NAME, 7)


def test_the_oldest_revisions_go(store: BaselineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_REVISIONS", 3)
    baseline = candidate()
    for _ in range(5):
        baseline = store.commit(baseline, "ann", "edit", "again")
    assert [each.number for each in store.revisions(NAME)] == [3, 4, 5]
    assert len(baseline.reviews) == 5


# --- two writers ------------------------------------------------------------------------------------------------------


def test_a_decision_made_while_learning_survives_the_agents_next_write(
    store: BaselineStore, by_hand: BaselineStore
) -> None:
    agents = store.save(small())
    by_hand.commit(with_standing(one(by_hand), [LOADED], Standing.REJECTED), "ann", "reject", "no")
    new = OpenBehaviour("/new", "read")
    agents.entries[new] = Entry(LEARNED, 2**62, 2**62, 1, frozenset({"c1"}))
    kept = store.save(agents)
    assert kept is not agents
    assert kept == one(by_hand)
    assert kept.entries[LOADED].standing is Standing.REJECTED
    assert new in kept.entries
    assert kept.reviews[-1].action == "reject"
    assert store.save(kept) is kept, "taken over once"


def test_a_person_never_overwrites_what_they_did_not_see(store: BaselineStore, by_hand: BaselineStore) -> None:
    store.commit(candidate(), "agent", "learn", "complete")
    seen = one(by_hand)
    store.save(replace(seen, losses=5))
    with pytest.raises(StateError, match="was changed meanwhile"):
        by_hand.commit(seen, "ann", "promote", "looks good")
    assert one(by_hand).losses == 5


def test_the_agent_hears_what_a_person_changed_and_only_that(store: BaselineStore, by_hand: BaselineStore) -> None:
    mark, names = store.changed_since(0)
    assert (mark, names) == (0, [])
    store.commit(candidate(), "agent", "learn", "complete")
    store.commit(replace(candidate(), key="sha256:22"), "agent", "learn", "complete")
    assert store.load_one("sha256:33") is None, "an image that is learned and was not saved yet"
    assert store.changed_since(mark) == (0, []), "the agent's own writes are no news"
    by_hand.commit(one(by_hand), "ann", "promote", "looks good")
    mark, names = store.changed_since(mark)
    assert names == [NAME]
    one(store)
    by_hand.commit(replace(candidate(), key="sha256:33"), "ann", "import", "from git")
    before, (mark, names) = mark, store.changed_since(mark)
    assert names == ["sha256:33"]
    assert mark > before
    assert store.changed_since(mark) == (mark, [])
    by_hand.remove(NAME)
    assert set(store.changed_since(mark)[1]) == {NAME, "sha256:33"}
    assert store.load_one(NAME) is None


def test_each_change_is_noticed_however_coarse_the_clock(
    store: BaselineStore, by_hand: BaselineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    baseline, marks = candidate(), set()
    for _ in range(3):
        baseline = by_hand.commit(baseline, "ann", "edit", "again")
        marks.add(store.changed_since(0)[0])
    assert len(marks) == 3


@contextmanager
def lock_of_another(store: BaselineStore) -> Iterator[None]:
    with open(store.directory(NAME) / LOCK, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_who_holds_the_lock_keeps_others_out_for_a_while_only(store: BaselineStore) -> None:
    first = store.commit(candidate(), "agent", "learn", "complete")
    with lock_of_another(store), pytest.raises(StateError, match="another process is changing it"):
        store.save(replace(first, losses=7))
    with store.locked(NAME):  # to load, change and save in one go
        store.save(replace(one(store), losses=7))
    assert one(store).losses == 7
    with lock_of_another(store):
        pass


def test_what_was_removed_is_gone_with_its_revisions(store: BaselineStore) -> None:
    store.commit(candidate(), "agent", "learn", "complete")
    store.remove(NAME)
    store.remove(NAME)
    assert os.listdir(store.root) == []
    assert store.commit(candidate(), "agent", "learn", "again").revision == 1


def test_a_removal_that_was_cut_short_leaves_no_baseline(store: BaselineStore) -> None:
    store.commit(candidate(), "agent", "learn", "complete")
    os.rename(store.directory(NAME), store.root / ".removed-sha256-11")
    assert list(store.load()) == []
    store.save(small())
    store.remove(NAME)
    assert os.listdir(store.root) == []


# --- a bad disk -------------------------------------------------------------------------------------------------------


def test_a_bad_file_is_set_aside_and_told(store: BaselineStore) -> None:
    store.save(small())
    path = store.root / "sha256-11" / MSGPACK
    path.write_bytes(path.read_bytes()[:-1])
    error = only(store)
    assert isinstance(error, StateError)
    assert str(path) in str(error)
    assert "set aside" in str(error)
    assert path.with_name(MSGPACK + BAD).exists()
    assert list(store.load()) == []


def test_a_person_who_looks_sets_nothing_aside(store: BaselineStore, by_hand: BaselineStore) -> None:
    store.save(small())
    path = store.root / "sha256-11" / MSGPACK
    path.write_bytes(b"")
    assert "rollback" in str(only(by_hand))
    assert path.exists()
    assert not (store.root / CHANGED).exists()


def test_a_baseline_in_the_wrong_directory_is_set_aside(store: BaselineStore) -> None:
    store.save(small())
    (store.root / "sha256-11").rename(store.root / "sha256-22")
    assert "does not belong" in str(only(store))


def test_a_fifo_or_link_in_the_place_of_a_file_neither_blocks_nor_leads_away(store: BaselineStore) -> None:
    store.save(small())
    path = store.root / "sha256-11" / MSGPACK
    path.unlink()
    os.mkfifo(path)
    assert isinstance(only(store), StateError)
    os.mkdir(store.root / "sha256-33")
    (store.root / "sha256-33" / MSGPACK).symlink_to("/etc/hostname")
    assert all(isinstance(found, StateError) for found in store.load())


def test_a_state_directory_that_cannot_be_written_is_a_state_error(tmp_path: Path) -> None:
    (tmp_path / "baselines").write_text("a file, not a directory")
    store = BaselineStore(str(tmp_path))
    with pytest.raises(StateError, match="the baseline of sha256:11 in"):
        store.save(small())
    assert isinstance(only(store), StateError)


def test_a_full_disk_leaves_the_old_file_whole(store: BaselineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(small())

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match="No space left"):
        store.save(replace(small(), losses=77))
    assert only(store) == small()
    assert sorted(os.listdir(store.root / "sha256-11")) == [MSGPACK, LOCK]
