"""Inventories on disk: ``STATE_DIR/inventories/NAME.msgpack``, beside the baselines, NAME made from the image digest.

In: an inventory. Out: the same after a restart, so that an image is read once. Why a digest inside: a file half written
or rotten must not call a changed program unchanged. Equal content has equal bytes. Next: the agent's child saves, the
agent loads.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from driftline.baseline.inventory.files import columns, from_columns
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.schema import MAX_PACKAGES, InventoryError, Package
from driftline.baseline.keeping.files import make_directory, replace_file, sync_directory
from driftline.baseline.keeping.store import directory_name
from driftline.packing import pack, unpack

FORMAT = 2
"""Version of the file; another one is made anew."""
MAX_FILE = 256 * 1024 * 1024
"""Largest file read, bytes: 500 000 files of 300 bytes and 50 000 packages stay below."""
MAX_STORED = 256
"""Inventories kept on disk, some 0.2 to 2 MiB each: images of a node's last weeks. Beyond it the one made first goes,
and is made anew when its image runs again."""
_ENDING = ".msgpack"
_AGAIN = "remove it: the inventory is made anew"


def to_bytes(inventory: Inventory, executables: Sequence[str] = ()) -> bytes:
    """Return the canonical bytes of ``inventory``: a SHA-256, then msgpack with its keys in order.

    ``executables``: what else ``making.make`` saw, for people; the agent does not keep it.
    """
    content = pack(
        {
            "databases": list(inventory.databases),
            "executables": [os.fsencode(path) for path in executables],
            "files": columns(inventory.files),
            "format": FORMAT,
            "image": inventory.image,
            "left_out": inventory.left_out,
            "mismatches": list(inventory.mismatches),
            "packages": [[_out(value) for value in package] for package in inventory.packages],
            "rooted": inventory.rooted,
            "sbom": inventory.sbom,
            "trees": [[os.fsencode(path), number] for path, number in sorted(inventory.trees.items())],
        }
    )
    return hashlib.sha256(content).digest() + content


def _out(value: object) -> object:
    return os.fsencode(value) if isinstance(value, str) else value


def from_bytes(data: bytes) -> Inventory:
    """Return the inventory in ``data``. Raises ValueError for anything that ``to_bytes`` would not have made."""
    return both_from_bytes(data)[0]


def both_from_bytes(data: bytes) -> tuple[Inventory, tuple[str, ...]]:
    """Return the inventory in ``data`` and the image's executables. Raises ValueError like ``from_bytes``."""
    digest, content = data[:32], data[32:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("not the digest of the content")
    try:
        document: Any = unpack(content, MAX_FILE)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}, not {FORMAT}")
        return _from_document(document), tuple(map(os.fsdecode, document["executables"]))
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"malformed: {error}") from error


def _from_document(document: Any) -> Inventory:
    packages = tuple(_package(values) for values in document["packages"])
    trees = {os.fsdecode(path): int(number) for path, number in document["trees"]}
    if len(packages) > MAX_PACKAGES or any(not 0 <= number < len(packages) for number in trees.values()):
        raise ValueError("packages: too many, or a number that points nowhere")
    return Inventory(
        image=str(document["image"]),
        packages=packages,
        files=from_columns(document["files"], len(packages)),
        trees=trees,
        databases=tuple(map(str, document["databases"])),
        sbom=str(document["sbom"]),
        rooted=document["rooted"] is True,
        mismatches=tuple(map(str, document["mismatches"])),
        left_out=int(document["left_out"]),
    )


def _package(values: Any) -> Package:
    name, version, kind, purl, database, in_sbom, location = values
    name, version, kind, purl, database, location = map(os.fsdecode, (name, version, kind, purl, database, location))
    return Package(name, version, kind, purl, database, in_sbom is True, location)


def path_of(state_dir: str, image: str) -> Path:
    """Return the file the inventory of the image with digest ``image`` is kept in."""
    return Path(state_dir) / "inventories" / f"{directory_name(image)}{_ENDING}"


def save(inventory: Inventory, path: Path, executables: Sequence[str] = ()) -> None:
    """Write ``inventory`` to ``path``: the old file or the new one, never half of one. Raises InventoryError."""
    try:
        make_directory(path.parent)
        replace_file(path, to_bytes(inventory, executables))
        _drop_oldest(path.parent)
        sync_directory(path.parent)
    except OSError as error:
        raise InventoryError(f"{path} cannot be written: {error.strerror}", "free space, or check its mode") from error


def _drop_oldest(directory: Path) -> None:
    """Keep the ``MAX_STORED`` that were made last."""
    files = sorted(directory.glob(f"*{_ENDING}"), key=lambda file: file.stat().st_mtime_ns)
    for file in files[:-MAX_STORED]:
        file.unlink(missing_ok=True)


def load(path: Path) -> Inventory | None:
    """Return the inventory kept in ``path``, None if there is none. Raises InventoryError if it is none."""
    found = load_both(path)
    return found and found[0]


def load_both(path: Path) -> tuple[Inventory, tuple[str, ...]] | None:
    """Return the inventory kept in ``path`` and the image's executables. None and errors like ``load``."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE + 1)
        return both_from_bytes(data)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InventoryError(f"{path} cannot be read: {error.strerror}", "check its owner and mode") from error
    except ValueError as error:
        raise InventoryError(f"{path} is no inventory: {error}", _AGAIN) from error
