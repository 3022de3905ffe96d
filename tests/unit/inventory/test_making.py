"""An inventory of a whole root: here, and in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from driftline.baseline.inventory.apart import MODULE, Request, make_apart
from driftline.baseline.inventory.making import make
from driftline.baseline.inventory.sbom import read_sbom
from driftline.baseline.inventory.schema import Check, InventoryError
from unit.inventory.roots import CURL, DATA, STATUS, debian, fill, md5, rpm_database

IMAGE = "sha256:" + "a" * 64
SITE = "/usr/lib/python3/dist-packages"


def test_a_root_and_its_sbom(tmp_path: Path) -> None:
    more: dict[str, str | bytes] = {"/usr/bin/.x": "#!/bin/sh\n", "/opt/bin/app": b"\x7fELF"}
    root = debian(tmp_path, **more)
    made = make(root, read_sbom(DATA / "cyclonedx-1.5.json"), IMAGE)
    inventory = made.inventory
    assert made.unowned() == ["/opt/bin/app", "/usr/bin/.x"]
    assert inventory.mismatches == ()
    curl = "package curl 7.88.1-10 (pkg:deb/debian/curl@7.88.1-10?arch=amd64), in the SBOM"
    assert inventory.describe("/usr/bin/curl") == f"/usr/bin/curl, {curl}"
    assert inventory.check("/usr/bin/curl", "md5", md5(CURL)) is Check.SAME
    assert inventory.check("/usr/bin/curl", "md5", md5("trojan")) is Check.DIFFERS


def test_a_module_of_a_distribution_package_is_the_distributions(tmp_path: Path) -> None:
    info = f"{SITE}/curl-1.dist-info"
    files: dict[str, str | bytes] = {
        "/var/lib/dpkg/info/curl.list": f"{SITE}/curl.py\n",
        f"{info}/METADATA": "Name: curl\nVersion: 1\n",
        f"{info}/RECORD": "curl.py,,\nother.py,,\n",
    }
    inventory = make(debian(tmp_path, **files)).inventory
    assert [package.type for package in inventory.packages] == ["deb", "pypi"]
    assert inventory.owner(f"{SITE}/curl.py") == inventory.packages[0]
    assert inventory.owner(f"{SITE}/other.py") == inventory.packages[1]


def test_a_second_database_that_is_broken_does_not_take_the_first_away(tmp_path: Path) -> None:
    made = make(debian(tmp_path, **{"/var/lib/rpm/rpmdb.sqlite": b"noise"}))
    assert made.inventory.databases == ("dpkg",)
    assert [one.place for one in made.left_out] == ["rpm"]


def test_a_broken_database_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match=r"rpmdb.sqlite"):
        make(fill(tmp_path, {"/var/lib/rpm/rpmdb.sqlite": rpm_database()[:5_000]}))


def test_an_empty_root_has_an_empty_inventory(tmp_path: Path) -> None:
    made = make(tmp_path)
    assert not made.inventory.knows_files
    assert made.inventory.rooted


def test_apart_it_is_the_same(tmp_path: Path) -> None:
    root = debian(tmp_path / "root")
    sbom = str(DATA / "cyclonedx-1.5.json")
    found = make_apart(Request(image=IMAGE, state_dir=str(tmp_path / "state"), layers=(str(root),), sbom=sbom))
    here = make(root, read_sbom(Path(sbom)), IMAGE).inventory
    assert found.packages == here.packages
    assert dict(found.files) == dict(here.files)
    assert [path.name for path in (tmp_path / "state/inventories").iterdir()] == [f"sha256-{'a' * 64}.msgpack"]


def test_apart_only_an_sbom(tmp_path: Path) -> None:
    found = make_apart(Request(image=IMAGE, state_dir=str(tmp_path), sbom=str(DATA / "syft.json")))
    assert len(found.packages) == 4
    assert not found.rooted


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(image=IMAGE, state_dir="/nowhere", layers=("/nowhere",)), "/nowhere cannot be opened"),
        (Request(image=IMAGE, state_dir="/nowhere", sbom=str(DATA / "openvex.json")), "a VEX document"),
        (Request(image=IMAGE, state_dir="/proc/1", sbom=str(DATA / "syft.json")), "cannot be written"),
    ],
)
def test_what_goes_wrong_apart_is_told_here(request_: Request, words: str) -> None:
    with pytest.raises(InventoryError, match=rf"{IMAGE} cannot be made: .*{words}"):
        make_apart(request_)


def test_it_may_not_take_for_ever(tmp_path: Path) -> None:
    request = Request(image=IMAGE, state_dir=str(tmp_path), layers=(str(tmp_path),))
    with pytest.raises(InventoryError, match=r"took longer than 0.01 s"):
        make_apart(request, seconds=0.01)


def test_a_document_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    """The child's own limit is 1.5 GiB; here it gets less, so that the test needs less."""
    document = tmp_path / "large.json"
    document.write_text('{"bomFormat": "CycloneDX", "components": [' + "{}," * 1_900_000 + "{}]}")
    values = {"image": IMAGE, "state_dir": str(tmp_path), "layers": [], "sbom": str(document), "syft": False}
    small = 150 * 1024**2
    code = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({small}, {small})); "
    code += f"import runpy; runpy.run_module('{MODULE}', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(values), capture_output=True, text=True)
    assert done.returncode == InventoryError.exit_status, done.stderr
    assert "memory" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_agents_side_is_lean() -> None:
    """Asking an inventory, and having one made, imports no parser, no SQLite, no zip."""
    modules = "driftline.baseline.inventory.apart, driftline.baseline.inventory.packed"
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert "driftline.baseline.inventory.inventory" in found
    assert not found & {"sqlite3", "zipfile", "csv", "typer", "driftline.baseline.inventory.cyclonedx"}


def test_ten_megabytes_take_seconds_and_a_bounded_memory(tmp_path: Path) -> None:
    """100 000 files of 2 000 packages, as dpkg lists them."""
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    stanzas = []
    for number in range(2_000):
        stanzas.append(STATUS.partition("Conffiles")[0].replace("curl", f"package{number}"))
        files = (f"usr/share/package{number}/directory/another/file{one}" for one in range(50))
        (info / f"package{number}.md5sums").write_text("".join(f"{md5(file)}  {file}\n" for file in files))
    (tmp_path / "var/lib/dpkg/status").write_text("\n".join(stanzas))
    code = f"""if True:
        import resource
        from driftline.baseline.inventory.apart import Request, make_apart
        found = make_apart(Request(image={IMAGE!r}, state_dir={str(tmp_path / "state")!r}, layers=({str(tmp_path)!r},)))
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(len(found.files), used.ru_utime, used.ru_maxrss)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found, seconds, kib = done.stdout.split()
    assert int(found) == 100_000
    assert float(seconds) < 30
    assert int(kib) < 400 * 1024
