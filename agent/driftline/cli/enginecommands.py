"""Commands of the container engines a build machine may have, each said its own way.

In: an image, a command for it. Out: argument lists that run, stop and remove a container. Why the engines' own commands
and not their interfaces: whoever builds has logged in, configured and pulled with them. Next: ``containerrun``.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from abc import ABC, abstractmethod
from enum import StrEnum
from pathlib import Path

from driftline.errors import EngineError, SettingsError
from driftline.settings import Settings
from driftline.text import escape

PROBE_SECONDS = 10.0
"""An engine that does not say its version in that time hangs."""
ID_BYTES = 32
"""Of the ids we choose: 64 hexadecimal digits, by which the sensor knows a container anywhere."""


class Runtime(StrEnum):
    """Engines, in the order they are tried."""

    DOCKER = "docker"
    PODMAN = "podman"
    NERDCTL = "nerdctl"
    CTR = "ctr"


class Engine(ABC):
    """Runs one container."""

    name: str
    tells_image = True
    """Whether the engine can be asked which image it was."""

    @abstractmethod
    def run(self, words: list[str]) -> list[str]:
        """The command that runs ``words`` in the container, and ends when it ends."""

    @abstractmethod
    def identifier(self) -> str:
        """The container's id, "" if it was not made."""

    @abstractmethod
    def stop(self) -> list[str]:
        """The command that asks the container to end."""

    @abstractmethod
    def clean(self) -> None:
        """Remove the container and all it had."""


class Client(Engine):
    """docker, podman and nerdctl, which understand the same words."""

    def __init__(self, name: str, image: str, options: list[str], directory: Path) -> None:
        self.name = name
        self._image, self._options, self._file = image, options, directory / "container-id"

    def run(self, words: list[str]) -> list[str]:
        """Not removed by itself: the engine must still know it when it is asked for its image."""
        return [self.name, "run", "--cidfile", str(self._file), *self._options, self._image, *words]

    def identifier(self) -> str:
        """As the engine wrote it."""
        return self._file.read_text(encoding="ascii").strip() if self._file.exists() else ""

    def stop(self) -> list[str]:
        """Gracefully, as the engine is configured to."""
        return [self.name, "stop", self.identifier()]

    def clean(self) -> None:
        """With its anonymous volumes."""
        if identifier := self.identifier():
            quietly([self.name, "rm", "--force", "--volumes", identifier])


class Ctr(Engine):
    """containerd's own client. The image must have been pulled into the namespace."""

    name = "ctr"

    def __init__(self, address: str, image: str, options: list[str]) -> None:
        self._ctr = ["ctr", "--address", address]
        self._image, self._options, self._id = image, options, secrets.token_hex(ID_BYTES)

    def run(self, words: list[str]) -> list[str]:
        """In the foreground."""
        return [*self._ctr, "run", *self._options, self._image, self._id, *words]

    def identifier(self) -> str:
        """As we chose it."""
        return self._id

    def stop(self) -> list[str]:
        """The task's first process is told."""
        return [*self._ctr, "tasks", "kill", "--signal", "SIGTERM", self._id]

    def clean(self) -> None:
        """Task and container."""
        quietly([*self._ctr, "tasks", "delete", "--force", self._id])
        quietly([*self._ctr, "containers", "delete", self._id])


def engine(runtime: Runtime | None, image: str, options: list[str], directory: Path, settings: Settings) -> Engine:
    """Return the engine asked for, or the first that answers. Raises EngineError, SettingsError."""
    if not image or image.startswith("-"):
        raise SettingsError(f"--image {escape(image)!r} is no image")
    chosen = runtime or next((one for one in Runtime if answers(one, settings)), None)
    if chosen is None:
        raise EngineError("no container engine answers here", "start one, or give an unpacked image: --rootfs DIR")
    if runtime and not answers(runtime, settings):
        raise EngineError(f"{runtime.value} is not here, or does not answer", f"`{runtime.value} version`")
    if chosen is Runtime.CTR:
        return Ctr(settings.containerd_socket, image, options)
    return Client(chosen.value, image, options, directory)


def answers(runtime: Runtime, settings: Settings) -> bool:
    """Whether the engine is installed and its daemon, if it has one, answers."""
    question = {
        Runtime.DOCKER: ["docker", "version", "--format", "{{.Server.Version}}"],
        Runtime.PODMAN: ["podman", "version"],
        Runtime.NERDCTL: ["nerdctl", "info"],
        Runtime.CTR: ["ctr", "--address", settings.containerd_socket, "version"],
    }[runtime]
    return shutil.which(question[0]) is not None and quietly(question)


def quietly(command: list[str]) -> bool:
    """Run ``command``; whether it succeeded within PROBE_SECONDS."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
