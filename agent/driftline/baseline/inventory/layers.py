"""An image's layers as one directory.

In: the directories of the layers, topmost first, as a container's overlay has them. Out: a root to read. Why a mount of
our own: the kernel knows what a whiteout or an opaque directory hides, and the container's writable layer is left out.
The mount lives in this process's own mount namespace and ends with it. Source: Documentation/filesystems/overlayfs.rst.
Only ``child`` uses it: the agent's own namespace must not change. Next: ``making``.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from driftline.baseline.inventory.schema import InventoryError

MAX_LAYERS = 500
"""Layers of one overlay the kernel takes (OVL_MAX_STACK)."""
_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 1, 2, 4, 8, 0x4000, 0x40000
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def one_root(layers: Sequence[str]) -> Iterator[str]:
    """Yield a directory that shows ``layers`` as one. More than one layer needs root. Raises InventoryError."""
    if not layers or len(layers) > MAX_LAYERS:
        raise InventoryError(f"{len(layers)} layers: an image has 1 to {MAX_LAYERS}")
    if len(layers) == 1:
        yield layers[0]
        return
    with tempfile.TemporaryDirectory(prefix="driftline-layers-") as directory:
        target = os.path.join(directory, "root")
        os.mkdir(target)
        try:
            _mount(layers, directory, target)
        except OSError as error:
            raise InventoryError(f"the image's layers cannot be mounted: {error.strerror}", "run as root") from error
        try:
            yield target
        finally:
            _libc.umount2(os.fsencode(target), _MNT_DETACH)


def _mount(layers: Sequence[str], directory: str, target: str) -> None:
    """Mount them read-only. Their paths go by short links: mount(2) takes one page, and a path may hold a colon."""
    for number, layer in enumerate(layers):
        os.symlink(layer, os.path.join(directory, str(number)))
    _check(_libc.unshare(_CLONE_NEWNS))
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    flags = _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    before = os.getcwd()
    os.chdir(directory)
    try:
        options = "lowerdir=" + ":".join(str(number) for number in range(len(layers)))
        _check(_libc.mount(b"overlay", os.fsencode(target), b"overlay", flags, options.encode()))
    finally:
        os.chdir(before)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
