"""The rig itself: containers are real, workloads do exactly what they say, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig import cgroups, containerd, images, leftovers, mounts, network, packages, rootfs, session, workload
from rig.bundle import DEFAULT_CAPABILITIES, ContainerOptions
from rig.runc import RuncContainer, run_once

pytestmark = pytest.mark.containers
PRIME = "23"


@pytest.fixture(scope="module")
def container() -> Iterator[RuncContainer]:
    options = ContainerOptions(tmpfs=("/mnt",), capabilities=(*DEFAULT_CAPABILITIES, "CAP_DAC_READ_SEARCH"))
    with RuncContainer(options) as running:
        running.run(["/work/opens", "creat", "/mnt", PRIME])
        running.run(["sh", "-c", "cp /work/nothing /tmp/nothing; echo a >/tmp/a; echo b >/tmp/b"])
        yield running


def test_process_is_in_its_own_cgroup(container: RuncContainer) -> None:
    lines = container.run(["cat", "/proc/self/cgroup"]).stdout.splitlines()
    assert f"0::{container.cgroup}" in lines
    assert container.cgroup_id == container.cgroup_directory.stat().st_ino
    assert str(container.pid) in (container.cgroup_directory / "cgroup.procs").read_text().split()


def test_writes_go_to_the_upper_layer(container: RuncContainer) -> None:
    container.run(["sh", "-c", "echo new >/root/new"])
    assert (container.upper / "root" / "new").read_text() == "new\n"


def test_hostile_bytes_survive_in_output(container: RuncContainer) -> None:
    assert container.run(["printf", "\\377\\033[31m"]).stdout == "\udcff\x1b[31m"


def test_environment_reaches_the_program(container: RuncContainer) -> None:
    assert container.run(["sh", "-c", 'echo "$LD_AUDIT"'], env={"LD_AUDIT": "x y"}).stdout == "x y\n"


def test_failure_says_what_the_program_wrote(container: RuncContainer) -> None:
    with pytest.raises(AssertionError, match="status 3: no luck"):
        container.run(["sh", "-c", "echo no luck >&2; exit 3"])


OPENS = (
    *("open", "relative", "openat", "openat2", "openat2-root", "creat", "write", "append", "truncate"),
    *("path", "failing", "handle", "uring", "uring2", "uring-direct", "compat"),
)


@pytest.mark.parametrize("mode", OPENS)
def test_opens(container: RuncContainer, mode: str) -> None:
    assert container.run(["/work/opens", mode, "/mnt", PRIME, "3"]).stdout == "opens 69\n"


EXECS = ("fork", "vfork", "thread", "fexecve", "empty", "memfd", "deleted", "renamed")


@pytest.mark.parametrize("mode", EXECS)
def test_execs(container: RuncContainer, mode: str) -> None:
    assert container.run(["/work/execs", mode, PRIME, "/tmp/nothing"]).stdout == f"execs {PRIME}\n"
    assert "nothing.renamed" not in container.run(["ls", "/tmp"]).stdout


@pytest.mark.parametrize(
    ("mode", "address", "answered"),
    [
        ("tcp", "127.0.0.1", 0),
        ("tcp", "::1", 0),
        ("udp", "127.0.0.1", 23),
        ("udp-sendto", "::1", 23),
        ("udp-sendmsg", "127.0.0.1", 23),
        ("uring", "127.0.0.1", 0),
        ("unix-stream", "/run/none.sock", 0),
        ("unix-dgram", "@none", 0),
    ],
)
def test_connects(container: RuncContainer, mode: str, address: str, answered: int) -> None:
    done = container.run(["/work/connects", mode, address, "9", PRIME])
    assert done.stdout == f"connects {PRIME} answered {answered}\n"


@pytest.mark.parametrize("mode", ["exec", "protect", "read"])
def test_mmaps(container: RuncContainer, mode: str) -> None:
    assert container.run(["/work/mmaps", mode, "/work/payload_shared.so", PRIME]).stdout == f"mmaps {PRIME}\n"


def test_deep_makes_a_path_longer_than_one_system_call_takes(container: RuncContainer) -> None:
    assert container.run(["/work/deep", "/tmp", "20", "255", PRIME]).stdout == f"deep {PRIME}\n"
    assert _depth(container.upper / "tmp") == 20


def test_fdswap_really_swaps(container: RuncContainer) -> None:
    words = container.run(["/work/fdswap", "/tmp/a", "/tmp/b", "100003"]).stdout.split()
    assert words[:2] == ["fdswap", "100003"]
    assert int(words[3]) > 0, "the race was never won: the workload proves nothing"


def test_pathrace_really_opens_both(container: RuncContainer) -> None:
    words = container.run(["/work/pathrace", "/tmp", "100003"]).stdout.split()
    assert int(words[2]) + int(words[4]) == 100003
    assert min(int(words[2]), int(words[4])) > 0


def test_storm_takes_its_time(container: RuncContainer) -> None:
    """It may fall behind its rate, never run ahead of it."""
    words = container.run(["/work/storm", "/mnt", "5003", "1"]).stdout.split()
    assert words[:2] == ["storm", "5003"]
    assert int(words[3]) >= 1000


def test_mover_moves() -> None:
    options = ContainerOptions(volumes={"/cg": cgroups.cgroup2_root()})
    with RuncContainer(options) as container:
        inner = container.cgroup_directory / "inner"
        inner.mkdir()
        procs = f"/cg{container.cgroup}/inner/cgroup.procs"
        done = container.run(["/work/mover", procs, "/data/one", PRIME])
        assert done.stdout == f"mover before {PRIME} after {PRIME}\n"


def test_short_lived_container() -> None:
    once = run_once(["/bin/sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (once.status, once.stdout, once.stderr) == (7, "out\n", "err\n")
    assert once.cgroup_id > 0
    assert not cgroups.directory(once.cgroup).exists()


def test_layers_on_two_file_systems(tmp_path: Path) -> None:
    with mounts.tmpfs("lower") as lower, mounts.tmpfs("upper") as upper:
        (lower / "from-tmpfs").write_text("yes\n")
        with RuncContainer(lower=(lower, *rootfs.default_layers()), upper=upper) as container:
            assert container.run(["cat", "/from-tmpfs"]).stdout == "yes\n"
            container.run(["touch", "/made"])
            assert (upper / "upper" / "made").exists()


def test_any_cgroup_path_and_its_parents_are_removed() -> None:
    top = f"/kubepods-{session.TOKEN}.slice"
    path = f"{top}/pod1.slice/cri-containerd-{'ab' * 32}.scope"
    with RuncContainer(cgroup=path) as container:
        assert container.cgroup_directory.is_dir()
    assert not any((root / top.lstrip("/")).exists() for root in cgroups.hierarchies())


def test_nothing_is_left_after_a_failure_inside() -> None:
    before = leftovers.snapshot()
    container = RuncContainer()
    with container:
        container.spawn(["sleep", "1000"])
        with pytest.raises(AssertionError):
            container.run(["sh", "-c", "sleep 1000 >/dev/null 2>&1 & mkdir /tmp/x; exit 1"])
    assert leftovers.since(before) == []
    assert not container.rootfs.exists()


def test_nothing_is_left_when_the_program_does_not_exist() -> None:
    before = leftovers.snapshot()
    with pytest.raises(RuntimeError, match="/no/such"):
        run_once(["/no/such"])
    assert leftovers.since(before) == []


def test_leftover_checker_sees_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of leftover is found: a process, a directory, a mount, a cgroup."""
    monkeypatch.setattr(leftovers, "SETTLE_SECONDS", 0.0)
    before = leftovers.snapshot()
    container = RuncContainer()
    container.start()
    kinds = {line.split()[0] for line in leftovers.since(before)}
    container.stop()
    monkeypatch.undo()
    assert kinds >= {"process", "directory", "mount", "cgroup"}
    assert leftovers.since(before) == []


