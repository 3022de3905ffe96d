"""What a baseline says of its image's packages: which there are, and which one each file belongs to.

In: a baseline, the inventory of its image. Out: ``Baseline.packages`` and ``Entry.package``. Why in the baseline: the
image's successor must tell which packages changed, when the inventory of this one is long gone. Next: ``carry``.
"""

from __future__ import annotations

from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.schema import Package
from driftline.baseline.patterns.pattern import plain
from driftline.baseline.schema import MAX_PACKAGES, Baseline, Standing
from driftline.nouns import Behaviour, ConnectBehaviour, OpenBehaviour

_NONE: frozenset[str] = frozenset()  # one for all: a hundred baselines know no packages
_USED = frozenset({Standing.ALLOWED, Standing.UNCONFIRMED})


def name_of(package: Package) -> str:
    """Return what ``package`` is called in a baseline: its purl, else ``name version``."""
    return package.purl or f"{package.name} {package.version}".strip()


def path_of(behaviour: Behaviour) -> str | None:
    """Return the one file of the image ``behaviour`` is about; None if it is none, or many."""
    if isinstance(behaviour, ConnectBehaviour):
        return None
    if isinstance(behaviour, OpenBehaviour):
        return plain(behaviour.path)
    return None if behaviour.origin else behaviour.path


def owner_of(behaviour: Behaviour, inventory: Inventory) -> str:
    """Return the package that owns the file of ``behaviour``, "" if none does."""
    path = path_of(behaviour)
    package = inventory.owner(path) if path is not None else None
    return "" if package is None else name_of(package)


def fill(baseline: Baseline, inventory: Inventory) -> None:
    """Note in ``baseline`` what ``inventory`` knows."""
    names = sorted({name_of(package) for package in inventory.packages})
    baseline.packages = tuple(names[:MAX_PACKAGES])
    listed = frozenset(baseline.packages)
    for behaviour, entry in baseline.entries.items():
        owner = owner_of(behaviour, inventory)
        entry.package = owner if owner in listed else ""


def packages_used(baseline: Baseline) -> frozenset[str]:
    """Return the packages of which ``baseline`` expects a file to be executed, loaded or read."""
    used = frozenset(entry.package for entry in baseline.entries.values() if entry.package and entry.standing in _USED)
    return used or _NONE
