"""``driftline baseline edit``: what an editor leaves is committed, or kept and told."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import LEARNED, REVIEWED, Standing
from driftline.nouns import OpenBehaviour
from unit.cli.baselines import PASSWD, SERVER, SHADOW, Node, entry, web

WHY = ("--reason", "tidied", "--author", "ann")
LEARNED_MEANWHILE = OpenBehaviour("/learned/meanwhile", "read")


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.delenv("VISUAL", raising=False)


def left(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "tmp").glob("*/*"))


def editor(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """An editor that does ``code`` with ``text``."""
    program = f"import sys; path = sys.argv[1]; text = open(path).read()\n{code}\nopen(path, 'w').write(text)"
    monkeypatch.setenv("EDITOR", shlex.join([sys.executable, "-c", program]))


def without(path: str) -> str:
    return f"text = ''.join(line for line in text.splitlines(True) if {path!r} not in line)"


def test_a_line_taken_out_is_rejected_and_shown(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(monkeypatch, without('"/etc/passwd"'))
    status, out, err = node.run("edit", "nginx", *WHY)
    assert (status, err) == (0, "")
    assert "~ read /etc/passwd: allowed → rejected\n1 changed\n" in out
    assert "candidate, revision 2" in out
    assert node.standing(PASSWD) is Standing.REJECTED
    assert (node.one().reviews[-1].action, node.one().reviews[-1].reason) == ("edit", "tidied")
    assert not left(tmp_path)


def test_a_line_of_a_person_needs_no_evidence(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    line = '  - {path: "/srv/uploads/*", access: "write"}'
    editor(monkeypatch, f"text = text.replace('\\nopen:', '\\nopen:' + chr(10) + {line!r})")
    status, out, _ = node.run("edit", "nginx", *WHY)
    assert (status, "+ write /srv/uploads/*\n1 added\n" in out) == (0, True)
    written = node.one().entries[OpenBehaviour("/srv/uploads/*", "write")]
    assert (written.source, written.standing, written.count) == (REVIEWED, Standing.ALLOWED, 0)
    assert "write /srv/uploads/*  (not seen yet, reviewed)" in node.run("show", "nginx").out


def test_what_the_agent_learned_while_the_editor_was_open_is_kept(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def learn(_path: Path) -> None:
        agent = BaselineStore(str(node.directory))
        found = node.one()
        found.entries[LEARNED_MEANWHILE] = entry(source=LEARNED)
        agent.load_one(found.name)
        agent.save(found)
        _path.write_text(
            _path.read_text().replace(
                '"/etc/old", access: "read", standing: "unconfirmed"', '"/etc/old", access: "read"'
            )
        )

    monkeypatch.setattr("driftline.cli.baseline_edit.run_editor", learn)
    assert node.run("edit", "nginx", *WHY).status == 0
    assert LEARNED_MEANWHILE in node.one().entries
    assert node.standing(OpenBehaviour("/etc/old", "read")) is Standing.ALLOWED


def test_nothing_changed(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "true")
    assert node.run("edit", "nginx", *WHY).out == "nothing changed\n"
    editor(monkeypatch, "text = '# a remark' + chr(10) + text")
    assert node.run("edit", "nginx", *WHY).out == "no difference\nnothing changed\n"
    assert node.one().revision == 1
    assert not left(tmp_path)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "text = text.replace('path: \"/etc/passwd\"', 'path: \"/etc/../passwd\"')",
            r"open\[\d+\]\.path: .*\(line \d+\)",
        ),
        ("text = 'a: ['", "this is no baseline"),
        ("text = text.replace('state: \"candidate\"', 'state: \"active\"')", "state cannot be changed by an edit"),
        ("text = text + chr(0)", "this is no baseline"),
    ],
)
def test_text_that_cannot_be_taken_is_kept_and_the_error_says_where(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    editor(monkeypatch, code)
    status, _, err = node.run("edit", "nginx", *WHY)
    assert status in {2, 5}
    assert re.search(said, err)
    (path,) = left(tmp_path)
    assert f"your text is in {path}" in err
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert node.one().entries == web().entries


@pytest.mark.parametrize(("command", "said"), [("false", "ended with status 1"), ("/no/editor", "cannot be run")])
def test_an_editor_that_does_not_work_leaves_nothing(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    monkeypatch.setenv("EDITOR", command)
    status, _, err = node.run("edit", "nginx", *WHY)
    assert (status, said in err) == (2, True)
    assert not left(tmp_path)


def test_the_person_at_a_terminal_may_mend_it(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def edit(path: Path) -> None:
        tries.append(path.read_text())
        path.write_text("a: [" if len(tries) == 1 else "\n".join(one for one in good if "/etc/shadow" not in one))

    good = node.run("show", "nginx", "--yaml").out.splitlines()
    monkeypatch.setattr("driftline.cli.baseline_edit.run_editor", edit)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("driftline.cli.baseline_edit._again", lambda _error: len(tries) == 1)
    assert node.run("edit", "nginx", *WHY).status == 0
    assert tries[1] == "a: [", "they go on where they were"
    assert SHADOW not in node.one().entries, "a rejected one taken out is forgotten"
    assert SERVER in node.one().entries
