"""Syft's own JSON: the only format that carries each package's file list as its package database has it.

In: the parsed document. Out: an ``Sbom``. Source: Syft's JSON schema 11 to 16 (``artifacts``, ``files``, ``source``,
``artifactRelationships``). Next: ``join``.
"""

from __future__ import annotations

from typing import Any

from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.fields import (
    BY_SBOM,
    Digest,
    Sbom,
    base64_digest,
    best,
    hex_digest,
    image_digests,
    mapping,
    objects,
    package_of,
    text,
)
from driftline.baseline.inventory.purl import OS_TYPES
from driftline.baseline.inventory.schema import MAX_WORD, Recorded

_CONTAINS = "contains"
_APK_SHA1 = "Q1"  # apk's way to say: base64 of a SHA-1


def read_syft(document: dict[str, Any], draft: Draft) -> Sbom:
    """Return what ``document`` says."""
    version = text(mapping(document.get("schema")).get("version"))
    source = mapping(document.get("source"))
    sbom = Sbom(f"Syft JSON {version[:12]}".rstrip(), draft, subject=text(source.get("name"))[:MAX_WORD])
    sbom.images = _images(source)
    numbers: dict[str, int] = {}
    for place, artifact in objects(draft, document, "artifacts"):
        number = _artifact(draft, artifact, place)
        if number is not None:
            numbers[text(artifact.get("id"))] = number
    owners = _owners(draft, document, numbers)
    for place, file in objects(draft, document, "files"):
        _file(draft, file, place, owners)
    return sbom


def _images(source: dict[str, Any]) -> set[str]:
    """The image's digests: of its manifest, its configuration, and its names in registries. No layer, no directory."""
    if text(source.get("type")) != "image":
        return set()
    known = mapping(source.get("metadata")) or mapping(source.get("target"))
    names = known.get("repoDigests")
    listed = [text(name) for name in names] if isinstance(names, list) else []
    return image_digests(text(known.get("manifestDigest")), text(known.get("imageID")), *listed)


def _artifact(draft: Draft, artifact: dict[str, Any], place: str) -> int | None:
    name, version, purl = (text(artifact.get(key)) for key in ("name", "version", "purl"))
    location = next((text(one.get("path")) for _place, one in objects(draft, artifact, "locations", place)), "")
    number = package_of(draft, name, version, purl, place, location)
    if number is None:
        return None
    if draft.packages[number].type in OS_TYPES:
        draft.packages[number] = draft.packages[number]._replace(location="")
    metadata = mapping(artifact.get("metadata"))
    root = text(metadata.get("sitePackagesRootPath"))
    for where, file in objects(draft, metadata, "files", f"{place}.metadata"):
        _listed(draft, file, where, number, root)
    return number


def _listed(draft: Draft, file: dict[str, Any], place: str, owner: int, root: str) -> None:
    """One line of a package's own file list: dpkg's, apk's, rpm's, or a Python RECORD (relative to ``root``)."""
    path = text(file.get("path"))
    if root and not path.startswith("/"):
        if path.startswith("../"):
            return  # scripts: their place depends on the prefix; the root file system itself tells them
        path = f"{root}/{path}"
    if not path or file.get("ghost") is True:
        return
    digest = _digest(mapping(file.get("digest")), bool(root))
    config = file.get("isConfigFile") is True or "c" in text(file.get("flags"))
    draft.add_file(path, Recorded(owner, digest.algorithm, digest.value, BY_SBOM, config), place)


def _digest(digest: dict[str, Any], python: bool) -> Digest:
    algorithm, value = text(digest.get("algorithm")), text(digest.get("value"))
    if value.startswith(_APK_SHA1):
        return base64_digest("sha1", value.removeprefix(_APK_SHA1))
    return base64_digest(algorithm, value) if python else hex_digest(algorithm, value)


def _owners(draft: Draft, document: dict[str, Any], numbers: dict[str, int]) -> dict[str, int]:
    owners: dict[str, int] = {}
    for _place, one in objects(draft, document, "artifactRelationships"):
        number = numbers.get(text(one.get("parent")))
        if one.get("type") == _CONTAINS and number is not None:
            owners.setdefault(text(one.get("child")), number)
    return owners


def _file(draft: Draft, file: dict[str, Any], place: str, owners: dict[str, int]) -> None:
    owner = owners.get(text(file.get("id")))
    if owner is None or mapping(file.get("metadata")).get("type") in ("Directory", "SymbolicLink"):
        return
    listed = objects(draft, file, "digests", place)
    digest = best([hex_digest(text(one.get("algorithm")), text(one.get("value"))) for _place, one in listed])
    path = text(mapping(file.get("location")).get("path"))
    draft.add_file(path, Recorded(owner, digest.algorithm, digest.value, BY_SBOM, False), f"{place}.location.path")
