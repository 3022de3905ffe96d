"""Which baseline is in force: every refusal keeps the last good one, and none is forgotten by a clock set back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driftline.baseline.signing.judged import Answer, Judged, Worth
from driftline.baseline.signing.memory import Seen
from driftline.baseline.signing.ruling import Choice, rule
from driftline.nouns import Severity

NAME, NOW = "sha256:11", 1_000
GOOD = Judged(worth=Worth.GOOD, sha256="aa", revision=5)
GONE = Judged(worth=Worth.ABSENT, why="it is gone")
UNTRUSTED = replace(GOOD, worth=Worth.BAD, untrusted=True, why="0 of 1 needed signatures are by trusted keys")
EARLIER = replace(GOOD, revision=3, sha256="ee")
SEEN = Seen(name=NAME, signed=True, revision=5, sha256="aa", retired=False, expires_ns=0)
KEPT = Choice(signed=True, kept=True, held=True, sha256="aa")
NOTHING = Choice(held=True, nothing=True)
OWN = Judged(worth=Worth.UNSIGNED, why="nobody signed revision 1", sha256="cc", revision=1, own=True)
OWN_SEEN = Seen(name=NAME, signed=False, revision=1, sha256="cc", retired=False, expires_ns=0)
BAD = {
    "tampered": Judged(worth=Worth.BAD, why="what was signed is something else", sha256="bb", revision=5),
    "unsigned": Judged(worth=Worth.UNSIGNED, why="nobody signed revision 6", sha256="bb", revision=6),
    "own": replace(OWN, revision=7),
    "gone": GONE,
    "learning": Judged(worth=Worth.LEARNING, why="it is being learned", sha256="bb"),
    "older": replace(GOOD, sha256="bb", revision=4),
    "another": replace(GOOD, sha256="bb"),
    "expired": replace(GOOD, sha256="bb", revision=6, expires_ns=NOW),
}


def answer(now: Judged, kept: Judged = GONE) -> Answer:
    return Answer(NAME, now, kept)


def test_a_signed_one_is_in_force_and_remembered() -> None:
    found = rule(answer(GOOD), None, NOW)
    assert found.choice == Choice(signed=True, sha256="aa")
    assert (found.why, found.remember) == ("", SEEN)


@pytest.mark.parametrize("name", BAD)
def test_whatever_is_refused_the_last_good_one_stays(name: str) -> None:
    found = rule(answer(BAD[name], GOOD), SEEN, NOW)
    assert found.choice == KEPT
    assert found.severity is Severity.HIGH
    assert found.why.endswith("; revision 5 stays in force")
    assert found.remember is None
    assert not found.forget


@pytest.mark.parametrize("kept", [GONE, replace(GOOD, sha256="bb"), replace(GOOD, worth=Worth.BAD)], ids=str)
def test_without_a_good_one_it_says_so(kept: Judged) -> None:
    found = rule(answer(BAD["tampered"], kept), SEEN, NOW)
    assert found.choice == NOTHING
    assert found.why.endswith("no good one is known, so the image is learned anew")


def test_what_was_in_force_counts_no_more_once_nobody_trusts_its_keys() -> None:
    found = rule(answer(UNTRUSTED, UNTRUSTED), SEEN, NOW)
    assert found.choice == replace(NOTHING, void=True)
    assert found.why == f"{UNTRUSTED.why}; no good one is known, so the image is learned anew"
    assert rule(answer(BAD["unsigned"], UNTRUSTED), SEEN, NOW).choice.void
    assert rule(answer(replace(BAD["expired"], revision=4), UNTRUSTED), SEEN, NOW).choice.void
    assert not rule(answer(UNTRUSTED, replace(UNTRUSTED, sha256="bb")), SEEN, NOW).choice.void, "it is another one"
    assert not rule(answer(UNTRUSTED, replace(OWN, untrusted=True)), OWN_SEEN, NOW).choice.void, "nobody ever signed it"
    assert rule(answer(UNTRUSTED, GOOD), SEEN, NOW).choice == KEPT


@pytest.mark.parametrize("name", [name for name in BAD if name != "expired"])
def test_then_the_newest_one_before_it_that_is_good_is_in_force_again(name: str) -> None:
    """Whatever lies there: what is older than that one is none the better, nor is what nobody signed."""
    now = replace(BAD[name], revision=2) if name == "older" else BAD[name]
    if name == "another":  # of the number of what counts no more, and of one that counts
        now = replace(now, revision=EARLIER.revision)
    found = rule(replace(answer(now, UNTRUSTED), earlier=EARLIER), SEEN, NOW)
    assert found.choice == Choice(signed=True, kept=True, held=True, sha256="ee")
    assert found.remember == replace(SEEN, revision=3, sha256="ee"), (
        "from now on that is the one nothing older replaces"
    )
    assert found.severity is Severity.HIGH
    assert found.why.endswith("revision 3 is in force again, the newest before it that enough trusted keys signed")
    again = rule(answer(now, EARLIER), found.remember, NOW)
    assert (again.choice, again.remember) == (found.choice, None)


def test_an_expired_one_before_it_is_better_than_none() -> None:
    expired = replace(EARLIER, expires_ns=NOW - 1)
    found = rule(replace(answer(UNTRUSTED, UNTRUSTED), earlier=expired), SEEN, NOW)
    assert (found.choice.sha256, found.choice.expires_ns) == ("ee", NOW - 1)


def test_a_number_that_only_the_bad_key_vouches_for_keeps_out_no_good_one() -> None:
    good = replace(GOOD, sha256="bb", revision=4)
    for earlier in (GONE, EARLIER):
        found = rule(replace(answer(good, UNTRUSTED), earlier=earlier), SEEN, NOW)
        assert found.choice == Choice(signed=True, sha256="bb")
        assert (found.why, found.remember) == ("", replace(SEEN, revision=4, sha256="bb"))


def test_if_the_one_before_it_retired_the_image_it_is_learned_and_no_older_one_comes_back() -> None:
    retired = replace(EARLIER, retired=True)
    found = rule(replace(answer(GONE, UNTRUSTED), earlier=retired), SEEN, NOW)
    assert found.choice == Choice(nothing=True)
    assert found.remember == replace(SEEN, revision=3, sha256="ee", retired=True)


@pytest.mark.parametrize("name", ["tampered", "unsigned", "expired"])
def test_where_none_was_ever_good_what_is_wrong_is_refused_all_the_same(name: str) -> None:
    assert rule(answer(BAD[name]), None, NOW).choice == NOTHING


def test_a_newer_revision_takes_its_place() -> None:
    newer = replace(GOOD, sha256="bb", revision=6)
    found = rule(answer(newer, GOOD), SEEN, NOW)
    assert found.choice == Choice(signed=True, sha256="bb")
    assert found.remember == replace(SEEN, sha256="bb", revision=6)


def test_renewed_signatures_of_the_same_one_are_taken() -> None:
    expired = replace(SEEN, expires_ns=NOW - 1)
    found = rule(answer(replace(GOOD, expires_ns=NOW + 1), GOOD), expired, NOW)
    assert (found.why, found.choice.expires_ns) == ("", NOW + 1)
    assert found.remember == replace(SEEN, expires_ns=NOW + 1)


def test_one_that_expires_while_in_force_is_told_and_stays() -> None:
    found = rule(answer(replace(GOOD, expires_ns=NOW), GOOD), replace(SEEN, expires_ns=NOW), NOW)
    assert found.choice == Choice(signed=True, sha256="aa", expires_ns=NOW)
    assert "expired" in found.why
    assert found.severity is Severity.HIGH


# --- what nobody signed yet -------------------------------------------------------------------------------------------


def test_what_the_node_learned_itself_counts_until_somebody_signs_and_says_so_quietly() -> None:
    found = rule(answer(OWN), None, NOW)
    assert found.choice == Choice(sha256="cc")
    assert found.severity is Severity.LOW
    assert found.remember == OWN_SEEN


def test_what_a_person_made_of_it_without_signing_is_refused_and_the_learned_one_stays() -> None:
    changed = replace(OWN, own=False, revision=2, sha256="dd")
    found = rule(answer(changed, OWN), OWN_SEEN, NOW)
    assert found.choice == Choice(kept=True, held=True, sha256="cc")
    assert found.severity is Severity.HIGH
    assert found.why == "nobody signed revision 1; revision 1 stays in force"


def test_learning_and_nothing_are_no_trouble() -> None:
    assert rule(answer(BAD["learning"]), None, NOW).choice == Choice()
    assert rule(answer(GONE), None, NOW).choice == Choice(nothing=True)


def test_a_learned_one_that_a_person_removed_is_forgotten() -> None:
    assert rule(answer(GONE, OWN), OWN_SEEN, NOW).forget


def test_the_first_signed_one_may_have_a_lower_number_than_what_was_learned() -> None:
    found = rule(answer(replace(GOOD, revision=1), OWN), replace(OWN_SEEN, revision=9), NOW)
    assert found.choice.signed


# --- retired ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("now", [GONE, BAD["learning"], OWN])
def test_an_image_whose_baseline_was_retired_by_signature_is_learned_again(now: Judged) -> None:
    found = rule(answer(now, GOOD), replace(SEEN, retired=True), NOW)
    assert not found.choice.held
    assert not found.forget


def test_and_an_older_signed_one_does_not_come_back() -> None:
    found = rule(answer(replace(GOOD, sha256="bb", revision=4), GOOD), replace(SEEN, retired=True), NOW)
    assert found.choice.held
    assert "revision 4, and revision 5 was in force" in found.why
