"""Python packages: ``*.dist-info`` with its RECORD, and the older ``*.egg-info``.

In: the directories a walk found. Out: packages and their files with SHA-256. Source: PyPA specifications, "Recording
installed projects" and "Core metadata". Next: ``join``.
"""

from __future__ import annotations

import csv
import io
import posixpath
from collections.abc import Iterator

from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.fields import NO_DIGEST, base64_digest
from driftline.baseline.inventory.purl import make, python_name
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.schema import InventoryError, Package, Recorded

NAME = "dist-info"
MAX_METADATA = 4 * 1024 * 1024
"""Bytes of METADATA: a project's whole README is in it."""
MAX_RECORD = 16 * 1024 * 1024
"""Bytes of RECORD: 100 000 files."""


def read_python(root: Root, draft: Draft, directories: list[str]) -> None:
    """Add the package of each of ``directories`` to ``draft``; one that cannot be read is left out."""
    for directory in directories:
        try:
            _package(root, draft, directory)
        except (InventoryError, csv.Error) as error:
            draft.leave_out(directory, str(error))


def _package(root: Root, draft: Draft, directory: str) -> None:
    data = root.read(f"{directory}/METADATA", MAX_METADATA) or root.read(f"{directory}/PKG-INFO", MAX_METADATA)
    if data is None:
        draft.leave_out(directory, "no METADATA")
        return
    name, version = _name_and_version(data)
    site = posixpath.dirname(directory)
    package = Package(python_name(name), version, "pypi", make("pypi", "", name, version), NAME, location=site)
    owner = draft.add_package(package, directory)
    if owner is not None:
        for path, algorithm, value in _record(root.read(f"{directory}/RECORD", MAX_RECORD) or b""):
            digest = base64_digest(algorithm, value) if algorithm else NO_DIGEST
            where = posixpath.normpath(posixpath.join(site, path))  # scripts are "../../../bin/x"
            recorded = Recorded(owner, digest.algorithm, digest.value, NAME, False)
            draft.add_file(root.canonical(where), recorded, f"{directory}/RECORD")


def _name_and_version(data: bytes) -> tuple[str, str]:
    """From the header lines; they end with the first empty one."""
    fields: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").split("\n"):
        if not line.strip():
            break
        name, _, value = line.partition(":")
        fields.setdefault(name.lower(), value.strip())
    return fields.get("name", ""), fields.get("version", "")


def _record(data: bytes) -> Iterator[tuple[str, str, str]]:
    """Path, algorithm and digest of each line."""
    text = data.decode("utf-8", "surrogateescape").replace("\0", "")
    for row in csv.reader(io.StringIO(text)):
        if len(row) == 3 and row[0]:
            algorithm, _, value = row[1].partition("=")
            yield row[0], algorithm, value
