"""Cgroup records."""

from __future__ import annotations

from driftline.decode.record import decode
from driftline.nouns import CgroupChange, CgroupEvent
from unit.decode import records


def test_made_and_gone() -> None:
    made = decode(records.cgroup(b"/default/a\0"))
    gone = decode(records.cgroup(b"/default/a\0", kind=6))
    assert made == CgroupEvent(123_456_789, 4712, 42, 4711, CgroupChange.CREATED, "/default/a")
    assert isinstance(gone, CgroupEvent)
    assert gone.change is CgroupChange.REMOVED
