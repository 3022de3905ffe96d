"""The verdict cache: what is known stays silent, and nothing else ever does.

Each test tells the kernel that what it saw is known, changes one thing, and looks again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from driftline.nouns import ConnectEvent, ExecEvent, LoadEvent, OpenEvent, Origin, RecordFlag
from driftline.probe.sensor import Sensor
from kernel.conftest import fill
from kernel.watching import Box, Seen, Watch
from rig import mounts
from rig.bundle import DEFAULT_CAPABILITIES, ContainerOptions

NOTHING = "/work/nothing"
EVICTIONS = 3  # a dentry the kernel dropped for lack of memory costs one more match: that is the design
SETTLE_SECONDS = 0.1  # a file changed a moment ago is never cached: see changed_just_now in bpf/include/file.h


def know(sensor: Sensor, seen: Seen) -> int:
    """Say that all of it is expected; how many of it could be."""
    known = 0
    for event in seen.events:
        if not isinstance(event, ExecEvent | OpenEvent | LoadEvent | ConnectEvent) or not event.cache_key:
            continue
        known += 1
        if isinstance(event, ExecEvent):
            sensor.know_exec(event.cache_key, event.cache_value)
        elif isinstance(event, ConnectEvent):
            sensor.know_connect(event.cache_key)
        else:
            sensor.know_file(event.cache_key, event.cache_value)
    return known


def learned(box: Box, argv: Sequence[str], env: dict[str, str] | None = None) -> Seen:
    """Run, take as known, and prove that the same is silent now."""
    time.sleep(SETTLE_SECONDS)
    seen = box.see(argv, env)
    assert know(box.watch.sensor, seen) == len(seen.events) > 0
    for _ in range(EVICTIONS):
        again = box.see(argv, env)
        if not again.events:
            return seen
        know(box.watch.sensor, again)
    raise AssertionError(f"the same again is told: {again.events}")


@pytest.fixture
def own(watch: Watch, layer: Path, tmp_path: Path) -> Iterator[Box]:
    """A container of the test's own: what one test taught about it no other test relies on."""
    options = ContainerOptions(
        volumes={"/volume": fill(tmp_path / "volume", 5)},
        tmpfs=("/tmpfs",),
        capabilities=(*DEFAULT_CAPABILITIES, "CAP_SYS_ADMIN"),
    )
    with watch.box(options, lower=(layer,)) as one:
        fill(one.container.rootfs / "upper", 5)
        yield one


def cat(path: str) -> list[str]:
    return ["/bin/cat", path]


@pytest.mark.parametrize(
    "argv",
    [
        ["/work/opens", "open", "/lower", "23"],
        ["/work/opens", "truncate", "/upper", "5"],
        ["/work/opens", "write", "/volume", "5"],
        ["/work/opens", "uring", "/lower", "11"],
        ["/work/execs", "vfork", "7", NOTHING],
        ["/work/mmaps", "exec", "/lower/f000001", "7"],
        ["/work/connects", "tcp", "127.0.0.1", "81", "7"],
        ["/work/connects", "udp-sendto", "::1", "81", "7"],
        ["/bin/sh", "-c", "cat /etc/passwd /proc/sys/kernel/hostname | cat >/dev/null"],
    ],
    ids=lambda argv: " ".join(argv[:3]).replace("/", "_"),
)
def test_equal_behaviour_is_silent_and_counted(own: Box, argv: list[str]) -> None:
    before = sum(count for (_hook, name), count in own.watch.sensor.counters().items() if name == "known")
    seen = learned(own, argv)
    after = sum(count for (_hook, name), count in own.watch.sensor.counters().items() if name == "known")
    assert after - before >= len(seen.events)


def test_another_access_is_told(own: Box) -> None:
    learned(own, cat("/upper/f000001"))
    assert len(own.see(["/bin/sh", "-c", "read x <>/upper/f000001"]).opens("/upper")) == 1
    learned(own, ["/work/opens", "write", "/upper", "1"])
    assert len(own.see(["/work/opens", "truncate", "/upper", "1"]).opens("/upper")) == 1


