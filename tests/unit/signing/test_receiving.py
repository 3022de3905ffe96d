"""What a collector publishes and revokes comes into force on a node, or does not, with the reason."""

from __future__ import annotations

import base64
import os
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driftline.baseline.carry import carry
from driftline.baseline.decisions import retire, with_standing
from driftline.baseline.format.canonical import load_head, to_msgpack, version_of
from driftline.baseline.keeping.revoked import Revoked
from driftline.baseline.keeping.store import MSGPACK, BaselineStore
from driftline.baseline.receiving import child, publishing
from driftline.baseline.receiving.apart import Answer, Became, Request, receive_apart
from driftline.baseline.schema import LEARNED, Baseline, Review, Standing, State
from driftline.baseline.signing import files, judged, memory, revocation
from driftline.baseline.signing.apart import verify_apart
from driftline.baseline.signing.memory import Seen
from driftline.baseline.signing.ruling import UNSIGNED, Ruling, rule
from driftline.errors import StateError
from driftline.nouns import LoadBehaviour
from driftline.text import escape
from driftline.wire.service import WHOLE_BYTES
from unit.cli.baselines import OLD, PASSWD, SHADOW, entry
from unit.signing.making import baseline, put, signed, signed_payload, trust

MORE = {**baseline().entries, LoadBehaviour("/evil.so"): entry()}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    trust(tmp_path / "trust", "alice")
    (tmp_path / "incoming").mkdir()
    return tmp_path


def request(state: Path, one: Baseline, data: bytes, **changed: Any) -> Request:
    file = state / "incoming" / "1"
    file.write_bytes(data)
    values = {
        "state_dir": str(state),
        "trust_dir": str(state / "trust"),
        "threshold": 1,
        "unsigned": False,
        "required": False,
        "collector": "collector:4650",
        "name": escape(one.name),
        "version": version_of(one),
        "file": str(file),
    }
    return Request(**(values | changed))


def publish(state: Path, one: Baseline, *names: str, **changed: Any) -> Answer:
    """Publish ``one``, signed by ``names``; by nobody: as it is."""
    data = signed(*names, one=one) if names else to_msgpack(one)
    return child.take(request(state, one, zlib.compress(data), signed=bool(names), **changed))


def in_force(state: Path, name: str = OLD) -> Baseline | None:
    found = BaselineStore(str(state)).load_one(name)
    assert not isinstance(found, StateError)
    return found


def refused(answer: Answer, why: str) -> None:
    assert (answer.became, why in answer.reason) == (Became.REFUSED, True), answer


# --- signed -----------------------------------------------------------------------------------------------------------


def test_a_signed_one_comes_into_force_as_it_is_where_the_image_never_ran(state: Path) -> None:
    one = baseline(4, state=State.ACTIVE, workload="shop/web")
    assert publish(state, one, "alice").became is Became.TAKEN
    store = BaselineStore(str(state))
    assert store.load_one(one.name) == one
    assert store.signatures(one) == signed("alice", one=one)


def test_the_child_takes_one_in_a_process_of_its_own(state: Path) -> None:
    one = baseline(4)
    data = zlib.compress(signed("alice", one=one))
    assert receive_apart(request(state, one, data, signed=True)) == Answer(became=Became.TAKEN)
    assert in_force(state) == one


def test_a_child_that_does_not_end_is_an_error(state: Path) -> None:
    with pytest.raises(StateError, match=r"longer than 0\.01 s"):
        receive_apart(request(state, baseline(), b""), seconds=0.01)


def test_only_what_enough_trusted_keys_signed(state: Path) -> None:
    refused(publish(state, baseline(), "mallory"), "0 of 1 needed signatures are by trusted keys")
    refused(publish(state, baseline(), "alice", threshold=2), "2 signatures needed, and only 1 key trusted")
    refused(publish(state, baseline()), "nobody signed it, and this node takes only what is signed")
    refused(publish(state, baseline(), unsigned=False, required=True), "nobody signed it")
    trust(state / "trust")
    refused(publish(state, baseline(), "alice"), f"no trusted keys in {state / 'trust'}: ")
    (state / "trust").rmdir()
    refused(publish(state, baseline(), "alice"), f"no trusted keys in {state / 'trust'}: ")
    assert in_force(state) is None


