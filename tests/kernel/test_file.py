"""Opens: all seen, none twice, the path and origin of what was really opened."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from driftline.nouns import Access, OpenEvent, Origin, RecordFlag
from kernel.watching import Box

COUNT = 23
R, W, C, T, A = Access.READ, Access.WRITE, Access.CREATE, Access.TRUNCATE, Access.APPEND
PLACES = {
    "/lower": Origin.IMAGE,
    "/upper": Origin.WRITABLE,
    "/volume": Origin.VOLUME,
    "/tmpfs": Origin.TMPFS,
}
# openat2 passes its flags in memory, which the program may change: its truncation is not told
MODES = {
    "open": R,
    "relative": R,
    "openat": R,
    "openat2": R,
    "openat2-root": R,
    "creat": W | T,
    "write": W,
    "append": W | A,
    "truncate": R | W | T,
}


def names(directory: str, count: int = COUNT) -> list[str]:
    return [f"{directory}/f{number:06d}" for number in range(count)]


def files_in(events: list[OpenEvent], directory: str) -> list[OpenEvent]:
    """Opens below a directory, without those of the directory itself."""
    return [event for event in events if event.file.path.startswith(f"{directory}/")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", [place for place in PLACES if place != "/lower"])
def test_each_way_to_open_is_seen_once_with_its_path(box: Box, place: str, mode: str) -> None:
    opens = files_in(box.see(["/work/opens", mode, place, str(COUNT)]).opens(), place)
    assert [event.file.path for event in opens] == names(place)
    assert {event.access for event in opens} == {int(MODES[mode])}
    assert {event.file.origin for event in opens} == {PLACES[place]}
    assert {event.cgroup for event in opens} == {box.subject}


@pytest.mark.parametrize("mode", ["open", "relative", "openat", "openat2", "openat2-root"])
def test_files_of_the_image_are_told_as_such(box: Box, mode: str) -> None:
    opens = files_in(box.see(["/work/opens", mode, "/lower", str(COUNT)]).opens(), "/lower")
    assert [event.file.path for event in opens] == names("/lower")
    assert {event.file.origin for event in opens} == {Origin.IMAGE}


def test_repeats_are_told_again_while_nobody_says_they_are_known(box: Box) -> None:
    opens = box.see(["/work/opens", "open", "/lower", "7", "3"]).opens("/lower")
    assert Counter(event.file.path for event in opens) == dict.fromkeys(names("/lower", 7), 3)


@pytest.mark.parametrize("place", ["/volume", "/tmpfs"])
def test_open_by_handle_is_seen_with_the_path(box: Box, place: str) -> None:
    opens = files_in(box.see(["/work/opens", "handle", place, str(COUNT)]).opens(), place)
    assert [event.file.path for event in opens] == names(place)


def test_o_path_and_failing_opens_are_no_opens(box: Box) -> None:
    assert box.see(["/work/opens", "path", "/lower", str(COUNT)]).opens() == []
    assert box.see(["/work/opens", "failing", "/upper", str(COUNT)]).opens() == []


def test_a_directory_is_marked(box: Box) -> None:
    (event,) = [e for e in box.see(["/work/opens", "openat", "/lower", "1"]).opens() if e.file.path == "/lower"]
    assert event.flags & RecordFlag.DIRECTORY


def test_creation_and_the_write_to_an_image_file_are_told(box: Box) -> None:
    """>> on an image file copies it up; > on a new name creates it."""
    opens = box.see(["/bin/sh", "-c", "echo more >>/image/f000003; echo new >/upper/created"]).opens()
    more, new = (e for e in opens if e.file.path in ("/image/f000003", "/upper/created"))
    assert (more.access, more.file.origin) == (int(W | A), Origin.COPYUP)
    assert (new.access, new.file.origin) == (int(W | C | T), Origin.WRITABLE)


def test_a_chmod_makes_a_copy_up_not_a_new_file(box: Box) -> None:
    box.container.run(["/bin/chmod", "0600", "/image/f000005"])
    (event,) = box.see(["/bin/cat", "/image/f000005"]).opens("/image")
    assert event.file.origin is Origin.COPYUP


def test_pseudo_and_device_files(box: Box) -> None:
    opens = box.see(["/bin/sh", "-c", "cat /proc/self/stat /sys/kernel/uevent_seqnum </dev/null >/dev/zero"]).opens()
    found = {event.file.path: event.file.origin for event in opens}
    assert found["/sys/kernel/uevent_seqnum"] is Origin.PSEUDO
    assert found["/dev/null"] is found["/dev/zero"] is Origin.PSEUDO
    assert any(path.startswith("/proc/") and path.endswith("/stat") for path in found)


def test_a_deleted_file_is_told_as_deleted(box: Box) -> None:
    script = "exec 3>/upper/gone; rm /upper/gone; cat /proc/self/fd/3"
    opens = box.see(["/bin/sh", "-c", script]).opens("/upper/gone")
    assert [event.file.origin for event in opens] == [Origin.WRITABLE, Origin.DELETED]


def test_symbolic_links_tell_the_file(box: Box) -> None:
    for number in range(3):
        box.container.run(["/bin/ln", "-sf", f"/lower/f{number:06d}", f"/upper/link{number}"])
    opens = box.see(["/bin/cat", "/upper/link0", "/upper/link1", "/upper/link2"]).opens()
    assert [event.file.path for event in opens if "/f0" in event.file.path] == names("/lower", 3)


def test_names_of_255_bytes_of_any_kind(box: Box) -> None:
    """Every byte a name may hold, levels deep: the path comes back byte for byte."""
    legal = [byte for byte in range(1, 256) if byte != 0x2F]
    depth, length = 13, 255
    opens = box.see(["/work/deep", "/tmpfs", str(depth), str(length), "7"]).opens()
    parts = [bytes(legal[(level + j) % 254] for j in range(length)) for level in range(depth)]
    directory = os.fsdecode(b"/tmpfs/" + b"/".join(parts))
    assert sorted(event.file.path for event in opens) == names(directory, 7)
    assert not any(event.flags & RecordFlag.PATH_TRUNCATED for event in opens)


@pytest.mark.parametrize(("depth", "length"), [(120, 3), (17, 255)])
def test_a_path_too_deep_or_too_long_is_marked_and_counted(box: Box, depth: int, length: int) -> None:
    before = box.watch.counted("open", "path_truncated")
    opens = box.see(["/work/deep", "/tmpfs", str(depth), str(length), "11"]).opens("")
    opens = [event for event in opens if event.file.path.rpartition("/")[2].startswith("f0")]
    assert len(opens) == 11
    for event in opens:
        assert event.flags & RecordFlag.PATH_TRUNCATED
        assert event.file.path.startswith("…/")
        assert event.cache_key == b"", "a path not known in full is never taken for known"
    assert box.watch.counted("open", "path_truncated") - before == 11


def test_as_many_components_as_the_kernel_side_walks_are_told(box: Box) -> None:
    opens = box.see(["/work/deep", "/tmpfs", "90", "2", "3"]).opens("/tmpfs")
    assert len(opens) == 3
    assert {event.file.path.count("/") for event in opens} == {92}


def test_chroot_inside_the_container_does_not_change_the_path(box: Box) -> None:
    script = "mkdir -p /upper/jail/bin /upper/jail/etc; cp /bin/busybox /upper/jail/bin/sh; echo x >/upper/jail/etc/x"
    box.container.run(["/bin/sh", "-c", script])
    seen = box.see(["/bin/chroot", "/upper/jail", "/bin/sh", "-c", "read x </etc/x"])
    assert [event.file.path for event in seen.opens("/upper")] == ["/upper/jail/etc/x"]
    assert [event.file.path for event in seen.execs("/upper/jail/bin/sh")] == ["/upper/jail/bin/sh"]


def test_another_mount_namespace_is_flagged(box: Box) -> None:
    seen = box.see(["/bin/sh", "-c", "read x </lower/f000001; exec unshare -m /bin/sh -c 'read x </lower/f000002'"])
    own, foreign = seen.opens("/lower")
    assert not own.flags & RecordFlag.FOREIGN_MOUNT_NS
    assert foreign.flags & RecordFlag.FOREIGN_MOUNT_NS
    assert foreign.file.path == "/lower/f000002"


def test_a_file_the_container_cannot_name_is_told_as_the_hosts(box: Box, tmp_path: Path) -> None:
    """A descriptor of the host's file system, handed in by whoever entered."""
    (tmp_path / "secret").write_text("host\n")
    pid = box.container.pid
    box.watch.take(box.subject)
    enter = (
        f"exec 3<{tmp_path}; echo 0 >{box.container.cgroup_directory}/cgroup.procs; "
        f"exec nsenter --target {pid} --pid --mount /bin/cat /proc/self/fd/3/secret"
    )
    assert os.spawnvp(os.P_WAIT, "/bin/sh", ["/bin/sh", "-c", enter]) == 0
    seen = box.watch.take(box.subject)
    (event,) = [event for event in seen.opens() if event.file.path.endswith("/secret")]
    assert event.file.origin is Origin.HOST
    (nsenter, cat) = seen.execs()
    assert nsenter.flags & RecordFlag.FOREIGN_MOUNT_NS
    assert not cat.flags & RecordFlag.FOREIGN_MOUNT_NS
    assert nsenter.flags & cat.flags & RecordFlag.ENTERED


def test_runc_itself_is_neither_told_nor_lost(box: Box) -> None:
    before = box.watch.counted("open", "runtime_setup")
    seen = box.see(["/work/nothing"])
    assert [type(event).__name__ for event in seen.events] == ["ExecEvent"]
    assert box.watch.counted("open", "runtime_setup") > before, "runc opens files in the container's cgroup"
