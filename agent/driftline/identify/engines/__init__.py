"""Container engines, one module each: container id → image, name, labels.

In: a container id. Out: ``Answer``. Why: the kernel knows a container's cgroup, only its engine knows its image. Each
module speaks its engine's own interface; ``resolver`` sees only ``Engine``. Failures are ``EngineError``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from driftline.errors import EngineError

ANSWER_SECONDS = 1.0
"""Longest an engine may take for one look-up. On a busy node containerd answers in 1 to 20 ms; the other containers
wait meanwhile, so a hung engine must be given up well before ``Settings.identify_seconds``."""
MAX_LABELS = 64
"""Labels kept of a container. Compose and Kubernetes set about ten, image labels add as many."""
MAX_LABEL_TEXT = 512
"""Characters kept of one label's value: some tools put whole JSON documents there."""


class EngineAbsent(EngineError):
    """The engine is not installed or not running here: its socket or storage does not exist."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine knows of a container. Unknown parts are empty."""

    engine: str
    name: str
    image: str  # reference as given when the container was made
    image_digest: str  # "sha256:…": manifest or index digest; config digest for an image that was never given one
    labels: tuple[tuple[str, str], ...] = ()


class Engine(Protocol):
    """A container engine."""

    @property
    def name(self) -> str:
        """Its name as in ``CgroupName.engine``."""
        ...

    def look_up(self, container_id: str, seconds: float) -> Answer | None:
        """Return what the engine knows, None if it does not know the container (yet).

        ``seconds`` bounds the whole look-up. Raises EngineError, EngineAbsent if there is no such engine here.
        """
        ...

    def close(self) -> None:
        """Give back what look-ups keep open."""
        ...


def bounded_labels(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Return ``labels`` sorted and cut to the bounds; the Kubernetes ones, which say who the container is, go first."""
    order = sorted(labels.items(), key=lambda label: (not label[0].startswith("io.kubernetes."), label))
    return tuple(sorted((key, value[:MAX_LABEL_TEXT]) for key, value in order[:MAX_LABELS]))
