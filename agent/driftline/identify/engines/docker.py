"""Docker Engine, by its HTTP interface on a Unix socket.

In: a container id. Out: ``Answer``. Interface: docs.docker.com/reference/api/engine, unversioned paths (served by every
version). An image that was built or loaded here and never pushed has no repository digest: then its id is taken, the
digest of its configuration (of its manifest, where Docker keeps images in containerd). Next: ``resolver``.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from driftline.errors import EngineError
from driftline.identify.engines import Answer, EngineAbsent, bounded_labels
from driftline.identify.engines.cri import repository_digest

if TYPE_CHECKING:
    from driftline.identify.engines.unix_http import UnixConnection

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Docker:
    """The Docker Engine (or a Podman service) at ``socket``."""

    name = "docker"

    def __init__(self, socket: str) -> None:
        self._path = socket

    def look_up(self, container_id: str, seconds: float) -> Answer | None:
        """See ``Engine.look_up``."""
        if not os.path.exists(self._path):
            raise EngineAbsent(f"there is no docker socket at {self._path}", "name its socket in the settings")
        from http.client import HTTPException

        from driftline.identify.engines.unix_http import UnixConnection

        connection = UnixConnection(self._path, seconds)
        try:
            container = connection.get(f"/containers/{quote(container_id, safe='')}/json")
            return self._answer(connection, container) if container else None
        except (OSError, HTTPException, ValueError, AttributeError, TypeError) as error:
            raise EngineError(f"docker at {self._path}: {error!r}", "see whether dockerd runs") from error
        finally:
            connection.close()

    def close(self) -> None:
        """Nothing stays open between look-ups."""

    def _answer(self, connection: UnixConnection, container: dict[str, Any]) -> Answer:
        config = container.get("Config") or {}
        image_id, reference = str(container.get("Image", "")), str(config.get("Image", ""))
        image = connection.get(f"/images/{quote(image_id, safe=':')}/json") if image_id else None
        digest = _digest((image or {}).get("RepoDigests") or [], reference, image_id)
        labels = {str(key): str(value) for key, value in (config.get("Labels") or {}).items()}
        name = str(container.get("Name", "")).removeprefix("/")
        return Answer(self.name, name, reference, digest, bounded_labels(labels))


def _digest(repository_digests: list[str], reference: str, image_id: str) -> str:
    """Choose the digest under the repository the container names, else the first, else the image's id."""
    repository = reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
    order = sorted(map(str, repository_digests), key=lambda name: (f"{repository}@" not in name, name))
    for name in order:
        if digest := repository_digest(name):
            return digest
    return image_id if _DIGEST.fullmatch(image_id) else ""
