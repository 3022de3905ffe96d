"""``driftline baseline export --format …``: a policy in a file, what it cannot say beside it, clear errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.nouns import ConnectBehaviour
from unit.baseline.export import validating
from unit.cli.baselines import OLD, Node, entry


def test_a_policy_goes_out_and_its_gaps_beside_it(node: Node, tmp_path: Path) -> None:
    status, out, err = node.run("export", "nginx", "--format", "networkpolicy", "-l", "app=web", "--namespace", "shop")
    assert status == 0
    document = validating.networkpolicy(out)
    assert document["metadata"] == {"name": "driftline-nginx-ab12ab12", "namespace": "shop"}
    assert "driftline baseline export: not covered: programs, files and libraries" in err
    path = tmp_path / "policy.yaml"
    assert node.run("export", "nginx", "--format", "networkpolicy", "-l", "app=web", "-o", str(path)).out == ""
    assert validating.networkpolicy(path.read_text())["spec"] == document["spec"]


def test_the_report_as_json(node: Node, tmp_path: Path) -> None:
    report = node.json("export", "nginx", "--format", "apparmor")
    assert report["document"].startswith("# apparmor policy")
    assert {one["effect"] for one in report["gaps"]} == {"wider", "narrower"}
    path = tmp_path / "profile"
    assert "document" not in node.json("export", "nginx", "--format", "apparmor", "-o", str(path))
    assert path.read_text() == report["document"]


def test_an_overlay_is_exported_with_its_image(node: Node) -> None:
    overlay = replace(node.one(), workload="shop/web", entries={ConnectBehaviour("tcp", "10.9.9.9", 5432): entry()})
    node.store.save(overlay)
    _, out, _ = node.run("export", f"{OLD}+shop/web", "--format", "networkpolicy", "-l", "app=web")
    assert "10.9.9.9/32" in out
    assert "10.0.3.0/24" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "networkpolicy"), "must say which pods it is for"),
        (("--format", "networkpolicy", "-l", "app"), "is no label"),
        (("--format", "networkpolicy", "-l", "a b=\x1b"), "is no label"),
        (("--format", "tetragon", "-l", "app=web", "--name", "A\nb"), "is no name"),
        (("--format", "seccomp"), "nothing about system calls can be decided from this baseline: it connects"),
        (("--format", "seccomp", "--seccomp-base", "/etc/passwd"), "is no JSON"),
        (("--format", "seccomp", "--seccomp-base", "/none"), "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(node: Node, words: tuple[str, ...], said: str) -> None:
    status, out, err = node.run("export", "nginx", *words)
    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_a_seccomp_profile_from_the_runtimes_own(node: Node, tmp_path: Path) -> None:
    quiet = replace(node.one(), partial=(), losses=0)
    quiet.entries = {one: entry() for one in quiet.entries if not isinstance(one, ConnectBehaviour)}
    node.store.save(quiet)
    base = tmp_path / "base.json"
    base.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW"}))
    status, out, err = node.run("export", "nginx", "--format", "seccomp", "--seccomp-base", str(base))
    assert status == 0, err
    assert validating.seccomp(out)["syscalls"][0]["names"] == ["connect"]
    assert "socketcall" in err
