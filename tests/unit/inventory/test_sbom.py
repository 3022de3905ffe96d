"""Documents of every format say the same about the same image; what is no SBOM gets a clear answer."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from driftline.baseline.inventory.fields import Sbom
from driftline.baseline.inventory.sbom import parse_sbom, read_sbom
from driftline.baseline.inventory.schema import InventoryError
from unit.inventory.roots import DATA, EMPTY_MD5, EMPTY_SHA1, EMPTY_SHA256, document

IMAGE = "sha256:" + "a" * 64


def parsed(value: Any) -> Sbom:
    return parse_sbom(json.dumps(value).encode(), "x.json")


def names(sbom: Sbom) -> list[str]:
    return [package.name for package in sbom.draft.packages]


def envelope(predicate: Any, kind: str = "https://cyclonedx.org/bom") -> dict[str, Any]:
    """What ``cosign attest`` writes."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "localhost/shop", "digest": {"sha256": "d" * 64}}],
        "predicateType": kind,
        "predicate": predicate,
    }
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    return {"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": []}


def test_cyclonedx() -> None:
    sbom = read_sbom(DATA / "cyclonedx-1.5.json")
    assert (sbom.format, sbom.subject, sbom.images) == ("CycloneDX 1.5", "localhost/shop", {IMAGE})
    assert names(sbom) == ["curl", "example/shop", "express"]
    curl, _shop, express = sbom.draft.packages
    assert (curl.version, curl.type, curl.purl) == ("7.88.1-10", "deb", "pkg:deb/debian/curl@7.88.1-10?arch=amd64")
    assert express.location == "/app/node_modules/express/package.json"
    assert sbom.draft.files["/usr/bin/curl"].digest == EMPTY_SHA256
    assert not sbom.draft.left_out


@pytest.mark.parametrize("version", ["1.4", "1.5", "1.6", "1.7"])
def test_cyclonedx_versions(version: str) -> None:
    sbom = parsed(document("cyclonedx-1.5.json") | {"specVersion": version})
    assert sbom.format == f"CycloneDX {version}"
    assert len(sbom.draft.packages) == 3
    assert not sbom.draft.left_out


def test_spdx() -> None:
    sbom = read_sbom(DATA / "spdx-2.3.json")
    assert (sbom.format, sbom.subject, sbom.images) == ("SPDX 2.3", "localhost/shop", {IMAGE})
    assert names(sbom) == ["curl"]
    assert {path: one.digest for path, one in sbom.draft.files.items()} == {
        "/usr/bin/curl": EMPTY_SHA256,
        "/usr/share/doc/curl/README": b"",
    }
    assert [one.place for one in sbom.draft.left_out] == ["packages[2]", "files[1].checksums[0]"]


def test_spdx_2_2_has_the_same_shape_and_no_purposes() -> None:
    value = document("spdx-2.3.json") | {"spdxVersion": "SPDX-2.2"}
    del value["packages"][0]["primaryPackagePurpose"]
    value["packages"][0]["SPDXID"] = "SPDXRef-DocumentRoot-Image-shop"
    sbom = parsed(value)
    assert names(sbom) == ["curl"]
    assert sbom.images == {IMAGE}


def test_syft() -> None:
    sbom = read_sbom(DATA / "syft.json")
    assert sbom.format == "Syft JSON 16.0.18"
    assert sbom.images == {IMAGE, "sha256:" + "b" * 64, "sha256:" + "c" * 64}
    assert names(sbom) == ["curl", "musl", "flask", "example.org/tool"]
    files = sbom.draft.files
    assert {path: (one.owner, one.digest, one.config) for path, one in files.items()} == {
        "/usr/bin/curl": (0, EMPTY_MD5, False),
        "/etc/curlrc": (0, EMPTY_MD5, True),
        "/lib": (1, b"", False),
        "/lib/ld-musl-x86_64.so.1": (1, EMPTY_SHA1, False),
        "/usr/lib/python3/site-packages/flask/app.py": (2, EMPTY_SHA256, False),
        "/usr/share/curl/data": (0, EMPTY_SHA1, False),
    }