def test_an_expired_one_is_refused(state: Path) -> None:
    one = baseline()
    data = zlib.compress(signed("alice", one=one, expires_ns=10**18))
    refused(child.take(request(state, one, data, signed=True)), "it expired on 2001-09-09 01:46 UTC")


def test_an_older_one_does_not_replace_a_signed_one(state: Path) -> None:
    assert publish(state, baseline(4), "alice").became is Became.TAKEN
    refused(publish(state, baseline(3, entries=MORE), "alice"), "revision 4 of")
    assert in_force(state) == baseline(4)


@pytest.mark.parametrize("own", [baseline(9, entries=MORE), baseline(0, state=State.LEARNING)])
def test_it_replaces_what_the_node_learned_or_learns_whatever_its_number(state: Path, own: Baseline) -> None:
    put(state, own)
    assert publish(state, baseline(4), "alice").became is Became.TAKEN
    assert in_force(state) == baseline(4)


def test_what_people_changed_here_since_stays_when_it_is_told_again(state: Path) -> None:
    publish(state, baseline(4), "alice")
    store = BaselineStore(str(state), by_hand=True)
    found = store.load_one(OLD)
    assert isinstance(found, Baseline)
    store.commit(with_standing(found, [PASSWD], Standing.REJECTED), "ann", "reject", "no")
    assert publish(state, baseline(4), "alice").became is Became.TAKEN
    now = in_force(state)
    assert now is not None
    assert (now.revision, now.entries[PASSWD].standing) == (5, Standing.REJECTED)
    store.remove(OLD)
    assert publish(state, baseline(4), "alice").became is Became.TAKEN
    assert in_force(state) == baseline(4)


# --- unsigned ---------------------------------------------------------------------------------------------------------


def test_an_unsigned_one_comes_into_force_where_that_is_wanted(state: Path) -> None:
    assert publish(state, baseline(4), unsigned=True).became is Became.TAKEN
    now = in_force(state)
    assert now is not None
    assert (now.revision, version_of(now)) == (4, version_of(baseline(4)))
    review = now.reviews[-1]
    assert (review.author, review.action) == ("collector: collector:4650", "publish")


def test_what_was_rejected_here_stays_rejected(state: Path) -> None:
    own = with_standing(baseline(1), [SHADOW], Standing.REJECTED)
    put(state, own)
    entries = {one: known for one, known in baseline().entries.items() if one != SHADOW}
    assert publish(state, baseline(4, entries=entries), unsigned=True).became is Became.TAKEN
    now = in_force(state)
    assert now is not None
    assert now.entries[SHADOW].standing is Standing.REJECTED


def test_an_unsigned_one_never_replaces_a_signed_one(state: Path) -> None:
    publish(state, baseline(4), "alice")
    answer = publish(state, baseline(5, entries=MORE), unsigned=True)
    refused(answer, "revision 4, which is in force here, is signed, and this is not")
    assert in_force(state) == baseline(4)


def test_where_unsigned_ones_are_taken_a_bad_signature_is_none_the_less_bad(state: Path) -> None:
    refused(publish(state, baseline(), "mallory", unsigned=True), "0 of 1 needed signatures")
    trust(state / "trust")
    assert publish(state, baseline(), "mallory", unsigned=True).became is Became.TAKEN, "nobody is trusted here"


# --- hostile ----------------------------------------------------------------------------------------------------------


def test_what_is_no_baseline_is_refused(state: Path) -> None:
    one, good = baseline(), zlib.compress(to_msgpack(baseline()))
    for data, why in (
        (b"", "too early"),
        (b"\x00" * 100, "not zlib"),
        (good[:-9], "too early"),
        (good + b"x", "after the compressed data"),
        (zlib.compress(b"\xc1"), "not msgpack"),
        (zlib.compress(b"{}"), "not msgpack"),
        (zlib.compress(to_msgpack(one)[:-20]), "not msgpack"),
    ):
        refused(child.take(request(state, one, data, unsigned=True)), why)
    assert not (state / "baselines").exists()


