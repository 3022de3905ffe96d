"""Open and load records."""

from __future__ import annotations

import pytest

from driftline.decode.record import decode
from driftline.nouns import Access, LoadEvent, OpenEvent, Origin, RecordFlag
from unit.decode import records


def test_open_and_load() -> None:
    event = decode(records.opened(records.walked(b"var", b"log"), access=Access.WRITE | Access.APPEND))
    assert isinstance(event, OpenEvent)
    assert (event.file.path, event.access) == ("/var/log", Access.WRITE | Access.APPEND)
    load = decode(records.opened(records.walked(b"lib", b"a.so"), kind=3))
    assert isinstance(load, LoadEvent)
    assert (load.file.path, load.cache_key) == ("/lib/a.so", b"k" * 32)


@pytest.mark.parametrize(
    ("number", "origin"), [(0, Origin.UNKNOWN), (8, Origin.MEMFD), (10, Origin.HOST), (11, Origin.UNKNOWN)]
)
def test_origins_a_newer_kernel_side_may_know_are_unknown(number: int, origin: Origin) -> None:
    event = decode(records.opened(b"x\0", origin=number))
    assert isinstance(event, OpenEvent)
    assert event.file.origin is origin


def test_a_name_alone_is_a_text() -> None:
    event = decode(records.opened(b"../etc/passwd\0", flags=RecordFlag.NAME_ONLY))
    assert isinstance(event, OpenEvent)
    assert (event.file.path, event.cache_key, event.cache_value) == ("../etc/passwd", b"", b"")


def test_a_memfd_is_a_text() -> None:
    event = decode(records.opened(b"memfd:a/b\0", origin=8))
    assert isinstance(event, OpenEvent)
    assert event.file.path == "memfd:a/b"


def test_a_truncated_path_says_so() -> None:
    event = decode(records.opened(records.walked(b"a"), flags=RecordFlag.PATH_TRUNCATED))
    assert isinstance(event, OpenEvent)
    assert event.file.path == "…/a"
