"""Compiles tests/workloads/*.c once, into a directory that serves as an image layer.

In: C sources. Out: ``/work/NAME`` static programs (one dynamic, one library) below a layer directory in the cache.
Why a layer and not a volume: a test's program must come from the image, or its exec is drift. Next: ``rootfs``.
"""

from __future__ import annotations

import hashlib
import subprocess
from functools import cache
from pathlib import Path

from rig import session

_SOURCES = session.REPOSITORY / "tests" / "workloads"
_FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-D_GNU_SOURCE")


@cache
def layer() -> Path:
    """Directory with ``work/NAME`` for each workload; compiled when a source, a header or a flag changed."""
    sources = sorted(_SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(repr(_FLAGS).encode())
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return session.cached(f"workloads-{digest.hexdigest()[:16]}", lambda half: _build(sources, half))


def _build(sources: list[Path], half: Path) -> None:
    (half / "work").mkdir()
    for source in sources:
        if source.suffix == ".c":
            _compile(source, half / "work" / source.stem)


def _compile(source: Path, target: Path) -> None:
    linking = ["-static"]
    if source.stem.endswith("_shared"):
        target, linking = target.with_suffix(".so"), ["-shared", "-fPIC"]
    elif source.stem.endswith("_dynamic"):
        linking = []
    done = subprocess.run(["cc", *_FLAGS, *linking, "-o", target, source], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"cc {source.name}: {done.stderr}")
