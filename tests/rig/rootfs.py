"""A small root file system for containers: static busybox, the workloads, a few files in /etc.

In: Debian's busybox-static. Out: lower layers for an overlay. Why shared and never changed: dozens of containers use
it as image at once; its name holds the digest of its contents. Next: ``runc`` and ``images``.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

from rig import session, workload

_BUSYBOX = Path("/bin/busybox")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/:/bin/sh\n",
    "etc/group": "root:x:0:\nwww:x:33:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\n",
    "etc/hostname": "rig\n",
    "data/one": "one\n",
    "data/two": "two\n",
}
_DIRECTORIES = ("bin", "dev", "etc", "data", "mnt", "proc", "root", "run", "sys", "tmp", "usr/bin", "var/log")


def default_layers() -> tuple[Path, ...]:
    """Lower layers of a test container, topmost first: workloads, then busybox."""
    return workload.layer(), busybox()


@cache
def busybox() -> Path:
    """Layer with /bin/busybox, a symlink for each applet and the files above."""
    digest = hashlib.sha256(_BUSYBOX.read_bytes() + repr((_FILES, _DIRECTORIES)).encode())
    return session.cached(f"busybox-{digest.hexdigest()[:16]}", _fill)


def _fill(root: Path) -> None:
    for name in _DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name, text in _FILES.items():
        (root / name).write_text(text)
    shutil.copy2(_BUSYBOX, root / "bin" / "busybox")
    listed = subprocess.run([_BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in listed:
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
