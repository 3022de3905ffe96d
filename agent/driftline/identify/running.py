"""Reads containers that ran before the agent: ``python -m driftline.identify.running CGROUP_DIRECTORY…``.

In: directories of containers in the mounted cgroup2 tree. Out: one line of JSON for each on standard output, as soon
as it is read. Why a process of its own: psutil and pyroute2 stay out of the agent's memory, entering network namespaces
stays out of its threads, and one that hangs is killed. The only module that imports psutil. Next: ``snapshot``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import psutil

from driftline.identify import procfs
from driftline.identify.origins import Mount, origin_of, parse_mounts
from driftline.identify.sockets import NONE, Connection, Sockets, sockets_of
from driftline.nouns import Origin
from driftline.probe.environment import NAMES

MAX_PROCESSES = 2_048
"""Processes read of one container."""
MAX_ROWS = 8_192
"""Opens, and loads, told of one container; the same file open in the same way is told once."""
MAX_DEPTH = 32
"""Levels of nested cgroups."""
_GONE = (OSError, psutil.Error, ValueError)


class Container:
    """What is read of one container."""

    def __init__(self, sockets: Callable[[int], Sockets]) -> None:
        self._sockets_of = sockets
        self._mounts: dict[int, list[Mount]] = {}
        self.processes: list[dict[str, Any]] = []
        self.opens: dict[tuple[str, int], list[Any]] = {}
        self.loads: dict[str, list[Any]] = {}
        self.connects: dict[Connection, list[Any]] = {}
        self.gone = 0  # processes that ended while they were read
        self.cut = 0  # what the bounds left out
        self.unknown = 0  # files whose origin could not be decided
        self.blind = 0  # processes whose connections could not be read

    def read(self, directory: str) -> None:
        """Read every process of the container and its nested cgroups."""
        pids, cut = _pids(directory)
        self.cut += cut
        for pid in pids:
            try:
                self._read_process(pid)
            except _GONE:
                self.gone += 1
        _mark_descent(self.processes)

    def as_json(self) -> dict[str, Any]:
        """Return all of it in plain lists; ``snapshot`` reads them."""
        return {
            "processes": self.processes,
            "opens": list(self.opens.values()),
            "loads": list(self.loads.values()),
            "connects": list(self.connects.values()),
            "gone": self.gone,
            "cut": self.cut,
            "unknown": self.unknown,
            "blind": self.blind,
        }

    def _read_process(self, pid: int) -> None:
        process = psutil.Process(pid)
        root = procfs.root(pid)
        row = _identity(pid, process, root)
        mounts = self._mounts_of(pid, row["mount_ns"])
        program = procfs.executable(pid, root)
        row["file"] = self._file(program, mounts)
        descriptors = list(procfs.descriptors(pid, root))
        loads = [seen for seen in procfs.executable_mappings(pid, root) if not _same(seen, program)]
        held = {found.socket for found in descriptors if found.socket}
        sockets = self._sockets(pid, bool(held))
        row |= _standard_streams(descriptors, sockets.internet)
        if not process.is_running():
            raise psutil.NoSuchProcess(pid)  # its pid may be another's by now: nothing read above counts
        self.processes.append(row)
        for found in descriptors:
            if found.seen:
                self._keep(self.opens, (found.seen.path, found.access), [pid, found.access], found.seen, mounts)
        for seen in loads:
            self._keep(self.loads, seen.path, [pid], seen, mounts)
        for inode in held & sockets.outbound.keys():
            connection = sockets.outbound[inode]
            self.connects.setdefault(connection, [pid, *connection])

    def _keep(
        self, rows: dict[Any, list[Any]], key: Any, row: list[Any], seen: procfs.Seen, mounts: list[Mount]
    ) -> None:
        if key in rows:
            return
        if len(rows) >= MAX_ROWS:
            self.cut += 1
            return
        rows[key] = [*row, self._file(seen, mounts)]

    def _sockets(self, pid: int, wanted: bool) -> Sockets:
        try:
            return self._sockets_of(pid) if wanted else NONE
        except OSError:
            self.blind += 1
            return NONE

    def _file(self, seen: procfs.Seen, mounts: list[Mount]) -> list[Any]:
        state = seen.state
        origin = origin_of(seen.path, state, mounts)
        self.unknown += origin is Origin.UNKNOWN
        return [seen.path, origin, state.st_dev, state.st_ino, state.st_nlink, state.st_mode, state.st_size]

    def _mounts_of(self, pid: int, namespace: int) -> list[Mount]:
        if namespace not in self._mounts:
            with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                self._mounts[namespace] = parse_mounts(file.read())
        return self._mounts[namespace]


def _pids(directory: str) -> tuple[list[int], int]:
    """Return the pids in ``directory`` and below, and how many were left out."""
    pids: list[int] = []
    hidden = 0
    for at, below, _ in os.walk(directory):
        if at.count("/") - directory.count("/") >= MAX_DEPTH:
            below.clear()
        try:
            with open(os.path.join(at, "cgroup.procs"), encoding="ascii") as file:
                found = [int(line) for line in file]
        except OSError:
            continue  # removed, or a threaded cgroup: its processes are told above it
        hidden += found.count(0)  # in a pid namespace we cannot see into
        pids += [pid for pid in found if pid]
    return pids[:MAX_PROCESSES], hidden + max(len(pids) - MAX_PROCESSES, 0)


def _identity(pid: int, process: psutil.Process, root: str) -> dict[str, Any]:
    status = procfs.status(pid)
    with process.oneshot():
        uids, gids = process.uids(), process.gids()
        return {
            "pid": pid,
            "ppid": process.ppid(),
            "ticks": procfs.start_ticks(pid),
            "uid": uids.real,
            "euid": uids.effective,
            "gid": gids.real,
            "comm": process.name()[:15],
            "argv": procfs.argv(pid),
            "cwd": procfs.working_directory(pid, root),
            "tty": (process.terminal() or "").removeprefix("/dev/"),
            "mount_ns": procfs.namespace(pid, "mnt"),
            "first": status.namespace_init,
            "capabilities": status.capabilities,
            "environment": procfs.variables(pid, NAMES),
        }


def _standard_streams(descriptors: Iterable[procfs.Descriptor], internet: frozenset[int]) -> dict[str, int]:
    """Bit n: descriptor n is an internet socket; another socket, which for standard streams means a Unix one."""
    streams = {"inet_stdio": 0, "unix_stdio": 0}
    for found in descriptors:
        if found.socket and found.number <= 2:
            streams["inet_stdio" if found.socket in internet else "unix_stdio"] |= 1 << found.number
    return streams


def _mark_descent(processes: list[dict[str, Any]]) -> None:
    """Mark the container's init and who entered: ``init``, ``entered``.

    The init is pid 1 of its namespace, or (host's or pod's pid namespace) the oldest whose parent is outside. Who does
    not descend from it entered from outside. An orphan of such a process, handed to the init, cannot be told any more.
    """
    processes.sort(key=lambda row: (row["ticks"], row["pid"]))
    known = {row["pid"]: row for row in processes}
    outsiders = [row for row in processes if row["ppid"] not in known]
    init = next((row for row in outsiders if row["first"]), outsiders[0] if outsiders else None)
    for row in processes:
        row["init"] = row is init
        row["entered"] = _eldest(row, known) is not init


def _eldest(row: dict[str, Any], known: dict[int, dict[str, Any]]) -> dict[str, Any]:
    for _ in range(len(known)):
        above = known.get(row["ppid"])
        if above is None:
            break
        row = above
    return row


def _same(left: procfs.Seen, right: procfs.Seen) -> bool:
    return os.path.samestat(left.state, right.state)


def main(directories: list[str]) -> None:
    """Print a line for each directory, in their order."""
    cache: dict[int, Sockets] = {}

    def sockets(pid: int) -> Sockets:
        namespace = procfs.namespace(pid, "net")
        if namespace not in cache:
            cache[namespace] = sockets_of(pid)
        return cache[namespace]

    for directory in directories:
        container = Container(sockets)
        container.read(directory)
        print(json.dumps(container.as_json()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