@pytest.mark.parametrize("place", ["upper", "volume", "lower"])
def test_a_file_replaced_by_rename_is_told(own: Box, place: str) -> None:
    learned(own, cat(f"/{place}/f000001"))
    own.container.run(["/bin/sh", "-c", f"echo other >/{place}/new; mv /{place}/new /{place}/f000001"])
    assert len(own.see(cat(f"/{place}/f000001")).opens(f"/{place}")) == 1


def test_an_image_file_rewritten_in_place_is_told(own: Box) -> None:
    learned(own, cat("/image/f000007"))
    own.container.run(["/bin/sh", "-c", "echo other >/image/f000007"])
    (event,) = own.see(cat("/image/f000007")).opens("/image")
    assert event.file.origin is Origin.COPYUP


def test_an_image_file_rewritten_through_a_mapping_is_told(own: Box) -> None:
    learned(own, cat("/image/f000011"))
    own.container.run(["/work/k_mapwrite", "/image/f000011"])
    assert len(own.see(cat("/image/f000011")).opens("/image")) == 1


@pytest.mark.parametrize("place", ["upper", "volume", "tmpfs"])
@pytest.mark.parametrize("how", ["cp {new} {old}", "/work/k_mapwrite {old}", "cp {new} {old}.2; mv {old}.2 {old}"])
def test_a_program_with_other_contents_is_told(own: Box, place: str, how: str) -> None:
    old = f"/{place}/program"
    own.container.run(["/bin/cp", NOTHING, old])
    learned(own, [old])
    own.container.run(["/bin/sh", "-c", how.format(new="/work/idle", old=old)])
    own.watch.take(own.subject)
    process = own.container.spawn([old])
    deadline = time.monotonic() + 30
    while not (execs := own.watch.take(own.subject).execs(old)) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    assert len(execs) == 1


@pytest.mark.parametrize("place", ["upper", "volume", "tmpfs"])
@pytest.mark.parametrize("how", ["cp /work/nothing {}", "/work/k_mapwrite {}"])
def test_a_library_rewritten_in_place_is_told(own: Box, place: str, how: str) -> None:
    library = f"/{place}/library.so"
    own.container.run(["/bin/cp", "/work/payload_shared.so", library])
    learned(own, ["/work/mmaps", "exec", library, "1"])
    own.container.run(["/bin/sh", "-c", how.format(library)])
    assert len(own.see(["/work/mmaps", "exec", library, "1"]).loads(library)) == 1


def test_a_file_changed_a_moment_ago_is_not_cached(own: Box) -> None:
    """Its next change may fall into the same tick and leave the change time as it is."""
    (event,) = own.see(["/bin/sh", "-c", f"cp {NOTHING} /tmpfs/fresh; exec /tmpfs/fresh"]).execs("/tmpfs/fresh")
    assert event.cache_key == b""


def test_a_stat_does_not_make_a_file_new(own: Box) -> None:
    """6.13 marks the change time when it was asked for: that is no change."""
    learned(own, [NOTHING])
    own.container.run(["/bin/stat", NOTHING])
    assert own.see([NOTHING]).events == []


@pytest.mark.parametrize("place", ["upper", "volume"])
def test_a_hard_link_under_another_name_is_told(own: Box, place: str) -> None:
    learned(own, cat(f"/{place}/f000001"))
    own.container.run(["/bin/ln", f"/{place}/f000001", f"/{place}/shadow"])
    (event,) = own.see(cat(f"/{place}/shadow")).opens(f"/{place}")
    assert event.file.path == f"/{place}/shadow"


@pytest.mark.parametrize("place", ["upper", "volume", "tmpfs"])
def test_a_renamed_file_or_directory_is_told(own: Box, place: str) -> None:
    own.container.run(["/bin/sh", "-c", f"mkdir -p /{place}/a/b; echo x >/{place}/a/b/c"])
    learned(own, cat(f"/{place}/a/b/c"))
    own.container.run(["/bin/mv", f"/{place}/a/b/c", f"/{place}/a/b/d"])
    assert [e.file.path for e in own.see(cat(f"/{place}/a/b/d")).opens()][-1] == f"/{place}/a/b/d"
    learned(own, cat(f"/{place}/a/b/d"))
    own.container.run(["/bin/mv", f"/{place}/a", f"/{place}/z"])
    assert [e.file.path for e in own.see(cat(f"/{place}/z/b/d")).opens()][-1] == f"/{place}/z/b/d"


