"""The shelf: one baseline per image, kept, forgotten when idle, never lost to a disk that refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline import shelf as module
from driftline.baseline.keeping.saving import NS, SAVE_NS
from driftline.baseline.keeping.store import PUBLISH, BaselineStore
from driftline.baseline.schema import Baseline, State
from driftline.baseline.shelf import Shelf
from driftline.nouns import Loss, OpenBehaviour, Subject
from unit.baseline.making import SUBJECT, process


def subject(number: int, digest: str = "", late: bool = False) -> Subject:
    return replace(SUBJECT, cgroup=number, image_digest=digest, container_id=f"c{number}", attached_late=late)


def teach(shelf: Shelf, who: Subject, path: str) -> None:
    learning = shelf.of(who).learning
    assert learning is not None
    learning.observe(OpenBehaviour(path, "read"), 7, who, process(), entered=False)


def over(shelf: Shelf) -> list[str]:
    """Two ticks that end every window of a shelf made with 1 s and 0 s."""
    shelf.advance(0)
    return [shelved.key for shelved in shelf.advance(2 * NS)]


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(str(tmp_path))


def test_containers_of_one_image_share_a_baseline(store: BaselineStore) -> None:
    shelf = Shelf(store, 1, 0)
    assert shelf.of(subject(1, "sha256:a")) is shelf.of(subject(2, "sha256:a"))
    assert shelf.of(subject(3, "sha256:b")) is not shelf.of(subject(1, "sha256:a"))


def test_a_finished_baseline_the_disk_refused_is_written_when_it_can_be(store: BaselineStore) -> None:
    shelf = Shelf(store, 1, 0)
    teach(shelf, subject(1, "sha256:a"), "/x")
    store.root.parent.joinpath("baselines").write_text("in the way")
    assert over(shelf) == ["sha256:a"]
    told = len(shelf.errors)
    assert told
    shelf.save()
    assert len(shelf.errors) == told + 1
    store.root.unlink()
    shelf.save()
    kept = store.load_one("sha256:a")
    assert isinstance(kept, Baseline)
    assert (kept.state, list(kept.entries)) == (State.CANDIDATE, [OpenBehaviour("/x", "read")])
    assert (kept.revision, kept.reviews[-1].author, kept.reviews[-1].action) == (1, "agent", "learn")
    assert len(shelf.errors) == told + 1


def test_one_is_written_at_a_time_and_none_too_often(store: BaselineStore) -> None:
    shelf = Shelf(store, 100, 0)
    for number in range(3):
        teach(shelf, subject(number, f"sha256:{number}"), "/x")
    now = SAVE_NS
    for count in range(1, 4):
        shelf.save_next(now)
        assert len(list(store.load())) == count
    teach(shelf, subject(0, "sha256:0"), "/y")
    shelf.save_next(now + SAVE_NS - 1)
    before = store.load_one("sha256:0")
    shelf.save_next(now + SAVE_NS)
    after = store.load_one("sha256:0")
    assert isinstance(before, Baseline)
    assert isinstance(after, Baseline)
    assert (len(before.entries), len(after.entries)) == (1, 2)


def test_idle_images_are_forgotten_and_read_again(store: BaselineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_IDLE", 3)
    shelf = Shelf(store, 1, 0)
    for number in range(7):
        who = subject(number, f"sha256:{number}")
        teach(shelf, who, f"/{number}")
        over(shelf)
        shelf.gone(who.cgroup)
    assert [shelved.key for shelved in shelf] == ["sha256:3", "sha256:4", "sha256:5", "sha256:6"]
    again = shelf.of(subject(8, "sha256:0"))
    assert again.learning is None
    assert OpenBehaviour("/0", "read") in again.matcher


def test_nothing_unsaved_or_in_use_is_forgotten(store: BaselineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_IDLE", 0)
    shelf = Shelf(store, 1, 0)
    teach(shelf, subject(1, "sha256:learning"), "/x")
    shelf.gone(1)
    shelf.of(subject(2, "sha256:used"))
    shelf.of(subject(3, "sha256:third"))
    assert {shelved.key for shelved in shelf} == {"sha256:learning", "sha256:used", "sha256:third"}


def test_a_baseline_of_one_container_ends_with_it(store: BaselineStore) -> None:
    shelf = Shelf(store, 1, 0)
    teach(shelf, subject(1), "/x")
    shelf.save()
    assert len(list(store.load())) == 1
    shelf.gone(1)
    assert (list(shelf), list(store.load())) == ([], [])


def test_a_replay_keeps_it() -> None:
    shelf = Shelf(None, 1, 0, keep_ended=True)
    shelf.of(subject(1))
    shelf.gone(1)
    assert [shelved.key for shelved in shelf] == ["container:c1"]


def test_losses_before_the_image_is_known_are_not_forgotten() -> None:
    shelf = Shelf(None, 1, 0)
    shelf.note_losses(23, 5)
    shelf.note_losses(7, 6)
    assert shelf.of(subject(5, "sha256:a")).reasons == ("losses 23",)
    shelf.gone(6)
    assert shelf.of(subject(6, "sha256:b")).reasons == ()


def test_losses_of_nobody_spoil_every_learning_image() -> None:
    shelf = Shelf(None, 1, 0)
    one, other = shelf.of(subject(1, "sha256:a")), shelf.of(subject(2, "sha256:b"))
    shelf.note_losses(3)
    assert [one.learning and one.learning.baseline.losses, other.learning and other.learning.baseline.losses] == [3, 3]


def test_attached_late_spoils_only_what_is_still_learned() -> None:
    shelf = Shelf(None, 1, 0)
    early = shelf.of(subject(1, "sha256:a"))
    shelf.started(subject(1, "sha256:a"), 1)
    over(shelf)
    assert shelf.of(subject(2, "sha256:a", late=True)).reasons == early.reasons == ()
    assert shelf.of(subject(3, "sha256:b", late=True)).reasons == ("attached late",)


def test_moving_to_a_learned_image_counts_what_it_does_not_hold() -> None:
    shelf = Shelf(None, 1, 0)
    teach(shelf, subject(1, "sha256:a"), "/known")
    over(shelf)
    for path in ("/known", "/new", "/newer"):
        teach(shelf, subject(2), path)
    assert shelf.move(subject(2), subject(2, "sha256:a")) == 2
    assert [shelved.key for shelved in shelf] == ["sha256:a"]


def test_what_was_learned_without_a_word_and_is_not_in_what_was_published_is_counted_and_named(
    store: BaselineStore,
) -> None:
    shelf, one = Shelf(store, 100, 0), subject(1, "sha256:a")
    teach(shelf, one, "/wanted")
    shelf.advance(0)
    shelf.save()
    by_hand = BaselineStore(str(store.root.parent), by_hand=True)
    found = by_hand.load_one("sha256:a")
    assert isinstance(found, Baseline)
    by_hand.commit(replace(found, state=State.ACTIVE), "collector: c", PUBLISH, "reviewed")
    teach(shelf, one, "/strange")  # after it was last written: a decision of this node alone would keep it
    shelf.advance(2 * NS)
    shelved = shelf.of(one)
    assert (shelved.state, shelved.learning) == (State.ACTIVE, None)
    assert OpenBehaviour("/strange", "read") not in shelved.matcher
    assert shelved.news.startswith("revision 1 is in force (publish by collector: c); not in it, though shown here")
    assert "/strange" in shelved.news
    assert shelf.losses() == [Loss("learning", "let_pass", 1)]
    assert shelf.losses() == []


def test_a_file_that_is_no_baseline_is_told_and_the_image_learned_anew(store: BaselineStore) -> None:
    (store.root / "sha256-a").mkdir(parents=True)
    (store.root / "sha256-a" / "baseline.msgpack").write_bytes(b"no baseline")
    shelf = Shelf(store, 1, 0)
    assert shelf.of(subject(1, "sha256:a")).learning is not None
    assert "is no baseline" in str(shelf.errors[0])


def test_who_was_judged_by_what() -> None:
    shelf = Shelf(None, 10**9, 10**9)
    shelf.put(Baseline("sha256:a", state=State.ACTIVE))
    shelf.put(Baseline("sha256:b", state=State.ACTIVE))
    shelf.of(subject(1, "sha256:a"))
    shelf.of(subject(2, "sha256:c"))
    assert shelf.unused() == ["sha256:b"]
    assert shelf.without_baseline() == [SUBJECT.image]


def startups_under_way(shelf: Shelf, who: Subject) -> bool:
    learning = shelf.of(who).learning
    assert learning is not None
    return learning.startups.under_way


def test_a_start_is_not_whole_if_something_was_lost_before_or_around_it() -> None:
    shelf = Shelf(None, 1, 1)
    shelf.advance(5 * NS)
    whole, early, unknown, late = (subject(number, f"sha256:{number}") for number in range(1, 5))
    shelf.note_losses(1, early.cgroup)  # of a container nobody has named yet
    shelf.started(early, 6 * NS)
    shelf.note_losses(1)  # of nobody knows whom
    shelf.started(unknown, 5 * NS)
    shelf.started(whole, 6 * NS)
    shelf.started(replace(late, attached_late=True), 6 * NS)
    assert [startups_under_way(shelf, who) for who in (whole, early, unknown, late)] == [True, False, False, False]
    shelf.note_losses(1, whole.cgroup)
    assert not startups_under_way(shelf, whole)


def test_without_state_it_says_so_of_what_it_finds_running() -> None:
    shelf = Shelf(None, 1, 0, stateless=True)
    assert shelf.of(subject(1, "sha256:a", late=True)).reasons == ("agent restarted without state", "attached late")
    assert shelf.of(subject(2, "sha256:b")).reasons == ()


def test_nothing_is_read_from_the_disk_before_its_image_runs(store: BaselineStore) -> None:
    for number in range(50):
        store.commit(Baseline(f"sha256:{number}", state=State.CANDIDATE), "agent", "learn", "complete")
    shelf = Shelf(store, 1, 0)
    shelf.advance(10 * NS)
    assert list(shelf) == []
    assert shelf.of(subject(1, "sha256:7")).learning is None
    assert len(list(shelf)) == 1


def test_a_workload_is_no_part_of_a_replay() -> None:
    who = replace(subject(1, "sha256:a"), namespace="shop", workload="web")
    assert Shelf(None, 1, 0, keep_ended=True).overlay_of(who) is None
    shelf = Shelf(None, 1, 0, keep_ended=True)
    shelf.put(Baseline("sha256:a", "shop/web", state=State.ACTIVE))  # unless it was given
    assert shelf.overlay_of(who) is not None
    assert shelf.unused() == []
