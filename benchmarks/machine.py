"""What the figures were measured on.

In: nothing. Out: lines for the head of RESULTS.md. Next: ``run``.
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

from driftline.probe.libbpf import LIB

COMMANDS = {
    "bpftrace": ("bpftrace", "--version"),
    "runc": ("runc", "--version"),
    "cc": ("cc", "--version"),
}


def describe() -> list[str]:
    """Machine, versions, commit, and how busy it was when the measurements began."""
    system = os.uname()
    load = " ".join(f"{one:.2f}" for one in os.getloadavg())
    packages = ", ".join(f"{name} {version(name)}" for name in ("grpcio", "protobuf", "sqlalchemy", "msgpack"))
    tools = ", ".join(filter(None, (_first_line(command) for command in COMMANDS.values())))
    return [
        f"- date: {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}",
        f"- processor: {_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores (virtual machine); "
        f"memory {int(_field('/proc/meminfo', 'MemTotal').split()[0]) // 1024:,} MiB",
        f"- kernel: {system.sysname} {system.release} {system.machine}; BPF JIT "
        f"{'on' if _read('/proc/sys/net/core/bpf_jit_enable').strip() != '0' else 'off'}",
        f"- versions: Python {platform.python_version()}, {packages}, "
        f"libbpf {LIB.libbpf_version_string().decode().removeprefix('v')}, {tools}",
        f"- driftline: commit {_commit()}",
        f"- load average at the start: {load}",
    ]


def _commit() -> str:
    here = Path(__file__).parent
    commit = _run("git", "-C", str(here), "rev-parse", "--short", "HEAD")
    changed = _run("git", "-C", str(here), "status", "--porcelain", "--untracked-files=no")
    return commit + (" with changes not committed" if changed else "")


def _first_line(command: tuple[str, ...]) -> str:
    try:
        return _run(*command).partition("\n")[0]
    except FileNotFoundError:
        return ""


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _field(path: str, name: str) -> str:
    lines = (line.partition(":") for line in _read(path).splitlines())
    return next((value.strip() for key, _colon, value in lines if key.strip() == name), "unknown")
