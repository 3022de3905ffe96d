"""Names alike: opens whose files differ only in what a program makes anew each time count as one deviation.

In: an open that deviates. Out: the pattern it is counted under, or "": then its own name counts. Why: the first use of
something the image never did makes a hundred names, and one line with a count says as much as a hundred. Only the two
kinds without a check behind them; never a file of the image, one a package owns, or one whose name matters by itself.
Next: ``folding``.
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.baseline.behaviour import open_pattern
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.patterns.paths import stands_alone
from driftline.nouns import Event, Kind, OpenEvent
from driftline.verdict.outcome import Verdict

_PLAIN = frozenset({Kind.FILE_READ_UNKNOWN, Kind.FILE_WRITE_UNKNOWN})
_SPECIAL = frozenset("\\{}*")


def name_pattern(event: Event, verdict: Verdict, inventory_of: Callable[[], Inventory | None]) -> str:
    """Return the pattern of names that ``event`` is counted under, "" if only its own name is.

    ``inventory_of``: of its image; asked last, for few names come so far.
    """
    if verdict.kind not in _PLAIN or verdict.checks or not isinstance(event, OpenEvent):
        return ""
    path = event.file.path
    pattern = open_pattern(event.file)
    if pattern == path or not _SPECIAL.isdisjoint(path) or stands_alone(path):
        return ""
    inventory = inventory_of()
    owned = inventory is not None and inventory.knows_files and inventory.owner(path) is not None
    return "" if owned else pattern
