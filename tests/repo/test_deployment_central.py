"""deploy/kustomize-central: its patch fits the DaemonSet, and every file and address it names is one it mounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from driftline.cli.main import COMMANDS
from driftline.wire.credentials_files import TOO_OPEN

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CENTRAL = DEPLOY / "kustomize-central"


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text()))


@pytest.fixture
def agent() -> dict[str, Any]:
    (patch,) = documents(CENTRAL / "agent.yaml")
    spec: dict[str, Any] = patch["spec"]["template"]["spec"]
    return spec


def named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [item for item in items if item["name"] == name]
    return found


def test_the_patch_is_for_what_is_there(agent: dict[str, Any]) -> None:
    (base,) = documents(DEPLOY / "kustomize/daemonset.yaml")
    (patch,) = documents(CENTRAL / "agent.yaml")
    assert (base["kind"], base["metadata"]["name"]) == (patch["kind"], patch["metadata"]["name"])
    spec = base["spec"]["template"]["spec"]
    for part in ("containers", "volumes"):
        for gone in [item for item in agent[part] if item.get("$patch") == "delete"]:
            assert named(spec[part], gone["name"])
    before, after = (named(one["containers"], "agent")["args"] for one in (spec, agent))
    assert [word for word in before if not word.startswith("--collector")] == after[:4]


def test_the_kustomization_names_all_files() -> None:
    (document,) = documents(CENTRAL / "kustomization.yaml")
    patches = [patch["path"] for patch in document["patches"]]
    local = [name for name in document["resources"] if not name.startswith("..")]
    assert {path.name for path in CENTRAL.iterdir()} == {*patches, *local, "kustomization.yaml"}


@pytest.mark.parametrize("name", ["agent", "collector"])
def test_files_and_options_are_those_of_the_secret(agent: dict[str, Any], name: str) -> None:
    deployment, service, _claim = documents(CENTRAL / "collector.yaml")
    spec = agent if name == "agent" else deployment["spec"]["template"]["spec"]
    container = named(spec["containers"], name)
    assert container["args"][0] in COMMANDS
    options = dict(word.split("=", 1) for word in container["args"][1:])
    mount = named(container["volumeMounts"], "tls")["mountPath"]
    files = {option: value for option, value in options.items() if option.startswith("--tls")}
    assert len(files) == 3
    assert all(value.startswith(f"{mount}/") for value in files.values())
    assert not named(spec["volumes"], "tls")["secret"]["defaultMode"] & TOO_OPEN
    host = f"{service['metadata']['name']}.driftline.svc"
    assert service["spec"]["ports"][0]["port"] == 4780
    assert name == "collector" or options["--collector"] == f"{host}:4780"


def test_the_page_makes_the_secrets_that_are_mounted(agent: dict[str, Any]) -> None:
    page = (DEPLOY.parent / "docs/access.md").read_text()
    deployment, service, _claim = documents(CENTRAL / "collector.yaml")
    for spec in (agent, deployment["spec"]["template"]["spec"]):
        secret = named(spec["volumes"], "tls")["secret"]["secretName"]
        assert f"create secret generic {secret} " in page
    assert f"--host {service['metadata']['name']}.driftline.svc" in page
