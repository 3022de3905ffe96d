"""Execs: all seen, none twice, what really runs, by whom, and how it came into the container."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from driftline.nouns import Origin, RecordFlag
from kernel.watching import Box, Watch
from rig.bundle import ContainerOptions

COUNT = 23
NOTHING = "/work/nothing"


@pytest.mark.parametrize("mode", ["fork", "vfork", "thread", "fexecve", "empty"])
def test_each_way_to_execute_is_seen_once(box: Box, mode: str) -> None:
    execs = box.see(["/work/execs", mode, str(COUNT), NOTHING]).execs(NOTHING)
    assert len(execs) == COUNT
    assert len({event.process.exec_id for event in execs}) == COUNT
    assert len({(event.process.pid, event.process.start_ns) for event in execs}) == COUNT
    assert {event.process.tid for event in execs} == {event.process.pid for event in execs} or mode == "thread"
    assert {event.file.origin for event in execs} == {Origin.IMAGE}
    assert {event.argv for event in execs} == {(NOTHING,)}


def test_an_exec_says_which_image_the_process_ran_before(box: Box) -> None:
    seen = box.see(["/work/execs", "thread", "3", NOTHING])
    (parent,) = seen.execs("/work/execs")
    assert {event.by_exec_id for event in seen.execs(NOTHING)} == {parent.process.exec_id}
    assert parent.by_exec_id == 0, "it came from the runtime"


def test_memfd_executables_are_told_as_such(box: Box) -> None:
    execs = [
        event for event in box.see(["/work/execs", "memfd", "7", NOTHING]).execs() if event.file.path != "/work/execs"
    ]
    assert [(event.file.path, event.file.origin) for event in execs] == [("memfd:payload", Origin.MEMFD)] * 7


def test_deleted_executables_are_told_as_such(box: Box) -> None:
    execs = box.see(["/bin/sh", "-c", f"cd /upper && exec /work/execs deleted 7 {NOTHING}"]).execs("/upper/execs.copy")
    assert [event.file.origin for event in execs] == [Origin.DELETED] * 7
    assert {event.file.links for event in execs} == {0}


def test_a_file_renamed_between_open_and_exec_has_the_name_it_has_now(box: Box) -> None:
    box.container.run(["/bin/cp", NOTHING, "/upper/program"])
    execs = box.see(["/work/execs", "renamed", "11", "/upper/program"]).execs("/upper/program.renamed")
    assert len(execs) == 11


@pytest.mark.parametrize(
    ("place", "origin"), [("/upper", Origin.WRITABLE), ("/volume", Origin.VOLUME), ("/tmpfs", Origin.TMPFS)]
)
def test_the_origin_of_an_executable(box: Box, place: str, origin: Origin) -> None:
    box.container.run(["/bin/cp", NOTHING, f"{place}/dropped"])
    (event,) = box.see([f"{place}/dropped"]).execs(f"{place}/dropped")
    assert event.file.origin is origin


def test_a_script_tells_itself_and_its_interpreter(box: Box) -> None:
    box.container.run(["/bin/sh", "-c", "printf '#!/bin/sh -e\\n:\\n' >/upper/script; chmod +x /upper/script"])
    (event,) = box.see(["/upper/script", "one"]).execs("/bin/busybox")
    assert event.flags & RecordFlag.SCRIPT
    assert (event.invoked, event.interpreter) == ("/upper/script", "/bin/sh")
    assert event.argv == ("/bin/sh", "-e", "/upper/script", "one")
    assert event.cache_key == b"", "the interpreter's file says nothing about the script"


def test_busybox_applets_keep_their_names(box: Box) -> None:
    execs = box.see(["/bin/sh", "-c", "/bin/true; cat /dev/null; /bin/true"]).execs("/bin/busybox")
    assert [(e.invoked, e.argv[0]) for e in execs[1:3]] == [("/bin/true", "/bin/true"), ("/proc/self/exe", "cat")]


def test_a_relative_name_and_the_directory_it_starts_from(box: Box) -> None:
    (event,) = box.see(["/bin/sh", "-c", "cd /work; exec ./nothing"]).execs(NOTHING)
    assert (event.invoked, event.cwd) == ("./nothing", "/work")


def test_arguments_come_byte_for_byte(box: Box) -> None:
    script = f"exec {NOTHING} $(printf '\\377\\376') '' 'two words' $(printf '\\033[31m')"
    (event,) = box.see(["/bin/sh", "-c", script]).execs(NOTHING)
    assert event.argv == (NOTHING, "\udcff\udcfe", "", "two words", "\x1b[31m")


def test_long_arguments_are_cut_and_marked(box: Box) -> None:
    (event,) = box.see([NOTHING, *["0123456789"] * 500]).execs(NOTHING)
    assert event.flags & RecordFlag.ARGV_TRUNCATED
    assert len("\0".join(event.argv)) == 2047
    assert event.argv[:3] == (NOTHING, "0123456789", "0123456789")


def test_dangerous_environment_is_told_by_name(box: Box) -> None:
    environment = {"LD_PRELOAD": "/secret", "HOME": "/", "GLIBC_TUNABLES": "x", "XLD_AUDIT": "1", "LD_AUDITX": "1"}
    (event,) = box.see([NOTHING], env=environment).execs(NOTHING)
    assert set(event.environment) == {"LD_PRELOAD", "GLIBC_TUNABLES"}


def test_a_variable_at_the_end_of_a_long_environment_is_found(box: Box) -> None:
    filling = {f"FILL{number}": "LD_PRELOAD=" + "x" * 3000 for number in range(15)}
    (event,) = box.see([NOTHING], env={**filling, "LD_AUDIT": "/x"}).execs(NOTHING)
    assert event.environment == ("LD_AUDIT",)


def test_an_environment_too_long_to_look_at_is_marked_and_counted(box: Box) -> None:
    before = box.watch.counted("exec", "env_truncated")
    (event,) = box.see([NOTHING], env={"FILL": "x" * 100_000, "LD_AUDIT": "/x"}).execs(NOTHING)
    assert event.flags & RecordFlag.ENV_TRUNCATED
    assert event.cache_key == b""
    assert box.watch.counted("exec", "env_truncated") == before + 1


@pytest.mark.parametrize(("kind", "inet", "unix"), [("inet", 3, 0), ("unix", 0, 3)])
def test_sockets_as_standard_streams(box: Box, kind: str, inet: int, unix: int) -> None:
    (event,) = box.see(["/work/k_stdio", kind, NOTHING]).execs(NOTHING)
    assert (event.inet_stdio & 3, event.unix_stdio & 3) == (inet, unix)


def test_the_terminal(box: Box) -> None:
    seen, done = box.told(["/work/k_tty", NOTHING])
    (event,) = seen.execs(NOTHING)
    assert event.tty == done.stdout.split()[1]
    assert seen.execs("/work/k_tty")[0].tty == ""


def test_an_exec_into_the_container_and_all_it_starts_are_marked(box: Box) -> None:
    execs = box.see(["/bin/sh", "-c", f"(/bin/true; {NOTHING}) & wait; /work/execs vfork 3 {NOTHING}"]).execs()
    assert len(execs) == 7
    assert all(event.flags & RecordFlag.ENTERED for event in execs)
    assert not any(event.flags & (RecordFlag.IS_INIT | RecordFlag.NO_LINEAGE) for event in execs)


def test_what_the_init_starts_is_not_marked(watch: Watch) -> None:
    """Orphans included: a grandchild whose parent ended belongs to the init still."""
    orphan = f"sleep 0.05; {NOTHING}; : >/tmp/done"
    script = f"(({orphan}) &); {NOTHING}; until [ -e /tmp/done ]; do sleep 0.05; done"
    once = watch.once(["/bin/sh", "-c", script])
    execs = watch.take(once.cgroup_id).execs()
    assert all(bool(event.flags & RecordFlag.IS_INIT) == (event.process.pid == once.pid) for event in execs)
    assert not any(event.flags & (RecordFlag.ENTERED | RecordFlag.NO_LINEAGE) for event in execs)
    assert len([event for event in execs if event.file.path == NOTHING]) == 2
    assert execs[0].process.pid == once.pid


def test_an_init_that_executes_again_stays_the_init(watch: Watch) -> None:
    once = watch.once(["/bin/sh", "-c", f"exec {NOTHING}"])
    first, second = watch.take(once.cgroup_id).execs()
    assert first.flags & second.flags & RecordFlag.IS_INIT
    assert (second.by_exec_id, second.process.start_ns) == (first.process.exec_id, first.process.start_ns)


def test_containers_that_live_a_moment_are_seen_whole(watch: Watch) -> None:
    for _ in range(5):
        once = watch.once([NOTHING])
        seen = watch.take(once.cgroup_id)
        kinds = [type(event).__name__ for event in seen.events]
        assert kinds == ["CgroupEvent", "ExecEvent", "CgroupEvent"]
        assert seen.execs()[0].file.path == NOTHING


def test_another_mount_namespace_is_flagged(box: Box) -> None:
    seen = box.see(["/bin/unshare", "-m", NOTHING])
    (event,) = seen.execs(NOTHING)
    assert event.flags & RecordFlag.FOREIGN_MOUNT_NS


def test_who_and_with_what_rights(watch: Watch, layer: Path) -> None:
    with watch.box(ContainerOptions(uid=33, capabilities=("CAP_CHOWN",))) as box:
        (event,) = watch.take(box.subject).execs("/work/idle")
    assert (event.process.uid, event.process.gid, event.process.euid) == (33, 33, 33)
    assert event.capabilities == 0, "a user without ambient capabilities has none after exec"
    assert event.process.comm == "idle"


def test_a_directory_too_deep_to_tell_is_marked(box: Box) -> None:
    box.container.run(["/work/deep", "/tmpfs", "110", "1", "0"])
    script = "cd /tmpfs; for n in $(seq 110); do cd -P ./*/ 2>/dev/null || break; done; exec /work/nothing"
    (event,) = box.see(["/bin/sh", "-c", script]).execs(NOTHING)
    assert event.cwd.startswith("…/")


@pytest.mark.parametrize("mode", ["fork", "thread"])
def test_a_process_that_ended_is_forgotten(box: Box, mode: str) -> None:
    """Also when a thread that is not the leader executed: the table of processes never fills with the dead."""
    execs = box.see(["/work/execs", mode, str(COUNT), NOTHING]).execs()
    assert len(execs) == COUNT + 1
    deadline = time.monotonic() + 30  # the last of them is reaped a moment after its parent's end
    while left := [event.process.pid for event in execs if box.watch.sensor.process(event.process.pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def test_a_process_that_runs_is_known_until_it_ends(box: Box) -> None:
    box.watch.take(box.subject)
    process = box.container.spawn(["/bin/sleep", "100"])
    deadline = time.monotonic() + 30
    while not (execs := box.watch.take(box.subject).execs()):
        assert time.monotonic() < deadline
    (event,) = execs
    known = box.watch.sensor.process(event.process.pid)
    assert known is not None
    assert (known.exec_id, known.start_ns) == (event.process.exec_id, event.process.start_ns)
    process.kill()
