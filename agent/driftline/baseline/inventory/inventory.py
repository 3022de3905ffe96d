"""The inventory of one image: its packages, who owns which file, and what was recorded of it.

In: a path as the kernel resolved it, perhaps a digest. Out: the owner, a comparison, a sentence. Why lean: the agent
keeps one per running image; nothing here imports more than the standard library. Next: ``verdict`` asks while judging.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from driftline.baseline.inventory.files import FileTable
from driftline.baseline.inventory.schema import Check, Package, Recorded
from driftline.text import escape

_MERGED = ("/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/")
_USR = "/usr"


@dataclass(slots=True)
class Inventory:
    """What an image ships. Made by ``join`` from its package databases, an SBOM, or both."""

    image: str = ""  # digest of the image, "" if nobody said
    packages: tuple[Package, ...] = ()
    files: FileTable = field(default_factory=FileTable)
    trees: Mapping[str, int] = field(default_factory=dict)  # directory → package that owns all below it
    databases: tuple[str, ...] = ()  # "dpkg", "apk", "rpm", "dist-info", … that were read
    sbom: str = ""  # "CycloneDX 1.5", "" if there is none
    rooted: bool = False  # made with the image's root: paths are resolved as the kernel resolves them
    mismatches: tuple[str, ...] = ()  # why the SBOM is not this image's
    left_out: int = 0  # things in its sources that could not be used

    @property
    def knows_files(self) -> bool:
        """Whether "owned by no package" says anything: some source listed the distribution's files."""
        return len(self.files) > 0

    def recorded(self, path: str) -> Recorded | None:
        """Return what is recorded of the file ``path``, None if no package lists it.

        Without the image's root it is unknown whether ``/bin`` is a link to ``/usr/bin``: then both names are tried.
        """
        found = self.files.find(path)
        if found is None and not self.rooted and (other := _other_name(path)):
            return self.files.find(other)
        return found

    def owner(self, path: str) -> Package | None:
        """Return the package ``path`` belongs to, None if it belongs to none."""
        found = self.recorded(path)
        number = self._tree(path) if found is None else found.owner
        return None if number is None else self.packages[number]

    def owns(self, path: str) -> bool:
        """Return whether a package owns ``path``; of a directory, ``/`` at its end, whether one owns anything below."""
        if not path.endswith("/"):
            return self.owner(path) is not None
        below = self.files.holds_below(path) or any(f"{tree}/".startswith(path) for tree in self.trees)
        return below or self._tree(f"{path}x") is not None

    def as_listed(self, name: str) -> str:
        """Return ``name``, a path as a program gave it, as a package lists it: perhaps through a merged /usr."""
        path = posixpath.normpath(name)
        other = _other_name(path)
        return other if self.owner(path) is None and other and self.owner(other) else path

    def _tree(self, path: str) -> int | None:
        """The package whose directory ``path`` lies in, the nearest one."""
        while path and self.trees:
            path = path.rpartition("/")[0]
            if (number := self.trees.get(path)) is not None:
                return number
        return None

    def algorithm(self, path: str) -> str:
        """Return the algorithm ``check`` needs a digest of ``path`` in ("md5", "sha256", …), "" if none is recorded."""
        found = self.recorded(path)
        return found.algorithm if found else ""

    def check(self, path: str, algorithm: str, digest: str) -> Check:
        """Compare ``digest`` (hex, made with ``algorithm``) with the recorded one.

        A configuration file is meant to be changed: one that differs is ``unknown``, never ``differs``.
        """
        found = self.recorded(path)
        if found is None or not found.algorithm or found.algorithm != algorithm:
            return Check.UNKNOWN
        if found.digest.hex() == digest.lower():
            return Check.SAME
        return Check.UNKNOWN if found.config else Check.DIFFERS

    def describe(self, path: str, check: Check = Check.UNKNOWN) -> str:
        """Return a sentence without its full stop: whose file ``path`` is, and how it compared, if it was compared."""
        package = self.owner(path)
        if package is None:
            return f"{escape(path)}, owned by no package"
        text = f"{escape(path)}, {describe_package(package)}, {self._listed(package)}"
        found = self.recorded(path)
        if found is None or check is Check.UNKNOWN:
            return text
        said = "its contents are those" if check is Check.SAME else "its contents differ from those"
        return f"{text}; {said} {found.by} recorded"

    def _listed(self, package: Package) -> str:
        if package.in_sbom:
            return "in the SBOM"
        return "not in the SBOM" if self.sbom else f"known to {package.database}"


def describe_package(package: Package) -> str:
    """Return ``package curl 7.88.1-10 (pkg:deb/debian/curl@7.88.1-10)``, printable."""
    words = ["package", escape(package.name), escape(package.version)]
    text = " ".join(word for word in words if word)
    return f"{text} ({escape(package.purl)})" if package.purl else text


def _other_name(path: str) -> str:
    """The name of ``path`` on the other side of the merged /usr, "" if it has none."""
    if path.startswith(_MERGED):
        return _USR + path
    return path.removeprefix(_USR) if path.startswith(_USR) and path.removeprefix(_USR).startswith(_MERGED) else ""
