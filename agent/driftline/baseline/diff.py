"""What differs between two baselines: two revisions, two files, or those of two images.

In: two baselines. Out: behaviours added, removed and changed, checks excused, packages. Evidence (counts, times,
containers) is no difference: it grows by itself. Pure. Next: ``driftline baseline diff``, and everything that changes a
baseline shows it first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from driftline.baseline.schema import Baseline, Entry, Excuse, Standing, ordered
from driftline.nouns import Behaviour

EXPECTED = frozenset({Standing.ALLOWED, Standing.UNCONFIRMED})
"""Standings that match what a container does."""


class Change(NamedTuple):
    """One behaviour that is not the same in both; at least one of the entries is there."""

    behaviour: Behaviour
    before: Entry | None
    after: Entry | None

    @property
    def kind(self) -> str:
        """ "added", "removed" or "changed"."""
        return "changed" if self.before and self.after else "added" if self.after else "removed"

    @property
    def widens(self) -> bool:
        """Whether more is expected after it than before."""
        before = self.before is not None and self.before.standing in EXPECTED
        return self.after is not None and self.after.standing in EXPECTED and not before


class PackageChange(NamedTuple):
    """A package that is not the same in both images. Versions are sorted; none: it is not in that image."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Diff(NamedTuple):
    """Everything that differs, sorted."""

    changes: tuple[Change, ...] = ()
    unexcused: tuple[Excuse, ...] = ()
    excused: tuple[Excuse, ...] = ()
    packages: tuple[PackageChange, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both say the same."""
        return not any(self)

    @property
    def widens(self) -> bool:
        """Whether the second one lets pass what the first one told."""
        return bool(self.excused) or any(change.widens for change in self.changes)


def compare(before: Baseline, after: Baseline, packages: bool = False) -> Diff:
    """Return what ``after`` has otherwise than ``before``; with ``packages`` also what their images ship otherwise."""
    sections = ordered(before.entries.keys() | after.entries.keys())
    pairs = (
        Change(each, before.entries.get(each), after.entries.get(each))
        for name in ("exec", "open", "load", "connect")
        for each in sections[name]
    )
    return Diff(
        tuple(pair for pair in pairs if _differ(pair)),
        tuple(one for one in before.excuses if one not in after.excuses),
        tuple(one for one in after.excuses if one not in before.excuses),
        compare_packages(before.packages, after.packages) if packages else (),
    )


def _differ(pair: Change) -> bool:
    return pair.before is None or pair.after is None or pair.before.standing is not pair.after.standing


def compare_packages(before: Iterable[str], after: Iterable[str]) -> tuple[PackageChange, ...]:
    """Return the packages that are only in one list, or in another version."""
    old, new = _versions(before), _versions(after)
    changes = (PackageChange(name, tuple(old.get(name, ())), tuple(new.get(name, ()))) for name in sorted({*old, *new}))
    return tuple(change for change in changes if change.before != change.after)


def _versions(packages: Iterable[str]) -> dict[str, list[str]]:
    """Name → sorted versions; several of one name are possible (kernels, Node modules)."""
    versions: dict[str, list[str]] = {}
    for package in sorted(packages):
        name, version = split_package(package)
        versions.setdefault(name, []).append(version)
    return versions


def split_package(package: str) -> tuple[str, str]:
    """Return name and version of a purl (``pkg:type/name@version?qualifiers#path``) or of "name version"."""
    if package.startswith("pkg:"):
        plain = re.split(r"[?#]", package, maxsplit=1)[0]
        name, at, version = plain.rpartition("@")
        return (name, version) if at else (plain, "")
    name, _, version = package.rpartition(" ")
    return (name, version) if name else (version, "")