@pytest.mark.parametrize("name", ["cyclonedx-1.5.json", "spdx-2.3.json", "syft.json"])
def test_each_also_in_an_attestation(name: str) -> None:
    bare = read_sbom(DATA / name)
    attested = parsed(envelope(document(name)))
    assert attested.format == f"{bare.format} in an in-toto attestation"
    assert attested.draft.packages == bare.draft.packages
    assert attested.images == bare.images | {"sha256:" + "d" * 64}


def test_a_statement_without_its_envelope_and_a_predicate_as_cosign_once_wrapped_it() -> None:
    inner = document("spdx-2.3.json")
    assert names(parsed({"predicateType": "x", "predicate": inner})) == ["curl"]
    assert names(parsed({"predicateType": "x", "predicate": {"Data": json.dumps(inner), "Timestamp": ""}})) == ["curl"]
    assert names(parsed({"predicateType": "x", "predicate": {"Data": inner}})) == ["curl"]


def test_of_several_attestations_in_lines_the_first_counts() -> None:
    lines = "\n".join(json.dumps(envelope(document(name))) for name in ("syft.json", "spdx-2.3.json"))
    assert parse_sbom(lines.encode(), "x").format.startswith("Syft")


@pytest.mark.parametrize(
    ("name", "words"),
    [("openvex.json", r"openvex.json: a VEX document \(OpenVEX\)"), ("spdx-3.0.json", "SPDX 3.0, which is not read")],
)
def test_documents_that_are_no_sbom_we_read(name: str, words: str) -> None:
    with pytest.raises(InventoryError, match=words):
        read_sbom(DATA / name)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "a JSON object was expected"),
        ({}, "none of the formats"),
        ({"bomFormat": "CycloneDX", "vulnerabilities": []}, "a VEX document: it lists vulnerabilities"),
        ({"bomFormat": "CycloneDX", "components": {}}, "components: it lists none"),
        ({"spdxVersion": "SPDX-2.3"}, "packages: it lists none"),
        ({"SchemaVersion": 2, "Results": []}, "a report of Trivy"),
        ({"payloadType": "x", "payload": "", "signatures": []}, "payloadType: 'x' is no in-toto"),
        ({"payloadType": "application/vnd.in-toto+json", "payload": "%", "signatures": []}, "payload: no base64"),
        ({"payloadType": "application/vnd.in-toto+json", "payload": "e30=", "signatures": []}, "payload: no in-toto"),
        ({"predicateType": "x", "predicate": 3}, "x.json: predicate: no SBOM"),
    ],
)
def test_what_it_is_instead_is_told(value: object, words: str) -> None:
    with pytest.raises(InventoryError, match=words):
        parsed(value)


def test_what_can_be_used_is_used_and_the_rest_is_listed() -> None:
    sbom = parsed(
        {
            "bomFormat": "CycloneDX",
            "specVersion": 1.5,
            "metadata": ["?"],
            "components": [
                "curl",
                {"name": "a", "purl": "not a purl", "properties": {"name": 1}, "hashes": [None]},
                {"name": ["b"]},
                {"name": "c", "type": "spaceship", "components": "none"},
                {"name": "d\ud800"},
                {"name": "e" * 2_000},
                {"name": "f", "components": [{"type": "file", "name": "../../etc/passwd"}]},
            ],
        }
    )
    assert names(sbom) == ["a", "c", "f"]
    assert [one.place for one in sbom.draft.left_out] == [
        "specVersion",
        "components[0]",
        "components[1].properties",
        "components[1].purl",
        "components[2]",
        "components[3].type",
        "components[3].components",
        "components[4]",
        "components[5]",
        "components[6].components[0]",
    ]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="cannot be read"):
        read_sbom(tmp_path / "none")
