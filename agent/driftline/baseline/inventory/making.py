"""Makes the inventory of an image from its root directory and an SBOM, one of them at least.

In: a root directory, an SBOM. Out: the inventory, the image's executables, what had to be left out. Why in this order:
the distribution's database speaks before the languages' own lists, because a Python module of a Debian package is
Debian's. Not for the agent's own process: ``child`` runs it. Next: ``packed`` saves, ``driftline sbom`` shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from driftline.baseline.inventory.apk import read_apk
from driftline.baseline.inventory.dpkg import read_dpkg
from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.fields import Sbom
from driftline.baseline.inventory.golang import read_go
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.java import read_java
from driftline.baseline.inventory.join import join
from driftline.baseline.inventory.node import read_node
from driftline.baseline.inventory.python import read_python
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.rpm import read_rpm
from driftline.baseline.inventory.schema import InventoryError, LeftOut
from driftline.baseline.inventory.walk import walk
from driftline.text import escape

_DATABASES: tuple[Callable[[Root, Draft], bool], ...] = (read_dpkg, read_apk, read_rpm)


@dataclass(frozen=True, slots=True)
class Made:
    """An inventory and what else was seen while it was made."""

    inventory: Inventory
    executables: tuple[str, ...]  # every ELF file and script in the image somebody may execute
    left_out: tuple[LeftOut, ...]  # the first of each source
    left_out_count: int

    def unowned(self) -> list[str]:
        """Return the executables no package owns."""
        return [path for path in self.executables if self.inventory.owner(path) is None]


def make(root: str | Path | None, sbom: Sbom | None = None, image: str = "") -> Made:
    """Return the inventory of ``root`` joined with ``sbom``; ``image``: its digest. Raises InventoryError."""
    if root is None:
        inventory, listed = join(image, None, sbom), sbom.draft.left_out if sbom else []
        return Made(inventory, (), tuple(listed), inventory.left_out)
    draft = Draft(str(root))
    try:
        with Root(root) as opened:
            executables = _read(opened, draft)
        inventory = join(image, draft, sbom)
    except MemoryError as error:
        raise InventoryError(f"{escape(str(root))}: its packages need more memory than is allowed") from error
    left_out = (*draft.left_out, *(sbom.draft.left_out if sbom else ()))
    return Made(inventory, tuple(executables), left_out, inventory.left_out)


def _read(root: Root, draft: Draft) -> list[str]:
    for read in _DATABASES:
        try:
            read(root, draft)
        except InventoryError as error:
            if not draft.packages:
                raise
            draft.leave_out(read.__name__.removeprefix("read_"), str(error.args[0]))
    found = walk(root, draft)
    read_python(root, draft, found.python)
    read_node(root, draft, found.node)
    read_java(root, draft, found.jars)
    read_go(root, draft, found.binaries)
    return found.executables