def test_a_program_in_a_renamed_directory_is_told(own: Box) -> None:
    own.container.run(["/bin/sh", "-c", f"mkdir -p /upper/bin; cp {NOTHING} /upper/bin/program"])
    learned(own, ["/bin/sh", "-c", "cd /upper/bin; exec ./program"])
    own.container.run(["/bin/mv", "/upper/bin", "/upper/nib"])
    seen = own.see(["/bin/sh", "-c", "cd /upper/nib; exec ./program"])
    assert len(seen.execs("/upper/nib/program")) == 1


def test_a_moved_mount_of_the_image_is_told(own: Box) -> None:
    script = "mkdir -p /mnt/a /mnt/b; mount -o bind /lower /mnt/a; mount --make-rprivate /; "
    own.container.run(["/bin/sh", "-c", script])
    learned(own, cat("/mnt/a/f000001"))
    own.container.run(["/bin/mount", "-o", "move", "/mnt/a", "/mnt/b"])
    assert [event.file.path for event in own.see(cat("/mnt/b/f000001")).opens()] == ["/mnt/b/f000001"]


def test_equal_inode_numbers_of_two_layers_are_two_files(watch: Watch) -> None:
    """An overlay whose layers lie on different file systems hands out the numbers of both."""
    with mounts.tmpfs("left") as left, mounts.tmpfs("right") as right:
        for layer, name in ((left, "one"), (right, "two")):
            (layer / "twin").mkdir()
            (layer / "twin" / name).write_text(name)
            layer.chmod(0o755)
        with watch.box(lower=(left, right)) as box:
            time.sleep(SETTLE_SECONDS)
            first = box.see(cat("/twin/one")).opens("/twin")[0]
            second = box.see(cat("/twin/two")).opens("/twin")[0]
            assert first.file.inode == second.file.inode, "else this test shows nothing"
            learned(box, cat("/twin/one"))
            assert [event.file.path for event in box.see(cat("/twin/two")).opens("/twin")] == ["/twin/two"]


def test_a_recycled_inode_is_another_file(own: Box) -> None:
    directory = own.container.options.volumes["/volume"]
    learned(own, cat("/volume/f000001"))
    number = (directory / "f000001").stat().st_ino
    (directory / "f000001").unlink()
    for attempt in range(1000):
        path = directory / f"new{attempt}"
        path.write_text("new\n")
        if path.stat().st_ino == number:
            break
    else:
        pytest.skip("this file system does not give the number out again soon")
    (event,) = own.see(cat(f"/volume/{path.name}")).opens("/volume")
    assert event.file.inode == number


def test_another_epoch_is_told(own: Box) -> None:
    argv = ["/bin/sh", "-c", "cat /etc/passwd; /work/connects udp 127.0.0.1 53 1"]
    seen = learned(own, argv)
    own.watch.sensor.set_epoch([own.subject], own.subject, 7)
    again = own.see(argv)
    assert len(again.events) == len(seen.events)
    assert {event.epoch for event in again.opens()} == {7}


def test_another_invoked_name_is_told(own: Box) -> None:
    learned(own, ["/bin/true"])
    assert len(own.see(["/bin/echo"]).execs("/bin/busybox")) == 1
    own.container.run(["/bin/ln", "-s", "/bin/busybox", "/upper/true"])
    assert len(own.see(["/upper/true"]).execs("/bin/busybox")) == 1


def test_another_argv0_is_told(own: Box) -> None:
    """Busybox runs its applets as /proc/self/exe: only argv[0] tells them apart."""
    learned(own, ["/bin/sh", "-c", "cat /dev/null; :"])
    assert len(own.see(["/bin/sh", "-c", "wc /dev/null; :"]).execs("/bin/busybox")) >= 1


