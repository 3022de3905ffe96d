"""Image updates: what goes over to the next version, and how it stands there."""

from __future__ import annotations

import pytest

from driftline.baseline.carry import carry, repository, settle, unconfirmed
from driftline.baseline.inventory.files import table
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.schema import Package, Recorded
from driftline.baseline.schema import CARRIED, REVIEWED, Baseline, Entry, Excuse, Review, Standing, State
from driftline.nouns import Behaviour, ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour

SAME, CHANGED, UNOWNED = "/usr/bin/same", "/usr/bin/changed", "/usr/local/bin/own"
EXECS = {path: ExecBehaviour(path, path.rpartition("/")[2], "", False) for path in (SAME, CHANGED, UNOWNED)}
CONNECT = ConnectBehaviour("tcp", "10.0.0.1", 443)


def entry(standing: Standing = Standing.ALLOWED, package: str = "", **rest: str) -> Entry:
    return Entry(rest.get("source", "learned"), 1, 2, 3, frozenset({"c1"}), standing, package=package)


def inventory(version: str) -> Inventory:
    packages = (
        Package("same", "1", "deb", "pkg:deb/debian/same@1"),
        Package("changed", version, "deb", f"pkg:deb/debian/changed@{version}"),
    )
    files = {path: Recorded(owner, "", b"", "dpkg", False) for owner, path in enumerate((SAME, CHANGED))}
    return Inventory("sha256:2", packages, table(files), rooted=True)


def before(entries: dict[Behaviour, Entry]) -> Baseline:
    return Baseline(
        "sha256:1",
        image="shop/web:1",
        state=State.ACTIVE,
        revision=4,
        entries=entries,
        excuses=(Excuse("NL-08", "why", "alice", 0),),
        reviews=(Review(1, "alice", "promote", "fine"),),
        startups=3,
        partial=("attached late",),
    )


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("nginx", "nginx"),
        ("nginx:1.25", "nginx"),
        ("docker.io/library/nginx:1.25@sha256:ab", "docker.io/library/nginx"),
        ("host:5000/shop/web", "host:5000/shop/web"),
        ("host:5000/shop/web:2", "host:5000/shop/web"),
        ("shop/web@sha256:ab", "shop/web"),
        ("sha256:abcdef", ""),
        ("", ""),
    ],
)
def test_the_repository_of_an_image(image: str, expected: str) -> None:
    assert repository(image) == expected


def test_without_inventories_only_what_no_package_changes_is_allowed() -> None:
    proc, pattern = OpenBehaviour("/proc/{pid}/stat", "read"), OpenBehaviour("/var/lib/x/*", "write")
    found = carry(before({EXECS[SAME]: entry(), CONNECT: entry(), proc: entry(), pattern: entry()}), "sha256:2", "w:2")
    standings = {behaviour: one.standing for behaviour, one in found.entries.items()}
    assert standings == {
        EXECS[SAME]: Standing.UNCONFIRMED,
        CONNECT: Standing.ALLOWED,
        proc: Standing.ALLOWED,
        pattern: Standing.ALLOWED,
    }
    assert {one.source for one in found.entries.values()} == {CARRIED}
    assert (found.state, found.revision, found.predecessor, found.image) == (State.LEARNING, 0, "sha256:1", "w:2")
    assert (found.partial, found.startups, found.reviews) == ((), 0, ())
    assert found.excuses[0].check == "NL-08"


def test_the_predecessor_is_not_changed() -> None:
    old = before({EXECS[SAME]: entry(package="pkg:deb/debian/same@1")})
    new = carry(old, "sha256:2", "w:2")
    settle(new, inventory("2"))
    assert old.entries[EXECS[SAME]] == entry(package="pkg:deb/debian/same@1")


def test_unchanged_packages_are_allowed_and_changed_ones_wait() -> None:
    old = before(
        {
            EXECS[SAME]: entry(package="pkg:deb/debian/same@1"),
            EXECS[CHANGED]: entry(package="pkg:deb/debian/changed@1"),
            EXECS[UNOWNED]: entry(),
        }
    )
    found = carry(old, "sha256:2", "w:2")
    assert settle(found, inventory("2")) == 1
    assert unconfirmed(found) == 2
    assert found.entries[EXECS[SAME]].standing is Standing.ALLOWED
    assert found.packages == ("pkg:deb/debian/changed@2", "pkg:deb/debian/same@1")
    assert found.entries[EXECS[CHANGED]].package == "pkg:deb/debian/changed@2"


@pytest.mark.parametrize("standing", [Standing.REJECTED, Standing.NEEDS_REVIEW, Standing.UNCONFIRMED])
def test_what_was_not_allowed_is_not_allowed_by_an_update(standing: Standing) -> None:
    found = carry(before({EXECS[UNOWNED]: entry(standing), CONNECT: entry(standing)}), "sha256:2", "w:2")
    assert {one.standing for one in found.entries.values()} == {standing}


def test_what_a_person_decided_stays_decided() -> None:
    written = OpenBehaviour("/opt/app/**", "read")
    dropped = ExecBehaviour("/tmp/x", "x", "", False, "writable")
    approved = LoadBehaviour("/opt/odd.so")
    entries: dict[Behaviour, Entry] = {written: entry(source=REVIEWED), dropped: entry(), approved: entry()}
    entries[approved].checks = ("NL-08",)
    found = carry(before(entries), "sha256:2", "w:2")
    assert {one.standing for one in found.entries.values()} == {Standing.ALLOWED}
    assert found.entries[written].source == REVIEWED  # its wildcards hold only as a person's
