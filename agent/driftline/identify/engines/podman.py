"""Podman, which has no daemon: its storage on disk names containers and images. CRI-O keeps the same storage.

In: a container id. Out: ``Answer``, without labels: those are in Podman's own database, whose form changes. Source of
the format: containers/storage, ``containers.json`` and ``images.json`` below ``DRIVER-containers``, ``DRIVER-images``.
Only the storage named in the settings is read, so rootless containers stay unnamed. Next: ``resolver``.
"""

from __future__ import annotations

import glob
import json
import os
import re
from typing import Any

from driftline.errors import EngineError
from driftline.identify.engines import Answer, EngineAbsent

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Size of a storage file; one of 1 000 containers has about 1 MiB."""
MAX_CACHED = 4_096
"""Containers and images remembered from one file: Podman's own limit on locks (containers at a time) is 2 048."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_Rows = dict[str, dict[str, str]]


class Podman:
    """The storage below ``root``, /var/lib/containers/storage for the system's Podman."""

    name = "podman"

    def __init__(self, root: str) -> None:
        self._root = root
        self._cache: dict[str, tuple[tuple[int, int, int], _Rows]] = {}

    def look_up(self, container_id: str, seconds: float) -> Answer | None:
        """See ``Engine.look_up``. Reading a file needs no time limit; its size is bounded."""
        del seconds
        if not os.path.isdir(self._root):
            raise EngineAbsent(f"there is no podman storage at {self._root}", "name it in the settings")
        container = self._row(container_id, "*-containers/containers.json", "*-containers/volatile-containers.json")
        if container is None:
            return None
        image = self._row(container["image"], "*-images/images.json") or {}
        return Answer(self.name, container["name"], container["image_name"], image.get("digest", ""))

    def close(self) -> None:
        """Forget what was read."""
        self._cache.clear()

    def _row(self, key: str, *patterns: str) -> dict[str, str] | None:
        for pattern in patterns:
            for path in sorted(glob.glob(os.path.join(glob.escape(self._root), pattern))):
                if row := self._rows(path).get(key):
                    return row
        return None

    def _rows(self, path: str) -> _Rows:
        try:
            with open(path, "rb") as file:
                stat = os.fstat(file.fileno())
                version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
                if path not in self._cache or self._cache[path][0] != version:
                    self._cache[path] = (version, _parse(file.read(MAX_FILE_BYTES + 1)))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise EngineError(f"podman storage {path} cannot be read: {error}", "see whether podman works") from error
        return self._cache[path][1]


def _parse(content: bytes) -> _Rows:
    """Keep the few fields used of containers or images. Raises ValueError and kin if it is neither."""
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"longer than {MAX_FILE_BYTES} bytes")
    rows = json.loads(content or b"[]")
    return {
        str(row["id"]): _container(row) if "layer" in row and "image" in row else _image(row)
        for row in rows[-MAX_CACHED:]
    }


def _container(row: dict[str, Any]) -> dict[str, str]:
    metadata = json.loads(row.get("metadata") or "{}")
    names = row.get("names") or [row["id"]]
    return {"image": str(row["image"]), "name": str(names[0]), "image_name": str(metadata.get("image-name", ""))}


def _image(row: dict[str, Any]) -> dict[str, str]:
    digest = str(row.get("digest", ""))
    return {"digest": digest if _DIGEST.fullmatch(digest) else ""}
