"""Opens through io_uring, which no system call's exit shows."""

from __future__ import annotations

import pytest

from driftline.nouns import Access, Origin, RecordFlag
from kernel.watching import Box

COUNT = 23


def names(directory: str) -> list[str]:
    return [f"{directory}/f{number:06d}" for number in range(COUNT)]


@pytest.mark.parametrize("mode", ["uring", "uring2"])
@pytest.mark.parametrize(("place", "origin"), [("/lower", Origin.IMAGE), ("/tmpfs", Origin.TMPFS)])
def test_opens_are_seen_once_with_their_path(box: Box, mode: str, place: str, origin: Origin) -> None:
    opens = box.see(["/work/opens", mode, place, str(COUNT)]).opens(f"{place}/")
    assert [event.file.path for event in opens] == names(place)
    assert {event.file.origin for event in opens} == {origin}
    assert all(event.flags & RecordFlag.IO_URING for event in opens)


@pytest.mark.parametrize("mode", ["async", "sqpoll"])
def test_opens_by_the_kernels_threads_are_the_programs(box: Box, mode: str) -> None:
    seen = box.see(["/work/k_uring", mode, "/lower", str(COUNT)])
    assert [event.file.path for event in seen.opens("/lower/")] == names("/lower")
    assert {event.process.pid for event in seen.opens()} == {seen.execs()[0].process.pid}


def test_a_direct_descriptor_is_told_by_the_name_alone(box: Box) -> None:
    """It never enters the descriptor table: the name as given, marked, and never cached."""
    opens = [
        e for e in box.see(["/work/opens", "uring-direct", "/lower", str(COUNT)]).opens("") if e.file.path != "/lower"
    ]
    assert [event.file.path for event in opens] == [name.removeprefix("/lower/") for name in names("/lower")]
    assert all(event.flags & RecordFlag.NAME_ONLY for event in opens)
    assert {event.access for event in opens} == {int(Access.READ)}
    assert {event.cache_key for event in opens} == {b""}
