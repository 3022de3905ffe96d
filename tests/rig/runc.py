"""A real container, run by runc, for a test: up in 50 ms, gone without a trace whatever happens.

In: ``ContainerOptions``, layers, a cgroup path. Out: ``RuncContainer`` with its cgroup id and a way to run things in
it; ``run_once`` for a container that is nothing but one short program. Why runc and no engine: no daemon, any cgroup
path, layers on any file system. Next: tests.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from rig import cgroups, mounts, rootfs, session
from rig.bundle import ContainerOptions, config

RUN_SECONDS = 60.0  # no workload takes longer; beyond it the container hangs
_STOP_SECONDS = 30.0  # what a killed process needs where others keep the machine busy
_numbers = itertools.count(1)

Argument = str | Path


class RuncContainer:
    """A running container. Use as a context manager, or ``start`` and ``stop`` it (``stop`` may be called again).

    ``lower``: image layers, topmost first (default: workloads over busybox). ``upper``: an empty directory on the file
    system that shall hold the writable layer (default: disk). ``cgroup``: path in the hierarchies (default
    ``/NAMESPACE/ID``, as containerd has it).
    """

    def __init__(
        self,
        options: ContainerOptions | None = None,
        *,
        identifier: str = "",
        cgroup: str = "",
        lower: Sequence[Path] = (),
        upper: Path | None = None,
    ) -> None:
        self.id = identifier or f"{session.TOKEN}-{next(_numbers)}"
        self.options = options or ContainerOptions()
        self.cgroup = cgroup or f"/{session.NAMESPACE}/{self.id}"
        self.cgroup_id = 0
        self.pid = 0  # of its init, on the host
        self._lower = lower
        self._upper = upper
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> RuncContainer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def rootfs(self) -> Path:
        """The container's root as the host sees it (its overlay)."""
        return self._directory / "rootfs"

    @property
    def upper(self) -> Path:
        """Its writable layer on the host."""
        return self._writable / "upper"

    @property
    def cgroup_directory(self) -> Path:
        """Its cgroup2 directory."""
        return cgroups.directory(self.cgroup)

    def start(self) -> None:
        """Create the container and run its init."""
        self.create()
        self.release()

    def create(self, stdout: int = subprocess.DEVNULL, stderr: int = subprocess.DEVNULL) -> None:
        """Everything up to the init's exec: ``pid``, ``cgroup_id`` and its mounts exist, its program has not begun."""
        session.become_reaper()
        try:
            self._prepare()
            self._create(stdout, stderr)
        except BaseException:
            self.stop()
            raise

    def release(self) -> None:
        """Let a created container execute its init."""
        self._runc("start", self.id)

    def stop(self) -> None:
        """Kill it and remove everything it had."""
        self._undo.close()

    def wait(self, seconds: float = RUN_SECONDS) -> int:
        """Wait for the init to end; return its exit status, negative for a signal."""
        pidfd = os.pidfd_open(self.pid)
        try:
            if not select.select([pidfd], [], [], seconds)[0]:
                raise TimeoutError(f"container {self.id} still runs after {seconds} s")
        finally:
            os.close(pidfd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def run(
        self, argv: Sequence[Argument], *, check: bool = True, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` in the container as an orchestrator's exec would, and wait.

        ``argv`` must be UTF-8: runc hands it on as JSON; a shell's ``printf '\\377'`` makes other bytes inside. What is
        left in the background must close its output: runc waits for it. Output is decoded with surrogateescape.
        With ``check``, a status other than 0 raises ``AssertionError`` with what the program wrote.
        """
        done = subprocess.run(
            self._exec(argv, env),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=RUN_SECONDS,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{argv}: status {done.returncode}: {done.stderr}{done.stdout}")
        return done

    def spawn(self, argv: Sequence[Argument], env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Like ``run``, in the background with pipes; the container's end ends it too."""
        process = subprocess.Popen(
            self._exec(argv, env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._undo.callback(_close, process)
        self._undo.callback(process.kill)
        return process

    def _exec(self, argv: Sequence[Argument], env: Mapping[str, str] | None) -> list[Argument]:
        settings = [word for name, value in (env or {}).items() for word in ("--env", f"{name}={value}")]
        return ["runc", "--root", self._state, "exec", *settings, self.id, *argv]

    @property
    def _state(self) -> Path:
        return self._directory / "state"

    def _prepare(self) -> None:
        """Directories, overlay and config.json; each undone in reverse order."""
        self._directory = session.scratch("runc")
        self._undo.callback(mounts.discard, self._directory)
        self._writable = self._upper or self._directory / "writable"
        for directory in (self.rootfs, self.upper, self._writable / "work"):
            directory.mkdir(parents=True)
        mounts.overlay(self.rootfs, self._lower or rootfs.default_layers(), self.upper, self._writable / "work")
        document = config(self.options, self.rootfs, self.cgroup)
        (self._directory / "config.json").write_text(json.dumps(document))

    def _create(self, stdout: int, stderr: int) -> None:
        pid_file = self._directory / "pid"
        self._undo.callback(self._remove_cgroups, cgroups.claim(self.cgroup))
        self._undo.callback(self._delete)
        with session.machine_lock():
            self._runc("create", "--bundle", self._directory, "--pid-file", pid_file, self.id, out=stdout, err=stderr)
        self.pid = int(pid_file.read_text())
        self.cgroup_id = cgroups.cgroup_id(self.cgroup)

    def _remove_cgroups(self, before: frozenset[Path]) -> None:
        with session.machine_lock():
            cgroups.remove(self.cgroup, keep=before)

    def _delete(self) -> None:
        if self.pid in session.children():  # else it was waited for, and its number may be another process's by now
            os.kill(self.pid, signal.SIGKILL)
            self._reap()
        subprocess.run(["runc", "--root", self._state, "delete", "--force", self.id], capture_output=True, check=False)

    def _reap(self) -> None:
        """Wait for the init, reaping its orphans that became our children: it cannot end before they are reaped."""
        until = time.monotonic() + _STOP_SECONDS
        while self.pid in session.children():
            for pid in session.children():
                with contextlib.suppress(OSError):  # another thread that waited for it reaped it meanwhile
                    if self._holds(pid):
                        os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > until:
                raise TimeoutError(f"container {self.id}: init {self.pid} does not end")
            time.sleep(0.002)

    def _holds(self, pid: int) -> bool:
        """Whether ``pid`` (perhaps a zombie) is in this container's cgroup or one nested in it."""
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        where = [line.removeprefix("0::").removesuffix(" (deleted)") for line in lines if line.startswith("0::")]
        return pid == self.pid or any(f"{path}/".startswith(f"{self.cgroup}/") for path in where)

    def _runc(self, *argv: Argument, out: int = subprocess.DEVNULL, err: int = subprocess.DEVNULL) -> None:
        """Run runc; its own words go to a log file, because the container inherits its standard streams."""
        log = self._directory / "runc.log"
        command = ["runc", "--root", self._state, "--log", log, *argv]
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False).returncode
        if status != 0:
            raise RuntimeError(f"runc {argv[0]}: status {status}: {log.read_text() if log.exists() else 'no log'}")


@dataclass(frozen=True, slots=True)
class Once:
    """What a container was that lived for one program."""

    id: str
    cgroup: str
    cgroup_id: int
    pid: int
    status: int
    stdout: str
    stderr: str


def run_once(argv: Sequence[str], options: ContainerOptions | None = None, *, cgroup: str = "") -> Once:
    """Run a container whose entrypoint is ``argv``, wait for its end and remove it: it may live 5 ms."""
    chosen = replace(options or ContainerOptions(), init=argv)
    container = RuncContainer(chosen, cgroup=cgroup)
    with _capture("stdout") as stdout, _capture("stderr") as stderr:
        try:
            container.create(stdout.fd, stderr.fd)
            container.release()
            status = container.wait()
        finally:
            container.stop()
        texts = stdout.text(), stderr.text()
    return Once(container.id, container.cgroup, container.cgroup_id, container.pid, status, *texts)


@dataclass(frozen=True, slots=True)
class _Captured:
    fd: int

    def text(self) -> str:
        return os.pread(self.fd, os.fstat(self.fd).st_size, 0).decode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _capture(name: str) -> Iterator[_Captured]:
    """A file, not a pipe: nobody need read while the container runs, and an orphan cannot keep it open."""
    fd = os.memfd_create(name)
    try:
        yield _Captured(fd)
    finally:
        os.close(fd)


def _close(process: subprocess.Popen[str]) -> None:
    process.wait(_STOP_SECONDS)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()
