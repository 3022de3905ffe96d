"""Two drafts become one inventory: what the image's databases say, and what an SBOM says.

In: the draft of an image's databases, an SBOM, or both. Out: an ``Inventory``, and whether the SBOM is of this image at
all. Why the database wins on files: it is in the image; an SBOM only tells what its maker saw. Next: ``packed`` saves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.fields import Sbom
from driftline.baseline.inventory.files import table
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.purl import OS_TYPES, comparable
from driftline.baseline.inventory.schema import Package, Recorded

MOSTLY = 0.5
"""Share of the SBOM's distribution packages that must be in the image. A rebuild with updates keeps most versions; an
SBOM of another image, or of another release of the distribution, shares next to none."""
SURE = 0.95
"""Share above which another digest is taken for another name of the same image (index, manifest, configuration)."""

MAX_SAME = 100
"""Copies of one package marked for one line of an SBOM: Node keeps a copy per dependent. Bounds the work."""

Key = tuple[str, str]


def join(image: str, draft: Draft | None, sbom: Sbom | None) -> Inventory:
    """Return the inventory of the image with digest ``image`` ("" if unknown).

    An SBOM whose packages are not the image's is only told of: it must not say who owns what.
    """
    reasons = mismatches(image, draft, sbom) if sbom else ()
    if sbom and draft and is_foreign(draft, sbom):
        sbom = None
    base = draft or Draft("")
    packages = list(base.packages)
    numbers = _merge(packages, sbom.draft.packages) if sbom else []
    files = dict(base.files)
    trees = dict(base.trees)
    if sbom:
        for path, recorded in _sbom_files(sbom.draft, numbers):
            files.setdefault(path, recorded)
    used = {package.database for package in base.packages}
    return Inventory(
        image=image,
        packages=tuple(packages),
        files=table(files),
        trees=trees,
        databases=tuple(sorted(used)),
        sbom=sbom.format if sbom else "",
        rooted=draft is not None,
        mismatches=reasons,
        left_out=base.left_out_count + (sbom.draft.left_out_count if sbom else 0),
    )


def _merge(packages: list[Package], others: list[Package]) -> list[int]:
    """Mark the packages the SBOM has too, add those only it has; return where each of its packages now is."""
    places: dict[Key, list[int]] = {}
    for number, package in enumerate(packages):
        places.setdefault(_key(package), []).append(number)
    numbers = []
    for package in others:
        key = _key(package)
        same = [one for one in places.get(key, [])[:MAX_SAME] if _may_be(packages[one], package)]
        if not same:
            places.setdefault(key, []).append(len(packages))
            same = [len(packages)]
            packages.append(package)
        for one in same:
            packages[one] = packages[one]._replace(in_sbom=True, purl=packages[one].purl or package.purl)
        numbers.append(same[0])
    return numbers


def _key(package: Package) -> Key:
    return comparable(package.type, package.name, package.version)


def _may_be(one: Package, other: Package) -> bool:
    """Same name and version: the same package, unless both say their types and these differ."""
    return one.type == other.type or not one.type or not other.type


def _sbom_files(draft: Draft, numbers: list[int]) -> Iterator[tuple[str, Recorded]]:
    for path, recorded in draft.files.items():
        yield path, recorded._replace(owner=numbers[recorded.owner])
    for package, number in zip(draft.packages, numbers, strict=True):
        if package.location and package.type in ("golang", "maven") and package.location not in draft.files:
            yield package.location, Recorded(number, "", b"", "the SBOM", False)


def mismatches(image: str, draft: Draft | None, sbom: Sbom) -> tuple[str, ...]:
    """Return why ``sbom`` cannot be of the image, as sentences; none if it may well be."""
    share = _share(draft, sbom) if draft else None
    found = []
    if draft and share is not None and is_foreign(draft, sbom):
        found.append(f"only {share:.0%} of the distribution packages it lists are in the image")
    if image and sbom.images and image not in sbom.images and (share is None or share < SURE):
        found.append(f"it names the image {min(sbom.images)}, not {image}")
    return tuple(found)


def is_foreign(draft: Draft, sbom: Sbom) -> bool:
    """Whether the distribution packages ``sbom`` lists are mostly not in the image."""
    share = _share(draft, sbom)
    return share is not None and share < MOSTLY


def _share(draft: Draft, sbom: Sbom) -> float | None:
    """Share of the SBOM's distribution packages that the image has, None if one of them has none to compare."""
    ours = _distribution(draft.packages)
    theirs = _distribution(sbom.draft.packages)
    if not ours or not theirs:
        return None
    return sum(key in ours for key in theirs) / len(theirs)


def _distribution(packages: list[Package]) -> Mapping[tuple[str, Key], None]:
    return {(package.type, _key(package)): None for package in packages if package.type in OS_TYPES}
