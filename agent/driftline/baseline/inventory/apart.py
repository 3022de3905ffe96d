"""Makes an inventory in a process of its own, so that the agent stays lean and nothing in an image can hold it up.

In: where the image lies. Out: the inventory, and the file it is kept in. Why a child: reading 100 000 files' records
takes 300 MiB for seconds; a child gives them back, is niced, has limits of memory and time, and may be killed. Its
other side is ``child``. Next: the agent keeps the inventory with the image's baseline.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass

from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.packed import load, path_of
from driftline.baseline.inventory.schema import InventoryError

MODULE = "driftline.baseline.inventory.child"
SECONDS = 420.0
"""Longest run: Syft's own limit, and two minutes for everything else."""
CLEAN_UP_SECONDS = 5.0
"""What it has to remove its temporary files before it is killed."""
_SHOWN = 2_000  # characters of the child's complaint


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to make an inventory of."""

    image: str  # digest of the image, "sha256:…"
    state_dir: str
    layers: tuple[str, ...] = ()  # directories, topmost first; or one root
    sbom: str = ""  # file, "" for none
    syft: bool = False  # without an SBOM: let Syft make one


def make_apart(request: Request, seconds: float = SECONDS) -> Inventory:
    """Make and keep the inventory of an image; return it. Blocks for seconds. Raises InventoryError."""
    try:
        status, said = _run(json.dumps(asdict(request)).encode(), seconds)
    except subprocess.TimeoutExpired as error:
        raise InventoryError(f"the inventory of {request.image} took longer than {seconds:g} s") from error
    except OSError as error:
        raise InventoryError(f"the inventory of {request.image} cannot be made: {error.strerror}") from error
    if status != 0:
        raise InventoryError(f"the inventory of {request.image} cannot be made: {said or f'exit status {status}'}")
    inventory = load(path_of(request.state_dir, request.image))
    if inventory is None:
        raise InventoryError(f"the inventory of {request.image} is gone", "look who cleans the state directory")
    return inventory


def _run(request: bytes, seconds: float) -> tuple[int, str]:
    """Return the child's exit status and its complaint. Raises OSError or TimeoutExpired; the child is gone then."""
    command = [sys.executable, "-m", MODULE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        try:
            _nothing, said = child.communicate(request, timeout=seconds)
        except subprocess.TimeoutExpired:
            _end(child)
            raise
    return child.returncode, said.decode("utf-8", "replace").strip()[-_SHOWN:]


def _end(child: subprocess.Popen[bytes]) -> None:
    """Let it clean up, then make it go."""
    child.terminate()
    try:
        child.wait(CLEAN_UP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
