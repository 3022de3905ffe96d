"""``driftline baseline diff``: revisions, files, images; exit status for scripts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.schema import Baseline
from driftline.cli.baseline_diff import split_revision
from unit.cli.baselines import LIBC, NEW, NGINX, PASSWD, SHELL, Node, identify, web

WHY = ("--reason", "known", "--author", "ann")


def test_two_revisions(node: Node) -> None:
    node.run("approve", "nginx", identify(SHELL), *WHY)
    node.run(
        "excuse", "nginx", "--check", "NL-08", "--expires", "never", "--reason", "it\x1b builds", "--author", "ann"
    )
    status, out, _ = node.run("diff", "nginx@1", "nginx@3")
    assert status == 1
    assert "~ exec /bin/dash as sh by /usr/sbin/nginx: needs-review → allowed, NL-05\n" in out
    assert "+ excuse NL-08 for good, ann: it\\x1b builds\n1 changed, 1 check excused\n" in out
    assert node.run("diff", "nginx@1").out == node.run("diff", "nginx@1", "nginx").out
    assert "1 check excused" in node.run("diff", "nginx").out, "what the latest revision changed"
    found = node.json("diff", "nginx@1", "nginx")
    assert (found["same"], found["widens"], found["after"]["revision"]) == (False, True, 3)
    assert [(one["change"], one["id"]) for one in found["behaviours"]] == [("changed", identify(SHELL))]


def test_the_same_is_status_zero(node: Node) -> None:
    status, out, _ = node.run("diff", "nginx", "nginx@1")
    assert (status, out.splitlines()[-1]) == (0, "no difference")
    assert node.json("diff", "nginx", "nginx")["same"]


def test_files(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    changed = web()
    del changed.entries[PASSWD]
    path.write_text(to_yaml(changed))
    status, out, _ = node.run("diff", str(path))
    assert (status, "- read /etc/passwd\n1 removed\n" in out) == (1, True)
    assert "+ read /etc/passwd\n1 added\n" in node.run("diff", str(path), "nginx").out
    path.write_text("a: [")
    status, _, err = node.run("diff", str(path), "nginx")
    assert (status, f"{path} is no baseline" in err) == (5, True)


def test_two_images_with_their_packages(node: Node) -> None:
    after = replace(web(), key=NEW, image="nginx:1.23", packages=(LIBC.replace("u4", "u5"), NGINX, "pkg:npm/new@1"))
    node.store.save(after)
    status, out, _ = node.run("diff", "--images", "nginx:1.22", "nginx:1.23")
    assert status == 1
    assert (
        "~ package pkg:deb/debian/libc6 2.36-9+deb12u4 → 2.36-9+deb12u5\n+ package pkg:npm/new 1\n2 packages\n" in out
    )
    assert node.run("diff", "nginx:1.22", "nginx:1.23").status == 0, "their behaviours are the same"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx:1@3", ("nginx:1", 3)),
        ("nginx@sha256:ab", ("nginx@sha256:ab", None)),
        ("r:5000/a@sha256:ab@12", ("r:5000/a@sha256:ab", 12)),
        ("nginx@²", ("nginx@²", None)),
        ("@", ("@", None)),
    ],
)
def test_which_revision(text: str, parts: tuple[str, int | None]) -> None:
    assert split_revision(text) == parts


def test_without_an_older_revision(node: Node) -> None:
    status, _, err = node.run("diff", "nginx")
    assert (status, "has no revision before" in err) == (5, True)
    node.store.save(Baseline(NEW, image="fresh"))
    assert node.run("diff", "fresh").status == 5
