"""What differs between two baselines, and whether it widens."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given

from driftline.baseline.decisions import with_excuse, with_standing
from driftline.baseline.diff import PackageChange, compare, compare_packages, split_package
from driftline.baseline.format.canonical import version_of
from driftline.baseline.schema import Baseline, Excuse, Standing
from driftline.nouns import LoadBehaviour, OpenBehaviour
from unit.baseline.documents import baselines, full, small

A = OpenBehaviour("/a", "read")


@given(baselines, baselines)
def test_same_means_the_same_version_and_back_is_the_opposite(one: Baseline, other: Baseline) -> None:
    other = replace(other, key=one.key, workload=one.workload)
    there, back = compare(one, other), compare(other, one)
    assert there.same == back.same == (version_of(one) == version_of(other))
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [(each.behaviour, opposite[each.kind]) for each in there.changes] == [
        (each.behaviour, each.kind) for each in back.changes
    ]


def test_evidence_is_no_difference() -> None:
    grown = deepcopy(full())
    for entry in grown.entries.values():
        entry.count, entry.last_ns, entry.containers = 10**6, 10**6, frozenset({"c9"})
    assert compare(full(), replace(grown, losses=9, revision=9, reviews=())).same


@pytest.mark.parametrize(
    ("before", "after", "widens"),
    [
        (None, Standing.ALLOWED, True),
        (None, Standing.UNCONFIRMED, True),
        (None, Standing.NEEDS_REVIEW, False),
        (Standing.REJECTED, Standing.ALLOWED, True),
        (Standing.NEEDS_REVIEW, Standing.UNCONFIRMED, True),
        (Standing.UNCONFIRMED, Standing.ALLOWED, False),
        (Standing.ALLOWED, Standing.REJECTED, False),
        (Standing.ALLOWED, None, False),
    ],
)
def test_what_widens(before: Standing | None, after: Standing | None, widens: bool) -> None:
    def of(standing: Standing | None) -> Baseline:
        if standing is None:
            return replace(small(), entries={each: entry for each, entry in small().entries.items() if each != A})
        return with_standing(small(), [A], standing)

    found = compare(of(before), of(after))
    assert (len(found.changes), found.widens) == (1, widens)


def test_an_excuse_widens_and_its_end_does_not() -> None:
    excused = with_excuse(small(), Excuse("NL-08", "builds", "ann", 0))
    assert compare(small(), excused).widens
    assert not compare(excused, small()).widens
    assert not compare(excused, small()).same


def test_in_the_order_of_review() -> None:
    empty = replace(small(), entries={})
    kinds = [type(each.behaviour).__name__ for each in compare(empty, full()).changes]
    assert kinds == sorted(kinds, key=["ExecBehaviour", "OpenBehaviour", "LoadBehaviour", "ConnectBehaviour"].index)
    assert LoadBehaviour("/lib/z.so") in {each.behaviour for each in compare(empty, full()).changes}


def test_packages_of_two_images() -> None:
    before = ("pkg:deb/debian/libc6@2.36?arch=amd64", "pkg:npm/%40a/b@1", "pkg:npm/%40a/b@2", "tool 1.0", "gone 1")
    after = ("pkg:deb/debian/libc6@2.37?arch=amd64", "pkg:npm/%40a/b@2", "tool 1.0", "new")
    assert compare_packages(before, after) == (
        PackageChange("gone", ("1",), ()),
        PackageChange("new", (), ("",)),
        PackageChange("pkg:deb/debian/libc6", ("2.36",), ("2.37",)),
        PackageChange("pkg:npm/%40a/b", ("1", "2"), ("2",)),
    )
    assert compare(replace(small(), packages=before), replace(small(), packages=after)).same, "only where asked for"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("pkg:deb/debian/a@1:2~3+b?arch=amd64#x@y", ("pkg:deb/debian/a", "1:2~3+b")),
        ("pkg:generic/a", ("pkg:generic/a", "")),
        ("a b 1", ("a b", "1")),
        ("a", ("a", "")),
        ("", ("", "")),
    ],
)
def test_name_and_version(text: str, parts: tuple[str, str]) -> None:
    assert split_package(text) == parts