_HOLD_A_MAP = """
import ctypes, struct, sys
attributes = struct.pack("5I", 2, 4, 8, 1, 0).ljust(128, b"\\0")  # BPF_MAP_CREATE: array of one
assert ctypes.CDLL(None).syscall(321, 0, attributes, 128) >= 0
print("ready", flush=True)
sys.stdin.read()
"""


def test_leftover_checker_sees_bpf_objects_of_descendants_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "SETTLE_SECONDS", 0.0)
    before = leftovers.snapshot()
    command = [sys.executable, "-c", _HOLD_A_MAP]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert [line for line in leftovers.since(before) if line.startswith("BPF map")]
        monkeypatch.setattr(session, "descendants", lambda: {os.getpid()})
        assert not [line for line in leftovers.since(before) if line.startswith("BPF map")]


def test_packages_have_their_database() -> None:
    layer = packages.layer(["dash"])
    status = (layer / "var/lib/dpkg/status").read_text()
    assert "Package: dash\nStatus: install ok installed\n" in status
    listed = (layer / "var/lib/dpkg/info/dash.list").read_text().splitlines()
    assert "/bin/dash" in listed
    assert (layer / "usr/bin/sh").readlink() == Path("dash")
    assert "bin/dash" in (layer / "var/lib/dpkg/info/dash.md5sums").read_text()


def test_dynamic_workload_runs_where_there_is_a_libc() -> None:
    with RuncContainer(lower=(workload.layer(), packages.layer(["dash"]))) as container:
        done = container.run(["/work/loads_dynamic", "/work/payload_shared.so", PRIME])
        assert done.stdout == f"loads {PRIME}\n"


def test_image_is_the_same_twice_and_runs_in_containerd(tmp_path: Path) -> None:
    before = leftovers.snapshot()
    options = images.ImageOptions(entrypoint=["/work/idle"])
    first, second = (
        images.build("localhost/rig:1", list(reversed(rootfs.default_layers())), options, tmp_path / name)
        for name in ("one.tar", "two.tar")
    )
    assert first.digest == second.digest
    assert first.tar.read_bytes() == second.tar.read_bytes()
    with network.veth() as net, containerd.running() as daemon:
        daemon.pull(first)
        assert first.digest in daemon.ctr("images", "ls").stdout
        task = daemon.run(first.name, f"{session.TOKEN}-web", containerd.RunOptions(network=net.namespace))
        assert task.cgroup_id == cgroups.cgroup_id(task.cgroup)
        assert net.inside in daemon.exec(task, ["/bin/ip", "address"]).stdout
        daemon.kill(task)
        _wait_gone(task.pid)
    assert leftovers.since(before) == []


def test_containerd_killed_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    options = images.ImageOptions(entrypoint=["/work/idle"])
    image = images.build("localhost/rig:1", list(reversed(rootfs.default_layers())), options, tmp_path / "i.tar")
    before = leftovers.snapshot()
    with containerd.running() as daemon:
        daemon.pull(image)
        daemon.run(image.name, f"{session.TOKEN}-orphan")
        for pid in session.children():
            if f"{daemon.directory}/config.toml".encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    assert leftovers.since(before) == []


def _depth(top: Path) -> int:
    """Levels of 255-byte names below ``top``; by descriptors, because their path is longer than PATH_MAX."""
    return sum(any(len(os.fsencode(name)) == 255 for name in names) for _, names, _, _ in os.fwalk(top))


def _wait_gone(pid: int) -> None:
    until = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
