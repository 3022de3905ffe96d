"""A virtual machine with another kernel and this machine's own file system.

In: an unpacked kernel, a command. Out: what the command printed, and its exit status. The guest's root is the host's,
read-only below a tmpfs: nothing a guest does stays. Software emulation (TCG): works without KVM, five times slower.
Next: ``matrix``.
"""

from __future__ import annotations

import lzma
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig import mounts, session
from vm import kernels

MEMORY = "2500M"  # tmpfs for all the guest writes included
RUN_SECONDS = 900  # three compilations under emulation on a loaded machine take three minutes
VIRTIOFSD = Path("/usr/lib/qemu/virtiofsd")
_HERE = Path(__file__).parent
_MODULES = ("virtio_pci", "virtiofs", "overlay", "virtio_rng")
_TOOLS = ("sh", "mount", "mkdir", "cp", "insmod", "poweroff", "switch_root")
# bpf among the security modules: Debian builds it in but does not start it by itself
_COMMAND_LINE = "console=ttyS0 panic=-1 quiet lsm=lockdown,yama,apparmor,bpf"


def run(kernel: Path, command: str, append: str = "") -> tuple[int, str]:
    """Boot, run ``command`` with bash, power off. Returns its status (125: it never ended) and the console's text."""
    directory = session.scratch("vm")
    try:
        with _file_server(directory / "socket"):
            done = subprocess.run(
                _qemu(kernel, _initrd(kernel, command, directory), directory / "socket", append),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=RUN_SECONDS,
                check=False,
            )
    finally:
        mounts.discard(directory)
    text = done.stdout.replace("\r", "") + done.stderr
    status = [line.split()[1] for line in text.splitlines() if line.startswith("VM-EXIT ")]
    return int(status[-1]) if status else 125, text


@contextmanager
def _file_server(socket: Path) -> Iterator[None]:
    command = [str(VIRTIOFSD), f"--socket-path={socket}", "-o", "source=/", "-o", "sandbox=chroot", "-o", "cache=auto"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until = time.monotonic() + 10
            while not socket.exists():
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("virtiofsd does not start")
                time.sleep(0.05)
            yield
        finally:
            server.terminate()


def _qemu(kernel: Path, initrd: Path, socket: Path, append: str) -> list[str]:
    words = f"""nice -n 10 qemu-system-x86_64 -m {MEMORY} -smp 2 -accel tcg,thread=multi -cpu max
        -nographic -no-reboot -nodefaults -serial stdio
        -object memory-backend-memfd,id=memory,size={MEMORY},share=on -numa node,memdev=memory
        -device vhost-user-fs-pci,chardev=files,tag=root"""
    files = ["-chardev", f"socket,id=files,path={socket}"]
    boot = ["-kernel", str(kernels.image(kernel)), "-initrd", str(initrd), "-append", f"{_COMMAND_LINE} {append}"]
    return [*words.split(), *files, *boot]


def _initrd(kernel: Path, command: str, directory: Path) -> Path:
    root = directory / "initrd"
    for name in ("bin", "proc", "sys", "dev", "modules", "host", "changes", "root"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin" / "busybox")
    for name in _TOOLS:
        (root / "bin" / name).symlink_to("busybox")
    order = [_copy_module(file, root / "modules") for file in kernels.module_files(kernel, _MODULES)]
    (root / "modules" / "order").write_text("".join(f"{name}\n" for name in order))
    shutil.copy(_HERE / "guest-init.sh", root / "init")
    (root / "init").chmod(0o755)
    shutil.copy(_HERE / "guest-run.sh", root)
    (root / "command").write_text(f"cd {session.REPOSITORY}\n{command}\n")
    archive = directory / "initrd.cpio"
    subprocess.run("find . | cpio -o -H newc --quiet > ../initrd.cpio", shell=True, cwd=root, check=True)
    return archive


def _copy_module(file: Path, target: Path) -> str:
    """Uncompressed: busybox's insmod and older kernels want it so."""
    data = file.read_bytes()
    name = file.name.removesuffix(".xz")
    (target / name).write_bytes(lzma.decompress(data) if file.suffix == ".xz" else data)
    return name
