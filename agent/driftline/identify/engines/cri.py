"""Container Runtime Interface: CRI-O, or any engine a kubelet talks to.

In: a container id. Out: ``Answer`` from ``ContainerStatus`` (k8s.io/cri-api, runtime.v1). Why: ``image_ref`` was
settled when the container was made, so a tag that moved since does not deceive. Next: ``resolver``; ``containerd``
asks it too.
"""

from __future__ import annotations

import re

from driftline.identify.engines import Answer, bounded_labels
from driftline.identify.engines.gen import cri_pb2
from driftline.identify.engines.unix_grpc import Deadline, UnixChannel

_STATUS = "/runtime.v1.RuntimeService/ContainerStatus"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Cri:
    """The CRI at ``socket``. ``name`` is the engine's, "cri-o" unless containerd serves it."""

    def __init__(self, socket: str, name: str = "cri-o") -> None:
        self.name = name
        self._channel = UnixChannel(name, socket)

    def look_up(self, container_id: str, seconds: float) -> Answer | None:
        """See ``Engine.look_up``. A pod's sandbox is no container to the CRI: None."""
        found = status(self._channel, container_id, Deadline(seconds))
        if found is None:
            return None
        digest = repository_digest(found.image_ref) or config_digest(found.image_ref)
        labels = bounded_labels(dict(found.labels))
        return Answer(self.name, found.metadata.name, found.image.image, digest, labels)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


def status(channel: UnixChannel, container_id: str, deadline: Deadline) -> cri_pb2.ContainerStatus | None:
    """Ask the CRI behind ``channel``; None if it does not know the container. Raises EngineError."""
    request = cri_pb2.ContainerStatusRequest(container_id=container_id)
    reply = channel.call(_STATUS, request, cri_pb2.ContainerStatusResponse, deadline)
    return reply.status if reply else None


def repository_digest(reference: str) -> str:
    """Return the digest of a reference "name@sha256:…" (manifest or index), "" if it is none."""
    name, _, digest = reference.rpartition("@")
    return digest if name and _DIGEST.fullmatch(digest) else ""


def config_digest(reference: str) -> str:
    """Return a bare "sha256:…", what the CRI names an image by that has no repository digest, or ""."""
    return reference if _DIGEST.fullmatch(reference) else ""
