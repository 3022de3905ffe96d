"""Record the golden captures anew: real containers of one small image, as ``driftline capture`` sees them.

In: root on a kernel that can run us, and containerd. Out: captures/NAME.cap beside this file, only of our own
containers. Run it after every change of the record ABI or of a capture's notes, from the repository, then ``expect``:

    PYTHONPATH=tests .venv/bin/python -m pipeline.record && PYTHONPATH=tests .venv/bin/python -m pipeline.expect

and read the difference before you commit it.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from driftline.probe.capture import CaptureWriter, read_capture
from driftline.source import CLOCK_KIND, LOSS_KIND
from rig import containerd, images, rootfs, session
from rig.bundle import ContainerOptions
from rig.runc import RuncContainer

CAPTURES = Path(__file__).parent / "captures"
IMAGE = "localhost/golden:1"
NAMESPACE = "default"  # of containerd, and so the cgroup above: the agent's own default watches it
SERVICE = (
    "read x </data/one; echo started >/tmp/log; cat /etc/hostname; /work/connects udp 127.0.0.1 53 1; exec /work/idle"
)
PROBE = ("/bin/cat", "/etc/hostname")
HOSTILE = r"""n=$(printf '/tmp/a\n\033[31m<b>\377'); cp /bin/busybox "$n"; "$n" true"""
DEEDS = (
    "cp /bin/busybox /tmp/sh; /tmp/sh -c 'cat /etc/shadow'",
    "/work/execs memfd 1 /work/nothing",
    "echo x >/usr/bin/extra; cp /data/two /tmp/payload.so; /work/mmaps exec /tmp/payload.so 1",
    "/work/connects udp 192.0.2.7 443 1; /work/connects udp 169.254.169.254 80 1",
    "read x </data/two",
    HOSTILE,
)
POD = f"/libpod_parent/{'a' * 64}/libpod-{'b' * 64}"


@contextlib.contextmanager
def capturing(name: str, socket: Path, ours: set[int]) -> Iterator[None]:
    """``driftline capture`` around what is inside; then only what is ``ours`` is kept, as captures/NAME.cap."""
    with tempfile.TemporaryDirectory() as directory:
        raw = Path(directory) / "raw.cap"
        command = [sys.executable, "-m", "driftline", "capture", str(raw), "--containerd-socket", str(socket)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert process.stderr
        print(process.stderr.readline().strip())
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            print(process.stderr.read().strip())
            process.stderr.close()
            assert process.wait(30) == 0
        keep(raw, CAPTURES / f"{name}.cap", ours)


def keep(raw: Path, target: Path, ours: set[int]) -> None:
    """Copy the clock and our containers' records; fail if anything was lost, for then the result is chance."""
    kept = []
    for record in read_capture(raw):
        assert record[2] != LOSS_KIND, "records were lost: record again on a quieter machine"
        cgroup, subject = (int.from_bytes(record[at : at + 8], "little") for at in (16, 24))
        if record[2] == CLOCK_KIND or ours & {cgroup, subject}:
            kept.append(record)
    with contextlib.closing(CaptureWriter(target)) as writer:
        writer.write(kept)
    print(f"{target.name}: {len(kept)} records, {target.stat().st_size} bytes")


def usual(daemon: containerd.Containerd, task: containerd.Task) -> None:
    """Four probes: a probe is learned at its third time."""
    for _ in range(4):
        daemon.exec(task, PROBE)


def attack(daemon: containerd.Containerd, task: containerd.Task) -> None:
    """Every kind of deviation a small image can show."""
    usual(daemon, task)
    for deed in DEEDS:
        daemon.exec(task, ["/bin/sh", "-c", deed], check=False)


def from_start(daemon: containerd.Containerd, name: str, do: Callable[..., None]) -> None:
    """A capture of a container's whole life."""
    ours: set[int] = set()
    with capturing(name, daemon.socket, ours):
        task = daemon.run(
            IMAGE, f"golden-{name}", containerd.RunOptions(argv=["/bin/sh", "-c", SERVICE], namespace=NAMESPACE)
        )
        ours.add(task.cgroup_id)
        do(daemon, task)
        daemon.remove(task.id, NAMESPACE)


def late(daemon: containerd.Containerd) -> None:
    """A container that ran before the capture."""
    task = daemon.run(IMAGE, "golden-late", containerd.RunOptions(argv=["/bin/sh", "-c", SERVICE], namespace=NAMESPACE))
    with capturing("late", daemon.socket, {task.cgroup_id}):
        usual(daemon, task)
    daemon.remove(task.id, NAMESPACE)


def pod(socket: Path) -> None:
    """Podman's cgroups, made by runc: a pod with an id for a name, a container in it, a cgroup nested in that."""
    ours: set[int] = set()
    with capturing("pod", socket, ours), RuncContainer(ContainerOptions(), cgroup=POD) as container:
        ours.add(container.cgroup_id)
        ours.add(container.cgroup_directory.parent.stat().st_ino)
        nested = container.cgroup_directory / "nested"
        nested.mkdir()
        ours.add(nested.stat().st_ino)
        container.run(["/bin/sh", "-c", "cp /bin/busybox /tmp/sh; /tmp/sh true"], check=False)
        nested.rmdir()


def main() -> None:
    """Record all of them."""
    CAPTURES.mkdir(exist_ok=True)
    directory = session.scratch("golden")
    layers = list(reversed(rootfs.default_layers()))
    image = images.build(IMAGE, layers, images.ImageOptions(), directory / "image.tar")
    with containerd.running() as daemon:
        daemon.pull(image, NAMESPACE)
        from_start(daemon, "usual", usual)
        from_start(daemon, "attack", attack)
        late(daemon)
        pod(daemon.socket)
    image.tar.unlink()
    directory.rmdir()


if __name__ == "__main__":
    main()
