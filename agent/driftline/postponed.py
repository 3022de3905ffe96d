"""What a new version of an image did again, before anybody knew its packages: told when they are known, or not at all.

In: rulings on behaviours that are unconfirmed (``baseline.carry``), while the image's inventory is being made. Out:
those that no unchanged package explains. Why: an inventory takes seconds, and an update would tell every program the
service starts meanwhile. Bounded in time and number: what goes beyond is told at once. Next: ``pipeline`` tells.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.baseline.packages import owner_of
from driftline.baseline.shelf import INVENTORY_NS
from driftline.baseline.shelved import Shelved
from driftline.inventories import Inventories
from driftline.nouns import Behaviour, Event, Subject
from driftline.verdict.outcome import Verdict

MAX_POSTPONED = 512
"""Rulings held at a time, about 1 KiB each: more than a service does while it starts."""


class Ruling(NamedTuple):
    """A verdict worth telling, and the baseline it was judged by."""

    verdict: Verdict
    shelved: Shelved


class Held(NamedTuple):
    """One ruling that waits; ``package``: whose file it was in the image before, "" if nobody's."""

    event: Event
    subject: Subject
    ruling: Ruling
    behaviour: Behaviour
    package: str


class Postponed:
    """Belongs to the pipeline's thread."""

    def __init__(self, inventories: Inventories) -> None:
        self._inventories = inventories
        self._held: list[Held] = []
        self._since: dict[str, int] = {}  # image → when its first was held, CLOCK_MONOTONIC

    def hold(self, event: Event, subject: Subject, ruling: Ruling, behaviour: Behaviour | None, package: str) -> bool:
        """Keep an unconfirmed ruling back; False if it has to be told now."""
        shelved = ruling.shelved
        if behaviour is None or len(self._held) >= MAX_POSTPONED or not self._is_awaited(shelved):
            return False
        since = self._since.setdefault(shelved.key, event.kernel_ns)
        if event.kernel_ns - since >= INVENTORY_NS:
            return False
        self._held.append(Held(event, subject, ruling, behaviour, package))
        return True

    def _is_awaited(self, shelved: Shelved) -> bool:
        """Whether the packages of its image are on their way, or known and not looked at yet."""
        if shelved.learning is None or shelved.learning.baseline.packages:
            return False
        inventory = self._inventories.of_image(shelved.key)
        return bool(inventory.packages) if inventory is not None else self._inventories.is_coming(shelved.key)

    def take(self, now_ns: int) -> list[Held]:
        """Return what is to be told now: its image's packages are known, or will not be in time."""
        if not self._since:
            return []
        for image, since in list(self._since.items()):
            if not self._inventories.is_coming(image) and now_ns - since >= INVENTORY_NS:
                del self._since[image]
        told, waiting = [], []
        for one in self._held:
            image = one.ruling.shelved.key
            inventory = self._inventories.of_image(image)
            if inventory is not None:
                told += [] if one.package and one.package == owner_of(one.behaviour, inventory) else [one]
            elif self._inventories.is_coming(image) and now_ns - self._since[image] < INVENTORY_NS:
                waiting.append(one)
            else:
                told.append(one)
        self._held = waiting
        return told

    def drain(self) -> list[Held]:
        """Return all: the agent stops."""
        held, self._held = self._held, []
        return held
