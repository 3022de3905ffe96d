"""Whether a file in the writable layer is still the image's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from driftline.verdict.copyup import Overlay, compare, compare_with_layers, find_overlay, layers_of
from unit.baseline.making import file, seen

LIMIT = 1 << 20
ABSOLUTE = (
    "520 480 0:70 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/l1:/l2,upperdir=/s/9/fs,workdir=/s/9/work"
)


def test_the_overlay_a_path_lies_on() -> None:
    volume = "521 520 8:1 /data /srv/my\\040data rw - ext4 /dev/sda1 rw"
    inner = "522 520 0:71 / /srv/inner rw - overlay o rw,lowerdir=/x,upperdir=/y"
    lines = [ABSOLUTE, volume, inner, "malformed", "1 2 3 4 /bin"]
    assert find_overlay(lines, "/bin/ls") == Overlay("/", ("/l1", "/l2"), "/s/9/fs")
    assert find_overlay(lines, "/srv/inner/a") == Overlay("/srv/inner", ("/x",), "/y")
    assert find_overlay(lines, "/srv/my data/a") is None
    assert find_overlay(lines, "/srv/innermost") == Overlay("/", ("/l1", "/l2"), "/s/9/fs")
    assert find_overlay([], "/bin/ls") is None
    assert find_overlay(["1 2 0:3 / / ro - overlay o ro,lowerdir=/a:/b"], "/bin/ls") is None


def test_one_option_for_each_layer_and_escaped_characters() -> None:
    line = "1 2 0:3 / / rw - overlay o rw,lowerdir+=/a\\040b,lowerdir+=/c,upperdir=/u"
    assert find_overlay([line], "/x") == Overlay("/", ("/a b", "/c"), "/u")


def test_layers_relative_to_the_snapshot_directory_or_to_a_given_one(tmp_path: Path) -> None:
    for name in ("snapshots/91/fs", "snapshots/90/fs", "overlay/l/ABC"):
        (tmp_path / name).mkdir(parents=True)
    upper = str(tmp_path / "snapshots/92/fs")
    containerd = Overlay("/", ("91/fs", "90/fs"), upper)
    assert layers_of(containerd) == [str(tmp_path / "snapshots/91/fs"), str(tmp_path / "snapshots/90/fs")]
    podman = Overlay("/", ("l/ABC",), "XYZ/diff")
    assert layers_of(podman) == []
    assert layers_of(podman, [str(tmp_path / "overlay")]) == [str(tmp_path / "overlay/l/ABC")]
    assert layers_of(Overlay("/", ("91/fs", "missing"), upper)) == []


@pytest.fixture
def layers(tmp_path: Path) -> list[str]:
    """Two image layers; the process's root is our own, so the upper file is one of ours by its real path."""
    for name in ("near", "far"):
        (tmp_path / name / "bin").mkdir(parents=True)
    return [str(tmp_path / "near"), str(tmp_path / "far")]


def judge_file(tmp_path: Path, layers: list[str], content: bytes, limit: int = LIMIT) -> bool | None:
    upper = tmp_path / "upper"
    upper.write_bytes(content)
    return compare_with_layers(os.getpid(), seen(upper), "/bin/x", layers, limit)


def test_contents_decide(tmp_path: Path, layers: list[str]) -> None:
    assert judge_file(tmp_path, layers, b"same") is None  # in no layer
    (tmp_path / "far/bin/x").write_bytes(b"same")
    assert judge_file(tmp_path, layers, b"same") is True
    assert judge_file(tmp_path, layers, b"evil") is False
    assert judge_file(tmp_path, layers, b"longer") is False
    assert judge_file(tmp_path, layers, b"same", 3) is None
    (tmp_path / "near/bin/x").write_bytes(b"evil")  # the nearer layer is the one that is seen
    assert judge_file(tmp_path, layers, b"evil") is True


def test_a_link_in_a_layer_does_not_lead_out_of_it(tmp_path: Path, layers: list[str]) -> None:
    (tmp_path / "near/bin/x").symlink_to("/etc/hostname")
    assert judge_file(tmp_path, layers, Path("/etc/hostname").read_bytes()) is None


def test_a_process_that_is_gone_cannot_be_compared() -> None:
    assert compare(2**22 + 5, file("/bin/ls"), LIMIT) is None
