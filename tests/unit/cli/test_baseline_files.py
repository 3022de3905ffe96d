"""``driftline baseline export`` and ``import``: nothing is lost, nothing is widened silently."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.format.canonical import version_of
from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.schema import IMPORTED, Standing
from unit.cli.baselines import NEW, OLD, PASSWD, SHELL, Node, identify, web

WHY = ("--reason", "from git", "--author", "ann")


@pytest.fixture
def other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Node:
    """A second node."""
    return Node(tmp_path / "other", capsys)


@pytest.mark.parametrize("format", ["yaml", "json", "msgpack"])
def test_from_node_to_node_in_every_format(node: Node, other: Node, tmp_path: Path, format: str) -> None:
    node.run("approve", "nginx", identify(SHELL), *WHY)
    path = tmp_path / "baseline"
    assert node.run("export", "nginx", "--format", format, "-o", str(path)).status == 0
    status, out, _ = other.run("import", str(path), *WHY)
    assert status == 0
    assert "new here: 64 behaviours of docker.io/library/nginx:1.22" in out
    found = other.one()
    assert version_of(found) == version_of(node.one())
    assert (found.revision, found.parent, found.state) == (2, node.one().parent, node.one().state)
    assert {one.source for one in found.entries.values()} == {IMPORTED}
    assert [review.action for review in found.reviews] == ["learn", "approve", "import"]
    again = other.run("import", str(path), *WHY)
    assert again.out == "no difference\n"
    assert other.one().revision == 2


def test_to_standard_output_and_of_a_revision(node: Node) -> None:
    node.run("approve", "nginx", identify(SHELL), *WHY)
    assert node.run("export", "nginx@1").out == to_yaml(node.store.read_revision(OLD, 1))
    assert json.loads(node.run("export", "nginx", "--format", "json").out)["revision"] == 2
    assert node.run("export", "nginx", "-o", "/proc/no").status == 5


def test_what_expects_more_is_shown_and_refused(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "wider.yaml"
    path.write_text(to_yaml(node.one()))
    node.run("reject", "nginx", identify(PASSWD), *WHY)
    status, out, err = node.run("import", str(path), *WHY)
    assert (status, node.one().revision) == (2, 2)
    assert "~ read /etc/passwd: rejected → allowed" in out
    assert "--widen" in err
    assert node.run("import", str(path), "--widen", *WHY).status == 0
    assert (node.standing(PASSWD), node.one().revision) == (Standing.ALLOWED, 3)
    assert node.one().reviews[-1].what == "wider.yaml"


def test_what_expects_less_needs_no_word(node: Node, tmp_path: Path) -> None:
    less = node.one()
    del less.entries[PASSWD]
    path = tmp_path / "less.yaml"
    path.write_text(to_yaml(less))
    assert "- read /etc/passwd" in node.run("import", str(path), *WHY).out
    assert PASSWD not in node.one().entries


@pytest.mark.parametrize(
    "data", [b"", b"{", b"a: [", b"\x80", b"\xff\xfe", b"[]", b"&a [*a]", b"{" * 10_000, b"# \xc3\x28"]
)
def test_what_is_no_baseline_changes_nothing(node: Node, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad\x1b"
    path.write_bytes(data)
    status, out, err = node.run("import", str(path), *WHY)
    assert (status, out) == (5, "")
    assert "bad\\x1b is no baseline: " in err
    assert node.one().revision == 1


def test_a_file_that_is_none(node: Node, tmp_path: Path) -> None:
    assert "cannot be read" in node.run("import", str(tmp_path / "absent"), *WHY).err
    assert node.run("import", str(tmp_path), *WHY).status == 5


def test_another_image_comes_beside(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(to_yaml(replace(web(), key=NEW, workload="shop/web")))
    assert node.run("import", str(path), *WHY).status == 0
    assert node.one(f"{NEW}+shop/web").revision == 1
    assert node.one().revision == 1
