"""What a reader has understood so far: packages, the files they own, and what had to be left out.

In: packages and files from a document or a package database, hostile ones included. Out: a bounded draft. Why one form
for both: ``join`` then only compares two drafts. A bound that is passed ends the reading; something odd is listed and
left out. Next: ``join``.
"""

from __future__ import annotations

import os

from driftline.baseline.inventory.schema import (
    DIGEST_SIZES,
    MAX_FILES,
    MAX_LEFT_OUT,
    MAX_PACKAGES,
    MAX_PARTS,
    MAX_PATH,
    MAX_WORD,
    InventoryError,
    LeftOut,
    Package,
    Recorded,
)
from driftline.text import escape

_SHOWN = 80  # characters of somebody's text in a message


class Draft:
    """Packages and files as one source tells them. ``source`` names it in errors."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.packages: list[Package] = []
        self.files: dict[str, Recorded] = {}
        self.trees: dict[str, int] = {}  # directory → package that owns all below it
        self.left_out: list[LeftOut] = []
        self.left_out_count = 0

    def leave_out(self, place: str, why: str) -> None:
        """Note that what is at ``place`` could not be used."""
        self.left_out_count += 1
        if len(self.left_out) < MAX_LEFT_OUT:
            self.left_out.append(LeftOut(place, why))

    def add_package(self, package: Package, place: str) -> int | None:
        """Return the new package's number; None, and a note, if it has no usable name. Raises InventoryError."""
        words = package[:4]
        if not package.name:
            self.leave_out(place, "it has no name")
            return None
        if any(len(word) > MAX_WORD or not encodable(word) for word in words):
            self.leave_out(place, f"a name, version or purl over {MAX_WORD} characters, or no text")
            return None
        if len(self.packages) >= MAX_PACKAGES:
            raise InventoryError(
                f"{self.source}: {place}: more than {MAX_PACKAGES} packages", "use a smaller SBOM, of one image only"
            )
        self.packages.append(package)
        return len(self.packages) - 1

    def add_file(self, path: str, recorded: Recorded, place: str) -> None:
        """Note who owns ``path``. The first to claim a file keeps it, unless only the next knows its digest."""
        usual = normal(path)
        if usual is None:
            self.leave_out(place, f"no path of a file: {shown(path)}")
            return
        if recorded.algorithm and DIGEST_SIZES.get(recorded.algorithm) != len(recorded.digest):
            self.leave_out(place, f"the digest of {shown(path)} is malformed")
            recorded = recorded._replace(algorithm="", digest=b"")
        known = self.files.get(usual)
        if known is not None and (known.algorithm or not recorded.algorithm):
            return
        if known is None and len(self.files) >= MAX_FILES:
            raise InventoryError(f"{self.source}: {place}: more than {MAX_FILES} files", "use an SBOM without files")
        self.files[usual] = recorded


def normal(path: str) -> str | None:
    """Return ``path`` as absolute path within the image without ``.`` and empty parts; None if it is none.

    ``..`` is refused: no packager writes it, and resolving it without the directory's links would be a guess.
    """
    if "\0" in path or len(path) > MAX_PATH or not encodable(path):
        return None
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return None if not parts or len(parts) > MAX_PARTS or ".." in parts else "/" + "/".join(parts)


def encodable(text: str) -> bool:
    """Whether ``text`` can be a name of the kernel: JSON can smuggle in half a surrogate pair."""
    if text.isascii():
        return True
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def shown(text: str) -> str:
    """Return ``text`` printable and short, for a message."""
    return repr(escape(text[:_SHOWN])) + ("…" if len(text) > _SHOWN else "")
