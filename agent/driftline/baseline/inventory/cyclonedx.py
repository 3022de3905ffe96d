"""CycloneDX JSON, 1.2 to 1.7.

In: the parsed document. Out: an ``Sbom``. Source: CycloneDX specification (ECMA-424), schemas bom-1.4 to bom-1.7;
nothing we read changed between them. Nested components are walked with a stack, each is taken once. Next: ``join``.
"""

from __future__ import annotations

from typing import Any

from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.fields import (
    BY_SBOM,
    NO_DIGEST,
    Digest,
    Sbom,
    best,
    hex_digest,
    image_digests,
    mapping,
    objects,
    package_of,
    text,
)
from driftline.baseline.inventory.schema import MAX_WORD, InventoryError, Recorded

VERSIONS = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
_PACKAGES = frozenset({"library", "framework", "application", "firmware", "device-driver", "platform", ""})
_IGNORED = frozenset(
    {"operating-system", "container", "device", "data", "machine-learning-model", "cryptographic-asset"}
)
_OS_LOCATION = ("/var/lib/dpkg/", "/lib/apk/", "/usr/lib/apk/", "/var/lib/rpm/", "/usr/lib/sysimage/rpm/")


def read_cyclonedx(document: dict[str, Any], draft: Draft) -> Sbom:
    """Return what ``document`` says. Raises InventoryError if it lists no components at all."""
    version = text(document.get("specVersion"))
    if version not in VERSIONS:
        draft.leave_out("specVersion", f"not one of {', '.join(VERSIONS)}: read as if it were")
    if not isinstance(document.get("components"), list):
        raise InventoryError(
            f"{draft.source}: {_why_none(document)}", "give the SBOM of the image, with its components"
        )
    sbom = Sbom(f"CycloneDX {version[:8]}", draft)
    _subject(sbom, document)
    waiting = list(objects(draft, document, "components"))[::-1]
    while waiting:
        place, component = waiting.pop()
        owner = _component(draft, component, place)
        inner = list(objects(draft, component, "components", place))
        for nested_place, nested in inner:
            if nested.get("type") == "file":
                _file(draft, nested, nested_place, owner)
        waiting += [pair for pair in reversed(inner) if pair[1].get("type") != "file"]
    return sbom


def _why_none(document: dict[str, Any]) -> str:
    if "vulnerabilities" in document:
        return "a VEX document: it lists vulnerabilities, no components"
    return "components: it lists none"


def _subject(sbom: Sbom, document: dict[str, Any]) -> None:
    """What the document is about, and the image digests it names."""
    component = mapping(mapping(document.get("metadata")).get("component"))
    sbom.subject = text(component.get("name"))[:MAX_WORD]
    if component.get("type", "container") != "container":
        return
    values = [text(component.get(key)) for key in ("name", "version", "purl", "bom-ref")]
    for _place, one in objects(sbom.draft, component, "properties", "metadata.component"):
        if "digest" in text(one.get("name")).lower():
            values.append(text(one.get("value")))
    for _place, one in objects(sbom.draft, component, "hashes", "metadata.component"):
        values.append("sha256:" + text(one.get("content")) if one.get("alg") == "SHA-256" else "")
    sbom.images = image_digests(*values)


def _component(draft: Draft, component: dict[str, Any], place: str) -> int | None:
    """Add one component; returns its number if it is a package."""
    kind = text(component.get("type"))
    if kind in _IGNORED or kind == "file":
        return None
    if kind not in _PACKAGES:
        draft.leave_out(f"{place}.type", "no type of CycloneDX: taken for a library")
    group, name = text(component.get("group")), text(component.get("name"))
    if group and not component.get("purl"):
        name = f"{group}/{name}"
    location = _location(draft, component, place)
    version, purl = text(component.get("version")), text(component.get("purl"))
    return package_of(draft, name, version, purl, place, location)


def _location(draft: Draft, component: dict[str, Any], place: str) -> str:
    """Where in the image it was found: Syft's and Trivy's properties, or ``evidence.occurrences`` (since 1.5)."""
    for _place, one in objects(draft, component, "properties", place):
        if text(one.get("name")) in ("syft:location:0:path", "aquasecurity:trivy:FilePath", "SrcFile"):
            return _not_a_database(text(one.get("value")))
    for _place, one in objects(draft, mapping(component.get("evidence")), "occurrences", f"{place}.evidence"):
        return _not_a_database(text(one.get("location")))
    return ""


def _not_a_database(path: str) -> str:
    """A distribution's package is told to lie in the package database: that is not where its files are."""
    return "" if path.startswith(_OS_LOCATION) or not path else "/" + path.lstrip("/")


def _file(draft: Draft, component: dict[str, Any], place: str, owner: int | None) -> None:
    """A file inside a package: the way CycloneDX says who owns it."""
    if owner is None:
        return
    digest = best(_hashes(draft, component, place))
    recorded = Recorded(owner, digest.algorithm, digest.value, BY_SBOM, False)
    draft.add_file(text(component.get("name")), recorded, place)


def _hashes(draft: Draft, component: dict[str, Any], place: str) -> list[Digest]:
    found = [
        (where, hex_digest(text(one.get("alg")), text(one.get("content"))))
        for where, one in objects(draft, component, "hashes", place)
    ]
    return [digest for _where, digest in found if digest != NO_DIGEST]
