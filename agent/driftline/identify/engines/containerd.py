"""containerd, by its own gRPC interface: containers of ``ctr`` and nerdctl in any namespace, and of a kubelet.

In: a container id. Out: ``Answer``. Why not only the CRI: it sees nothing outside the namespace ``k8s.io``, no sandbox,
and for an image without a repository digest it names the config's. Next: ``resolver``.
Outside that namespace only the image's name is noted with a container: a tag that moved between the container's start
and our question deceives.
Interfaces: services/{namespaces,containers,images}/v1 in containerd/containerd/api, stable since 1.0.
"""

from __future__ import annotations

import time

from driftline.errors import EngineError
from driftline.identify.engines import Answer, bounded_labels, cri
from driftline.identify.engines.gen import containerd_pb2
from driftline.identify.engines.unix_grpc import Deadline, UnixChannel

_NAMESPACES = "/containerd.services.namespaces.v1.Namespaces/List"
_CONTAINER = "/containerd.services.containers.v1.Containers/Get"
_IMAGE = "/containerd.services.images.v1.Images/Get"
_KUBERNETES = "k8s.io"
_DOCKER = "moby"  # Docker keeps images and names itself
MAX_NAMESPACES = 64
"""Namespaces asked for one container; real nodes have one to four."""
NAMESPACES_SECONDS = 5.0
"""A list of namespaces is used this long: a new namespace is rare, and identification is tried again anyway."""


class Containerd:
    """The containerd at ``socket``."""

    name = "containerd"

    def __init__(self, socket: str) -> None:
        self._channel = UnixChannel(self.name, socket)
        self._namespaces: list[str] = []
        self._listed = 0.0

    def look_up(self, container_id: str, seconds: float) -> Answer | None:
        """See ``Engine.look_up``. Docker's containers are left to Docker."""
        deadline = Deadline(seconds)
        for namespace in self._list(deadline):
            request = containerd_pb2.GetContainerRequest(id=container_id)
            metadata = (("containerd-namespace", namespace),)
            reply = self._channel.call(_CONTAINER, request, containerd_pb2.GetContainerResponse, deadline, metadata)
            if reply is not None:
                return self._answer(namespace, reply.container, deadline)
        return None

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _list(self, deadline: Deadline) -> list[str]:
        if not self._namespaces or time.monotonic() - self._listed > NAMESPACES_SECONDS:
            request = containerd_pb2.ListNamespacesRequest()
            reply = self._channel.call(_NAMESPACES, request, containerd_pb2.ListNamespacesResponse, deadline)
            names = [namespace.name for namespace in reply.namespaces] if reply else []
            names = [name for name in names if name != _DOCKER]
            self._namespaces = sorted(names, key=lambda name: (name != _KUBERNETES, name))[:MAX_NAMESPACES]
            self._listed = time.monotonic()
        return self._namespaces

    def _answer(self, namespace: str, container: containerd_pb2.Container, deadline: Deadline) -> Answer:
        labels = bounded_labels(dict(container.labels))
        digest = self._settled_digest(container.id, deadline) if namespace == _KUBERNETES else ""
        if not digest and container.image:
            request = containerd_pb2.GetImageRequest(name=container.image)
            metadata = (("containerd-namespace", namespace),)
            reply = self._channel.call(_IMAGE, request, containerd_pb2.GetImageResponse, deadline, metadata)
            digest = reply.image.target.digest if reply else ""
        name = dict(labels).get("nerdctl/name", container.id)
        return Answer(self.name, name, container.image, digest, labels)

    def _settled_digest(self, container_id: str, deadline: Deadline) -> str:
        """Return the repository digest the CRI noted when the container was made, "" without one."""
        try:
            found = cri.status(self._channel, container_id, deadline)
        except EngineError:
            return ""  # the CRI plugin may be off; the image's name then tells
        return cri.repository_digest(found.image_ref) if found else ""
