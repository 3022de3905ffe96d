"""Values taken out of a parsed document whose writer may have broken every rule.

In: a value of any type. Out: the type wanted, or nothing and a note. Why: readers say what they look for, not what may
be wrong with it. Next: ``cyclonedx``, ``spdx``, ``syftjson``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from driftline.baseline.inventory.draft import Draft, shown
from driftline.baseline.inventory.purl import full_name, parse
from driftline.baseline.inventory.schema import DIGEST_SIZES, Package

BY_SBOM = "the SBOM"


@dataclass(slots=True)
class Sbom:
    """A document as it was understood."""

    format: str  # "CycloneDX 1.5"
    draft: Draft
    subject: str = ""  # what it says it describes
    images: set[str] = field(default_factory=set)  # image digests it names, "sha256:…"


class Digest(NamedTuple):
    """A digest as recorded; algorithm "" means none."""

    algorithm: str
    value: bytes


NO_DIGEST = Digest("", b"")
_PREFERRED = ("sha256", "sha512", "sha384", "sha224", "sha1", "md5")  # what the agent computes anyway comes first


def text(value: Any) -> str:
    """Return ``value`` if it is text, else ""."""
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> dict[str, Any]:
    """Return ``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(draft: Draft, parent: dict[str, Any], key: str, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each object of the list ``parent[key]`` with its place; what is no list or object is left out."""
    value = parent.get(key)
    here = f"{place}.{key}" if place else key
    if value is None:
        return
    if not isinstance(value, list):
        draft.leave_out(here, "it is no list")
        return
    for number, item in enumerate(value):
        if isinstance(item, dict):
            yield f"{here}[{number}]", item
        else:
            draft.leave_out(f"{here}[{number}]", "it is no object")


def hex_digest(algorithm: str, value: str) -> Digest:
    """Return the digest written as hex under any spelling of the algorithm; none if it is malformed or unknown."""
    name = algorithm.lower().replace("-", "").replace("_", "")
    try:
        data = bytes.fromhex(value)
    except ValueError:
        return NO_DIGEST
    return Digest(name, data) if DIGEST_SIZES.get(name) == len(data) else NO_DIGEST


def base64_digest(algorithm: str, value: str) -> Digest:
    """Return the digest written as base64, either alphabet, with or without padding."""
    name = algorithm.lower().replace("-", "")
    try:
        data = base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return NO_DIGEST
    return Digest(name, data) if DIGEST_SIZES.get(name) == len(data) else NO_DIGEST


def best(digests: list[Digest]) -> Digest:
    """Return the digest the agent would rather compare."""
    known = {digest.algorithm: digest for digest in digests}
    return next((known[name] for name in _PREFERRED if name in known), NO_DIGEST)


def package_of(draft: Draft, name: str, version: str, purl: str, place: str, location: str = "") -> int | None:
    """Add a package of an SBOM; its purl, if it has one that can be read, says its type and fuller name."""
    parts = parse(purl) if purl else None
    if purl and parts is None:
        draft.leave_out(f"{place}.purl", f"not a purl: {shown(purl)}")
        purl = ""
    if parts is None:
        return draft.add_package(Package(name, version, "", "", "", True, location), place)
    full = full_name(parts)
    return draft.add_package(Package(full, version or parts.version, parts.type, purl, "", True, location), place)


def image_digests(*values: str) -> set[str]:
    """Return every ``sha256:…`` digest found whole or behind an ``@`` in ``values``."""
    tails = (value.partition("?")[0].replace("%3A", ":").replace("%3a", ":").rpartition("@")[2] for value in values)
    return {tail.lower() for tail in tails if _is_digest(tail)}


def _is_digest(value: str) -> bool:
    algorithm, _, digest = value.partition(":")
    return algorithm == "sha256" and hex_digest("sha256", digest) != NO_DIGEST
