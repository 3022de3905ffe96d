"""Files mapped executable: libraries at start, dlopen, LD_PRELOAD, plain mmap."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.nouns import Origin
from kernel.watching import Box, Watch
from rig.bundle import ContainerOptions

COUNT = 23
LIBRARIES = {path: Path(path) for path in ("/lib", "/lib64", "/usr/lib")}


def test_every_executable_mapping_is_seen_once(box: Box) -> None:
    seen = box.see(["/work/mmaps", "exec", "/lower/f000001", str(COUNT)])
    assert [event.file.path for event in seen.loads()] == ["/lower/f000001"] * COUNT
    assert {event.file.origin for event in seen.loads()} == {Origin.IMAGE}


def test_readable_mappings_are_none(box: Box) -> None:
    assert box.see(["/work/mmaps", "read", "/lower/f000001", str(COUNT)]).loads() == []


def test_mprotect_is_what_this_provider_does_not_see(box: Box) -> None:
    """The limit docs/limits.md tells of: only LSM and fentry see a mapping made executable afterwards."""
    assert box.see(["/work/mmaps", "protect", "/lower/f000001", str(COUNT)]).loads() == []


@pytest.mark.parametrize(
    ("place", "origin"), [("/upper", Origin.WRITABLE), ("/volume", Origin.VOLUME), ("/tmpfs", Origin.TMPFS)]
)
def test_the_origin_of_code(box: Box, place: str, origin: Origin) -> None:
    box.container.run(["/bin/cp", "/work/payload_shared.so", f"{place}/payload.so"])
    (event,) = box.see(["/work/mmaps", "exec", f"{place}/payload.so", "1"]).loads()
    assert (event.file.path, event.file.origin) == (f"{place}/payload.so", origin)


def test_libraries_dlopen_and_preload(watch: Watch) -> None:
    options = ContainerOptions(volumes=LIBRARIES, tmpfs=("/code",))
    with watch.box(options) as box:
        box.container.run(["/bin/sh", "-c", "cp /work/payload_shared.so /code/a.so; cp /code/a.so /code/b.so"])
        seen = box.see(["/work/loads_dynamic", "/code/a.so", "7"], env={"LD_PRELOAD": "/code/b.so"})
    paths = [event.file.path for event in seen.loads()]
    assert paths.count("/code/a.so") == 7
    assert paths.count("/code/b.so") == 1
    assert sum("libc.so" in path or "libc-" in path for path in paths) == 1
    assert "LD_PRELOAD" in seen.execs()[0].environment
