"""Node packages: every directory below a ``node_modules`` that has a ``package.json``.

In: the directories a walk found. Out: packages, each owning all that lies in its directory; npm records no digest of a
single file. Source: npm's documentation, "package.json" and "folders". Next: ``join``.
"""

from __future__ import annotations

from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.fields import mapping, text
from driftline.baseline.inventory.jsondoc import parse_json
from driftline.baseline.inventory.purl import make
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.schema import InventoryError, Package

NAME = "node_modules"
MAX_MANIFEST = 1024 * 1024
"""Bytes of package.json; the largest seen have 100 KiB."""


def read_node(root: Root, draft: Draft, directories: list[str]) -> None:
    """Add the package of each of ``directories`` to ``draft``; one that cannot be read is left out."""
    for directory in directories:
        path = f"{directory}/package.json"
        try:
            data = root.read(path, MAX_MANIFEST)
            if data is not None:
                _package(draft, mapping(parse_json(data, path)), directory)
        except InventoryError as error:
            draft.leave_out(directory, str(error.args[0]))


def _package(draft: Draft, manifest: dict[str, object], directory: str) -> None:
    full, version = text(manifest.get("name")), text(manifest.get("version"))
    space, _, name = full.rpartition("/")
    package = Package(full, version, "npm", make("npm", space, name, version), NAME, location=directory)
    owner = draft.add_package(package, directory)
    if owner is not None:
        draft.trees[directory] = owner
