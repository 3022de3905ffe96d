"""The end of learning, the part that takes long: many behaviours → patterns, and what is judged by from then on.

In: a baseline as it is when its window is over, the inventory of its image. Out: an ``Ending``, for
``Learning.finish``. Why apart: 20 000 behaviours take tenths of a second, in which the main loop would read no ring; so
``shelf`` has ``compute`` called on another thread, while the image is learned on. The entries stay shared with it: a
sighting meanwhile adds to their evidence, and anything more counts as a change, after which the result is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from typing import NamedTuple

from driftline.baseline.format.canonical import version_of
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.matching import Matcher
from driftline.baseline.packages import fill
from driftline.baseline.patterns.folding import fold
from driftline.baseline.patterns.pattern import plain
from driftline.baseline.schema import Baseline, Entry
from driftline.nouns import Behaviour, OpenBehaviour


class Ending(NamedTuple):
    """What a finished baseline consists of."""

    entries: dict[Behaviour, Entry]
    packages: tuple[str, ...]
    matcher: Matcher


class Window(NamedTuple):
    """A baseline whose window is over, as it was at that moment; made by ``Learning.window``."""

    baseline: Baseline  # its entries are the learned ones, in a table of their own
    data: Set[Behaviour]  # opens of files that are not the image's
    inventory: Inventory | None

    def compute(self) -> Ending:
        """Do it. Any thread."""
        baseline, inventory = self.baseline, self.inventory
        if inventory is not None:
            fill(baseline, inventory)
        entries = _folded(baseline.entries, self.data, inventory.owns if inventory is not None else _unowned)
        version = version_of(replace(baseline, entries=entries))
        return Ending(entries, baseline.packages, Matcher(entries, version))


def _folded(
    entries: dict[Behaviour, Entry], data: Set[Behaviour], owned: Callable[[str], bool]
) -> dict[Behaviour, Entry]:
    kept = {one: entry for one, entry in entries.items() if isinstance(one, OpenBehaviour) and _is_named(one, data)}
    return kept | fold({one: entry for one, entry in entries.items() if one not in kept}, owned)


def _is_named(behaviour: OpenBehaviour, data: Set[Behaviour]) -> bool:
    """Whether the image may have named the file, so that its name says something."""
    return behaviour not in data and plain(behaviour.path) is not None


def _unowned(_path: str) -> bool:
    """Nobody knows what the image ships."""
    return False
