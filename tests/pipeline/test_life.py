"""The life of a baseline in the agent: start-ups, healing, decisions made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Excuse, Standing, State
from driftline.nouns import ExecBehaviour, Kind, Loss, OpenBehaviour, Origin, Severity
from pipeline.kernelbytes import Box, Clock, Program
from pipeline.living import OLD, PAGE, begin, boxes, by_hand, decide, kept, only
from pipeline.rig import NS, SETTINGS, Line


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(str(tmp_path))


# --- learning --------------------------------------------------------------------------------------------------------


def test_what_is_learned_is_a_candidate_in_its_first_revision(store: BaselineStore) -> None:
    line, (box,) = Line(store), boxes(Clock(), 1)
    init = begin(line, box)
    line.feed(init.open("/srv/page"))
    line.wait(11)
    found = kept(store)
    assert (found.state, found.revision, found.reasons, found.startups) == (State.CANDIDATE, 1, (), 1)
    assert [(one.author, one.action, one.reason) for one in found.reviews] == [("agent", "learn", "complete")]


def test_two_containers_learn_together_and_each_counts(store: BaselineStore) -> None:
    line = Line(store)
    one, other = boxes(Clock(), 2)
    first, second = begin(line, one), begin(line, other)
    line.feed(first.open("/srv/page"), second.open("/srv/page"), second.open("/srv/only"))
    line.wait(11)
    found = kept(store)
    assert found.startups == 2
    assert found.entries[PAGE].containers == {"box0", "box1"}
    assert found.entries[OpenBehaviour("/srv/only", "read")].containers == {"box1"}


def test_learning_waits_for_a_start_up_to_become_quiet() -> None:
    line, (late, box) = Line(), boxes(Clock(), 2)
    line.pipeline.appear(late.cgroup, late.cgroup, late.path, 0, attached_late=True)
    line.name(late.cgroup, image_digest=OLD)
    line.wait(9.5)
    begin(line, box)
    line.wait(1)
    assert line.learned == []  # long enough, but a container is starting
    line.wait(2)
    assert [(one.name, one.reasons) for one in line.learned] == [(OLD, ())]  # it gave what the other had not shown


def test_without_a_start_up_it_is_partial_and_says_why() -> None:
    line, (box,) = Line(), boxes(Clock(), 1)
    line.feed(box.created())
    line.namer.request(box.cgroup, box.path, 1, False)
    line.name(box.cgroup, image_digest=OLD)
    line.wait(11)
    assert line.learned[0].reasons == ("start-up not seen",)


def test_a_container_that_never_becomes_quiet_is_not_waited_for_for_ever() -> None:
    line, (late, box) = Line(), boxes(Clock(), 2)
    line.pipeline.appear(late.cgroup, late.cgroup, late.path, 0, attached_late=True)
    line.name(late.cgroup, image_digest=OLD)
    line.wait(10)
    init = begin(line, box)
    for number in range(18):
        line.feed(init.open(f"/etc/{number}x"))
        line.wait(1.5)
    assert line.learned == []  # 37 s of a window of 10
    for number in range(18, 30):
        line.feed(init.open(f"/etc/{number}x"))
        line.wait(1.5)
    assert ["never quiet" in one.reasons for one in line.learned] == [True]


def test_a_job_that_ended_was_seen_whole() -> None:
    line, clock = Line(), Clock()
    for box in boxes(clock, 8):
        init = begin(line, box)
        line.feed(init.open("/srv/page"))
        line.wait(1.5)
        line.feed(box.removed())
        line.wait(0.5)
    assert [one.reasons for one in line.learned] == [()]


def test_time_after_a_container_was_forgotten_does_not_count() -> None:
    line, (box,) = Line(settings=replace(SETTINGS, learn_seconds=90)), boxes(Clock(), 1)
    begin(line, box)
    line.wait(5)
    line.feed(box.removed())
    line.wait(200)
    assert line.learned == []
    (shelved,) = line.shelf
    assert shelved.learning is not None
    assert 60 < shelved.learning.baseline.elapsed_ns / NS < 70


# --- healing ---------------------------------------------------------------------------------------------------------


def partial(line: Line, box: Box) -> Program:
    """An image is learned with losses."""
    init = begin(line, box)
    line.pipeline.account([Loss("open", "ring_full", 23)])
    line.feed(init.open("/srv/page"))
    line.wait(11)
    assert line.learned[-1].reasons == ("losses 23",)
    return init


def test_a_later_container_heals_what_was_missing(store: BaselineStore) -> None:
    line, (box, later) = Line(store), boxes(Clock(), 2)
    partial(line, box)
    init = begin(line, later)
    line.feed(init.open("/srv/page"), init.open("/etc/missed", 2))
    told = only(line, "/etc/missed")
    assert (told.severity, told.notes[-1]) == (Severity.LOW, "baseline partial: losses 23")
    assert "being learned again: losses 23" in told.notes
    line.wait(11)
    assert line.learned[-1].reasons == ()
    found = kept(store)
    assert (found.revision, found.state, found.reasons, found.reviews[-1].action) == (2, State.CANDIDATE, (), "heal")
    assert found.parent
    before = len(line.deviations)
    line.feed(init.open("/etc/missed", 2))
    assert len(line.deviations) == before
    line.feed(init.open("/etc/never"))
    assert "being learned again" not in str(only(line, "/etc/never").notes)


def test_checks_fire_while_it_heals_and_nothing_they_tell_is_allowed(store: BaselineStore) -> None:
    line, (box, later) = Line(store), boxes(Clock(), 2)
    partial(line, box)
    init = begin(line, later)
    line.feed(init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    assert only(line, "/tmp/x").severity is Severity.CRITICAL
    line.wait(11)
    dropped = ExecBehaviour("/tmp/x", "x", "/usr/sbin/web", False, "writable")
    assert kept(store).entries[dropped].standing is Standing.NEEDS_REVIEW
    line.feed(init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    again = [one for one in line.deviations if one.what == "/tmp/x"][-1]
    assert (again.severity, again.learning) == (Severity.CRITICAL, False)


def test_what_a_dropped_program_does_is_not_told_quietly_while_it_heals(store: BaselineStore) -> None:
    line, (box, later) = Line(store), boxes(Clock(), 2)
    partial(line, box)
    init = begin(line, later)
    record, dropped = init.run("/tmp/x", origin=Origin.WRITABLE)
    line.feed(record, dropped.open("/etc/loot", 2), init.open("/etc/honest", 2))
    assert only(line, "/etc/loot").severity is Severity.MEDIUM
    assert only(line, "/etc/honest").severity is Severity.LOW
    line.wait(11)
    found = kept(store).entries
    assert found[OpenBehaviour("/etc/loot", "write")].checks == ("NL-00",)
    assert found[OpenBehaviour("/etc/honest", "write")].standing is Standing.ALLOWED


def test_losses_end_an_attempt_to_heal_at_once(store: BaselineStore) -> None:
    """Whoever can cause losses must not keep the image in a state where what is new is only told quietly."""
    line, (box, later) = Line(store), boxes(Clock(), 2)
    partial(line, box)
    init = begin(line, later)
    line.pipeline.account([Loss("open", "ring_full", 7)])
    line.wait(0.5)
    line.feed(init.open("/etc/shady", 2))
    assert only(line, "/etc/shady").severity is Severity.MEDIUM
    assert line.learned[-1].reasons == ("losses 30",)


def test_what_a_person_promoted_does_not_heal_by_itself(store: BaselineStore) -> None:
    line, (box, later) = Line(store), boxes(Clock(), 2)
    partial(line, box)
    hand = by_hand(store)
    hand.commit(replace(kept(hand), state=State.ACTIVE), "alice", "promote", "good enough")
    line.wait(1.5)
    init = begin(line, later)
    line.feed(init.open("/etc/missed", 2))
    assert only(line, "/etc/missed").severity is Severity.MEDIUM
    line.wait(15)
    assert kept(store).revision == 2


def test_an_interrupted_healing_changes_nothing(store: BaselineStore) -> None:
    line, (box, later) = Line(store), boxes(Clock(), 2)
    partial(line, box)
    init = begin(line, later)
    line.feed(init.open("/etc/missed"))
    line.pipeline.finish()
    assert (kept(store).revision, OpenBehaviour("/etc/missed", "read") in kept(store).entries) == (1, False)


# --- decisions -------------------------------------------------------------------------------------------------------


def test_an_approval_silences_within_two_seconds_and_empties_the_cache(store: BaselineStore) -> None:
    line, (box,) = Line(store), boxes(Clock(), 1)
    init = begin(line, box)
    line.feed(init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    line.wait(11)
    dropped = next(one for one in kept(store).entries if isinstance(one, ExecBehaviour) and one.path == "/tmp/x")
    epoch, told = line.kernel.epochs[box.cgroup], len(line.deviations)
    decide(store, OLD, dropped, Standing.ALLOWED)
    line.wait(1.5)
    assert line.kernel.epochs[box.cgroup] == epoch + 1
    line.feed(init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    assert len(line.deviations) == told
    assert line.learned[-1].revision == 2


def test_a_decision_made_while_learning_is_kept(store: BaselineStore) -> None:
    line, (box,) = Line(store), boxes(Clock(), 1)
    init = begin(line, box)
    line.feed(init.open("/srv/page"))
    line.wait(5)
    line.shelf.save()
    hand = by_hand(store)
    baseline = kept(hand)
    baseline.entries[PAGE] = replace(baseline.entries[PAGE], standing=Standing.REJECTED)
    hand.commit(baseline, "alice", "reject", "not ours", "open /srv/page")
    line.wait(2)
    line.feed(init.open("/srv/page"), init.open("/srv/other"))
    assert "was rejected in review" in only(line, "/srv/page").notes
    line.wait(11)
    found = kept(store)
    assert found.entries[PAGE].standing is Standing.REJECTED
    assert [one.author for one in found.reviews] == ["alice", "agent"]


def test_a_retired_baseline_is_learned_anew_and_its_rejections_stay(store: BaselineStore) -> None:
    line, (box,) = Line(store), boxes(Clock(), 1)
    init = begin(line, box)
    line.feed(init.open("/srv/page"), init.open("/etc/no"))
    line.wait(11)
    decide(store, OLD, OpenBehaviour("/etc/no", "read"), Standing.REJECTED)
    line.wait(1.5)
    hand = by_hand(store)
    hand.commit(replace(kept(hand), state=State.RETIRED), "alice", "retire", "rebuilt")
    line.wait(1.5)
    told = len(line.deviations)
    line.feed(init.open("/etc/fresh"))
    assert len(line.deviations) == told
    line.feed(init.open("/etc/no"))
    assert "was rejected in review" in only(line, "/etc/no").notes
    line.wait(11)
    found = kept(store)
    assert (found.state, found.revision, found.reasons) == (State.CANDIDATE, 4, ("start-up not seen",))
    assert set(found.entries) >= {OpenBehaviour("/etc/fresh", "read"), OpenBehaviour("/etc/no", "read")}
    assert PAGE not in found.entries


def test_a_removed_baseline_is_learned_anew(store: BaselineStore) -> None:
    line, (box,) = Line(store), boxes(Clock(), 1)
    init = begin(line, box)
    line.wait(11)
    by_hand(store).remove(OLD)
    line.wait(1.5)
    line.feed(init.open("/etc/fresh"))
    assert line.told == []
    line.wait(11)
    assert (kept(store).revision, kept(store).reasons) == (1, ("start-up not seen",))


def test_a_baseline_that_cannot_be_read_leaves_the_good_one_in_force(store: BaselineStore) -> None:
    line, (box,) = Line(store), boxes(Clock(), 1)
    init = begin(line, box)
    line.feed(init.open("/srv/page"))
    line.wait(11)
    (store.directory(OLD) / "baseline.msgpack").write_bytes(b"broken")
    (store.root / ".changed").touch()
    line.wait(1.5)
    assert "is no baseline" in str(line.shelf.errors[0])
    line.feed(init.open("/srv/page"), init.open("/srv/other"))
    assert [what for _kind, what in line.told] == ["/srv/other"]


def test_an_excuse_counts_until_it_expires(store: BaselineStore) -> None:
    line, (box,) = Line(store), boxes(Clock(), 1)
    init = begin(line, box)
    line.wait(11)
    hand, now_ns = by_hand(store), line.clock.now + line.clock.wall_offset_ns()
    excuse = Excuse("NL-03", "it unpacks itself", "alice", now_ns + 10 * 1_000_000_000)
    also = Excuse("NL-01", "it unpacks itself", "alice", now_ns + 10 * 1_000_000_000)
    hand.commit(replace(kept(hand), excuses=(also, excuse)), "alice", "excuse", "it unpacks itself")
    line.wait(1.5)
    line.feed(init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    assert line.of(Kind.EXEC_DRIFT) == []
    line.wait(12)
    line.feed(init.run("/tmp/y", origin=Origin.WRITABLE)[0])
    assert [one.what for one in line.of(Kind.EXEC_DRIFT)] == ["/tmp/y"]
