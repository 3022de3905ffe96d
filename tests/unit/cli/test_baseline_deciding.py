"""Reviewing a file, as a team keeps it in git: decided in place, in its own format, all of it or nothing."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.format.canonical import version_of
from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.schema import Baseline, Standing, State
from driftline.cli import baseline_deciding
from driftline.cli.baseline_export import Format, encode
from driftline.cli.baselinefile import read_baseline
from unit.cli.baselines import DROPPED, OLD, PASSWD, SERVER, SHELL, Node, identify, web
from unit.signing.making import signed

WHY = ("--reason", "pull request 12", "--author", "ann")


@pytest.fixture
def one() -> Baseline:
    return replace(web(), revision=4)


@pytest.fixture
def file(tmp_path: Path, one: Baseline) -> Path:
    path = tmp_path / "nginx.yaml"
    path.write_text(to_yaml(one))
    return path


@pytest.mark.parametrize("format", [Format.YAML, Format.JSON, Format.MSGPACK])
def test_a_decision_is_a_new_revision_in_the_files_own_format(
    empty: Node, tmp_path: Path, one: Baseline, format: Format
) -> None:
    path = tmp_path / "nginx"
    path.write_bytes(encode(one, format))
    path.chmod(0o604)
    ran = empty.run("approve", str(path), identify(SHELL), *WHY)
    assert ran.status == 0, ran
    assert f", in {path}; approved 1 behaviour:" in ran.out
    found = read_baseline(path)
    assert path.read_bytes() == encode(found, format)
    assert found.entries[SHELL].standing is Standing.ALLOWED
    assert (found.revision, found.parent, found.state) == (5, version_of(one), one.state)
    [review] = found.reviews
    assert (review.author, review.action, review.reason) == ("ann", "approve", "pull request 12")
    assert review.what == "exec /bin/dash as sh by /usr/sbin/nginx"
    assert (path.stat().st_mode & 0o777, os.listdir(tmp_path)) == (0o604, ["nginx"])
    assert not empty.directory.exists(), "it is nothing of this node's"


def test_every_decision_is_made_on_files(empty: Node, file: Path, one: Baseline) -> None:
    for words in (
        ("reject", str(file), "--check", "NL-01"),
        ("approve", str(file), "--all-needs-review"),
        ("excuse", str(file), "--check", "NL-08", "--expires", "never"),
        ("promote", str(file)),
        ("retire", str(file)),
    ):
        ran = empty.run(*words, *WHY)
        assert ran.status == 0, ran
        assert f"in {file}" in ran.out
    found = read_baseline(file)
    assert (found.revision, found.state) == (9, State.RETIRED)
    assert [review.action for review in found.reviews] == ["reject", "approve", "excuse", "promote", "retire"]
    assert (found.entries[DROPPED].standing, found.entries[SHELL].standing) == (Standing.REJECTED, Standing.ALLOWED)
    assert [one.check for one in found.excuses] == ["NL-08"]
    assert {**found.entries, DROPPED: None, SHELL: None} == {**one.entries, DROPPED: None, SHELL: None}


def test_the_rules_are_those_of_stored_ones(empty: Node, file: Path) -> None:
    before = file.read_bytes()
    for words, said in (
        (("promote", str(file)), "2 behaviours need review"),
        (("approve", str(file), identify(DROPPED)), "--any-content"),
        (("approve", str(file), "dead"), "no behaviour has the id dead"),
        (("approve", str(file)), "say which behaviours"),
    ):
        ran = empty.run(*words, *WHY)
        assert (ran.status, said in ran.err) == (2, True), ran
    assert empty.run("approve", str(file), identify(SHELL), "--reason", " ").status == 2
    assert "nothing to approve" in empty.run("approve", str(file), identify(SERVER), *WHY).out
    assert file.read_bytes() == before


def test_one_that_is_still_learned_gets_no_number(empty: Node, file: Path, one: Baseline) -> None:
    file.write_text(to_yaml(replace(one, state=State.LEARNING, revision=0)))
    assert "still being learned" in empty.run("reject", str(file), identify(PASSWD), *WHY).out
    found = read_baseline(file)
    assert (found.revision, found.state, len(found.reviews)) == (0, State.LEARNING, 1)


def test_to_another_file(empty: Node, node: Node, file: Path, tmp_path: Path) -> None:
    before, other = file.read_bytes(), tmp_path / "reviewed.yaml"
    assert f"in {other}" in empty.run("approve", str(file), identify(SHELL), "-o", str(other), *WHY).out
    assert (file.read_bytes(), read_baseline(other).revision) == (before, 5)
    assert empty.run("approve", str(file), identify(SHELL), "-o", "/dev/null", *WHY).status == 2
    ran = node.run("approve", "nginx", identify(SHELL), "-o", str(other), *WHY)
    assert (ran.status, "--output is for files" in ran.err, node.one().revision) == (2, True, 1)


def test_what_is_signed_is_not_changed_in_place(empty: Node, tmp_path: Path, one: Baseline) -> None:
    path, other = tmp_path / "nginx.dsse.json", tmp_path / "nginx.yaml"
    path.write_bytes(signed("alice", one=one))
    before = path.read_bytes()
    ran = empty.run("approve", str(path), identify(SHELL), *WHY)
    assert (ran.status, "is signed, and a decision makes another revision" in ran.err) == (9, True)
    assert empty.run("approve", str(path), identify(SHELL), "--output", str(other), *WHY).status == 0
    assert path.read_bytes() == before
    found = read_baseline(other)
    assert other.read_text() == to_yaml(found)
    assert (found.revision, found.parent) == (5, version_of(one))


def test_a_link_stays_one(empty: Node, file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    assert empty.run("approve", str(link), identify(SHELL), *WHY).status == 0
    assert (link.is_symlink(), read_baseline(file).revision) == (True, 5)


def test_a_file_that_somebody_else_changed_meanwhile_is_left(
    empty: Node, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_by = baseline_deciding.made_by

    def slow(*texts: str) -> object:
        file.write_text("theirs")
        return made_by(*texts)

    monkeypatch.setattr(baseline_deciding, "made_by", slow)
    ran = empty.run("approve", str(file), identify(SHELL), *WHY)
    assert (ran.status, "was changed meanwhile" in ran.err, file.read_text()) == (5, True, "theirs")


def test_a_file_that_cannot_be_written_stays_as_it_is(empty: Node, file: Path) -> None:
    (file.parent / f"{file.name}.new").mkdir()
    before = file.read_bytes()
    ran = empty.run("approve", str(file), identify(SHELL), *WHY)
    assert (ran.status, "cannot be written" in ran.err, file.read_bytes()) == (5, True, before)


def test_in_an_editor(empty: Node, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "/path: \\"\\/etc\\/passwd\\"/d; /path: \\/etc\\/passwd,/d" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    ran = empty.run("edit", str(file), *WHY)
    assert ran.status == 0, ran
    assert f", in {file}" in ran.out
    found = read_baseline(file)
    assert (found.revision, found.entries[PASSWD].standing) == (5, Standing.REJECTED)
    assert found.reviews[-1].action == "edit"


def test_what_was_reviewed_comes_into_force_as_any_file(node: Node, file: Path) -> None:
    assert node.run("approve", str(file), identify(SHELL), *WHY).status == 0
    assert json.loads(node.run("diff", str(file), "--json").out)["before"]["revision"] == 1
    assert node.run("import", str(file), "--widen", *WHY).status == 0
    assert (node.one().key, node.one().revision, node.standing(SHELL)) == (OLD, 5, Standing.ALLOWED)
