"""New versions of an image, its workloads, its packages: what goes over, what stays apart, what is expected."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.inventory.files import table
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.schema import Package, Recorded
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Excuse, Standing, State
from driftline.inventories import Inventories
from driftline.nouns import ConnectBehaviour, ExecBehaviour, Kind, OpenBehaviour, Origin, Severity
from pipeline.kernelbytes import Clock
from pipeline.living import NEW, OLD, PAGE, begin, boxes, by_hand, decide, kept, only
from pipeline.rig import SETTINGS, Line


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(str(tmp_path))


# --- image updates ---------------------------------------------------------------------------------------------------


def test_a_new_version_starts_from_its_predecessor_and_detection_goes_on(store: BaselineStore) -> None:
    line, (box, later) = Line(store), boxes(Clock(), 2)
    old = begin(line, box)
    line.feed(old.open("/srv/page"), old.connect((10, 1, 1, 1)), old.run("/bin/sh")[0])
    line.wait(11)
    new = begin(line, later, NEW, image="shop/web:2")
    line.feed(new.connect((10, 1, 1, 1)))  # carried over
    told = len(line.deviations)
    line.feed(new.open("/srv/page"))  # expected, but told quietly until it is seen
    assert (only(line, "/srv/page").severity, len(line.deviations)) == (Severity.LOW, told + 1)
    line.feed(new.open("/srv/page"), new.open("/etc/novel", 2))
    novel = only(line, "/etc/novel")
    assert (novel.severity, novel.learning, novel.baseline != "") == (Severity.LOW, True, True)
    line.feed(new.run("/tmp/x", origin=Origin.WRITABLE)[0])
    assert only(line, "/tmp/x").severity is Severity.CRITICAL
    line.wait(11)
    found = kept(store, NEW)
    assert (found.predecessor, found.state, found.reasons) == (OLD, State.CANDIDATE, ())
    assert found.entries[PAGE].standing is Standing.ALLOWED
    shell = ExecBehaviour("/bin/sh", "sh", "/usr/sbin/web", False)
    assert found.entries[shell].standing is Standing.UNCONFIRMED
    line.feed(new.run("/bin/sh")[0])
    assert only(line, "/bin/sh").severity is Severity.LOW
    line.feed(old.open("/etc/novel", 2))  # the old version keeps its own
    assert [one.severity for one in line.deviations if one.what == "/etc/novel"][-1] is Severity.MEDIUM


def test_what_was_rejected_or_waits_for_review_stays_so_in_the_next_version(store: BaselineStore) -> None:
    line, (box, later) = Line(store), boxes(Clock(), 2)
    old = begin(line, box)
    line.feed(old.open("/srv/page"), old.run("/tmp/x", origin=Origin.WRITABLE)[0])
    line.wait(11)
    decide(store, OLD, PAGE, Standing.REJECTED)
    line.wait(1.5)
    new = begin(line, later, NEW, image="shop/web:2")
    line.feed(new.open("/srv/page"))
    assert "was rejected in review" in only(line, "/srv/page").notes
    line.wait(11)
    standings = {entry.standing for entry in kept(store, NEW).entries.values()}
    assert standings >= {Standing.REJECTED, Standing.NEEDS_REVIEW}


def test_an_update_survives_a_restart_of_the_agent(store: BaselineStore) -> None:
    line, (box, later, last) = Line(store), boxes(Clock(), 3)
    begin(line, box)
    line.wait(11)
    begin(line, later, NEW, image="shop/web:2")
    line.wait(5)
    line.pipeline.finish()
    again = Line(store)
    again.clock.now = line.clock.now
    new = begin(again, last, NEW, image="shop/web:2")
    again.feed(new.open("/etc/novel", 2))
    assert only(again, "/etc/novel").severity is Severity.LOW


def test_another_repository_is_no_predecessor(store: BaselineStore) -> None:
    line, (box, later) = Line(store), boxes(Clock(), 2)
    begin(line, box)
    line.wait(11)
    new = begin(line, later, NEW, image="shop/worker:2")
    line.feed(new.open("/etc/novel"))
    assert line.told == []


# --- workloads -------------------------------------------------------------------------------------------------------


def test_two_workloads_of_one_image_differ_in_connects_and_volumes(store: BaselineStore) -> None:
    line, (box, other) = Line(store), boxes(Clock(), 2)
    one = begin(line, box, namespace="shop", workload="web", pod="web-1")
    two = begin(line, other, namespace="shop", workload="admin", pod="admin-1")
    line.feed(one.connect((10, 1, 1, 1)), two.connect((10, 2, 2, 2)), one.open("/data/a", origin=Origin.VOLUME))
    line.feed(one.open("/srv/page"))
    line.wait(11)
    line.feed(one.connect((10, 1, 1, 1)), two.connect((10, 2, 2, 2)), one.open("/data/a", origin=Origin.VOLUME))
    line.feed(two.open("/srv/page"))
    assert line.told == []
    line.feed(one.connect((10, 2, 2, 2)), two.connect((10, 1, 1, 1)), two.open("/data/a", origin=Origin.VOLUME))
    assert [what for _kind, what in line.told] == ["10.2.2.2:443/tcp", "10.1.1.1:443/tcp", "/data/a"]
    image = kept(store).entries
    assert PAGE in image
    assert not [one for one in image if isinstance(one, ConnectBehaviour)]
    overlay = kept(store, f"{OLD}+shop/web")
    assert set(overlay.entries) == {ConnectBehaviour("tcp", "10.1.1.1", 443), OpenBehaviour("/data/a", "read")}
    assert (overlay.workload, overlay.state, overlay.reasons) == ("shop/web", State.CANDIDATE, ())


def test_a_workload_that_never_connected_may_not_learn_its_first_connect_late(store: BaselineStore) -> None:
    line, (box,) = Line(store), boxes(Clock(), 1)
    init = begin(line, box, namespace="shop", workload="web")
    line.wait(11)
    line.feed(init.connect((6, 6, 6, 6)))
    assert [what for _kind, what in line.told] == ["6.6.6.6:443/tcp"]


def test_what_is_excused_for_the_image_is_excused_for_its_workloads(store: BaselineStore) -> None:
    line, (box,) = Line(store), boxes(Clock(), 1)
    init = begin(line, box, namespace="shop", workload="web")
    line.wait(11)
    hand = by_hand(store)
    excuse = Excuse("NL-18", "it is the cloud's own agent", "alice", 0)
    hand.commit(replace(kept(hand), excuses=(excuse,)), "alice", "excuse", "it is the cloud's own agent")
    line.wait(1.5)
    line.feed(init.connect((169, 254, 169, 254)))
    assert line.told == [(Kind.CONNECT_UNKNOWN, "169.254.169.254:443/tcp")]


def test_what_the_image_rejects_no_workload_learns(store: BaselineStore) -> None:
    line, (box, other) = Line(store), boxes(Clock(), 2)
    init = begin(line, box)
    line.feed(init.connect((6, 6, 6, 6)))
    line.wait(11)
    decide(store, OLD, ConnectBehaviour("tcp", "6.6.6.6", 443), Standing.REJECTED)
    line.wait(1.5)
    other_init = begin(line, other, namespace="shop", workload="web")
    line.feed(other_init.connect((6, 6, 6, 6)))
    assert "was rejected in review" in only(line, "6.6.6.6:443/tcp").notes
    line.wait(11)
    assert kept(store, f"{OLD}+shop/web").entries == {}


# --- packages --------------------------------------------------------------------------------------------------------


class Shipped(Inventories):
    """Inventories in the test's hands, by image."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Inventory] = {}
        self.coming: set[str] = set()

    def of_image(self, digest: str) -> Inventory | None:
        return self.known.get(digest)

    def is_coming(self, digest: str) -> bool:
        return digest in self.coming


