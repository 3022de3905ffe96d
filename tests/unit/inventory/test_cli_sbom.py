"""``driftline sbom show`` and ``driftline sbom read``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from driftline.baseline.inventory.making import make
from driftline.baseline.inventory.packed import path_of, save
from driftline.baseline.inventory.schema import InventoryError
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline
from unit.inventory.roots import DATA, debian, fill


def driftline(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "driftline", "sbom", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_show(tmp_path: Path) -> None:
    root = debian(tmp_path, **{"/usr/bin/.x\x1b[31m": "#!/bin/sh\n"})
    done = driftline("show", root, "--sbom", DATA / "cyclonedx-1.5.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "3 packages, 3 files (dpkg, CycloneDX 1.5)",
        "  curl 7.88.1-10  pkg:deb/debian/curl@7.88.1-10?arch=amd64  3 files",
        "  example/shop 2  (no purl)  0 files  only in the SBOM",
        "  express 4.18.2  pkg:npm/express@4.18.2  /app/node_modules/express/package.json  0 files  only in the SBOM",
        "2 executables, 1 of them owned by no package",
        "  /usr/bin/.x\\x1b[31m",
    ]


def test_show_as_json(tmp_path: Path) -> None:
    done = driftline("show", debian(tmp_path, **{"/usr/bin/x": "#!/bin/sh\n"}), "--json")
    found = json.loads(done.stdout)
    assert found["unowned_executables"] == ["/usr/bin/x"]
    assert [(package["name"], package["files"]) for package in found["packages"]] == [("curl", 3)]
    assert found["databases"] == ["dpkg"]


def test_an_sbom_of_another_image_is_told(tmp_path: Path) -> None:
    other = fill(tmp_path / "x", {"/sbom": (DATA / "cyclonedx-1.5.json").read_text().replace("7.88.1-10", "8")})
    done = driftline("show", debian(tmp_path / "root"), "--sbom", other / "sbom")
    assert (
        "the SBOM is not of this image: only 0% of the distribution packages it lists are in the image" in done.stdout
    )


def test_an_image_the_agent_has_read(tmp_path: Path) -> None:
    digest = f"sha256:{'a' * 64}"
    made = make(debian(tmp_path / "root", **{"/usr/bin/.x": "#!/bin/sh\n"}), None, digest)
    save(made.inventory, path_of(str(tmp_path), digest), made.executables)
    BaselineStore(str(tmp_path)).save(Baseline(digest, image="localhost/shop:1"))
    for name in (digest, "localhost/shop:1"):
        done = driftline("show", name, "--state-dir", tmp_path)
        assert done.stdout == driftline("show", tmp_path / "root").stdout
        assert "2 executables, 1 of them owned by no package" in done.stdout


def test_an_image_nobody_read_or_knows(tmp_path: Path) -> None:
    BaselineStore(str(tmp_path)).save(Baseline(f"sha256:{'b' * 64}", image="localhost/shop:2"))
    unread = driftline("show", "localhost/shop:2", "--state-dir", tmp_path)
    assert (unread.returncode, unread.stdout) == (InventoryError.exit_status, "")
    assert "the packages of localhost/shop:2 were not read" in unread.stderr
    unknown = driftline("show", "localhost/nothing", "--state-dir", tmp_path)
    assert unknown.returncode != 0
    assert "localhost/nothing" in unknown.stderr
    given = driftline("show", "localhost/shop:2", "--syft", "--state-dir", tmp_path)
    assert "--sbom and --syft are for a directory" in given.stderr


def test_read() -> None:
    done = driftline("read", DATA / "spdx-2.3.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "SPDX 2.3 about localhost/shop: 1 packages, 2 files",
        f"image sha256:{'a' * 64}",
        "  curl 7.88.1-10  pkg:deb/debian/curl@7.88.1-10?arch=amd64",
        "2 left out:",
        "  packages[2]: it has no name",
        "  files[1].checksums[0]: malformed digest 'not a digest'",
    ]


def test_read_as_json() -> None:
    found = json.loads(driftline("read", DATA / "syft.json", "--json").stdout)
    assert found["format"] == "Syft JSON 16.0.18"
    assert [package["name"] for package in found["packages"]] == ["curl", "musl", "flask", "example.org/tool"]
    assert found["left_out"] == []


def test_what_cannot_be_read_is_one_sentence() -> None:
    done = driftline("read", DATA / "openvex.json")
    assert done.returncode == InventoryError.exit_status
    assert done.stderr.startswith("driftline: error: ")
    assert "a VEX document" in done.stderr
    assert "Traceback" not in done.stderr
