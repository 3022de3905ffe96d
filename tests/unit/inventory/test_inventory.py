"""What an inventory says about a path."""

from __future__ import annotations

from driftline.baseline.inventory.files import table
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.schema import Check, Package, Recorded

CURL = Package("curl", "7.88.1-10", "deb", "pkg:deb/debian/curl@7.88.1-10", "dpkg", True)
WEB = Package("@shop/web", "1", "npm", "pkg:npm/%40shop/web@1", "node_modules", False, "/app/node_modules/@shop/web")
INNER = Package("left-pad", "2", "npm", "pkg:npm/left-pad@2", "node_modules", False)
DIGEST = bytes(range(16))
FILES = {
    "/usr/bin/curl": Recorded(0, "md5", DIGEST, "dpkg", False),
    "/etc/curlrc": Recorded(0, "md5", DIGEST, "dpkg", True),
    "/usr/lib/libcurl.so": Recorded(0, "", b"", "dpkg", False),
}
TREES = {WEB.location: 1, f"{WEB.location}/node_modules/left-pad": 2}


def inventory(rooted: bool = True, sbom: str = "CycloneDX 1.5") -> Inventory:
    return Inventory(packages=(CURL, WEB, INNER), files=table(FILES), trees=TREES, sbom=sbom, rooted=rooted)


def test_a_file_a_package_owns() -> None:
    said = inventory().describe("/usr/bin/curl")
    assert said == "/usr/bin/curl, package curl 7.88.1-10 (pkg:deb/debian/curl@7.88.1-10), in the SBOM"


def test_a_file_no_package_owns() -> None:
    found = inventory()
    assert found.owner("/usr/bin/.x") is None
    assert found.describe("/usr/bin/.x\x1b") == "/usr/bin/.x\\x1b, owned by no package"


def test_where_a_package_is_known_from() -> None:
    assert inventory().describe("/app/node_modules/@shop/web/a.js").endswith(", not in the SBOM")
    assert inventory(sbom="").describe("/app/node_modules/@shop/web/a.js").endswith(", known to node_modules")


def test_the_nearest_directory_owns() -> None:
    found = inventory()
    assert found.owner(f"{WEB.location}/lib/a.js") == WEB
    assert found.owner(f"{WEB.location}/node_modules/left-pad/index.js") == INNER
    assert found.owner("/app/server.js") is None


def test_contents_are_compared_with_what_was_recorded() -> None:
    found = inventory()
    assert found.algorithm("/usr/bin/curl") == "md5"
    assert found.check("/usr/bin/curl", "md5", DIGEST.hex().upper()) is Check.SAME
    assert found.check("/usr/bin/curl", "md5", "00" * 16) is Check.DIFFERS
    assert found.check("/usr/bin/curl", "sha256", "00" * 32) is Check.UNKNOWN
    assert found.check("/usr/lib/libcurl.so", "", "") is Check.UNKNOWN
    assert found.check("/usr/bin/.x", "md5", "00" * 16) is Check.UNKNOWN
    assert found.describe("/usr/bin/curl", Check.DIFFERS).endswith("; its contents differ from those dpkg recorded")
    assert found.describe("/usr/bin/curl", Check.SAME).endswith("; its contents are those dpkg recorded")


def test_a_configuration_file_may_differ() -> None:
    found = inventory()
    assert found.check("/etc/curlrc", "md5", "00" * 16) is Check.UNKNOWN
    assert found.check("/etc/curlrc", "md5", DIGEST.hex()) is Check.SAME


def test_both_names_of_the_merged_usr_are_tried_only_without_a_root() -> None:
    """With the root it is known that ``/bin/curl`` is another file."""
    assert inventory(rooted=False).owner("/bin/curl") == CURL
    assert inventory(rooted=True).owner("/bin/curl") is None
    assert inventory(rooted=False).owner("/lib/libcurl.so") == CURL
    assert inventory(rooted=False).owner("/usr/etc/curlrc") is None


def test_an_inventory_without_files_says_so() -> None:
    assert inventory().knows_files
    assert not Inventory(packages=(CURL,)).knows_files
