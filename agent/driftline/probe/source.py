"""The BPF programs as one text.

In: bpf/*.bpf.c and bpf/include. Out: one C text per provider. Why one text: BCC rewrites map methods only in its main
file. ``#line`` keeps errors pointing at the right file. Next: ``compiler``.
"""

from __future__ import annotations

from pathlib import Path

INCLUDES = (
    "record.h",
    "loss.h",
    "prelude.h",
    "maps.h",
    "subject.h",
    "path.h",
    "file.h",
    "open.h",
    "connect.h",
    "security.h",
    "image.h",
)
ALWAYS = ("exec", "fork", "exit", "cgroup", "left", "connect", "dns", "adopt")
PROVIDERS = {
    "lsm": ("lsm",),
    "fentry": ("fentry",),
    "sys_exit": ("sys_exit", "io_uring"),
}


def bpf_directory() -> Path:
    """Where the C sources lie: beside the package when installed, in the checkout otherwise."""
    here = Path(__file__).resolve()
    installed = here.parents[1] / "bpf"
    return installed if installed.is_dir() else here.parents[3] / "bpf"


def join(provider: str) -> str:
    """One text of every program of ``provider``, in a fixed order."""
    directory = bpf_directory()
    names = [f"include/{name}" for name in INCLUDES]
    names += [f"{name}.bpf.c" for name in (*ALWAYS, *PROVIDERS[provider])]
    return "".join(f'#line 1 "{name}"\n{(directory / name).read_text()}\n' for name in names)
