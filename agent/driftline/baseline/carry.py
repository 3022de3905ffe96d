"""A new version of an image starts from the baseline of the one before.

In: the predecessor's baseline, later the inventory of the new image. Out: the new baseline, in which what unchanged
packages do is expected, and what changed ones do is expected but told quietly until it is seen again. Pure. Why: an
update must neither be silent for a whole learning window nor raise an alert for all the service ever did. Next:
``beginning`` decides when, ``learning`` confirms what is seen again.
"""

from __future__ import annotations

from dataclasses import replace

from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.packages import fill, owner_of, path_of
from driftline.baseline.schema import CARRIED, REVIEWED, Baseline, Entry, Standing
from driftline.nouns import Behaviour

_KERNEL = ("/proc/", "/sys/", "/dev/")
"""What lies here is the kernel's: no version of an image changes it."""


def repository(image: str) -> str:
    """Return an image reference without tag and digest: ``host:5000/shop/web:1.2@sha256:…`` → ``host:5000/shop/web``.

    Empty if the reference is a bare digest or id, which names nothing two versions share.
    """
    name = image.partition("@")[0]
    if not name or name.startswith("sha256:"):
        return ""
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def carry(before: Baseline, key: str, image: str) -> Baseline:
    """Return what the image ``key`` starts with while nobody knows its packages: what one of them might have changed
    is unconfirmed. Excuses go along, and so does every decision of a person."""
    baseline = Baseline(key, before.workload, image, predecessor=before.key, excuses=before.excuses)
    for behaviour, entry in before.entries.items():
        source = REVIEWED if entry.source == REVIEWED else CARRIED
        standing = entry.standing
        if standing is Standing.ALLOWED and not _stays(behaviour, entry):
            standing = Standing.UNCONFIRMED
        baseline.entries[behaviour] = replace(entry, source=source, standing=standing)
    return baseline


def settle(baseline: Baseline, inventory: Inventory) -> int:
    """Confirm what packages do that are in both images, note the new one's packages; return how many it confirmed."""
    confirmed = 0
    for behaviour, entry in baseline.entries.items():
        waits = entry.standing is Standing.UNCONFIRMED
        if waits and entry.package and entry.package == owner_of(behaviour, inventory):
            entry.standing = Standing.ALLOWED
            confirmed += 1
    fill(baseline, inventory)
    return confirmed


def unconfirmed(baseline: Baseline) -> int:
    """Return how many behaviours the image has not shown yet."""
    return sum(entry.standing is Standing.UNCONFIRMED for entry in baseline.entries.values())


def _stays(behaviour: Behaviour, entry: Entry) -> bool:
    """Whether no package can change what it means: a connect, data, what the kernel serves, what a person decided."""
    if entry.source == REVIEWED or entry.checks:
        return True
    path = path_of(behaviour)
    return path is None or path.startswith(_KERNEL)
