"""What all tests share: which of them this machine can run, and the proof that they leave nothing behind.

In: markers ``kernel`` and ``containers``, DRIFTLINE_KERNEL_TESTS (unset: run them if the machine can; 1: they must run,
a set-up problem fails; 0: skip them). Out: skips, failures, one check of leftovers at the end of the session.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig import leftovers

_NEEDS = {
    "kernel": ("runc", "busybox", "cc", "bpftool"),
    "containers": ("runc", "busybox", "cc", "bpftool", "containerd", "ctr", "apt-get", "dpkg-deb"),
}
UNIT = Path(__file__).parent / "unit"
_STATES = {"": "if possible", "0": "skip", "1": "must run"}


def _missing(marker: str) -> list[str]:
    """What this machine lacks for tests with ``marker``."""
    missing = [] if os.geteuid() == 0 else ["root"]
    missing += [tool for tool in _NEEDS[marker] if shutil.which(tool) is None]
    if not Path("/sys/kernel/btf/vmlinux").exists():
        missing.append("/sys/kernel/btf/vmlinux")
    if importlib.util.find_spec("bcc") is None:
        missing.append("python3-bpfcc")
    return missing


def _markers(item: pytest.Item) -> list[str]:
    return [marker for marker in _NEEDS if item.get_closest_marker(marker)]


def pytest_configure() -> None:
    if os.environ.get("DRIFTLINE_KERNEL_TESTS", "") not in _STATES:
        raise pytest.UsageError("DRIFTLINE_KERNEL_TESTS must be unset, 0 or 1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests come last: a thread gRPC starts in their network namespace stays there, and would serve others."""
    items.sort(key=lambda item: UNIT in item.path.parents)


def pytest_runtest_setup(item: pytest.Item) -> None:
    state = os.environ.get("DRIFTLINE_KERNEL_TESTS", "")
    for marker in _markers(item):
        if state == "0":
            pytest.skip("DRIFTLINE_KERNEL_TESTS=0")
        if missing := _missing(marker):
            reason = f"{marker} tests need {', '.join(missing)}"
            pytest.fail(reason) if state == "1" else pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Containers, mounts, cgroups, BPF objects and processes of the session are gone at its end."""
    if not any(_markers(item) for item in request.session.items):
        yield
        return
    before = leftovers.snapshot()
    yield
    left = leftovers.since(before)
    assert not left, "left behind:\n" + "\n".join(left)
