"""What an image's inventory adds to the evidence: whose file it is, and that an SBOM is another image's.

In: an event or an inventory. Out: notes for a deviation, or the deviation ``image.sbom_mismatch``. Why apart from
``evidence``: there may be no inventory, or none yet. Next: the pipeline tells both.
"""

from __future__ import annotations

from driftline.baseline.applet import invoked_name
from driftline.baseline.inventory.inventory import Inventory
from driftline.nouns import Deviation, Event, ExecEvent, Kind, LoadEvent, OpenEvent, Origin, RecordFlag, Subject
from driftline.verdict.eventless import Moment, Told, without_event
from driftline.verdict.outcome import image
from driftline.verdict.uuid7 import Uuid7

_ROOT = frozenset({Origin.IMAGE, Origin.ROOTFS, Origin.COPYUP, Origin.WRITABLE})
"""Origins whose paths are the image's own name space; a volume or /proc is no package's."""
_SCRIPT = int(RecordFlag.SCRIPT)
_UNSURE = int(RecordFlag.FOREIGN_MOUNT_NS | RecordFlag.PATH_TRUNCATED | RecordFlag.NAME_ONLY | RecordFlag.DIRECTORY)


def ownership_notes(event: Event, inventory: Inventory | None) -> tuple[str, ...]:
    """Return whose file ``event`` is about; nothing where the path may mean another file. Of a script, the script."""
    if inventory is None or not inventory.knows_files or not isinstance(event, ExecEvent | OpenEvent | LoadEvent):
        return ()
    if event.file.origin not in _ROOT or event.flags & _UNSURE:
        return ()
    if isinstance(event, ExecEvent) and event.flags & _SCRIPT:
        return (inventory.describe(inventory.as_listed(invoked_name(event))),)
    return (inventory.describe(event.file.path),)


def mismatch_of(
    inventory: Inventory, subject: Subject, node: str, wall_ns: int, kernel_ns: int, ids: Uuid7
) -> Deviation:
    """Return the deviation for an SBOM that is another image's; ``subject``: a container of the image."""
    told = Told(Kind.IMAGE_SBOM_MISMATCH, subject, image(subject), "; ".join(inventory.mismatches))
    return without_event(told, Moment(node, wall_ns, kernel_ns), ids)
