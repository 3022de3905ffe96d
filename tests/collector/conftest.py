"""A real collector, and a real PostgreSQL, for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.baseline_rig import address, join, people, start  # noqa: F401 - fixtures
from collector.cluster import Cluster, serve
from collector.rig import CollectorProcess
from driftline_collector.server import Collector


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[str]:
    """The address of a collector inside this process."""
    running = Collector(tmp_path / "state")
    yield running.start()
    running.stop()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[CollectorProcess]:
    """A collector to start, signal and kill."""
    collector = CollectorProcess(tmp_path / "state")
    yield collector
    collector.clean_up()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL that runs for all tests that do not break it."""
    yield from serve()


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """The name of an empty database."""
    name = cluster.create()
    yield name
    cluster.drop(name)
