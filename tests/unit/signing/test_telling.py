"""A refusal as people see it, and an agent that could never accept anything does not start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from driftline.cli import main
from driftline.errors import StateError
from driftline.nouns import Kind, Severity, Subject
from driftline.settings import Settings
from driftline.verdict.refusal import Refused, refusal_of
from driftline.verdict.uuid7 import Uuid7
from driftline.vetting import make_guard
from unit.baseline.making import SUBJECT
from unit.signing.making import trust


@pytest.mark.parametrize("severity", [Severity.HIGH, Severity.LOW])
def test_a_refusal_names_image_container_and_reason(severity: Severity) -> None:
    found = refusal_of(Refused(SUBJECT, severity, "it is gone; revision 3 stays in force"), "n1", 7, 5, Uuid7())
    assert found.kind is Kind.BASELINE_REFUSED
    assert found.sentence == (
        "the baseline of shop/web:1.2, which runs as shop-1/web, was refused: it is gone; revision 3 stays in force"
    )
    assert (found.severity, found.node, found.what) == (severity, "n1", "shop/web:1.2")
    assert (found.first_wall_ns, found.first_kernel_ns, found.count) == (7, 5, 1)


def test_one_without_a_container_is_told_all_the_same() -> None:
    nobody = Subject(0, "", image_digest="sha256:11")
    assert (
        "sha256:11, which runs as the node"
        in refusal_of(Refused(nobody, Severity.HIGH, "x"), "n", 1, 1, Uuid7()).sentence
    )


def agent(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = main.run(["agent", "--standalone", "--require-signatures", *words])
    return status, capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "words", "wanted"),
    [
        ((), (), "holds 0 keys"),
        (("alice",), ("--signature-threshold", "2"), "2 signatures are required, and 1 keys are trusted"),
        (("alice",), ("--trust-dir", "/nowhere"), "/nowhere cannot be read"),
        (("alice",), ("--signature-threshold", "0"), "greater than or equal to 1"),
    ],
)
def test_an_agent_that_could_accept_nothing_does_not_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], words: tuple[str, ...], wanted: str
) -> None:
    trust(tmp_path / "trust", *names)
    status, said = agent(capsys, "--state-dir", str(tmp_path), *words)
    assert status == 2
    assert wanted in said


def test_without_a_state_directory_nothing_could_be_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(state_dir=str(tmp_path), require_signatures=True)
    with pytest.raises(StateError, match="cannot be written"):
        make_guard(settings, None, lambda: None)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(StateError, match="cannot be written"):
        make_guard(settings, tmp_path, lambda: None)


def test_the_keys_lie_in_the_state_directory_unless_the_setting_says_otherwise(tmp_path: Path) -> None:
    for setting, wanted in (("", str(tmp_path / "trust")), ("/etc/keys", "/etc/keys")):
        settings = Settings(state_dir=str(tmp_path), trust_dir=setting)
        assert make_guard(settings, tmp_path, lambda: None)._trust_dir == wanted
