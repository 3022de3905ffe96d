"""What all tests share: which of them this machine can run, and the proof that they leave nothing behind.

In: markers ``kernel`` and ``containers``, DRIFTLINE_KERNEL_TESTS (unset: run them if the machine can; 1: they must run,
a set-up problem fails; 0: skip them). Out: skips, failures, one check of leftovers at the end of the session.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rig import leftovers, turns

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

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


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("DRIFTLINE_KERNEL_TESTS", "") not in _STATES:
        raise pytest.UsageError("DRIFTLINE_KERNEL_TESTS must be unset, 0 or 1")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # a shell without job control starts `make test &` so, and what the tests start and interrupt inherits it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(_Worker(config))


class _Worker:
    """One of several processes that share the suite: each test waits for its turn, before its time limit begins."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._turns: turns.Turns | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if self._turns is None:  # a worker's own directory is in the one of the whole run
            factory: pytest.TempPathFactory = self._config._tmp_path_factory  # type: ignore[attr-defined]
            self._turns = turns.Turns(factory.getbasetemp().parent)
        self._turns.take(item)
        return (yield)

    def pytest_unconfigure(self) -> None:
        if self._turns is not None:
            self._turns.close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Each file is run by one worker, in the order below; all that must run alone by one as well."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return turns.unit_of_work(nodeid)

    config.option.loadscopereorder = False
    return Scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what needs the machine alone. Unit tests come last: a thread gRPC starts in their network namespace stays
    there, and would serve others."""
    items.sort(key=lambda item: (not turns.alone(item.path), UNIT in item.path.parents))


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
