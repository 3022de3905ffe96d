"""System calls of the 32-bit table, made by a 64-bit program: other numbers, the same files."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from driftline.nouns import Access, RecordFlag
from kernel.watching import Box

COUNT = 11
R, W, T, A = Access.READ, Access.WRITE, Access.TRUNCATE, Access.APPEND


def test_open(box: Box) -> None:
    opens = box.see(["/work/opens", "compat", "/lower", str(COUNT)]).opens("/lower/")
    assert [event.file.path for event in opens] == [f"/lower/f{number:06d}" for number in range(COUNT)]
    assert all(event.flags & RecordFlag.COMPAT for event in opens)


@pytest.mark.parametrize(("mode", "access"), [("creat", W | T), ("openat", W | A), ("openat2", R)])
def test_the_other_opens(box: Box, mode: str, access: Access) -> None:
    opens = box.see(["/work/k_compat", mode, "/tmpfs/f000001", str(COUNT)]).opens("/tmpfs/f000001")
    assert [event.access for event in opens] == [int(access)] * COUNT
    assert all(event.flags & RecordFlag.COMPAT for event in opens)


def test_mmap2(box: Box) -> None:
    loads = box.see(["/work/k_compat", "mmap", "/lower/f000001", str(COUNT)]).loads()
    assert [event.file.path for event in loads] == ["/lower/f000001"] * COUNT


def test_connect(box: Box, volume: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(volume / "compat.sock"))
        listener.listen(COUNT)
        connects = box.see(["/work/k_compat", "unix", "/volume/compat.sock", str(COUNT)]).connects()
    assert [event.address for event in connects] == [str(volume / "compat.sock")] * COUNT
