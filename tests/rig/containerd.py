"""A private containerd with its own root, state and socket; its containers; and the end of them all.

In: OCI images. Out: running containers as a node has them (shim, runc, cgroup ``/NAMESPACE/ID``). Why our own daemon:
nothing is installed, configured or left on the machine. Next: the demo and tests of ``identify``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rig import cgroups, mounts, session
from rig.images import Image

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_RUN_SECONDS = 60.0
_RUNC = Path("/run/containerd/runc")  # runc's own state by namespace, which shims leave
_CRI = "io.containerd.grpc.v1.cri"
_CONFIG = """version = 2
root = "{directory}/root"
state = "{directory}/state"
disabled_plugins = [{disabled}]
[grpc]
  address = "{directory}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:rig"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{directory}/no-cni"
    conf_dir = "{directory}/no-cni"
"""  # restrict_oom_score_adj: CI machines have no CAP_SYS_RESOURCE; no CNI: pods with host network need none


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a container is run. ``volumes``: path in the container → path on the host, bind mounted."""

    argv: Sequence[str] = ()  # empty: the image's entrypoint
    namespace: str = session.NAMESPACE
    network: Path | None = None  # file of a network namespace; None: the host's
    volumes: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cgroup: str = ""  # default: /NAMESPACE/ID


@dataclass(frozen=True, slots=True)
class Task:
    """A running container. ``pid``: its init on the host; ``cgroup``: path in the hierarchies."""

    id: str
    namespace: str
    pid: int
    cgroup: str

    @property
    def cgroup_id(self) -> int:
        """Inode number of its cgroup2 directory."""
        return cgroups.cgroup_id(self.cgroup)


class Containerd:
    """The daemon in ``directory``. Made by ``running``; removes each container it ran, in reverse order."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "containerd.sock"
        self._containers = contextlib.ExitStack()

    def pull(self, image: Image, namespace: str = session.NAMESPACE) -> None:
        """Import ``image`` and give it a repository digest, as a pull from a registry would."""
        self.ctr("images", "import", "--snapshotter", "overlayfs", image.tar, namespace=namespace)
        by_digest = f"{image.name.rpartition(':')[0]}@{image.digest}"
        self.ctr("images", "tag", image.name, by_digest, namespace=namespace)

    def run(self, image: str, identifier: str, options: RunOptions | None = None) -> Task:
        """Run ``image`` in the background as container ``identifier``."""
        chosen = options or RunOptions()
        cgroup = chosen.cgroup or f"/{chosen.namespace}/{identifier}"
        self._containers.callback(_remove_state, _RUNC / chosen.namespace, identifier)
        self._containers.callback(_remove_cgroup, cgroup, cgroups.claim(cgroup))
        self._containers.callback(self.remove, identifier, chosen.namespace)
        with session.machine_lock():
            self.ctr("run", "-d", *_words(chosen), image, identifier, *chosen.argv, namespace=chosen.namespace)
        return Task(identifier, chosen.namespace, self._pid(identifier, chosen.namespace), cgroup)

    def exec(self, task: Task, argv: Sequence[str | Path], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` in the container and wait, as ``kubectl exec`` does."""
        name = f"exec-{time.monotonic_ns()}"
        return self.ctr("task", "exec", "--exec-id", name, task.id, *argv, namespace=task.namespace, check=check)

    def kill(self, task: Task, number: int = signal.SIGTERM) -> None:
        """Send a signal to the container's init."""
        self.ctr("task", "kill", "--signal", str(int(number)), task.id, namespace=task.namespace)

    def remove(self, identifier: str, namespace: str = session.NAMESPACE) -> None:
        """Kill and delete a container; one that is gone already is no error."""
        self.ctr("task", "rm", "--force", identifier, namespace=namespace, check=False)
        self.ctr("container", "rm", identifier, namespace=namespace, check=False)

    def ctr(
        self, *argv: str | Path, namespace: str = session.NAMESPACE, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run ctr against this daemon; ``RuntimeError`` with its words when it fails."""
        command = ["ctr", "--address", self.socket, "--namespace", namespace, *argv]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=_RUN_SECONDS,
            check=False,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"ctr {' '.join(map(str, argv))}: {done.stderr.strip()}{done.stdout.strip()}")
        return done

    def remove_containers(self) -> None:
        """Remove all that ``run`` made."""
        self._containers.close()

    def _pid(self, identifier: str, namespace: str) -> int:
        rows = [line.split() for line in self.ctr("task", "ls", namespace=namespace).stdout.splitlines()]
        return next(int(row[1]) for row in rows if row[0] == identifier)


@contextlib.contextmanager
def running(*, cri: bool = False) -> Iterator[Containerd]:
    """Start containerd, wait until it answers, and at the end leave nothing: containers, shims, mounts, files."""
    session.become_reaper()  # shims daemonise: they become our children, so that their end can be waited for
    daemon = Containerd(session.scratch("containerd"))
    with contextlib.ExitStack() as undo:
        undo.callback(mounts.discard, daemon.directory)
        undo.callback(_end_shims, daemon.directory)
        process = _start(daemon.directory, cri)
        undo.callback(_end, process)
        undo.callback(daemon.remove_containers)
        _wait_ready(daemon, process)
        yield daemon


def _start(directory: Path, cri: bool) -> subprocess.Popen[bytes]:
    config = directory / "config.toml"
    config.write_text(_CONFIG.format(directory=directory, disabled="" if cri else f'"{_CRI}"'))
    # Its own session: Ctrl-C must end the containers before the daemon that can end them.
    with (directory / "containerd.log").open("wb") as log:
        return subprocess.Popen(
            ["containerd", "--config", config],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_ready(daemon: Containerd, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while daemon.ctr("version", check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"containerd: {(daemon.directory / 'containerd.log').read_text()[-2000:]}")
        time.sleep(0.05)


def _words(options: RunOptions) -> list[str]:
    words = [] if options.network is None else ["--with-ns", f"network:{options.network}"]
    words += ["--net-host"] if options.network is None else []
    words += ["--cgroup", options.cgroup] if options.cgroup else []
    for target, source in options.volumes.items():
        words += ["--mount", f"type=bind,src={source},dst={target},options=rbind:rw"]
    for name, value in options.environment.items():
        words += ["--env", f"{name}={value}"]
    for name, value in options.labels.items():
        words += ["--label", f"{name}={value}"]
    return words


def _remove_cgroup(path: str, before: frozenset[Path]) -> None:
    with session.machine_lock():
        cgroups.remove(path, keep=before)


def _remove_state(namespace: Path, identifier: str) -> None:
    shutil.rmtree(namespace / identifier, ignore_errors=True)  # there if the daemon was killed
    with contextlib.suppress(OSError):  # another container of the namespace is there still, or it never came to one
        namespace.rmdir()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_SECONDS)


def _end_shims(directory: Path) -> None:
    """End shims that still serve ``directory``, and reap those that became our children."""
    for pid in _shims_of(directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + _STOP_SECONDS
    while _shims_of(directory) and time.monotonic() < until:
        time.sleep(0.01)
    session.reap("containerd-shim")


def _shims_of(directory: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if b"containerd-shim" in words and os.fsencode(directory) in words:
                found.append(int(entry.name))
    return found
