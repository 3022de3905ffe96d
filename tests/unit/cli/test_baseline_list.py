"""``driftline baseline list`` and ``history``."""

from __future__ import annotations

from dataclasses import replace

from driftline.baseline.keeping.history import path_of
from driftline.baseline.keeping.store import MSGPACK
from driftline.baseline.schema import Baseline, State
from unit.cli.baselines import NEW, OLD, SHELL, Node, identify, web


def test_one_line_each_with_all_a_person_asks(node: Node) -> None:
    node.store.save(replace(web(), key=NEW, image="寺/\x1b[2J", partial=(), losses=0, state=State.LEARNING))
    node.store.save(Baseline(OLD, "shop/web", image=web().image))
    head, *rows = node.run("list").out.splitlines()
    assert " ".join(head.split()) == "IMAGE DIGEST STATE REV COMPLETE EXEC OPEN LOAD CONNECT REVIEW SIGNED FROM AGE"
    facts = [" ".join(row.split()[:-1]) for row in rows]  # without the age
    assert facts[0] == "docker.io/library/nginx:1.22 ab12ab12ab12 candidate 1 partial 3 53 7 1 2 - 2"
    assert rows[1] == "  partial: attached late, losses 3"
    assert facts[2] == "docker.io/library/nginx:1.22 + shop/web ab12ab12ab12 learning - - 0 0 0 0 - - 0"
    assert facts[3] == "寺/\\x1b[2J ab34ab34ab34 learning - - 3 53 7 1 2 - 2"


def test_a_long_id_is_as_short_as_show_takes_it(node: Node) -> None:
    node.store.save(Baseline(f"container:{'ab12' * 16}"))
    row = node.run("list").out.splitlines()[1]
    assert row.startswith("container:ab12ab12ab12 ")
    assert "learning" in node.run("show", row.split()[0]).out


def test_as_json(node: Node) -> None:
    (found,) = node.json("list")
    assert found["key"] == OLD
    assert (found["complete"], found["reasons"]) == (False, ["attached late", "losses 3"])
    assert found["behaviours"] == {"exec": 3, "open": 53, "load": 7, "connect": 1}
    assert found["standing"] == {"allowed": 60, "unconfirmed": 1, "needs-review": 2, "rejected": 1}


def test_one_that_cannot_be_read_hides_no_other(node: Node) -> None:
    node.store.save(replace(web(), key=NEW))
    path = node.store.directory(OLD) / MSGPACK
    path.write_bytes(b"\x80")
    status, out, err = node.run("list")
    assert status == 5
    assert "ab34ab34ab34" in out
    assert f"{path} is no baseline" in err
    assert path.exists()


def test_history_tells_who_what_when_and_why(node: Node) -> None:
    node.run("approve", "nginx", identify(SHELL), "--reason", "a \x1b[2J cgi", "--author", "ann")
    node.run("promote", "nginx", "--force", "--reason", "seen it", "--author", "ben")
    text = node.run("history", "nginx").out
    assert "agent  learn: complete" in text
    assert "ann  approve: a \\x1b[2J cgi\n      exec /bin/dash as sh by /usr/sbin/nginx\n" in text
    assert "ben  promote: seen it" in text
    steps = node.json("history", "nginx")
    assert [(one["revision"], one["author"], one["state"]) for one in steps] == [
        (1, "agent", "candidate"),
        (2, "ann", "candidate"),
        (3, "ben", "active"),
    ]
    assert [one["parent"] for one in steps[1:]] == [one["version"] for one in steps[:-1]]
    assert len(node.json("history", "nginx", "--limit", "1")) == 1


def test_history_of_what_is_still_learned_has_decisions_without_a_revision(empty: Node) -> None:
    empty.store.save(replace(web(), state=State.LEARNING))
    assert "still being learned" in empty.run("history", "nginx").out
    empty.run("approve", "nginx", identify(SHELL), "--reason", "known", "--author", "ann")
    empty.store.commit(replace(empty.one(), state=State.CANDIDATE), "agent", "learn", "complete")
    assert [(one["revision"], one["action"]) for one in empty.json("history", "nginx")] == [
        (None, "approve"),
        (1, "learn"),
    ]


def test_a_damaged_revision_is_told_and_hides_no_other(node: Node) -> None:
    node.run("promote", "nginx", "--force", "--reason", "seen it")
    path_of(node.store.directory(OLD), 1).write_bytes(b"\x80")
    text = node.run("history", "nginx").out
    assert "   1  damaged: " in text
    assert "promote: seen it" in text
