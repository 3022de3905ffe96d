"""Who the shelf asks what an image ships; and nobody, where no image is read.

In: nothing. Out: a protocol, and its stand-in. Why a protocol: images are read from running containers' mounts, which
only the agent does. Next: ``shelf`` asks, ``driftline.inventories`` answers.
"""

from __future__ import annotations

from typing import Protocol

from driftline.baseline.inventory.inventory import Inventory


class Inventoried(Protocol):
    """Who knows what images ship."""

    def of_image(self, digest: str) -> Inventory | None:
        """Return the inventory of an image, None while there is none."""

    def is_coming(self, digest: str) -> bool:
        """Whether it is being made."""


class Unread:
    """Nobody knows."""

    def of_image(self, digest: str) -> Inventory | None:
        """None."""
        return None

    def is_coming(self, digest: str) -> bool:
        """It never will."""
        return False
