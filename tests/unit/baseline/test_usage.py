"""Reads of unmodified files of packages in use are expected; nothing else is because of that."""

from __future__ import annotations

import pytest

from driftline.baseline.inventory.files import table
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.schema import Package, Recorded
from driftline.baseline.usage import MAX_REMEMBERED, Usage
from driftline.nouns import Access, Origin, RecordFlag
from unit.baseline.making import opened

NGINX, SHELL, LIBC, PASSWD = (
    Package(name, "1", "deb", f"pkg:deb/{name}") for name in ("nginx", "dash", "libc6", "passwd")
)
_FILES = {
    "/usr/sbin/nginx": 0,
    "/usr/share/nginx/50x.html": 0,
    "/bin/sh": 1,
    "/usr/share/dash/notes": 1,
    "/lib/libc.so.6": 2,
    "/usr/share/libc/messages": 2,
    "/usr/bin/passwd": 3,
    "/etc/shadow": 3,
}
INVENTORY = Inventory(
    packages=(NGINX, SHELL, LIBC, PASSWD),
    files=table({path: Recorded(owner, "", b"", "dpkg", False) for path, owner in _FILES.items()}),
    trees={"/app/node_modules/left-pad": 0},
    rooted=True,
)


USAGE = Usage(INVENTORY, (NGINX, LIBC))


@pytest.mark.parametrize(
    "path", ["/usr/share/nginx/50x.html", "/usr/share/libc/messages", "/app/node_modules/left-pad/x"]
)
def test_files_of_packages_in_use_may_be_read(path: str) -> None:
    assert USAGE.expects(opened(path))
    assert USAGE.expects(opened(path))  # remembered


@pytest.mark.parametrize("path", ["/usr/share/dash/notes", "/usr/share/nginx/other", "/etc/nginx.d/x"])
def test_files_of_others_may_not(path: str) -> None:
    assert not USAGE.expects(opened(path))


@pytest.mark.parametrize("origin", [origin for origin in Origin if origin is not Origin.IMAGE])
def test_only_the_images_own_content_counts(origin: Origin) -> None:
    assert not USAGE.expects(opened("/usr/share/nginx/50x.html", origin=origin))


@pytest.mark.parametrize("access", [Access.WRITE, Access.READ | Access.WRITE, Access.READ | Access.TRUNCATE])
def test_writing_is_never_expected(access: Access) -> None:
    assert not USAGE.expects(opened("/usr/share/nginx/50x.html", int(access)))


@pytest.mark.parametrize(
    "flag", [RecordFlag.DIRECTORY, RecordFlag.FOREIGN_MOUNT_NS, RecordFlag.PATH_TRUNCATED, RecordFlag.NAME_ONLY]
)
def test_neither_listings_nor_paths_that_may_mean_another_file(flag: RecordFlag) -> None:
    assert not USAGE.expects(opened("/usr/share/nginx/50x.html", flags=int(flag)))


def test_a_device_is_no_file() -> None:
    assert not USAGE.expects(opened("/usr/share/nginx/50x.html", mode=0o060660))


def test_secrets_are_excepted() -> None:
    usage = Usage(INVENTORY, (PASSWD,))
    assert usage.expects(opened("/usr/bin/passwd"))
    assert not usage.expects(opened("/etc/shadow"))


def test_what_is_remembered_is_bounded() -> None:
    usage = Usage(INVENTORY, [NGINX])
    for number in range(3 * MAX_REMEMBERED):
        assert not usage.expects(opened(f"/srv/{number}"))
    assert len(usage._answers) <= MAX_REMEMBERED
