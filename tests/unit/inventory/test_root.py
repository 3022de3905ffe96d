"""A root directory is read without being led out of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.schema import InventoryError
from unit.inventory.roots import fill


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("outside")
    return fill(tmp_path / "root", {"/etc/inside": "inside", "/usr/bin/x": "x"})


@pytest.mark.parametrize(
    "target",
    ["/secret", "../secret", "../../../../../../../../etc/passwd", "/etc/../../secret", "/proc/self/root/etc/passwd"],
)
def test_a_link_out_of_it_leads_nowhere(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    with Root(root) as opened:
        assert opened.read("/link", 100) is None


def test_an_absolute_link_starts_at_the_root(root: Path) -> None:
    (root / "link").symlink_to("/etc")
    with Root(root) as opened:
        assert opened.read("/link/inside", 100) == b"inside"
        assert opened.names("/link", 10) == ["inside"]


def test_a_fifo_holds_nobody_up(root: Path) -> None:
    os.mkfifo(root / "fifo")
    with Root(root) as opened, pytest.raises(InventoryError, match=r"root/fifo cannot be read: not a regular file"):
        opened.read("/fifo", 100)


def test_bounds_are_told(root: Path) -> None:
    with Root(root) as opened:
        with pytest.raises(InventoryError, match=r"etc/inside: over 3 bytes"):
            opened.read("/etc/inside", 3)
        with pytest.raises(InventoryError, match=r"over 0 entries"):
            opened.names("/etc", 0)
        assert opened.names("/none", 10) == []


def test_paths_are_named_as_the_kernel_would(root: Path) -> None:
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/lib64").symlink_to("../bin/../../lib")
    (root / "loop").symlink_to("loop")
    (root / "usr/bin/y").symlink_to("x")
    with Root(root) as opened:
        assert opened.canonical("/bin/x") == "/usr/bin/x"
        assert opened.canonical("/bin/y") == "/usr/bin/y"
        assert opened.canonical("/usr/lib64/z") == "/lib/z"
        assert opened.canonical("/loop/x") == "/loop/x"
        assert opened.canonical("/none/x") == "/none/x"
        assert opened.canonical("/x") == "/x"


def test_what_is_no_directory_is_told(root: Path) -> None:
    with pytest.raises(InventoryError, match="cannot be opened: Not a directory"):
        Root(root / "etc/inside")


def test_nothing_stays_open(root: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with Root(root) as opened:
        opened.read("/etc/inside", 10)
        opened.names("/etc", 10)
        opened.canonical("/usr/bin/x")
    assert len(os.listdir("/proc/self/fd")) == len(before)