def test_another_parent_is_told(own: Box) -> None:
    learned(own, [NOTHING])
    seen = own.see(["/work/execs", "fork", "1", NOTHING])
    assert len(seen.execs(NOTHING)) == 1
    assert seen.execs(NOTHING)[0].by_exec_id == seen.execs("/work/execs")[0].process.exec_id


@pytest.mark.parametrize("name", ["LD_PRELOAD", "GLIBC_TUNABLES"])
def test_a_dangerous_variable_is_told(own: Box, name: str) -> None:
    learned(own, [NOTHING])
    assert len(own.see([NOTHING], {name: "/x"}).execs(NOTHING)) == 1
    assert own.see([NOTHING], {"HARMLESS": "/x"}).events == []


def test_sockets_as_standard_streams_are_told(own: Box) -> None:
    learned(own, ["/work/k_stdio", "unix", NOTHING])
    (event,) = own.see(["/work/k_stdio", "inet", NOTHING]).execs(NOTHING)
    assert event.inet_stdio


def test_another_mount_namespace_is_told(own: Box) -> None:
    learned(own, ["/bin/sh", "-c", f"cat /lower/f000001; exec {NOTHING}"])
    seen = own.see(["/bin/unshare", "-m", "/bin/sh", "-c", f"cat /lower/f000001; exec {NOTHING}"])
    assert len(seen.execs(NOTHING)) == 1
    assert len(seen.opens("/lower")) == 1


def test_another_container_learns_for_itself(own: Box, watch: Watch) -> None:
    directory = own.container.options.volumes["/volume"]
    learned(own, cat("/volume/f000001"))
    with watch.box(ContainerOptions(volumes={"/volume": directory})) as other:
        assert len(other.see(cat("/volume/f000001")).opens("/volume")) == 1


def test_what_entered_is_not_what_the_init_starts(watch: Watch) -> None:
    script = f"mkfifo /tmp/go; read x </tmp/go; {NOTHING}; sleep 100"
    with watch.box(ContainerOptions(init=["/bin/sh", "-c", script])) as box:
        go = box.container.rootfs / "tmp" / "go"
        deadline = time.monotonic() + 30
        while not go.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        learned(box, ["/bin/sh", "-c", f"{NOTHING}; :"])
        go.write_text("go\n")
        execs: list[ExecEvent] = []
        while not execs and time.monotonic() < deadline:
            execs = watch.take(box.subject).execs(NOTHING)
            time.sleep(0.01)
    assert len(execs) == 1
    assert not execs[0].flags & RecordFlag.ENTERED


@pytest.mark.parametrize(
    "other",
    [["tcp", "127.0.0.1", "82"], ["udp", "127.0.0.1", "81"], ["tcp", "127.0.0.2", "81"], ["tcp", "::1", "81"]],
    ids=" ".join,
)
def test_another_connect_is_told(own: Box, other: list[str]) -> None:
    learned(own, ["/work/connects", "tcp", "127.0.0.1", "81", "3"])
    assert len(own.see(["/work/connects", *other, "1"]).connects()) == 1


def test_a_silent_exec_lends_its_told_equal_to_what_follows(own: Box) -> None:
    """User space never hears of a known exec: what its process does next must still lead to an image it knows."""
    told = learned(own, ["/bin/sh", "-c", "cat /dev/null; :"]).execs()[0]
    seen = own.see(["/bin/sh", "-c", f"read x </upper/f000003; {NOTHING}; :"])
    (opened,), (execed,) = seen.opens("/upper"), seen.execs()
    assert opened.process.exec_id == execed.by_exec_id == told.process.exec_id
    assert opened.flags & execed.flags & RecordFlag.STAND_IN
    assert opened.process.pid != told.process.pid
    assert execed.process.exec_id not in (0, told.process.exec_id)


def test_names_too_long_for_the_key_are_never_cached(own: Box) -> None:
    long = "/upper/" + "x" * 80
    own.container.run(["/bin/cp", NOTHING, long])
    time.sleep(SETTLE_SECONDS)
    (event,) = own.see([long]).execs(long)
    assert event.cache_key == b""
    assert os.path.basename(event.invoked) == "x" * 80
