"""What the measurements run on: a real container that does as it is told, and real Driftline processes.

In: nothing. Out: ``Measured`` (a container under a watched root of this run alone), agents, collectors, tails, and what
they cost. Why a driver inside the container: what an orchestrator's exec starts counts as entered and would be judged
otherwise. Next: the measurements.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from rig import rootfs, session
from rig.agent import Agent
from rig.bundle import ContainerOptions
from rig.runc import RuncContainer

HERE = Path(__file__).parent
ROOT = f"{session.TOKEN}-bench"
"""Top-level cgroup of this run's containers, the only one its agents watch: others may use the machine."""

PYTHON = (sys.executable, "-m", "driftline")
CPU = os.cpu_count() or 1
ANSWER_SECONDS = 60.0
READY_SECONDS = 30.0
LEARNED = "/data/one"  # of the image, on the overlay's lower layer
TOLD = "/etc/shadow"  # of the image too; never learned, so each open of it is told
SMALL = "/work/nothing"  # a static program of the image
DROPPED = "/drop/nothing"  # the same, written into the container's writable layer


class Measured:
    """A container whose init does what ``ask`` says, on the last CPU."""

    def __init__(self, name: str, *, tmpfs: bool = False) -> None:
        self._undo = contextlib.ExitStack()
        self._pipes = Path(self._undo.enter_context(tempfile.TemporaryDirectory()))
        layer = Path(self._undo.enter_context(tempfile.TemporaryDirectory()))
        _compile(layer / "bench")
        for directory in (self._pipes, layer):
            directory.chmod(0o755)
        for pipe in ("in", "out"):
            os.mkfifo(self._pipes / pipe)
        options = ContainerOptions(
            init=("/bench/driver", str(CPU - 1)),
            volumes={"/pipes": self._pipes},
            tmpfs=("/storm",) if tmpfs else (),
        )
        layers = (layer, *rootfs.default_layers())
        self.container = RuncContainer(options, cgroup=f"/{ROOT}/{name}", lower=layers)

    def __enter__(self) -> Measured:
        self._undo.enter_context(self.container)
        small = self.container.rootfs / SMALL.lstrip("/")
        (self.container.rootfs / "drop").mkdir()
        shutil.copy2(small, self.container.rootfs / DROPPED.lstrip("/"))
        flags = os.O_RDWR | os.O_CLOEXEC
        self._in, self._out = (os.open(self._pipes / pipe, flags) for pipe in ("in", "out"))
        for descriptor in (self._in, self._out):
            self._undo.callback(os.close, descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def tell(self, verb: str, what: str, *numbers: int) -> None:
        """Have it do something; see driver.c."""
        padded = (*numbers, 0, 0, 0)[:3]
        os.write(self._in, f"{verb} {what} {' '.join(map(str, padded))}\n".encode())

    def answer(self) -> float:
        """Wait for what the last command gave."""
        if not select.select([self._out], [], [], ANSWER_SECONDS)[0]:
            raise TimeoutError("the container's driver does not answer")
        return float(os.read(self._out, 64))

    def ask(self, verb: str, what: str, *numbers: int) -> float:
        """``tell`` and ``answer``."""
        self.tell(verb, what, *numbers)
        return self.answer()


def _compile(directory: Path) -> None:
    directory.mkdir()
    subprocess.run(["cc", "-O2", "-static", "-o", directory / "driver", HERE / "driver.c"], check=True)


class WatchingAgent(Agent):
    """An agent that watches ``ROOT``; it learns all through unless ``options`` say otherwise."""

    def __init__(self, state: Path, *options: str, collector: str = "") -> None:
        link_cache(state)
        to = ("--collector", collector) if collector else ()
        defaults = ("--watched-roots", ROOT, "--learn-seconds", "3600", "--heartbeat-seconds", "0.5")
        super().__init__(state, *defaults, *options, *to, standalone=not collector)
        self.state = state

    def __enter__(self) -> WatchingAgent:
        super().__enter__()
        return self

    def status(self) -> dict[str, Any]:
        """What it counts, after at least one more heartbeat."""
        time.sleep(1.2)
        found: dict[str, Any] = json.loads((self.state / "status.json").read_text())
        return found


@contextlib.contextmanager
def agent(*options: str, collector: str = "") -> Iterator[WatchingAgent]:
    """An armed agent with an empty state directory."""
    with (
        tempfile.TemporaryDirectory(prefix=f"{session.TOKEN}-state-") as state,
        WatchingAgent(Path(state), *options, collector=collector) as one,
    ):
        yield one


def link_cache(state: Path) -> None:
    """Let an agent with a fresh state directory find the compiled programs of earlier ones."""
    cache = session.CACHE / "bpf"
    cache.mkdir(parents=True, exist_ok=True)
    (state / "cache").symlink_to(cache)


@contextlib.contextmanager
def collector() -> Iterator[str]:
    """A collector's address."""
    with tempfile.TemporaryDirectory(prefix=f"{session.TOKEN}-store-") as state:
        command = [*PYTHON, "collector", "--listen", "127.0.0.1:0", "--state", state]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            match = re.search(r"listening on (\S+),", process.stderr.readline())
            assert match is not None
            yield match[1]
        finally:
            end(process)


@contextlib.contextmanager
def tail(address: str) -> Iterator[subprocess.Popen[bytes]]:
    """``driftline tail --json`` following ``address``; its lines are on ``stdout``, unbuffered."""
    command = [*PYTHON, "tail", "--json", "--collector", address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Stop a process in order."""
    process.terminate()
    process.wait(READY_SECONDS)
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


def cpu_seconds(pid: int) -> float:
    """CPU a process has used, user and system, to the nanosecond (/proc/PID/stat counts in hundredths)."""
    return time.clock_gettime((~pid << 3) | 2)  # CPUCLOCK_SCHED of another process: clock_getcpuclockid(3)


def memory_mib(pid: int) -> dict[str, float]:
    """``Rss``, ``Pss`` and so on of a process in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
