"""The agent reads the image of a container that starts, and its deviations say which package a program is of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rig import containerd, images, packages
from rig.agent import Agent
from unit.inventory.roots import fill

pytestmark = pytest.mark.containers

LEARN = ("--learn-seconds", "1.5", "--learn-quiet-seconds", "0.5")
TOOL = "/usr/local/bin/tool"
SCRIPT = f"/usr/bin/uname; {TOOL}; /usr/local/bin/script; true"
FOREIGN = """{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [
{"type": "library", "name": "other", "version": "1", "purl": "pkg:deb/debian/other@1"}]}"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> images.Image:
    """Debian's dash and coreutils, and above them two programs that a Dockerfile would have copied in."""
    base, directory = packages.layer(["dash", "coreutils"]), tmp_path_factory.mktemp("image")
    true = (base / "usr/bin/true").read_bytes()
    added = fill(directory / "added", {TOOL: true, "/usr/local/bin/script": "#!/usr/bin/dash\n:\n"})
    options = images.ImageOptions(entrypoint=["/usr/bin/sleep", "600"])
    return images.build("localhost/owned:1", [base, added], options, directory / "owned.tar")


def test_deviations_name_the_package_or_that_there_is_none(image: images.Image, tmp_path: Path) -> None:
    sboms = fill(tmp_path / "sboms", {f"{image.digest.replace(':', '-')}.cdx.json": FOREIGN})
    with containerd.running() as daemon:
        daemon.pull(image)
        scope = ("--containerd-socket", str(daemon.socket), "--sbom-dir", str(sboms))
        with Agent(tmp_path / "state", *LEARN, *scope, "--identify-seconds", "20") as agent:
            task = daemon.run(image.name, f"owned-{os.getpid()}")
            agent.wait_line(f"detecting {image.name}")
            mismatch = agent.wait_deviation("image.sbom_mismatch", image.name, 90)
            assert "only 0% of the distribution packages it lists are in the image" in mismatch["sentence"]
            assert mismatch["subject"]["image_digest"] == image.digest
            daemon.exec(task, ["/usr/bin/dash", "-c", SCRIPT])
            script = agent.wait_deviation("exec.unowned", "/usr/local/bin/script")
            assert script["notes"][-1] == "/usr/local/bin/script, owned by no package"
            assert agent.wait_deviation("exec.unowned", TOOL)["notes"][-1] == f"{TOOL}, owned by no package"
            uname: dict[str, Any] = agent.wait_deviation("exec.unknown", "/usr/bin/uname")
            assert uname["notes"][-1].startswith("/usr/bin/uname, package coreutils ")
            assert "pkg:deb/debian/coreutils@" in uname["notes"][-1]
            assert not [one for one in agent.deviations if one["kind"] == "coverage.gap"]
        assert len(list((tmp_path / "state/inventories").glob("*.msgpack"))) == 1


def test_a_container_that_ran_before_the_agent_is_read_too(image: images.Image, tmp_path: Path) -> None:
    with containerd.running() as daemon:
        daemon.pull(image)
        daemon.run(image.name, f"owned-{os.getpid()}")
        scope = ("--containerd-socket", str(daemon.socket))
        with Agent(tmp_path / "state", *LEARN, *scope, "--identify-seconds", "20") as agent:
            agent.wait(lambda: list((tmp_path / "state/inventories").glob("*.msgpack")), 90)


def test_it_can_be_switched_off(image: images.Image, tmp_path: Path) -> None:
    with containerd.running() as daemon:
        daemon.pull(image)
        scope = ("--containerd-socket", str(daemon.socket), "--no-inventory")
        with Agent(tmp_path / "state", *LEARN, *scope, "--identify-seconds", "20") as agent:
            task = daemon.run(image.name, f"owned-{os.getpid()}")
            agent.wait_line(f"detecting {image.name}")
            daemon.exec(task, ["/usr/bin/dash", "-c", SCRIPT])
            agent.wait_deviation("exec.unknown", TOOL)
        assert not (tmp_path / "state/inventories").exists()
