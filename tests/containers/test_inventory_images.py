"""Inventories of real images: Debian's packages in layers, rpm's own database made here, and an agent's child."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from driftline.baseline.inventory.apart import Request, make_apart
from driftline.baseline.inventory.making import make
from driftline.baseline.inventory.schema import Check
from rig import packages
from unit.inventory.roots import DATA, fill

pytestmark = pytest.mark.containers

IMAGE = "sha256:" + "a" * 64


@pytest.fixture(scope="module")
def layer() -> Path:
    return packages.layer(["dash", "coreutils"])


def test_every_file_of_debian_packages_has_its_owner_and_digest(layer: Path) -> None:
    made = make(layer)
    inventory = made.inventory
    assert {"dash", "coreutils", "libc6"} <= {package.name for package in inventory.packages}
    assert made.unowned() == []
    assert not made.left_out
    compared = 0
    for path, recorded in inventory.files:
        file = layer / path.removeprefix("/")
        if recorded.algorithm and file.is_file() and not file.is_symlink():
            digest = hashlib.new(recorded.algorithm, file.read_bytes()).hexdigest()
            assert inventory.check(path, recorded.algorithm, digest) is Check.SAME, path
            compared += 1
    assert compared > 200


def test_a_path_of_the_merged_usr_is_the_kernels(layer: Path) -> None:
    inventory = make(layer).inventory
    owner = inventory.owner("/usr/bin/dash")
    assert owner is not None
    assert owner.name == "dash"
    assert inventory.owner("/bin/dash") is None
    libc = next(path for path, _recorded in inventory.files if path.endswith("/libc.so.6"))
    assert libc.startswith("/usr/lib/")


def test_layers_are_read_as_the_container_sees_them(layer: Path, tmp_path: Path) -> None:
    """The upper layer adds a program, replaces one, and hides the lists of a package."""
    upper = fill(tmp_path / "a:b,c", {"/usr/bin/added": "#!/bin/sh\n", "/usr/bin/dash": "#!/bin/sh\n"})
    info = upper / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    for kind in ("list", "md5sums"):
        os.mknod(info / f"coreutils.{kind}", 0o600 | stat.S_IFCHR, os.makedev(0, 0))  # a whiteout
    state = str(tmp_path / "state")
    inventory = make_apart(Request(image=IMAGE, state_dir=state, layers=(str(upper), str(layer)), syft=True))
    assert "driftline-layers-" not in Path("/proc/self/mountinfo").read_text()
    assert not list(Path(tempfile.gettempdir()).glob("driftline-layers-*"))
    assert inventory.owner("/usr/bin/added") is None
    assert inventory.owner("/usr/bin/cat") is None
    assert inventory.describe("/usr/bin/dash").endswith(", in the SBOM")
    digest = hashlib.md5(b"#!/bin/sh\n").hexdigest()
    assert inventory.check("/usr/bin/dash", inventory.algorithm("/usr/bin/dash"), digest) is Check.DIFFERS
    assert all(package.in_sbom for package in inventory.packages)


@pytest.mark.skipif(
    shutil.which("rpmbuild") is None, reason="needs the package rpm; a database it made is in tests/data"
)
def test_rpms_own_database(tmp_path: Path) -> None:
    top, root = tmp_path / "build", tmp_path / "root"
    defines = ["--define", f"_topdir {top}", "--define", "_db_backend sqlite"]
    subprocess.run(["rpmbuild", *defines, "-bb", DATA / "tiny.spec"], check=True, capture_output=True)
    (package,) = top.glob("RPMS/noarch/*.rpm")
    command = ["rpm", "--root", str(root), "--dbpath", "/var/lib/rpm", *defines, "--nodeps", "-i", str(package)]
    root.mkdir()
    subprocess.run(command, check=True, capture_output=True)
    made = make(root)
    assert [package.name for package in made.inventory.packages] == ["tiny"]
    digest = hashlib.sha256((root / "usr/bin/tiny").read_bytes()).hexdigest()
    assert made.inventory.check("/usr/bin/tiny", "sha256", digest) is Check.SAME
    assert made.unowned() == []
