"""``python -m driftline.baseline.inventory.child``: makes one inventory, saves it, ends.

In: a ``Request`` as JSON on standard input. Out: the file in the state directory; an error is one line on standard
error and the exit status. Why: see ``apart``. Next: ``apart`` loads the file.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path

from driftline.baseline.inventory.apart import Request
from driftline.baseline.inventory.fields import Sbom
from driftline.baseline.inventory.layers import one_root
from driftline.baseline.inventory.making import make
from driftline.baseline.inventory.packed import path_of, save
from driftline.baseline.inventory.sbom import read_sbom
from driftline.baseline.inventory.schema import InventoryError
from driftline.baseline.inventory.syftrun import run_syft

MEMORY = 1536 * 1024**2
"""Address space, bytes: the largest document that is read (2 million objects) takes about 1 GiB."""
NICENESS = 10
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> int:
    """Make what standard input asks for; return the exit status."""
    _end_with_parent()
    os.nice(NICENESS)
    limit_memory()
    values = json.load(sys.stdin)
    try:
        _make(Request(**{**values, "layers": tuple(values["layers"])}))
    except InventoryError as error:
        print(error.args[0], file=sys.stderr)
        return error.exit_status
    except MemoryError:
        print(f"it needs more than {MEMORY} bytes of memory", file=sys.stderr)
        return InventoryError.exit_status
    return 0


def _end_with_parent() -> None:
    """Be told to end when the agent does; whoever is told to end removes its temporary files first."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def limit_memory() -> None:
    """Let this process have no more than MEMORY; Syft, its child, may raise its own limit again."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _make(request: Request) -> None:
    target = path_of(request.state_dir, request.image)
    sbom = read_sbom(Path(request.sbom)) if request.sbom else None
    if not request.layers:
        save(make(None, sbom, request.image).inventory, target)
        return
    with one_root(request.layers) as root:
        if request.syft and sbom is None:
            sbom = _syft(root)
        made = make(root, sbom, request.image)
        save(made.inventory, target, made.executables)


def _syft(root: str) -> Sbom:
    with tempfile.TemporaryDirectory(prefix="driftline-sbom-") as directory:
        target = Path(directory, "sbom.json")
        run_syft(root, target)
        return read_sbom(target)


if __name__ == "__main__":
    sys.exit(main())
