"""Which baseline a person means, and who they are."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.schema import Baseline, State
from driftline.cli.authors import author_or_default
from driftline.cli.baseline import matching
from unit.cli.baselines import NEW, OLD, Node, web

A = Baseline(OLD, image="docker.io/library/nginx:1.22")
B = Baseline(NEW, image="docker.io/library/nginx:1.23")
C = Baseline("sha256:" + "cd" * 32, image="registry:5000/shop/web@sha256:cdcd")
OVERLAY = replace(A, workload="shop/web")
LONE = Baseline("container:/default/x+y")
ALL = [A, B, C, OVERLAY, LONE]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("docker.io/library/nginx:1.22", [A]),
        ("nginx:1.22", [A]),
        ("library/nginx:1.22", [A]),
        ("nginx", [A, B]),
        ("ginx", []),
        (OLD, [A]),
        ("sha256:ab12", [A]),
        ("ab34", [B]),
        ("ab3", []),
        ("registry:5000/shop/web", [C]),
        ("shop/web", [C]),
        ("nginx:1.22+shop/web", [OVERLAY]),
        ("ab12+shop/web", [OVERLAY]),
        (f"{OLD}+shop/web", [OVERLAY]),
        ("nginx:1.23+shop/web", []),
        ("container:/default/x+y", [LONE]),
        ("", []),
        ("+", []),
    ],
)
def test_what_fits_best(text: str, found: list[Baseline]) -> None:
    assert matching(ALL, text) == found


def test_more_than_one_is_an_error_that_names_them(node: Node) -> None:
    node.store.save(replace(web(), key=NEW, image="docker.io/library/nginx:1.23"))
    status, out, err = node.run("show", "nginx")
    assert (status, out) == (5, "")
    assert "nginx can mean 2 baselines" in err
    assert "sha256:ab12ab12ab12 (docker.io/library/nginx:1.22, candidate), sha256:ab34ab34ab34" in err


def test_a_retired_one_is_meant_only_where_it_must_be(node: Node) -> None:
    node.store.save(replace(web(), key=NEW, state=State.RETIRED))
    assert OLD in node.run("show", "nginx:1.22").out
    assert NEW in node.run("show", "ab34").out


def test_none_is_an_error_that_says_what_there_is(node: Node) -> None:
    status, _, err = node.run("show", "red\x1bis")
    assert status == 5
    assert "no baseline fits red\\x1bis" in err
    assert "sha256:ab12ab12ab12 (docker.io/library/nginx:1.22, candidate)" in err


def test_a_node_that_learned_nothing(empty: Node) -> None:
    assert "the agent has learned none yet" in empty.run("show", "nginx").err
    assert empty.run("list").out == "no baselines\n"
    assert not empty.directory.exists(), "looking makes nothing"


def test_who_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUDO_USER", "DOAS_USER"):
        monkeypatch.delenv(name, raising=False)
    assert author_or_default(" ann ") == "ann"
    assert author_or_default("") in {user.pw_name for user in pwd.getpwall()} | {f"uid {os.getuid()}"}
    nobody: dict[int, str] = {}
    monkeypatch.setattr(pwd, "getpwuid", nobody.__getitem__)
    assert author_or_default("") == f"uid {os.getuid()}"
    monkeypatch.setenv("SUDO_USER", "ben")
    assert author_or_default("") == "ben"


def test_a_name_is_short(node: Node) -> None:
    assert node.run("retire", "nginx", "--reason", "x", "--author", "a" * 201).status == 2
    assert node.one().revision == 1


@pytest.mark.parametrize("text", ["x" * 5000, "a/" * 3000, "\n", "a\x00b", "~", "..", "/"])
def test_whatever_is_typed_is_no_baseline_and_no_crash(node: Node, text: str) -> None:
    for command in ("show", "diff", "export", "history"):
        assert node.run(command, text).status == 5


def test_a_directory_that_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "baselines").write_text("no directory")
    broken = Node(tmp_path, capsys)
    for words in (("list",), ("show", "nginx"), ("promote", "nginx", "--reason", "x")):
        status, _, err = broken.run(*words)
        assert (status, "cannot read" in err) == (5, True)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_a_reason_says_something(node: Node, reason: str) -> None:
    status, _, err = node.run("promote", "nginx", "--force", "--reason", reason)
    assert (status, node.one().revision) == (2, 1)
    assert "1 to 1000 characters" in err
