"""What ``driftline doctor`` looks at: the kernel, and the host around it.

In: settings. Out: ``Examination``. Why apart from printing it: the same facts as text and as JSON. Next: ``doctor``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from driftline.errors import HostError
from driftline.identify.hierarchy import Hierarchy, find
from driftline.probe import preflight
from driftline.probe.preflight import Obstacle, Report
from driftline.settings import Settings
from driftline.statedir import STATUS

SYSTEM_PYTHON = "/usr/bin/python3"  # the distribution's bcc is installed for this one
BCC_SECONDS = 30  # importing it loads LLVM: a second, more on a loaded node
STATUS_BYTES = 1 << 20  # an agent's status is some kilobytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything doctor tells. Empty texts: not found."""

    kernel: Report
    bcc: str  # version
    bcc_elsewhere: bool  # the system's Python has it, ours has not
    hierarchy: Hierarchy | None
    watched: tuple[str, ...]  # watched roots that exist now
    engines: dict[str, str]  # name → where
    agent: dict[str, Any]  # the running agent's status file
    obstacles: list[Obstacle]
    provider: str
    reason: str

    @property
    def can_run(self) -> bool:
        """Whether an agent can run here."""
        return bool(self.provider) and not any(obstacle.fatal for obstacle in self.obstacles)


def examine(settings: Settings) -> Examination:
    """Look at everything; nothing is changed. Raises HostError only without libbpf."""
    report = preflight.examine_providers()
    bcc = bcc_version(sys.executable)
    elsewhere = not bcc and bool(bcc_version(SYSTEM_PYTHON))
    obstacles = preflight.obstacles(report)
    if not bcc:
        obstacles.append(_bcc_obstacle(elsewhere))
    hierarchy = _hierarchy(obstacles)
    provider, reason = _provider(report, settings.open_provider, obstacles)
    if provider != "lsm":
        obstacles += _lsm_advice(report)
    return Examination(
        kernel=report,
        bcc=bcc,
        bcc_elsewhere=elsewhere,
        hierarchy=hierarchy,
        watched=_watched(hierarchy, settings.watched_roots),
        engines=_engines(settings),
        agent=agent_status(Path(settings.state_dir), obstacles),
        obstacles=obstacles,
        provider=provider,
        reason=reason,
    )


def bcc_version(python: str) -> str:
    """Version of bcc for an interpreter, empty if it has none. In a child: importing bcc takes 100 MB."""
    command = [python, "-c", "import bcc; bcc.BPF; print(bcc.__version__)"]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=BCC_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return child.stdout.strip() if child.returncode == 0 else ""


def agent_status(directory: Path, obstacles: list[Obstacle]) -> dict[str, Any]:
    """The status an agent that runs now keeps in its state directory; empty if none runs there."""
    path = directory / STATUS
    try:
        with path.open("rb") as file:
            status = json.loads(file.read(STATUS_BYTES))
        return status if _runs(int(status["pid"])) else {}
    except PermissionError:
        obstacles.append(
            Obstacle(f"whether an agent runs cannot be told: {path} is not readable", "run as root", False)
        )
        return {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _runs(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def _bcc_obstacle(elsewhere: bool) -> Obstacle:
    environment = f"make the virtual environment with {SYSTEM_PYTHON} -m venv --system-site-packages"
    install = "" if elsewhere else "apt-get install python3-bpfcc (never pip: bcc on PyPI is another project), and "
    return Obstacle(f"bcc is not installed for {sys.executable}", install + environment)


def _hierarchy(obstacles: list[Obstacle]) -> Hierarchy | None:
    try:
        hierarchy = find()
    except HostError as error:
        obstacles.append(Obstacle(str(error.args[0]), error.hint))
        return None
    if not hierarchy.whole:
        sentence = (
            "only a part of the node's cgroups is visible from this cgroup namespace: other containers are not seen"
        )
        obstacles.append(Obstacle(sentence, "run the agent with --cgroupns host", fatal=False))
    return hierarchy


def _provider(report: Report, wanted: str, obstacles: list[Obstacle]) -> tuple[str, str]:
    try:
        return preflight.choose(report, wanted)
    except HostError as error:
        if not any(obstacle.sentence == error.args[0] for obstacle in obstacles):
            obstacles.append(Obstacle(str(error.args[0]), error.hint))
        return "", ""


def _lsm_advice(report: Report) -> list[Obstacle]:
    if report.features["lsm"] or report.security_modules is None or "bpf" in report.security_modules:
        return []
    modules = ",".join((*report.security_modules, "bpf"))
    return [Obstacle("the bpf security module is built in, but not active", f"boot with lsm={modules}", fatal=False)]


def _watched(hierarchy: Hierarchy | None, roots: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(root for root in roots if hierarchy and os.path.isdir(hierarchy.directory(root)))


def _engines(settings: Settings) -> dict[str, str]:
    places = {
        "containerd": settings.containerd_socket,
        "docker": settings.docker_socket,
        "podman": settings.podman_root,
        "cri-o": settings.crio_socket,
    }
    return {name: place for name, place in places.items() if place and os.path.exists(place)}
