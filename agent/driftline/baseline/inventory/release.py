"""Which distribution an image is of: the namespace of its packages' purls.

In: a root. Out: ``debian``, ``alpine``, ``rocky``, … Source: os-release(5). Next: ``dpkg``, ``apk``, ``rpm``.
"""

from __future__ import annotations

import re

from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.schema import InventoryError

MAX_RELEASE = 64 * 1024
"""Bytes of os-release; real ones have some 500."""
_PLAIN = re.compile(r"[a-z0-9._-]{1,40}")


def distribution(root: Root, default: str) -> str:
    """Return the ID of the distribution, ``default`` if it is not told."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            data = root.read(path, MAX_RELEASE)
        except InventoryError:
            continue
        for line in (data or b"").decode("utf-8", "replace").splitlines():
            name, _, value = line.partition("=")
            value = value.strip().strip("\"'")
            if name == "ID" and _PLAIN.fullmatch(value):
                return value
    return default
