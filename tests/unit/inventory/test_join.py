"""An image's databases and an SBOM become one inventory; an SBOM of another image is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.fields import Sbom
from driftline.baseline.inventory.join import join, mismatches
from driftline.baseline.inventory.sbom import parse_sbom
from driftline.baseline.inventory.schema import Package, Recorded
from unit.inventory.roots import document

IMAGE, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def database(*names: str, version: str = "1", kind: str = "deb") -> Draft:
    draft = Draft("x")
    for name in names:
        owner = draft.add_package(Package(name, version, kind, f"pkg:{kind}/debian/{name}@{version}", "dpkg"), "x")
        assert owner is not None
        draft.add_file(f"/usr/bin/{name}", Recorded(owner, "md5", bytes(16), "dpkg", False), "x")
    return draft


def sbom(*names: str, version: str = "1", kind: str = "deb", image: str = "") -> Sbom:
    components = [
        {
            "name": name,
            "version": version,
            "purl": f"pkg:{kind}/debian/{name}@{version}?arch=amd64",
            "components": [{"type": "file", "name": f"/usr/bin/{name}"}, {"type": "file", "name": f"/opt/{name}"}],
        }
        for name in names
    ]
    value: dict[str, Any] = {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": components}
    value["metadata"] = {"component": {"type": "container", "name": "x", "version": image}}
    return parse_sbom(json.dumps(value).encode(), "x")


def test_a_package_in_both_is_one() -> None:
    found = join(IMAGE, database("curl", "bash"), sbom("curl", version="0:1"))
    assert [(package.name, package.database, package.in_sbom) for package in found.packages] == [
        ("curl", "dpkg", True),
        ("bash", "dpkg", False),
    ]
    assert found.packages[0].purl == "pkg:deb/debian/curl@1"


def test_the_database_says_whose_a_file_is_and_the_sbom_adds_what_it_does_not_know() -> None:
    found = join(IMAGE, database("curl"), sbom("curl"))
    assert dict(found.files) == {
        "/usr/bin/curl": Recorded(0, "md5", bytes(16), "dpkg", False),
        "/opt/curl": Recorded(0, "", b"", "the SBOM", False),
    }


def test_a_package_only_the_sbom_has_is_added() -> None:
    found = join("", database("curl"), sbom("curl", "tool", kind="deb"))
    assert [package.name for package in found.packages] == ["curl", "tool"]
    assert found.owner("/opt/tool") == found.packages[1]
    assert found.describe("/opt/tool").endswith("(pkg:deb/debian/tool@1?arch=amd64), in the SBOM")


def test_a_package_without_a_type_is_the_one_of_that_name_and_version() -> None:
    bare = {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"name": "curl", "version": "1"}]}
    found = join("", database("curl"), parse_sbom(json.dumps(bare).encode(), "x"))
    assert [(package.name, package.in_sbom) for package in found.packages] == [("curl", True)]


def test_only_an_sbom() -> None:
    found = join("", None, parse_sbom(json.dumps(document("syft.json")).encode(), "x"))
    assert not found.rooted
    assert found.databases == ()
    assert found.owner("/bin/curl") == found.packages[0]
    assert found.owner("/usr/local/bin/tool") == found.packages[3]


@pytest.mark.parametrize(
    ("ours", "theirs", "share"),
    [
        (database("a", "b", "c"), sbom("x", "y", "c"), "33%"),
        (database("a", "b"), sbom("a", "b", version="2"), "0%"),
        (database("a"), sbom("a", kind="rpm"), "0%"),
    ],
)
def test_an_sbom_of_another_image_is_told_and_not_used(ours: Draft, theirs: Sbom, share: str) -> None:
    found = join("", ours, theirs)
    assert found.mismatches == (f"only {share} of the distribution packages it lists are in the image",)
    assert found.sbom == ""
    assert len(found.packages) == len(ours.packages)
    assert found.owner("/opt/x") is None


def test_another_digest_is_told_unless_everything_else_is_right() -> None:
    """An image has several digests: of its index, its manifest, its configuration."""
    said = (f"it names the image {OTHER}, not {IMAGE}",)
    assert mismatches(IMAGE, None, sbom("a", image=OTHER)) == said
    assert mismatches(IMAGE, database("a"), sbom("a", "b", image=OTHER)) == said
    assert mismatches(IMAGE, database("a", "b"), sbom("a", "b", image=OTHER)) == ()
    assert mismatches(IMAGE, None, sbom("a", image=IMAGE)) == ()
    assert mismatches("", None, sbom("a", image=OTHER)) == ()
    assert mismatches(IMAGE, None, sbom("a")) == ()


def test_an_sbom_of_the_application_alone_is_no_mismatch() -> None:
    assert mismatches("", database("a", "b"), sbom("express", kind="npm")) == ()