def test_a_bomb_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "WHOLE_BYTES", 1024 * 1024)
    bomb = zlib.compress(b"\x00" * (publishing.WHOLE_BYTES + 1))
    refused(child.take(request(state, baseline(), bomb, unsigned=True)), "when decompressed")
    assert WHOLE_BYTES > publishing.WHOLE_BYTES


def test_the_bomb_of_full_size_leaves_the_child_alive(state: Path) -> None:
    bomb = zlib.compress(b"\x00" * (WHOLE_BYTES + 1))
    refused(receive_apart(request(state, baseline(), bomb, unsigned=True)), f"more than {WHOLE_BYTES} bytes")


def test_it_is_what_it_was_sent_as(state: Path) -> None:
    refused(publish(state, baseline(), unsigned=True, name="sha256:" + "ef" * 32), "not what it was sent as")
    refused(publish(state, baseline(), unsigned=True, version="sha256:" + "ef" * 32), "not what it was sent as")
    refused(publish(state, baseline(), "alice", version="sha256:" + "ef" * 32), "not what it was sent as")


def test_only_of_images(state: Path) -> None:
    for key in ("container:abc", "starter:nginx", "../../etc", "sha256:ab"):
        refused(publish(state, baseline(key=key), unsigned=True), "no SHA-256 digest of an image")
    refused(publish(state, baseline(0, state=State.LEARNING), unsigned=True), "still being learned")


def test_a_signed_text_that_is_no_baseline_is_refused(state: Path) -> None:
    data = zlib.compress(signed_payload(b'{"_type": "x"}', "alice"))
    refused(child.take(request(state, baseline(), data, signed=True)), "no signed baseline")


def test_a_disk_that_refuses_is_no_refusal(state: Path) -> None:
    (state / "baselines").write_text("no directory")
    answer = publish(state, baseline(), "alice")
    assert (answer.became, "Not a directory" in answer.reason or "File exists" in answer.reason) == (
        Became.FAILED,
        True,
    ), answer
    gone = child.take(request(state, baseline(), b"", file=str(state / "gone")))
    assert gone.became is Became.FAILED


# --- revocations ------------------------------------------------------------------------------------------------------


def revoke(state: Path, one: Baseline, **changed: Any) -> Answer:
    values = {"unsigned": True, "revocation": True, "reason": "bad \\x1b[31m"} | changed
    return child.take(request(state, one, b"", **values))


def learned(one: Baseline) -> Baseline:
    """As the agent commits it."""
    return replace(one, reviews=(Review(1, "agent", "learn", "complete"),))


def commit(state: Path, one: Baseline, author: str = "ann") -> Baseline:
    store = BaselineStore(str(state), by_hand=True)
    store.load_one(one.name)
    return store.commit(one, author, "import", "")


def test_what_was_in_force_before_is_in_force_again(state: Path) -> None:
    commit(state, baseline(0))
    commit(state, baseline(1, entries=MORE, state=State.ACTIVE))
    answer = revoke(state, baseline(entries=MORE))
    assert (answer.became, answer.now) == (Became.TAKEN, "what revision 1 expects is in force")
    now = in_force(state)
    assert now is not None
    assert (now.revision, version_of(now), now.state) == (3, version_of(baseline()), State.CANDIDATE)
    assert (now.reviews[-1].author, now.reviews[-1].reason) == ("agent", "bad \x1b[31m")
    again = revoke(state, baseline(entries=MORE))
    assert (again.became, again.now) == (Became.TAKEN, "")
    refused(publish(state, baseline(9, entries=MORE), unsigned=True), "was revoked: bad \\\\x1b[31m")
    refused(publish(state, baseline(9, entries=MORE), "alice"), "was revoked")


