"""``driftline baseline approve``, ``reject``, ``excuse``: what is chosen, recorded, refused."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from driftline.baseline.keeping.store import CHANGED, MAX_SAID
from driftline.baseline.schema import Standing, State
from driftline.baseline.wording import text_of
from driftline.nouns import ExecBehaviour, OpenBehaviour
from unit.cli.baselines import DROPPED, PASSWD, SERVER, SHADOW, SHELL, Node, entry, identify, web

WHY = ("--reason", "known", "--author", "ann")


@pytest.mark.parametrize("which", [(identify(SHELL),), (text_of(SHELL),), ("--check", "NL-05")])
def test_approve_by_id_by_text_and_by_check(node: Node, which: tuple[str, ...]) -> None:
    status, out, err = node.run("approve", "nginx", *which, *WHY)
    assert (status, err) == (0, "")
    assert "candidate, revision 2 (sha256:" in out
    assert "approved 1 behaviour:\n  exec /bin/dash as sh by /usr/sbin/nginx\n" in out
    found = node.one()
    assert found.entries[SHELL] == replace(web().entries[SHELL], standing=Standing.ALLOWED)
    review = found.reviews[-1]
    assert (review.author, review.action, review.reason) == ("ann", "approve", "known")
    assert text_of(SHELL) in review.what
    assert (node.store.root / CHANGED).exists(), "the agent hears of it"


def test_code_that_is_not_the_images_needs_its_own_word(node: Node) -> None:
    status, _, err = node.run("approve", "nginx", "--all-needs-review", *WHY)
    assert status == 2
    assert "whatever lies at that path later would be allowed too" in err
    assert node.one().revision == 1
    assert node.run("approve", "nginx", "--all-needs-review", "--any-content", *WHY).status == 0
    assert node.standing(DROPPED) is Standing.ALLOWED
    assert node.run("approve", "nginx", "--all-needs-review", *WHY).out.startswith("nothing to approve")
    assert node.one().revision == 2


def test_reject_and_take_it_back(node: Node) -> None:
    assert "rejected 2 behaviours:" in node.run("reject", "nginx", identify(SERVER), identify(DROPPED), *WHY).out
    assert node.standing(SERVER) is node.standing(DROPPED) is Standing.REJECTED
    node.run("approve", "nginx", identify(SERVER), *WHY)
    assert node.standing(SERVER) is Standing.ALLOWED


def test_reject_says_what_still_lets_it_pass(empty: Node) -> None:
    pattern, one = OpenBehaviour("/srv/data/*", "read"), OpenBehaviour("/srv/data/x", "read")
    empty.store.save(replace(web(), entries={pattern: entry(), one: entry()}))
    assert "still expected, because a pattern" in empty.run("reject", "nginx", text_of(one), *WHY).out
    assert "still expected" not in empty.run("reject", "nginx", text_of(pattern), *WHY).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say which behaviours"),
        (("--check", "NL-05", "--all-needs-review"), "say which behaviours"),
        (("--check", "NL-99"), "there is no check NL-99"),
        (("read /nothing",), "no behaviour reads 'read /nothing'"),
        (("\x1b[2J",), "no behaviour reads"),
        (("00000000",), "no behaviour has the id 00000000"),
    ],
)
def test_what_is_not_clear_changes_nothing(node: Node, words: tuple[str, ...], said: str) -> None:
    for command in ("approve", "reject"):
        status, out, err = node.run(command, "nginx", *words, *WHY)
        assert (status, out) == (2, "")
        assert said in err
    assert node.one().revision == 1


def test_a_reason_is_required(node: Node) -> None:
    assert node.run("approve", "nginx", identify(SHELL)).status == 2
    assert node.one().revision == 1


def test_a_decision_while_it_is_learned_has_no_revision_yet(empty: Node) -> None:
    empty.store.save(replace(web(), state=State.LEARNING))
    assert "still being learned, no revision yet" in empty.run("reject", "nginx", identify(SHELL), *WHY).out
    assert empty.standing(SHELL) is Standing.REJECTED


def test_many_are_one_decision_and_the_record_stays_short(node: Node) -> None:
    many = [identify(OpenBehaviour(f"/usr/share/nginx/{number}", "read")) for number in range(40)]
    assert "and 30 more" in node.run("reject", "nginx", *many, *WHY).out
    assert node.one().reviews[-1].what.endswith("and 30 more")
    assert node.one().revision == 2


def test_a_path_made_up_to_be_long_neither_fills_the_screen_nor_costs_the_baseline(empty: Node) -> None:
    long = [ExecBehaviour("/" + "\x1b" * 4095, "\x1b" * 4096, f"/{number}" * 2000, False) for number in range(20)]
    empty.store.save(replace(web(), entries={one: entry(Standing.NEEDS_REVIEW, "NL-08") for one in long}))
    ran = empty.run("approve", "nginx", "--all-needs-review", *WHY)
    assert (ran.status, len(ran.out) < 10_000) == (0, True)
    assert len(empty.one().reviews[-1].what) <= MAX_SAID
    for command in (("show", "nginx"), ("history", "nginx"), ("diff", "nginx")):
        assert len(empty.run(*command).out) < 30_000


def test_excuse_until_a_day_and_take_it_back(node: Node) -> None:
    status, out, _ = node.run("excuse", "nginx", "--check", "NL-05", "--expires", "30d", *WHY)
    assert status == 0
    assert "NL-05 is excused until 20" in out
    assert "1 behaviour still need review because of it" in out
    (excuse,) = node.one().excuses
    assert (excuse.check, excuse.reason, excuse.author) == ("NL-05", "known", "ann")
    assert abs(excuse.expires_ns - time.time_ns() - 30 * 86_400 * 10**9) < 600 * 10**9
    assert node.standing(SHELL) is Standing.NEEDS_REVIEW
    assert "is excused for good" in node.run("excuse", "nginx", "--check", "NL-05", "--expires", "never", *WHY).out
    assert "NL-05 fires again" in node.run("excuse", "nginx", "--check", "NL-05", "--remove", *WHY).out
    assert node.one().excuses == ()
    assert [review.action for review in node.one().reviews[1:]] == ["excuse", "excuse", "unexcuse"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--check", "NL-99", "--expires", "1d"), "there is no check NL-99"),
        (("--check", "NL-08"), "is no moment"),
        (("--check", "NL-08", "--expires", "soon"), "is no moment"),
        (("--check", "NL-08", "--remove"), "NL-08 is not excused"),
    ],
)
def test_an_excuse_that_makes_no_sense(node: Node, words: tuple[str, ...], said: str) -> None:
    status, _, err = node.run("excuse", "nginx", *words, *WHY)
    assert (status, node.one().revision) == (2, 1)
    assert said in err


def test_what_a_person_may_see_they_may_decide(node: Node) -> None:
    """Each standing can become each other."""
    for behaviour in (SHADOW, PASSWD):
        for command, standing in (("reject", Standing.REJECTED), ("approve", Standing.ALLOWED)):
            node.run(command, "nginx", identify(behaviour), *WHY)
            assert node.standing(behaviour) is standing
