"""From C sources to an ``Object``: cache first, else the compile child.

In: provider name, ring sizes, cache directory. Out: ``Object``. Why a cache: compiling takes a second, loading its
result a fraction. The key holds everything the result depends on: text, flags, this kernel's BTF. Next: ``loader``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from driftline.errors import HostError, SettingsError
from driftline.probe.headers import OVERLAY, VMLINUX, load_overlay
from driftline.probe.object import Object
from driftline.probe.source import join

COMPILE_SECONDS = 60  # a slow, loaded node needs ten; something hangs beyond this
TOLD_LINES = 8  # of what the compiler says: the first errors, which the others follow from
PAGE_BYTES = 4096
RING_BYTES = 1 << 30  # the kernel takes no larger ring
ACTION_RING_BYTES = 1024 * 1024  # execs and connects: some 1 500; the agent reads every millisecond under load


def flags(ring_bytes: int, plain_loads: bool = True) -> list[str]:
    """Preprocessor flags for the given size of the files ring in bytes. Raises SettingsError unless a power of two."""
    if ring_bytes & (ring_bytes - 1) or not PAGE_BYTES <= ring_bytes <= RING_BYTES:
        raise SettingsError(f"ring_bytes is {ring_bytes}", f"a power of two from {PAGE_BYTES} to {RING_BYTES}")
    return [
        f"-DRING_ACTION_PAGES={ACTION_RING_BYTES // PAGE_BYTES}",
        f"-DRING_FILE_PAGES={ring_bytes // PAGE_BYTES}",
        *([] if plain_loads else ["-DPROBE_READS"]),
        "-Wno-macro-redefined",
        "-Wno-address-of-packed-member",
    ]


def cache_key(text: str, cflags: list[str]) -> str:
    """Hex digest of all the result depends on."""
    digest = hashlib.sha256()
    digest.update(json.dumps([text, cflags, os.uname().release, os.uname().version]).encode())
    for path in (VMLINUX, OVERLAY):
        if path.exists():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def build(provider: str, ring_bytes: int, cache: Path | None, plain_loads: bool = True) -> Object:
    """Compiled programs of ``provider``. Raises HostError with clang's words when they do not compile."""
    load_overlay()  # before the key: its types are part of it
    text, cflags = join(provider), flags(ring_bytes, plain_loads)
    path = cache / f"{cache_key(text, cflags)}.bpf" if cache else None
    if path and (found := _from_cache(path)):
        return found
    data = _compile(text, cflags)
    compiled = Object.from_bytes(data)
    if path:
        _to_cache(path, data)
    return compiled


def _from_cache(path: Path) -> Object | None:
    """The cached object, if it is whole and only root could have written it."""
    try:
        status = path.stat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        digest, data = path.read_bytes().split(b"\n", 1)
        return Object.from_bytes(data) if hashlib.sha256(data).hexdigest().encode() == digest else None
    except (OSError, ValueError):
        return None


def _to_cache(path: Path, data: bytes) -> None:
    """Keep for the next start. A full or read-only disk costs a second then, nothing else."""
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.write_bytes(hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
        temporary.chmod(0o600)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):  # also when the directory is the trouble
            temporary.unlink()


def _compile(text: str, cflags: list[str]) -> bytes:
    request = json.dumps({"text": text, "flags": cflags}).encode()
    command = [sys.executable, "-m", "driftline.probe.compiler"]
    try:
        child = subprocess.run(command, input=request, capture_output=True, timeout=COMPILE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise HostError(
            f"compiling the BPF programs took over {COMPILE_SECONDS} s", "look at the node's load"
        ) from error
    if child.returncode == 0:
        return child.stdout
    words = child.stderr.decode(errors="replace").strip().splitlines()
    if any("No module named 'bcc'" in line for line in words):
        raise HostError(
            "bcc is not installed for " + sys.executable,
            "apt-get install python3-bpfcc, and a virtual environment made by /usr/bin/python3 --system-site-packages",
        )
    told = [line for line in words if " error: " in line][:TOLD_LINES] or words[-TOLD_LINES:]
    raise HostError("the BPF programs did not compile on this kernel:\n    " + "\n    ".join(told))