@pytest.mark.parametrize("being_learned", [False, True])
def test_what_newer_images_carried_over_from_it_alone_waits_for_review(state: Path, being_learned: bool) -> None:
    """Also by way of an image between; not what the version before expected too, nor what the image showed itself."""
    evil, own = LoadBehaviour("/evil.so"), LoadBehaviour("/own.so")
    good = baseline(0)
    commit(state, good)
    bad = commit(state, baseline(1, entries={**good.entries, evil: entry(), own: entry()}))
    between, newest = "sha256:" + "b" * 64, "sha256:" + "c" * 64
    second = replace(carry(bad, between, "shop/web:2"), state=State.CANDIDATE)
    third = replace(carry(second, newest, "shop/web:3"), state=State.LEARNING if being_learned else State.ACTIVE)
    third.entries[own] = replace(third.entries[own], source=LEARNED)
    for one in (second, third):
        commit(state, one)
    answer = revoke(state, bad)
    assert answer.became is Became.TAKEN, answer
    assert dict(answer.inherited) == {
        between: f"2 behaviours it carried over from {OLD} set to needs-review",
        newest: f"1 behaviour it carried over from {OLD} set to needs-review",
    }
    assert answer.said.startswith("what revision 1 expects is in force; of ")
    for name, waiting in ((between, {evil, own}), (newest, {evil})):
        now, before = in_force(state, name), second if name == between else third
        assert now is not None
        assert (now.state, now.reviews[-1].action) == (before.state, "revoke")
        changed = {each for each in now.entries if now.entries[each].standing is not before.entries[each].standing}
        assert changed == waiting
        assert {now.entries[each].standing for each in waiting} == {Standing.NEEDS_REVIEW}
    assert dict(revoke(state, bad).inherited) == {}, "once"


def test_what_a_signed_baseline_carried_over_stays_and_is_told(state: Path) -> None:
    bad = commit(state, baseline(0, entries=MORE))
    newer = replace(carry(bad, "sha256:" + "b" * 64, "shop/web:2"), state=State.ACTIVE, revision=1)
    put(state, newer, "alice")
    (told,) = revoke(state, bad).inherited.values()
    assert "kept, because it is signed" in told
    assert in_force(state, newer.name) == newer


def test_revoked_ones_are_passed_over(state: Path) -> None:
    commit(state, baseline(0))
    revoke(state, baseline())
    commit(state, baseline(1, entries=MORE))
    answer = revoke(state, baseline(entries=MORE))
    assert answer.now == "the image is learned anew"
    now = in_force(state)
    assert now is not None
    assert now.state is State.RETIRED


def test_what_is_not_in_force_is_only_remembered(state: Path) -> None:
    assert revoke(state, baseline()) == Answer(became=Became.TAKEN, reason="bad \\x1b[31m")
    assert not (state / "baselines").exists()
    for other in (baseline(2, entries=MORE), retire(baseline(2)), baseline(0, state=State.LEARNING)):
        put(state, other)
        assert revoke(state, baseline()).now == ""
        assert in_force(state) == other
    refused(publish(state, baseline(7), "alice"), "was revoked")


def test_where_only_signed_ones_count_nobody_revokes_without_a_signature(state: Path) -> None:
    commit(state, baseline(0))
    refused(revoke(state, baseline(), unsigned=False), "nobody signed this revocation")
    now = in_force(state)
    assert now is not None
    assert now.state is State.CANDIDATE
    assert not (state / "revoked.json").exists()


def test_a_damaged_memory_is_no_refusal(state: Path) -> None:
    (state / "revoked.json").write_text("{")
    assert revoke(state, baseline()).became is Became.FAILED
    assert publish(state, baseline(), "alice").became is Became.FAILED


def test_a_name_nobody_could_have_escaped_is_refused(state: Path) -> None:
    refused(revoke(state, baseline(), name="a\\b"), "malformed escape")
    assert os.listdir(state / "incoming") == ["1"]


# --- signed revocations -----------------------------------------------------------------------------------------------


def revoke_signed(state: Path, one: Baseline, *names: str, **changed: Any) -> Answer:
    said = Revoked(one.name, version_of(one), "stolen")
    envelope = base64.b64encode(signed_payload(revocation.payload_of(said), *names)).decode()
    return revoke(state, one, **({"unsigned": False, "envelope": envelope} | changed))


def ruling(state: Path, seen: Seen | None = None) -> Ruling:
    """What an agent that requires signatures makes of what lies there."""
    (answer,) = verify_apart(judged.Request(str(state), str(state / "trust"), 1, (OLD,)))
    return rule(answer, seen or memory.recall(str(state), OLD), time.time_ns())


