"""What runs already is read from the real /proc by the real child, here from a process the test starts."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.identify import snapshot
from driftline.identify.snapshot import FIRST_EXEC_ID, TICK_NS, Snapshot, read_running
from driftline.nouns import Access, ConnectEvent, ExecEvent, LoadEvent, Loss, OpenEvent, Origin, RecordFlag

WORK = """
import os, subprocess, sys, time
kept = open(sys.argv[1] + "/appended", "a+")
gone = open(sys.argv[1] + "/gone", "w")
os.unlink(sys.argv[1] + "/gone")
memory = os.memfd_create("lab")
child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
child.wait()
"""
HOSTILE = os.fsdecode(b"--\xff\n\x1b[31m")


@pytest.fixture
def workload(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A Python process with open files and a child; their pids."""
    command = [sys.executable, "-c", WORK, str(tmp_path), HOSTILE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield process.pid, int(process.stdout.readline())
        assert process.stdin
        process.stdin.close()


def cgroup(at: Path, name: str, *pids: int) -> str:
    (at / name / "nested").mkdir(parents=True)
    (at / name / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids[:1]))
    (at / name / "nested/cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids[1:]))
    return str(at / name)


def read(tmp_path: Path, *pids: int) -> Snapshot:
    (found,) = read_running({77: cgroup(tmp_path, "box", *pids)})
    return found


def test_processes_of_nested_cgroups_too_with_parents_and_arguments(tmp_path: Path, workload: tuple[int, int]) -> None:
    parent, child = workload
    found = read(tmp_path, parent, child)
    assert found.losses == []
    first, second = (event for event in found.events if isinstance(event, ExecEvent))
    assert (first.process.pid, first.process.ppid, first.process.uid) == (parent, os.getpid(), os.getuid())
    assert first.argv[-1] == HOSTILE
    assert first.file.path == os.path.realpath(sys.executable)
    assert first.file.inode == os.stat(sys.executable).st_ino
    assert first.cgroup == second.cgroup == 77
    assert first.flags == RecordFlag.SNAPSHOT | RecordFlag.IS_INIT
    assert second.flags == RecordFlag.SNAPSHOT
    assert second.argv == ("sleep", "60")
    assert (second.by_exec_id, second.by_path) == (first.process.exec_id, first.file.path)
    assert first.process.exec_id >= FIRST_EXEC_ID


def test_start_times_compare_with_the_kernels(tmp_path: Path, workload: tuple[int, int]) -> None:
    found = read(tmp_path, workload[0])
    (event,) = (event for event in found.events if isinstance(event, ExecEvent))
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert now - 60 * 10**9 < event.process.start_ns <= now
    told = Path(f"/proc/{workload[0]}/stat").read_text().rpartition(")")[2].split()
    assert event.process.start_ns == int(told[19]) * TICK_NS
    assert found.seeds[0].image.exec_id == event.process.exec_id


def test_open_files_and_libraries(tmp_path: Path, workload: tuple[int, int]) -> None:
    events = read(tmp_path, workload[0]).events
    opens = {event.file.path: event for event in events if isinstance(event, OpenEvent)}
    appended = opens[str(tmp_path / "appended")]
    assert appended.access == Access.READ | Access.WRITE | Access.APPEND
    assert appended.file.inode == os.stat(tmp_path / "appended").st_ino
    assert opens[str(tmp_path / "gone")].file.origin is Origin.DELETED
    assert opens["/memfd:lab"].file.origin is Origin.MEMFD
    loads = {event.file.path for event in events if isinstance(event, LoadEvent)}
    assert any("/libc.so" in path or "/libc-" in path for path in loads)
    assert os.path.realpath(sys.executable) not in loads
    assert all(event.flags & RecordFlag.SNAPSHOT and not event.cache_key for event in events)


def test_who_does_not_descend_from_the_init_entered(tmp_path: Path, workload: tuple[int, int]) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        found = read(tmp_path, workload[0], workload[1], other.pid)
        other.kill()
    flags = {event.process.pid: event.flags for event in found.events if isinstance(event, ExecEvent)}
    assert flags[other.pid] == RecordFlag.SNAPSHOT | RecordFlag.ENTERED
    assert not flags[workload[1]] & RecordFlag.ENTERED


def test_processes_that_end_meanwhile_are_counted(tmp_path: Path, workload: tuple[int, int]) -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    found = read(tmp_path, workload[0], ended.pid)
    assert found.losses == [Loss("snapshot", "process_gone", 1, 77)]
    assert len(found.seeds) == 1


def test_processes_of_another_pid_namespace_are_counted(tmp_path: Path) -> None:
    assert read(tmp_path, 0).losses == [Loss("snapshot", "cut", 1, 77)]


def test_a_container_that_is_gone_is_empty(tmp_path: Path) -> None:
    (found,) = read_running({5: str(tmp_path / "gone")})
    assert found == Snapshot(5)


def test_nothing_to_read_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MODULE", "driftline.no_such_module")
    assert list(read_running({})) == []


def test_a_child_that_hangs_costs_one_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in for ``running`` answers about every directory but one, where it never returns."""
    (tmp_path / "hanging_reader.py").write_text(
        "import sys, time\n"
        "for directory in sys.argv[1:]:\n"
        "    if directory == 'hang': time.sleep(60)\n"
        '    print(\'{"processes":[],"opens":[],"loads":[],"connects":[],'
        '"gone":0,"cut":0,"unknown":0,"blind":0}\', flush=True)\n'
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(snapshot, "MODULE", "hanging_reader")
    monkeypatch.setattr(snapshot, "SNAPSHOT_SECONDS", 3.0)
    found = list(read_running({1: "a", 2: "hang", 3: "b"}))
    assert [one.cgroup for one in found] == [1, 2, 3]
    assert [one.losses for one in found] == [[], [Loss("snapshot", "not_read", 1, 2)], []]


def test_sockets_as_standard_streams_and_dangerous_variables(tmp_path: Path) -> None:
    """A shell that talks to a socket when the agent comes is as interesting as one started later."""
    left, right = socket.socketpair()
    environment = {"PATH": os.environ["PATH"], "PERL5LIB": "/x", "MY_LD_PRELOAD": "/y", "BASH_ENV": ""}
    with (
        left,
        right,
        subprocess.Popen(["sleep", "60"], stdin=left.fileno(), stdout=left.fileno(), env=environment) as process,
    ):
        found = read(tmp_path, process.pid)
        process.kill()
    (event,) = (event for event in found.events if isinstance(event, ExecEvent))
    assert (event.inet_stdio, event.unix_stdio) == (0, 0b011)
    assert event.environment == ("PERL5LIB", "BASH_ENV")


def test_sockets_that_cannot_be_looked_up_are_counted(tmp_path: Path) -> None:
    """Entering a network namespace needs CAP_SYS_ADMIN; a listening socket is no connection in any case."""
    with socket.create_server(("127.0.0.1", 0)):
        found = read(tmp_path, os.getpid())
    assert not any(isinstance(event, ConnectEvent) for event in found.events)
    unreadable = Loss("snapshot", "sockets_unreadable", 1, 77)
    assert (unreadable in found.losses) == (os.geteuid() != 0)
