"""Manifests, units, image: they parse, agree with each other and the code, and ask for nothing unexplained."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from driftline.cli.main import COMMANDS
from driftline.cli.options import load
from driftline.probe.preflight import CAPABILITIES

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCUMENTS = sorted([*DEPLOY.rglob("*.yaml")])
INSTALL = (ROOT / "docs/install.md").read_text()
WANTED = {name.removeprefix("CAP_") for name in CAPABILITIES} | {"SYS_ADMIN"}  # to read images for their packages


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text()))


@pytest.fixture
def pod() -> dict[str, Any]:
    (daemonset,) = documents(DEPLOY / "kustomize/daemonset.yaml")
    assert daemonset["spec"]["selector"]["matchLabels"] == daemonset["spec"]["template"]["metadata"]["labels"]
    spec: dict[str, Any] = daemonset["spec"]["template"]["spec"]
    return spec


def container(spec: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in spec["containers"] if one["name"] == name]
    return dict(found)


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "systemd" / name)
    return parser


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_yaml_parses_to_something(path: Path) -> None:
    assert all(isinstance(document, dict) for document in documents(path))


def test_kustomization_names_files_that_exist() -> None:
    directory = DEPLOY / "kustomize"
    (document,) = documents(directory / "kustomization.yaml")
    files = [*document["resources"], *(name for one in document["configMapGenerator"] for name in one["files"])]
    assert not [name for name in files if not (directory / name).is_file()]
    assert {path.name for path in directory.iterdir()} == {*files, "kustomization.yaml"}


def test_every_volume_mounted_is_defined_and_used(pod: dict[str, Any]) -> None:
    mounted = {mount["name"] for one in pod["containers"] for mount in one["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_agent_asks_for_the_capabilities_it_needs_and_no_more(pod: dict[str, Any]) -> None:
    security = container(pod, "agent")["securityContext"]
    assert security["privileged"] is False
    assert security["capabilities"]["drop"] == ["ALL"]
    assert set(security["capabilities"]["add"]) == WANTED
    assert pod["hostPID"] is True
    assert "hostNetwork" not in pod
    bounding = unit("driftline-agent.service")["Service"]["CapabilityBoundingSet"].split()
    assert {name.removeprefix("CAP_") for name in bounding} == WANTED
    (compose,) = documents(DEPLOY / "compose/compose.yaml")
    assert set(compose["services"]["agent"]["cap_add"]) == WANTED


def test_collector_asks_for_nothing(pod: dict[str, Any]) -> None:
    capabilities = container(pod, "collector")["securityContext"]["capabilities"]
    assert capabilities == {"drop": ["ALL"]}
    (compose,) = documents(DEPLOY / "compose/compose.yaml")
    assert "cap_add" not in compose["services"]["collector"]
    assert unit("driftline-collector.service")["Service"]["CapabilityBoundingSet"] == ""


def test_every_privilege_has_its_reason_in_the_documents() -> None:
    explained = set(re.findall(r"^\| `CAP_([A-Z_]+)` \|", INSTALL, re.MULTILINE))
    assert explained >= WANTED


def test_commands_and_addresses_agree(pod: dict[str, Any]) -> None:
    (compose,) = documents(DEPLOY / "compose/compose.yaml")
    agents = [container(pod, "agent")["args"], compose["services"]["agent"]["command"]]
    collectors = [container(pod, "collector")["args"], compose["services"]["collector"]["command"]]
    for words in [*agents, *collectors]:
        assert words[0] in COMMANDS
        assert "127.0.0.1:4780" in " ".join(words)
    for name in ("agent", "collector"):
        start = unit(f"driftline-{name}.service")["Service"]["ExecStart"]
        assert start.split()[:2] == ["/opt/driftline/bin/driftline", name]


@pytest.mark.parametrize("path", ["kustomize/agent.yaml", "systemd/agent.yaml"])
def test_settings_files_are_valid(path: str) -> None:
    assert load(DEPLOY / path, {}).state_dir == "/var/lib/driftline"


def test_image_keeps_bcc_the_distributions() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"debian:12-slim"}
    assert text.count("python3-bpfcc") == 2
    assert "--system-site-packages" in text
    assert re.search(r'^ENTRYPOINT \["driftline"\]$', text, re.MULTILINE)


def test_image_copies_what_the_package_needs() -> None:
    text = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = {name for line in re.findall(r"^COPY (?!--)(.+)", text, re.MULTILINE) for name in line.split()[:-1]}
    assert copied == {"pyproject.toml", "README.md", "LICENSE", "LICENSES", "bpf", "agent", "collector"}
    assert {f"!{name}" for name in copied} <= set(ignored)
    assert all((ROOT / name).exists() for name in copied)
