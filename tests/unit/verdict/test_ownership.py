"""What an inventory adds to a deviation: whose file it is, and an SBOM that is another image's."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.making import make
from driftline.nouns import ConnectEvent, Event, Kind, Origin, RecordFlag, Severity
from driftline.verdict.ownership import mismatch_of, ownership_notes
from driftline.verdict.uuid7 import Uuid7
from unit.baseline.making import SUBJECT, executed, loaded, opened, process
from unit.inventory.roots import debian

SCRIPT = int(RecordFlag.SCRIPT)
CURL = "/usr/bin/curl, package curl 7.88.1-10 (pkg:deb/debian/curl@7.88.1-10?arch=amd64), known to dpkg"


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return make(debian(tmp_path / "root")).inventory


@pytest.mark.parametrize("event", [executed("/usr/bin/curl"), opened("/usr/bin/curl", 2), loaded("/usr/bin/curl")])
def test_the_package_of_a_file_is_named(inventory: Inventory, event: Event) -> None:
    assert ownership_notes(event, inventory) == (CURL,)


def test_a_file_of_no_package_is_called_so(inventory: Inventory) -> None:
    event = executed("/usr/bin/.x", origin=Origin.WRITABLE)
    assert ownership_notes(event, inventory) == ("/usr/bin/.x, owned by no package",)


def test_of_a_script_the_script_is_described_also_through_the_merged_usr(inventory: Inventory) -> None:
    assert ownership_notes(executed("/usr/bin/dash", "/bin/curl", flags=SCRIPT), inventory) == (CURL,)
    own = executed("/usr/bin/dash", "./run.sh", flags=SCRIPT, cwd="/app")
    assert ownership_notes(own, inventory) == ("/app/run.sh, owned by no package",)


@pytest.mark.parametrize("origin", [Origin.VOLUME, Origin.TMPFS, Origin.PSEUDO, Origin.MEMFD, Origin.HOST])
def test_what_is_not_in_the_containers_root_is_no_packages(inventory: Inventory, origin: Origin) -> None:
    assert ownership_notes(opened("/usr/bin/curl", origin=origin), inventory) == ()


@pytest.mark.parametrize(
    "flag", [RecordFlag.FOREIGN_MOUNT_NS, RecordFlag.PATH_TRUNCATED, RecordFlag.NAME_ONLY, RecordFlag.DIRECTORY]
)
def test_nothing_is_said_where_the_path_may_mean_another_file(inventory: Inventory, flag: RecordFlag) -> None:
    assert ownership_notes(opened("/usr/bin/curl", flags=int(flag)), inventory) == ()


def test_nothing_is_said_of_an_address_or_without_files(inventory: Inventory) -> None:
    connect = ConnectEvent(1, 5, process(), 0, 1, b"", b"", "ipv4", "tcp", "10.0.0.1", 443, 0)
    assert ownership_notes(connect, inventory) == ()
    assert ownership_notes(executed("/usr/bin/curl"), None) == ()
    assert ownership_notes(executed("/usr/bin/curl"), Inventory()) == ()


def test_an_sbom_of_another_image_is_told_with_its_reason() -> None:
    inventory = Inventory(image="sha256:11", mismatches=("only 3% are there", "it names another"))
    told = mismatch_of(inventory, SUBJECT, "n1", 2_000_000_000, 5, Uuid7())
    assert (told.kind, told.severity, told.what) == (Kind.IMAGE_SBOM_MISMATCH, Severity.MEDIUM, "shop/web:1.2")
    assert told.sentence == (
        "the SBOM given for shop/web:1.2, which runs as shop-1/web, is another image's: "
        "only 3% are there; it names another"
    )
    assert (told.node, told.subject, told.first_wall_ns, told.last_kernel_ns) == ("n1", SUBJECT, 2_000_000_000, 5)
