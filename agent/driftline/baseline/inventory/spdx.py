"""SPDX JSON, 2.2 and 2.3.

In: the parsed document. Out: an ``Sbom``. Source: SPDX specification 2.2.2 and 2.3, clauses 7 (packages), 8 (files), 11
(relationships). References may form cycles: they are looked up, never followed. Next: ``join``.
"""

from __future__ import annotations

from typing import Any

from driftline.baseline.inventory.draft import Draft, shown
from driftline.baseline.inventory.fields import (
    BY_SBOM,
    NO_DIGEST,
    Sbom,
    best,
    hex_digest,
    image_digests,
    objects,
    package_of,
    text,
)
from driftline.baseline.inventory.schema import MAX_WORD, InventoryError, Recorded

VERSIONS = ("SPDX-2.2", "SPDX-2.3")
_NOTHING = ("NOASSERTION", "NONE")
_SYFTS_ROOT = "SPDXRef-DocumentRoot-"  # how Syft calls the image or directory itself; SPDX 2.2 has no purposes
_CONTAINS = ("CONTAINS", "HAS_FILES")


def read_spdx(document: dict[str, Any], draft: Draft) -> Sbom:
    """Return what ``document`` says. Raises InventoryError if it lists no packages at all."""
    version = text(document.get("spdxVersion"))
    if version not in VERSIONS:
        draft.leave_out("spdxVersion", f"not one of {', '.join(VERSIONS)}: read as if it were")
    if not isinstance(document.get("packages"), list):
        raise InventoryError(
            f"{draft.source}: packages: it lists none", "give the SBOM of the image, with its packages"
        )
    sbom = Sbom(version[:12].replace("-", " "), draft, subject=text(document.get("name"))[:MAX_WORD])
    numbers: dict[str, int] = {}
    for place, package in objects(draft, document, "packages"):
        _package(sbom, package, place, numbers)
    owners = _owners(draft, document, numbers)
    for place, file in objects(draft, document, "files"):
        _file(draft, file, place, owners)
    return sbom


def _package(sbom: Sbom, package: dict[str, Any], place: str, numbers: dict[str, int]) -> None:
    purl = _purl(sbom.draft, package, place)
    version = text(package.get("versionInfo"))
    purpose, identifier = package.get("primaryPackagePurpose"), text(package.get("SPDXID"))
    if purpose == "CONTAINER" or purl.startswith(("pkg:oci/", "pkg:docker/")) or identifier.startswith(_SYFTS_ROOT):
        sbom.images |= image_digests(version, purl, *_checksums(sbom.draft, package, place))
        return
    if purpose == "OPERATING-SYSTEM":
        return
    version = "" if version in _NOTHING else version
    number = package_of(sbom.draft, text(package.get("name")), version, purl, place)
    if number is None:
        return
    if identifier in numbers:
        sbom.draft.leave_out(
            f"{place}.SPDXID", f"another package is {shown(identifier)} too: its files stay that one's"
        )
    numbers.setdefault(identifier, number)


def _purl(draft: Draft, package: dict[str, Any], place: str) -> str:
    for _place, one in objects(draft, package, "externalRefs", place):
        if text(one.get("referenceType")).rpartition("/")[2] == "purl":
            return text(one.get("referenceLocator"))
    return ""


def _checksums(draft: Draft, package: dict[str, Any], place: str) -> list[str]:
    listed = objects(draft, package, "checksums", place)
    return [f"{text(one.get('algorithm')).lower()}:{text(one.get('checksumValue'))}" for _place, one in listed]


def _owners(draft: Draft, document: dict[str, Any], numbers: dict[str, int]) -> dict[str, int]:
    """File id → its package, from relationships and from the older ``hasFiles``."""
    owners: dict[str, int] = {}
    for _place, one in objects(draft, document, "relationships"):
        first, second = text(one.get("spdxElementId")), text(one.get("relatedSpdxElement"))
        kind = text(one.get("relationshipType"))
        if kind == "CONTAINED_BY":
            first, second, kind = second, first, "CONTAINS"
        if kind in _CONTAINS and first in numbers:
            owners.setdefault(second, numbers[first])
    for _place, package in objects(draft, document, "packages"):
        files = package.get("hasFiles")
        if isinstance(files, list) and (number := numbers.get(text(package.get("SPDXID")))) is not None:
            for file in files:
                owners.setdefault(text(file), number)
    return owners


def _file(draft: Draft, file: dict[str, Any], place: str, owners: dict[str, int]) -> None:
    owner = owners.get(text(file.get("SPDXID")))
    if owner is None:
        return  # a file no package contains: nothing to say about who owns it
    digests = []
    for where, one in objects(draft, file, "checksums", place):
        digest = hex_digest(text(one.get("algorithm")), text(one.get("checksumValue")))
        if digest is NO_DIGEST and text(one.get("algorithm")) in ("SHA1", "SHA256", "SHA512", "MD5"):
            draft.leave_out(where, f"malformed digest {shown(text(one.get('checksumValue')))}")
        digests.append(digest)
    found = best(digests)
    recorded = Recorded(owner, found.algorithm, found.value, BY_SBOM, False)
    draft.add_file(text(file.get("fileName")), recorded, f"{place}.fileName")
