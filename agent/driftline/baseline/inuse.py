"""Usage of packages, as judging asks for it: by baseline, once the inventory is there.

In: an open nobody expected, the baseline it was judged by, the image's inventory. Out: whether it only reads what a
package in use ships. Why kept here and not with the baseline: it holds on to the inventory, of which few may be in
memory. Next: ``usage`` decides, ``judging`` asks.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.packages import name_of
from driftline.baseline.shelved import Shelved
from driftline.baseline.usage import Usage
from driftline.nouns import OpenEvent

MAX_USAGES = 32
"""Baselines whose usage is in memory, as many as inventories; the one longest not asked is made again when needed."""


class _Kept(NamedTuple):
    inventory: Inventory
    used: frozenset[str]
    usage: Usage


class InUse:
    """Belongs to the pipeline's thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def expects(self, event: OpenEvent, shelved: Shelved, inventory: Inventory | None) -> bool:
        """Whether ``event`` reads an unmodified file of a package the baseline shows in use."""
        if inventory is None or not shelved.packages_used:
            return False
        kept = self._kept.get(shelved.name)
        if kept is None or kept.inventory is not inventory or kept.used is not shelved.packages_used:
            kept = self._keep(shelved, inventory)
        self._kept.move_to_end(shelved.name)
        return kept.usage.expects(event)

    def _keep(self, shelved: Shelved, inventory: Inventory) -> _Kept:
        names = shelved.packages_used
        usage = Usage(inventory, (one for one in inventory.packages if name_of(one) in names))
        kept = self._kept[shelved.name] = _Kept(inventory, names, usage)
        if len(self._kept) > MAX_USAGES:
            self._kept.popitem(last=False)
        return kept
