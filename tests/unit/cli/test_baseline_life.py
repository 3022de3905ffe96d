"""``driftline baseline promote``, ``retire``, ``rollback``."""

from __future__ import annotations

from driftline.baseline.keeping.store import MSGPACK
from driftline.baseline.schema import Standing, State
from unit.cli.baselines import OLD, PASSWD, SHELL, Node, identify

WHY = ("--reason", "seen it", "--author", "ann")


def test_promote_when_every_question_is_answered(node: Node) -> None:
    status, _, err = node.run("promote", "nginx", *WHY)
    assert (status, node.one().state) == (2, State.CANDIDATE)
    assert "2 behaviours need review" in err
    node.run("reject", "nginx", "--all-needs-review", *WHY)
    status, out, _ = node.run("promote", "nginx", *WHY)
    assert (status, node.one().state, node.one().revision) == (0, State.ACTIVE, 3)
    assert "active, revision 3" in out
    assert "it stays partial: attached late, losses 3" in out
    assert "active already" in node.run("promote", "nginx", *WHY).err


def test_promote_by_force_says_what_is_open(node: Node) -> None:
    assert "2 behaviours still need review" in node.run("promote", "nginx", "--force", *WHY).out


def test_retire_and_bring_back(node: Node) -> None:
    assert "retired, revision 2" in node.run("retire", "nginx", *WHY).out
    assert node.one().state is State.RETIRED
    assert "retired already" in node.run("retire", "nginx", *WHY).err
    assert "candidate, revision 3" in node.run("rollback", "nginx", "1", *WHY).out


def test_rollback_shows_what_changes_and_widens_only_when_told(node: Node) -> None:
    node.run("reject", "nginx", identify(PASSWD), identify(SHELL), *WHY)
    status, out, err = node.run("rollback", "nginx", "1", *WHY)
    assert (status, node.one().revision) == (2, 2)
    assert "~ read /etc/passwd: rejected → allowed\n1 changed\n" in out
    assert "it expects more than what is in force now" in err
    status, out, _ = node.run("rollback", "nginx", "1", "--widen", *WHY)
    assert (status, node.standing(PASSWD)) == (0, Standing.ALLOWED)
    assert node.standing(SHELL) is Standing.REJECTED, "a rejection outlives a rollback to an open question"
    review = node.one().reviews[-1]
    assert (review.action, review.what, len(node.one().reviews)) == ("rollback", "revision 1", 3)


def test_rollback_to_nothing(node: Node) -> None:
    assert "there is no revision 9" in node.run("rollback", "nginx", "9", *WHY).err
    assert node.run("rollback", "nginx", "0", *WHY).status == 2


def test_rollback_mends_what_cannot_be_read(node: Node) -> None:
    (node.store.directory(OLD) / MSGPACK).write_bytes(b"\x80")
    assert "rollback" in node.run("list").err
    assert node.run("rollback", OLD, "1", *WHY).status == 0
    assert node.one().revision == 2