def accept(state: Path) -> None:
    """Take what lies there for the last good one, as the guard does."""
    seen = ruling(state).remember
    assert seen is not None
    directory = judged.own_directory(str(state), OLD)
    data = (directory / MSGPACK).read_bytes()
    memory.remember(str(state), seen, data, files.read(directory, load_head(data)[1], 10**6))


def test_a_signed_revocation_is_obeyed_for_what_it_says(state: Path) -> None:
    put(state, baseline(4), "alice")
    refused(revoke_signed(state, baseline(4), "mallory"), "0 of 1 needed signatures")
    refused(revoke_signed(state, baseline(4), "alice", version="sha256:" + "ef" * 32), "another version")
    refused(revoke_signed(state, baseline(4), "alice", name="sha256:" + "ef" * 32), "another version")
    swapped = base64.b64encode(signed("alice", one=baseline(4))).decode()
    refused(revoke(state, baseline(4), unsigned=False, envelope=swapped), "predicateType")
    assert in_force(state) == baseline(4)
    answer = revoke_signed(state, baseline(4), "alice", reason="made up on the way")
    assert (answer.became, answer.reason, answer.now) == (Became.TAKEN, "stolen", "the image is learned anew")


def test_where_signatures_are_required_the_signed_one_before_is_in_force_again(state: Path) -> None:
    first, second = baseline(4), baseline(5, entries=MORE)
    for one in (first, second):
        assert publish(state, one, "alice", required=True).became is Became.TAKEN
        accept(state)
    assert revoke_signed(state, second, "alice", required=True).now == "what revision 4 expects is in force"
    assert in_force(state) == first
    assert ruling(state).choice.signed, "though it is older than what was in force"
    accept(state)
    put(state, second, "alice")  # an attacker with the old files
    found = ruling(state)
    assert (found.choice.kept, found.choice.signed) == (True, True)
    assert found.why == "revoked: stolen; revision 4 stays in force"
    refused(publish(state, baseline(6, entries=MORE), "alice", required=True), "was revoked: stolen")


def test_signatures_under_the_same_contents_by_another_key_take_none_away(state: Path) -> None:
    """A key that was stolen signed what alice had signed, as a later revision, and then something else."""
    trust(state / "trust", "alice", "carl")
    for one, name in ((baseline(4), "alice"), (baseline(5), "carl"), (baseline(6, entries=MORE), "carl")):
        assert publish(state, one, name, required=True).became is Became.TAKEN
    accept(state)
    trust(state / "trust", "alice")
    revoked = revoke_signed(state, baseline(6, entries=MORE), "alice", required=True)
    assert revoked.now == "what revision 4 expects is in force"
    assert in_force(state) == baseline(4)
    assert ruling(state).choice.signed


def test_where_signatures_are_required_an_unsigned_one_before_is_passed_over(state: Path) -> None:
    commit(state, learned(baseline(0)), "agent")
    commit(state, baseline(1, entries={}), "eve")
    last = baseline(5, entries=MORE)
    publish(state, last, "alice", required=True)
    accept(state)
    assert revoke_signed(state, last, "alice", required=True).now == "what revision 1 expects is in force"
    found = ruling(state)
    assert (found.choice.held, found.choice.nothing, found.why) == (False, False, UNSIGNED)


def test_where_signatures_are_required_and_nothing_is_left_the_image_is_learned_anew(state: Path) -> None:
    publish(state, baseline(5), "alice", required=True)
    accept(state)
    assert revoke_signed(state, baseline(5), "alice", required=True).now == "the image is learned anew"
    found = ruling(state)
    assert (found.choice.held, found.choice.nothing) == (False, False)
    now = in_force(state)
    assert now is not None
    assert now.state is State.RETIRED


def test_the_last_good_one_does_not_come_back_when_its_file_is_gone(state: Path) -> None:
    publish(state, baseline(5), "alice", required=True)
    accept(state)
    BaselineStore(str(state), by_hand=True).remove(OLD)
    assert ruling(state).choice.kept
    assert revoke_signed(state, baseline(5), "alice", required=True).now == "the image is learned anew"
    assert ruling(state).choice.nothing