def curl(version: str) -> Inventory:
    """An image with two packages, of which one is always the same."""
    packages = (Package("curl", version, "deb", f"pkg:deb/curl@{version}"), Package("web", "1", "deb", "pkg:deb/web@1"))
    owners = {"/usr/bin/curl": 0, "/etc/curlrc": 0, "/usr/sbin/web": 1, "/usr/share/web/page": 1}
    files = {path: Recorded(owner, "", b"", "dpkg", False) for path, owner in owners.items()}
    return Inventory("", packages, table(files), rooted=True)


def test_learning_waits_for_the_packages_of_the_image_but_not_for_ever(store: BaselineStore) -> None:
    known, (box,) = Shipped(), boxes(Clock(), 1)
    known.coming.add(OLD)
    line = Line(store, inventories=known)
    begin(line, box)
    line.wait(60)
    assert line.learned == []
    known.known[OLD] = curl("1")
    known.coming.clear()
    line.wait(0.5)
    found = kept(store)
    assert found.packages == ("pkg:deb/curl@1", "pkg:deb/web@1")
    web = ExecBehaviour("/usr/sbin/web", "web", "", False)
    assert found.entries[web].package == "pkg:deb/web@1"


def test_an_inventory_that_never_comes_is_waited_for_two_minutes() -> None:
    known, (box,) = Shipped(), boxes(Clock(), 1)
    known.coming.add(OLD)
    line = Line(inventories=known)
    begin(line, box)
    line.wait(129)
    assert line.learned == []
    line.wait(3)
    assert len(line.learned) == 1


