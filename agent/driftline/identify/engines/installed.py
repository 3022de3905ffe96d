"""The engines an agent asks, in the order in which they are asked when a path does not tell whose container it is.

In: settings. Out: engines; none is contacted before it is needed. Next: ``resolver``.
"""

from __future__ import annotations

from driftline.identify.engines import Engine
from driftline.identify.engines.containerd import Containerd
from driftline.identify.engines.cri import Cri
from driftline.identify.engines.docker import Docker
from driftline.identify.engines.podman import Podman
from driftline.settings import Settings


def installed_engines(settings: Settings) -> list[Engine]:
    """Return every engine the settings name."""
    return [
        Containerd(settings.containerd_socket),
        Cri(settings.crio_socket),
        Docker(settings.docker_socket),
        Podman(settings.podman_root),
    ]
