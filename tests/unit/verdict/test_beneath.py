"""Opening under a directory somebody else controls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.verdict.beneath import MAX_COMPONENTS, open_beneath


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"inside")
    descriptor = os.open(tmp_path, os.O_PATH)
    yield descriptor
    os.close(descriptor)


def test_a_regular_file_is_opened(root: int) -> None:
    with open(open_beneath(root, "/a/b/file"), "rb") as file:
        assert file.read() == b"inside"


def test_links_are_not_followed_wherever_they_are(root: int, tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to("a/b/file")
    (tmp_path / "dir").symlink_to("a/b")
    (tmp_path / "host").symlink_to("/etc")
    for path in ("/file", "/dir/file", "/host/hostname"):
        with pytest.raises(OSError):  # noqa: PT011  several errnos, all fine
            open_beneath(root, path)


@pytest.mark.parametrize(
    "path", ["/a/../../etc/hostname", "/", "", "/a/b", "/a/b/file/x", "/missing", "/a" * (MAX_COMPONENTS + 1)]
)
def test_what_is_no_file_beneath_is_refused(root: int, path: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011
        open_beneath(root, path)


def test_a_fifo_does_not_block(root: int, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="not a regular file"):
        open_beneath(root, "/fifo")


def test_no_descriptor_is_left(root: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in ("/missing", "/a/b", "/a/b/file"):
        try:
            os.close(open_beneath(root, path))
        except OSError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before
