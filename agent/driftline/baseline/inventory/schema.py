"""What an inventory speaks in: packages, what was recorded of a file, what a reader had to leave out, and the bounds.

In: nothing. Out: types every module of the inventory shares. Why bounds here: an SBOM and an image's package database
are written by whoever built the image; neither may cost the node more than these numbers say. Next: ``draft``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from driftline.errors import StateError

MAX_PACKAGES = 50_000
"""Packages of one image. The largest images known to us (Node monorepos) have some 5 000."""
MAX_FILES = 500_000
"""Files of one inventory: ten times a full desktop distribution's image."""
MAX_PATH = 4_096
"""Bytes of a path: the kernel's PATH_MAX."""
MAX_PARTS = 256
"""Directories in a path: the kernel side of the agent records no deeper ones."""
MAX_WORD = 1_024
"""Characters of a name, version or purl. The longest seen are Go pseudo-versions in purls, under 300."""
MAX_LEFT_OUT = 100
"""Things left out that are listed with their place; further ones are only counted."""


class InventoryError(StateError):
    """A document or a package database cannot be used at all; the message names the file and the place in it."""


class Package(NamedTuple):
    """One package of an image."""

    name: str  # as its own tools call it: "curl", "@scope/name", "group:artifact", "example.org/module"
    version: str
    type: str  # of the purl: "deb", "apk", "rpm", "pypi", "npm", "maven", "golang", "" if unknown
    purl: str
    database: str = ""  # who in the image lists it ("dpkg", "apk", "rpm", "dist-info", …), "" if only an SBOM does
    in_sbom: bool = False
    location: str = ""  # directory or file a language's package lies in, "" for packages of the distribution


class Recorded(NamedTuple):
    """What is recorded of one file."""

    owner: int  # place in the inventory's packages
    algorithm: str  # of the digest: "md5", "sha1", "sha256", …, "" if none was recorded
    digest: bytes
    by: str  # who recorded it: "dpkg", "apk", "rpm", "dist-info", "the SBOM"
    config: bool  # a configuration file: meant to be changed


class Check(StrEnum):
    """What comparing a file with its recorded digest says."""

    SAME = "same"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


class LeftOut(NamedTuple):
    """Something in a document that could not be used."""

    place: str  # "components[3].purl", "var/lib/dpkg/status:120"
    why: str


DIGEST_SIZES = {"md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}
"""Algorithms understood, all of which ``hashlib`` has, and the bytes of their digests."""
