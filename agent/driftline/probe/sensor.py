"""The running sensor: programs attached, rings read, verdicts written back.

In: settings and the cgroup2 root. Out: batches of record bytes; counters. Also the one place that writes the kernel's
maps: which cgroups are traced, their epochs, the verdict cache. Next: decode.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from driftline.errors import HostError
from driftline.probe import environment
from driftline.probe.build import build
from driftline.probe.counters import Counters
from driftline.probe.layout import (
    CONFIG,
    CONNECT_KEY_BYTES,
    EXEC_KEY_BYTES,
    EXEC_VALUE_BYTES,
    FILE_KEY_BYTES,
    FILE_VALUE_BYTES,
    PROCESS,
    ROOT_NAME_BYTES,
    SUBJECT,
    TRACED_CGROUP,
)
from driftline.probe.links import detached
from driftline.probe.loader import OPTIONAL, Loaded, attach, iterate, load
from driftline.probe.maps import Map
from driftline.probe.misses import misses
from driftline.probe.ring import Ring
from driftline.settings import Settings

NS = 1_000_000_000
DNS_RATE = 500  # answers per second of one container, each some 20 µs of the agent; a crawler or a forwarder gets there
BURST_SECONDS = 2  # a start-up may run this far ahead of a container's steady rate
# Containers first, so that none is missed while the rest attaches; then what tells whose process it is; then events.
ATTACH_ORDER = ("on_cgroup_mkdir", "on_cgroup_rmdir", "on_sched_process_fork", "on_sched_process_exit")
ENTERED, IS_INIT = 1 << 2, 1 << 3  # FLAG_ENTERED, FLAG_IS_INIT
ADOPT = "iter_task"  # run by adopt(), not attached
REDIRECT_DIR = Path("/sys/module/overlay/parameters/redirect_dir")
ROOTS_MAP_ENTRIES = 64


@dataclass(frozen=True, slots=True)
class KnownProcess:
    """A process inside a container. ``flags`` are RecordFlag bits ENTERED and IS_INIT."""

    pid: int
    start_ns: int
    exec_id: int
    flags: int


def _load(settings: Settings, provider: str, cache: Path | None) -> Loaded:
    """Load the programs: with plain loads, or with probe reads where the kernel refuses those (no JIT compiler)."""
    try:
        return load(build(provider, settings.ring_bytes, cache))
    except HostError:
        return load(build(provider, settings.ring_bytes, cache, plain_loads=False))


class Sensor:
    """Made by ``start``; ``close`` detaches everything."""

    def __init__(self, loaded: Loaded, provider: str) -> None:
        self.provider = provider
        self._loaded = loaded
        self._links: list[tuple[str, int]] = []
        self._settings: tuple[int, ...] = ()
        maps = loaded.maps
        self._traced = Map(maps["traced_cgroups"], 8, TRACED_CGROUP.size)
        self._subjects = Map(maps["subjects"], 8, SUBJECT.size)
        self._processes = Map(maps["processes"], 4, PROCESS.size)
        self._known_files = Map(maps["known_files"], FILE_KEY_BYTES, FILE_VALUE_BYTES)
        self._known_execs = Map(maps["known_execs"], EXEC_KEY_BYTES, EXEC_VALUE_BYTES)
        self._known_connects = Map(maps["known_connects"], CONNECT_KEY_BYTES, 1)
        self._counters = Counters(maps["counters"])
        self._actions, self._files = Ring(maps["actions"]), Ring(maps["files"])
        self.epoll_fds = (self._actions.epoll_fd, self._files.epoll_fd)

    @classmethod
    def start(cls, settings: Settings, provider: str, cgroup_root: Path, cache: Path | None) -> Sensor:
        """Build, load, configure, attach. Raises HostError or SettingsError; nothing stays behind then."""
        loaded = _load(settings, provider, cache)
        try:
            sensor = cls(loaded, provider)
        except BaseException:
            loaded.close()
            raise
        try:
            sensor._configure(settings)
            sensor._attach(cgroup_root)
        except BaseException:
            sensor.close()
            raise
        return sensor

    def _configure(self, settings: Settings) -> None:
        maps = self._loaded.maps
        rates = (settings.open_rate, settings.exec_rate, DNS_RATE)
        redirect = REDIRECT_DIR.exists() and REDIRECT_DIR.read_text().strip() == "Y"
        self._settings = (*(NS // rate for rate in rates), *(BURST_SECONDS * NS,) * len(rates), redirect)
        self._set_clock()
        roots = Map(maps["watched_roots"], ROOT_NAME_BYTES, 1)
        for name in settings.watched_roots[:ROOTS_MAP_ENTRIES]:
            roots.put(name.encode().ljust(ROOT_NAME_BYTES, b"\0")[:ROOT_NAME_BYTES], b"\1")
        dangerous = Map(maps["dangerous_environment"], environment.HEAD_BYTES, environment.VARIABLE.size)
        for head, variable in environment.variables().items():
            dangerous.put(head, variable)

    def _set_clock(self) -> None:
        """Tell the kernel side the wall clock, with which it compares files' change times."""
        wall = time.time_ns() - time.monotonic_ns()
        Map(self._loaded.maps["config"], 4, CONFIG.size).put(bytes(4), CONFIG.pack(*self._settings, wall))

    def _attach(self, cgroup_root: Path) -> None:
        programs = self._loaded.programs
        names = [*ATTACH_ORDER, *(name for name in programs if name not in (*ATTACH_ORDER, ADOPT))]
        root = os.open(cgroup_root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names:
                self._attach_one(name, root)
        except OSError as error:
            raise HostError(f"a program cannot be attached: {error}", "see `driftline doctor`") from error
        finally:
            os.close(root)

    def _attach_one(self, name: str, root: int) -> None:
        try:
            self._links.append((name, attach(name, self._loaded.programs[name], root)))
        except OSError as error:
            if name not in OPTIONAL:
                raise
            self._loaded.refused[name] = str(error)

    def shortcomings(self) -> list[str]:
        """What this sensor does not see because the kernel refuses it, a sentence each."""
        return [f"{OPTIONAL[name]}: {why}" for name, why in self._loaded.refused.items()]

    def troubles(self) -> list[str]:
        """What is not seen at present, a sentence each: shortcomings, and what somebody detached since."""
        return [*self.shortcomings(), *(f"program {name} was detached by somebody" for name in detached(self._links))]

    # --- reading -----------------------------------------------------------------------------------------------------

    def read(self) -> list[bytes]:
        """What both rings hold, execs first.

        The files ring is read first, so that the exec of a process that opened a file in this batch is in it too.
        """
        files = self._files.read()
        actions = self._actions.read()
        return actions + files if files else actions

    def counters(self) -> dict[tuple[str, str], int]:
        """(hook, counter) → count since the start. Called with every heartbeat, it also keeps the clocks together."""
        self._set_clock()
        return self._counters.read() | misses(self._loaded.programs)

    def held_back(self, subject: int) -> tuple[int, int]:
        """(events, DNS answers) the token buckets refused to this container so far."""
        raw = self._subjects.get(struct.pack("<Q", subject))
        if not raw:
            return 0, 0
        files, actions, answers = SUBJECT.unpack(raw)[7:]
        return files + actions, answers

    # --- verdict cache -----------------------------------------------------------------------------------------------

    def know_file(self, key: bytes, value: bytes) -> None:
        """Remember an open or load as expected."""
        self._known_files.put(key, value)

    def know_exec(self, key: bytes, value: bytes) -> None:
        """Remember an exec as expected."""
        self._known_execs.put(key, value)

    def know_connect(self, key: bytes) -> None:
        """Remember a connect as expected."""
        self._known_connects.put(key, b"\1")

    # --- containers --------------------------------------------------------------------------------------------------

    def trace(self, cgroup: int, subject: int, tree: bool, epoch: int = 0) -> bool:
        """Trace a cgroup that was there before us, or give it a new epoch. False when the table is full."""
        key = struct.pack("<Q", cgroup)
        fits = self._traced.put(key, TRACED_CGROUP.pack(subject, epoch, tree))
        if fits and subject == cgroup and self._subjects.get(key) is None:
            fits = self._subjects.put(key, bytes(SUBJECT.size))
        return fits

    def untrace(self, cgroup: int) -> None:
        """Look no more at a cgroup that is no container's."""
        self._traced.drop(struct.pack("<Q", cgroup))

    def set_epoch(self, cgroups: Iterable[int], subject: int, epoch: int) -> None:
        """Empty a subject's part of the verdict cache. ``cgroups``: its own and the nested ones."""
        for cgroup in cgroups:
            key = struct.pack("<Q", cgroup)
            raw = self._traced.get(key)
            if raw is not None:
                self._traced.put(key, TRACED_CGROUP.pack(subject, epoch, TRACED_CGROUP.unpack(raw)[2]))

    def adopt(self) -> None:
        """Take over the processes that ran in traced cgroups before the programs were attached. Raises HostError."""
        try:
            iterate(self._loaded.programs[ADOPT])
        except OSError as error:
            raise HostError(f"the processes already running cannot be listed: {error}") from error

    def process(self, pid: int) -> KnownProcess | None:
        """What the kernel side knows of a process, None if nothing."""
        raw = self._processes.get(struct.pack("<I", pid))
        if raw is None:
            return None
        start_ns, exec_id, *_identity, flags, _pad = PROCESS.unpack(raw)
        return KnownProcess(pid, start_ns, exec_id, flags)

    def relabel(self, pid: int, exec_id: int, flags: int) -> None:
        """Give a process taken over by ``adopt`` the image's id that lineage uses, and its descent.

        One that executed something since has its own id and keeps it.
        """
        key = struct.pack("<I", pid)
        raw = self._processes.get(key)
        if raw is None:
            return
        start_ns, known, *rest, _flags, pad = PROCESS.unpack(raw)
        if known == start_ns:  # as the iterator made it
            self._processes.put(key, PROCESS.pack(start_ns, exec_id, *rest, flags & (ENTERED | IS_INIT), pad))

    def forget(self, subject: int) -> None:
        """A container is gone for good."""
        self._subjects.drop(struct.pack("<Q", subject))

    def close(self) -> None:
        """Detach and unload everything."""
        for _name, link in self._links:
            os.close(link)
        self._links = []
        self._actions.close()
        self._files.close()
        self._loaded.close()
