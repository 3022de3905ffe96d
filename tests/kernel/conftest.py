"""A running sensor for the kernel tests.

In: root on a kernel that can run us (the three-state marker ``kernel`` decides what else happens). Out: ``watch``, a
sensor with its events by container, and ``box``, a container with files of every origin. Next: the tests.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.identify import hierarchy
from driftline.probe.sensor import Sensor
from driftline.settings import Settings
from kernel.watching import ROOT, Box, Watch
from rig import session
from rig.bundle import DEFAULT_CAPABILITIES, ContainerOptions

PROVIDER = "sys_exit"
FILES = 31
SETTINGS = Settings(watched_roots=(ROOT,))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this directory needs the kernel."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kernel)


@contextlib.contextmanager
def running(settings: Settings = SETTINGS, provider: str = PROVIDER) -> Iterator[Watch]:
    """A sensor that traces this run's containers, those that run already included."""
    tree = hierarchy.find()
    sensor = Sensor.start(settings, provider, Path(tree.root), session.CACHE / "bpf")
    try:
        for name in settings.watched_roots:
            directory = Path(tree.directory(f"/{name}"))
            if directory.is_dir():
                sensor.trace(directory.stat().st_ino, directory.stat().st_ino, tree=True)
        for found in tree.watched(settings.watched_roots):
            sensor.trace(found.cgroup, found.cgroup, tree=False)
        yield Watch(sensor, settings.watched_roots[0])
    finally:
        sensor.close()


@pytest.fixture(scope="session")
def watch() -> Iterator[Watch]:
    """The sensor most tests share."""
    with running() as one:
        yield one


@pytest.fixture
def sensors() -> Callable[..., contextlib.AbstractContextManager[Watch]]:
    """Sensors of a test's own, with other settings."""

    def start(**changes: object) -> contextlib.AbstractContextManager[Watch]:
        return running(replace(SETTINGS, **changes))  # type: ignore[arg-type]

    return start


def fill(directory: Path, count: int = FILES) -> Path:
    """Files f000000 … in a new ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (directory / f"f{number:06d}").write_text(f"{number}\n")
    return directory


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image layer with /lower and, to be changed by tests, /image."""
    root = tmp_path_factory.mktemp("layer")
    fill(root / "lower")
    fill(root / "image")
    root.chmod(0o755)
    return root


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory mounted at /volume."""
    return fill(tmp_path_factory.mktemp("volume"))


@pytest.fixture(scope="module")
def box(watch: Watch, layer: Path, volume: Path) -> Iterator[Box]:
    """A container with files at /lower, /upper, /volume and /tmpfs."""
    options = ContainerOptions(
        volumes={"/volume": volume},
        tmpfs=("/tmpfs",),
        capabilities=(*DEFAULT_CAPABILITIES, "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"),
    )
    with watch.box(options, lower=(layer,)) as one:
        fill(one.container.rootfs / "upper")
        touched = " ".join(f"/tmpfs/f{number:06d}" for number in range(FILES))
        one.container.run(["/bin/sh", "-c", f"touch {touched}"])
        yield one
