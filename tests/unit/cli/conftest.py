"""Fixtures shared by the tests of commands."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.cli.baselines import Node, web


@pytest.fixture(autouse=True)
def unlimited() -> Iterator[None]:
    """A command that limits its own memory limits the tests' process, too: afterwards it may have what it had."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Node:
    """A node that learned nothing yet."""
    return Node(tmp_path / "state", capsys)


@pytest.fixture
def node(empty: Node) -> Node:
    """A node with one learned baseline."""
    empty.store.commit(web(), "agent", "learn", "complete")
    return empty