def test_of_a_new_version_unchanged_packages_are_expected_at_once(store: BaselineStore) -> None:
    known, (box, later) = Shipped(), boxes(Clock(), 2)
    known.known[OLD] = curl("1")
    line = Line(store, inventories=known)
    old = begin(line, box)
    line.feed(old.run("/usr/bin/curl")[0], old.open("/srv/unowned"))
    line.wait(11)
    new = begin(line, later, NEW, image="shop/web:2")
    assert only(line, "/usr/sbin/web").severity is Severity.LOW  # its packages are not known yet
    line.wait(0.5)
    known.known[NEW] = curl("2")
    line.wait(0.5)
    (shelved,) = [one for one in line.shelf if one.key == NEW]
    assert shelved.learning is not None
    entries = shelved.learning.baseline.entries
    assert entries[ExecBehaviour("/usr/bin/curl", "curl", "/usr/sbin/web", False)].standing is Standing.UNCONFIRMED
    assert entries[OpenBehaviour("/srv/unowned", "read")].standing is Standing.UNCONFIRMED
    assert shelved.learning.baseline.packages == ("pkg:deb/curl@2", "pkg:deb/web@1")
    line.feed(new.run("/usr/bin/curl")[0])
    assert [one.severity for one in line.deviations if one.what == "/usr/bin/curl"] == [Severity.LOW]


def test_while_the_packages_of_a_new_version_are_read_what_they_may_explain_is_not_told(store: BaselineStore) -> None:
    known, (box, later) = Shipped(), boxes(Clock(), 2)
    known.known[OLD] = curl("1")
    line = Line(store, inventories=known)
    old = begin(line, box)
    line.feed(old.run("/usr/bin/curl")[0], old.open("/srv/unowned"))
    line.wait(11)
    known.coming.add(NEW)
    new = begin(line, later, NEW, image="shop/web:2")
    line.feed(new.run("/usr/bin/curl")[0], new.open("/srv/unowned"), new.open("/etc/novel"))
    line.wait(5)
    assert [what for _kind, what in line.told] == ["/etc/novel"]  # that no version did
    known.known[NEW] = curl("2")
    known.coming.clear()
    line.wait(0.5)
    told = [(one.what, one.severity) for one in line.deviations[1:]]
    assert told == [("/usr/bin/curl", Severity.LOW), ("/srv/unowned", Severity.LOW)]
    line.feed(new.run("/usr/bin/curl")[0], new.open("/srv/unowned"))
    assert len(line.deviations) == 3


def test_packages_that_never_come_hold_nothing_back_for_more_than_two_minutes(store: BaselineStore) -> None:
    known, (box, later) = Shipped(), boxes(Clock(), 2)
    known.known[OLD] = curl("1")
    line = Line(store, inventories=known)
    old = begin(line, box)
    line.feed(old.open("/srv/unowned"), old.open("/srv/other"))
    line.wait(11)
    known.coming.add(NEW)
    new = begin(line, later, NEW, image="shop/web:2")
    line.feed(new.open("/srv/unowned"))
    line.wait(119)
    assert line.told == []
    line.wait(2)
    assert [what for _kind, what in line.told] == ["/usr/sbin/web", "/srv/unowned"]
    later.clock.now = line.clock.now
    line.feed(new.open("/srv/other"))
    assert only(line, "/srv/other").severity is Severity.LOW


def test_what_waits_for_packages_is_told_when_the_agent_stops(store: BaselineStore) -> None:
    known, (box, later) = Shipped(), boxes(Clock(), 2)
    known.known[OLD] = curl("1")
    line = Line(store, inventories=known)
    begin(line, box)
    line.wait(11)
    known.coming.add(NEW)
    begin(line, later, NEW, image="shop/web:2")
    line.pipeline.finish()
    assert [what for _kind, what in line.told] == ["/usr/sbin/web"]


def test_reading_what_a_package_in_use_ships_is_expected(store: BaselineStore) -> None:
    known, (box,) = Shipped(), boxes(Clock(), 1)
    known.known[OLD] = curl("1")
    line = Line(store, inventories=known)
    init = begin(line, box)
    line.wait(11)
    line.feed(init.open("/usr/share/web/page"), init.open("/etc/curlrc"), init.open("/usr/share/web/page", 2))
    assert line.told == [(Kind.FILE_READ_UNKNOWN, "/etc/curlrc"), (Kind.FILE_WRITE_UNKNOWN, "/usr/share/web/page")]


def test_that_can_be_switched_off(store: BaselineStore) -> None:
    known, (box,) = Shipped(), boxes(Clock(), 1)
    known.known[OLD] = curl("1")
    line = Line(store, replace(SETTINGS, expect_package_reads=False), known)
    init = begin(line, box)
    line.wait(11)
    line.feed(init.open("/usr/share/web/page"))
    assert line.told == [(Kind.FILE_READ_UNKNOWN, "/usr/share/web/page")]


def test_a_rejected_read_is_told_whoever_ships_the_file(store: BaselineStore) -> None:
    known, (box,) = Shipped(), boxes(Clock(), 1)
    known.known[OLD] = curl("1")
    line = Line(store, inventories=known)
    init = begin(line, box)
    line.feed(init.open("/usr/share/web/page"))
    line.wait(11)
    decide(store, OLD, OpenBehaviour("/usr/share/web/page", "read"), Standing.REJECTED)
    line.wait(1.5)
    line.feed(init.open("/usr/share/web/page"))
    assert "was rejected in review" in only(line, "/usr/share/web/page").notes
