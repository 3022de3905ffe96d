"""Alpine's package database.

In: ``/lib/apk/db/installed`` (or below ``/usr/lib`` on a merged root). Out: packages and their files in a draft.
Source: the letters of apk-tools' ``database.c`` as the Alpine wiki's "Apk spec" lists them: P name, V version, A
architecture, F directory, R file in it, Z its checksum: ``Q1`` and the base64 of a SHA-1 (``Q2``: SHA-256). Next:
``join``.
"""

from __future__ import annotations

from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.fields import NO_DIGEST, Digest, base64_digest
from driftline.baseline.inventory.purl import make
from driftline.baseline.inventory.release import distribution
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.schema import Package, Recorded

NAME = "apk"
_DATABASES = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
MAX_DATABASE = 128 * 1024 * 1024
"""Bytes of the database: a full desktop has some 10 MiB."""
_CHECKSUMS = {"Q1": "sha1", "Q2": "sha256"}
_CONFIG = "/etc/"
"""apk protects what lies there from its own upgrades (apk(8), protected_paths): it is meant to be changed."""


def read_apk(root: Root, draft: Draft) -> bool:
    """Add every installed package to ``draft``; return whether there is such a database. Raises InventoryError."""
    for path in _DATABASES:
        data = root.read(path, MAX_DATABASE)
        if data is not None:
            _Reader(root, draft, path).read(data)
            return True
    return False


class _Reader:
    """Follows the lines of a database: a package's letters, then its directories, each with its files."""

    def __init__(self, root: Root, draft: Draft, path: str) -> None:
        self.root, self.draft, self.path = root, draft, path
        self.space = distribution(root, "alpine")
        self._begin()

    def _begin(self) -> None:
        self.letters: dict[str, str] = {}
        self.owner: int | None = None
        self.directory = ""
        self.file = ""

    def read(self, data: bytes) -> None:
        """Take every line."""
        for number, raw in enumerate(data.split(b"\n"), 1):
            line = raw.decode("utf-8", "surrogateescape")
            if line:
                self._line(line[:1], line[2:], f"{self.path}:{number}")
            else:
                self._end(f"{self.path}:{number}")
        self._end(f"{self.path}: its end")

    def _line(self, letter: str, value: str, place: str) -> None:
        if letter in "PVA":
            self.letters[letter] = value
            return
        if letter not in "FRZ":
            return
        if letter in "FR":
            self._file(NO_DIGEST, place)
        if letter == "F":
            self.directory = value
        elif letter == "R":
            self.file = value
        else:
            self._file(base64_digest(_CHECKSUMS.get(value[:2], ""), value[2:]), place)

    def _file(self, digest: Digest, place: str) -> None:
        """The file before this line is complete."""
        if not self.file:
            return
        owner, name = self._owner(place), f"/{self.directory}/{self.file}"
        self.file = ""
        if owner is None:
            return
        recorded = Recorded(owner, digest.algorithm, digest.value, NAME, name.startswith(_CONFIG))
        self.draft.add_file(self.root.canonical(name), recorded, place)

    def _owner(self, place: str) -> int | None:
        """The package of these letters; added when it is first needed, at the latest at its end."""
        if self.owner is None and self.letters:
            name, version, machine = (self.letters.get(letter, "") for letter in "PVA")
            purl = make("apk", self.space, name, version, arch=machine)
            self.owner = self.draft.add_package(Package(name, version, "apk", purl, NAME), place)
            if self.owner is None:
                self.letters = {}
        return self.owner

    def _end(self, place: str) -> None:
        self._file(NO_DIGEST, place)
        self._owner(place)
        self._begin()
