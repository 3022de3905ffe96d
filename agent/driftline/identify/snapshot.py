"""Containers that ran before the agent, as if their events had been seen: execs, opens, loads, connects.

In: containers' cgroups; lines of JSON from a child process, ``running``. Out: ``Snapshot``. Why: learning and lineage
start with what is already there. What it cannot know (how files were opened at first, who started whom before, the
runtime's files) stays unknown, and every event carries ``RecordFlag.SNAPSHOT``. Next: ``lineage`` and ``baseline``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from driftline.identify.lineage import Seed
from driftline.nouns import (
    ConnectEvent,
    Event,
    ExecEvent,
    ExecImage,
    File,
    LoadEvent,
    Loss,
    OpenEvent,
    Origin,
    Process,
    RecordFlag,
)

SNAPSHOT_SECONDS = 10.0
"""Longest one container may take; usual are 5 ms, and 0.3 s for the child to start. A file system that hangs is
the container's own doing and must not hold up the others."""
MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longest description of one container; a large one has 200 KiB."""
FIRST_EXEC_ID = 1 << 62
"""Exec ids made here start beyond the kernel's, which are times in nanoseconds since boot."""
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
"""/proc tells start times in ticks, 10 ms nearly everywhere: a ``start_ns`` made here is the kernel's, rounded down."""
MODULE = "driftline.identify.running"


@dataclass(slots=True)
class Snapshot:
    """What one container was doing."""

    cgroup: int
    events: list[Event] = field(default_factory=list)  # execs first, parents before children
    seeds: list[Seed] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)


def read_running(directories: dict[int, str]) -> Iterator[Snapshot]:
    """Read the containers with the given cgroup ids and directories, one after the other.

    Blocks for ``SNAPSHOT_SECONDS`` a container at most, for some milliseconds usually. One that could not be read comes
    empty, with a loss that says so; those after it are still read.
    """
    exec_ids = count(FIRST_EXEC_ID)
    remaining = list(directories)
    while remaining:
        for line in _lines([sys.executable, "-m", MODULE, *(directories[cgroup] for cgroup in remaining)]):
            yield _convert(remaining.pop(0), line, exec_ids)
        if remaining:
            cgroup = remaining.pop(0)
            yield Snapshot(cgroup, losses=[Loss("snapshot", "not_read", 1, cgroup)])


def _lines(command: list[str]) -> Iterator[bytes]:
    """Yield the child's lines until it ends, one takes too long or is too long."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        try:
            while (line := _next_line(child)).endswith(b"\n"):
                yield line
        finally:
            child.kill()


def _next_line(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdout
    alarm = threading.Timer(SNAPSHOT_SECONDS, child.kill)
    alarm.start()
    try:
        return child.stdout.readline(MAX_LINE_BYTES)
    finally:
        alarm.cancel()
        alarm.join()


def _convert(cgroup: int, line: bytes, exec_ids: count[int]) -> Snapshot:
    told = json.loads(line)
    builder = _Builder(cgroup, time.monotonic_ns(), exec_ids)
    for row in told["processes"]:
        builder.add_process(row)
    events = builder.events()
    events += [OpenEvent(**builder.common(row[0]), file=_file(row[2]), access=row[1]) for row in told["opens"]]
    events += [LoadEvent(**builder.common(row[0]), file=_file(row[1])) for row in told["loads"]]
    events += [ConnectEvent(**builder.common(row[0]), **_peer(row)) for row in told["connects"]]
    causes = {
        "process_gone": told["gone"],
        "cut": told["cut"],
        "origin_unknown": told["unknown"],
        "sockets_unreadable": told["blind"],
    }
    losses = [Loss("snapshot", cause, number, cgroup) for cause, number in causes.items() if number]
    return Snapshot(cgroup, events, builder.seeds, losses)


class _Builder:
    def __init__(self, cgroup: int, now: int, exec_ids: count[int]) -> None:
        self.seeds: list[Seed] = []
        self._cgroup = cgroup
        self._now = now
        self._exec_ids = exec_ids
        self._rows: dict[int, dict[str, Any]] = {}
        self._processes: dict[int, Process] = {}
        self._flags: dict[int, int] = {}

    def add_process(self, row: dict[str, Any]) -> None:
        pid = row["pid"]
        start_ns = row["ticks"] * TICK_NS
        self._rows[pid] = row
        self._processes[pid] = Process(
            pid=pid,
            tid=pid,
            ppid=row["ppid"],
            start_ns=start_ns,
            exec_id=next(self._exec_ids),
            uid=row["uid"],
            gid=row["gid"],
            euid=row["euid"],
            comm=row["comm"],
        )
        flags = RecordFlag.SNAPSHOT
        if row["entered"]:
            flags |= RecordFlag.ENTERED
        if row["init"]:
            flags |= RecordFlag.IS_INIT
        self._flags[pid] = int(flags)

    def common(self, pid: int) -> dict[str, Any]:
        """What every event of a process has. Nothing of it is known to the kernel's verdict cache."""
        return {
            "kernel_ns": self._now,
            "cgroup": self._cgroup,
            "process": self._processes[pid],
            "flags": self._flags[pid],
            "epoch": 0,
            "cache_key": b"",
            "cache_value": b"",
        }

    def events(self) -> list[Event]:
        """Make the exec of every process, and the seeds of its lineage."""
        events: list[Event] = []
        for pid, row in self._rows.items():
            event = self._exec(pid, row)
            process = event.process
            image = ExecImage(
                process.exec_id,
                pid,
                process.start_ns,
                event.file.path,
                event.argv,
                process.uid,
                row["entered"],
            )
            self.seeds.append(Seed(image, event.by_exec_id, self._cgroup))
            events.append(event)
        return events

    def _exec(self, pid: int, row: dict[str, Any]) -> ExecEvent:
        """The parent stands for the image that ran this one: it may have executed another program since."""
        parent = self._processes.get(row["ppid"])
        argv = tuple(row["argv"])
        file = _file(row["file"])
        return ExecEvent(
            **self.common(pid),
            file=file,
            invoked=file.path,  # what was given to execve is not kept anywhere
            interpreter="",
            argv=argv,
            cwd=row["cwd"],
            tty=row["tty"],
            environment=tuple(row["environment"]),
            inet_stdio=row["inet_stdio"],
            unix_stdio=row["unix_stdio"],
            by_exec_id=parent.exec_id if parent else 0,
            by_path=self._rows[parent.pid]["file"][0] if parent else "",
            capabilities=row["capabilities"],
        )


def _file(row: list[Any]) -> File:
    path, origin, device, inode, links, mode, size = row
    return File(path, Origin(origin), device, inode, links, mode, size)


def _peer(row: list[Any]) -> dict[str, Any]:
    _, family, protocol, address, port = row
    return {"family": family, "protocol": protocol, "address": address, "port": port, "result": 0}
