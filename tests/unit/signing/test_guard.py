"""The guard, with real children and files: what it lets in, refuses, remembers, and notices while it runs."""

from __future__ import annotations

import errno
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.format.canonical import version_of
from driftline.baseline.keeping.revoked import Revoked, remember
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline, Review, State
from driftline.baseline.signing import guard as module
from driftline.baseline.signing import memory
from driftline.baseline.signing.apart import ChildError, verify_apart
from driftline.baseline.signing.guard import Guard, Wanted
from driftline.baseline.signing.judged import Answer, Request, Worth, kept_directory, own_directory
from driftline.baseline.signing.ruling import Choice
from driftline.errors import SignatureError
from driftline.nouns import LoadBehaviour, Severity
from unit.cli.baselines import OLD, entry
from unit.signing.making import DAY_NS, baseline, publish, put, signed, trust

WANTED = Wanted(OLD, "", "shop/web:1")
MORE = {**baseline().entries, LoadBehaviour("/evil.so"): entry()}


def learned(one: Baseline) -> Baseline:
    """As the agent commits it."""
    return replace(one, reviews=(Review(1, "agent", "learn", "complete"),))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    trust(tmp_path / "trust", "alice")
    return tmp_path


@pytest.fixture
def make(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Guard]]:
    """Makes guards that look at the keys all the time."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.05)
    made: list[Guard] = []

    def one(threshold: int = 1) -> Guard:
        guard = Guard(str(state), str(state / "trust"), threshold, lambda: None)
        made.append(guard)
        guard.start()
        return guard

    yield one
    for guard in made:
        assert guard.stop()
        assert guard.take_errors() == []


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def choice(guard: Guard, again: bool = False) -> Choice:
    """What it chose, once it is fresh."""
    guard.take_fresh()
    if again:
        guard.want_again(OLD)
    else:
        guard.want(WANTED)
    wait(guard.take_fresh)
    found = guard.choice_of(OLD)
    assert found is not None
    return found


def told(guard: Guard) -> list[tuple[str, str]]:
    return [(str(one.severity), one.why) for one in guard.take_refusals()]


def test_a_signed_one_is_let_in_and_the_next_agent_knows_it(state: Path, make: Callable[..., Guard]) -> None:
    put(state, baseline(3), "alice")
    first = make()
    found = choice(first)
    assert found.signed
    assert not found.held
    assert told(first) == []
    assert first.stop()
    seen = memory.recall(str(state), OLD)
    assert seen is not None
    assert (seen.revision, seen.signed, seen.sha256) == (3, True, found.sha256)
    shutil.rmtree(own_directory(str(state), OLD))  # whoever removes the directory does not remove the memory
    second = make()
    assert choice(second) == replace(found, kept=True, held=True)
    assert told(second) == [("high", "it is gone; revision 3 stays in force")]


@pytest.mark.parametrize(
    ("one", "names", "why"),
    [
        (baseline(4), (), "nobody signed revision 4"),
        (baseline(4), ("mallory",), "0 of 1 needed signatures are by trusted keys"),
        (baseline(2), ("alice",), "it is revision 2, and revision 3 was in force here"),
        (baseline(3, image="other"), ("alice",), "another revision 3 was in force here"),
        (baseline(state=State.LEARNING), (), "it is being learned"),
        (learned(baseline(4)), (), "nobody signed revision 4"),
    ],
    ids=["unsigned", "wrongly signed", "downgraded", "another", "learning", "learned"],
)
def test_what_is_not_good_is_refused_at_once_and_after_a_restart(
    state: Path, make: Callable[..., Guard], one: Baseline, names: tuple[str, ...], why: str
) -> None:
    put(state, baseline(3), "alice")
    running = make()
    good = choice(running)
    put(state, one, *names)
    if not names:
        shutil.rmtree(own_directory(str(state), OLD) / "signatures")
    guard = running
    for _restart in range(2):
        found = choice(guard, again=True)
        assert found == replace(good, kept=True, held=True)
        ((severity, said),) = told(guard)
        assert severity == "high"
        assert said.startswith(f"{why}; ")
        assert said.endswith("; revision 3 stays in force")
        assert guard.stop()
        guard = make()
    choice(guard)
    assert len(told(guard)) == 1
    guard.want_again(OLD)
    wait(guard.take_fresh)
    assert told(guard) == []  # told once
    put(state, baseline(5), "alice")
    assert choice(guard, again=True).signed
    assert told(guard) == []


def test_evidence_counts_too_though_the_version_does_not_cover_it(state: Path, make: Callable[..., Guard]) -> None:
    """What is partial heals by itself, what a person wrote matches more: neither may change unsigned."""
    one = baseline(1)
    put(state, replace(one, partial=("attached late",)), envelope=signed("alice", one=one))
    guard = make()
    assert choice(guard).held
    assert told(guard)[0][1].startswith("what was signed is something else")


def test_a_damaged_file_is_refused_and_left_where_it_is(state: Path, make: Callable[..., Guard]) -> None:
    put(state, baseline(), "alice")
    path = own_directory(str(state), OLD) / "baseline.msgpack"
    path.write_bytes(path.read_bytes()[:-9])
    guard = make()
    assert choice(guard) == Choice(held=True, nothing=True)
    assert told(guard)[0][1].startswith("it cannot be read")
    assert path.exists()


def test_the_threshold_holds(state: Path, make: Callable[..., Guard]) -> None:
    trust(state / "trust", "alice", "carl", "bob")
    put(state, baseline(), "alice", "mallory")
    guard = make(2)
    assert choice(guard).held
    put(state, baseline(), "alice", "bob")
    assert choice(guard, again=True).signed


def test_what_was_learned_here_counts_until_it_is_signed(state: Path, make: Callable[..., Guard]) -> None:
    put(state, learned(baseline(1)))
    guard = make()
    assert choice(guard) == Choice(sha256=choice(guard, again=True).sha256)
    [(severity, why)] = told(guard)
    assert severity == "low"
    assert why.startswith("nobody signed it; what this node learned itself is in force")
    put(state, replace(baseline(2, entries=MORE), reviews=(Review(2, "eve", "approve", "it is fine"),)))
    assert choice(guard, again=True).kept
    assert told(guard) == [("high", "nobody signed revision 2; revision 1 stays in force")]


# --- keys and time ----------------------------------------------------------------------------------------------------


def test_keys_are_rotated_while_it_runs(state: Path, make: Callable[..., Guard]) -> None:
    put(state, baseline(), "alice")
    guard = make()
    good = choice(guard)
    trust(state / "trust", "carl")
    wait(lambda: guard.choice_of(OLD) != good)
    found = guard.choice_of(OLD)
    assert found is not None
    assert found.held
    put(state, baseline(), "alice", "carl")
    guard.want_all_again()
    wait(lambda: guard.choice_of(OLD) == good)
    shutil.rmtree(own_directory(str(state), OLD))
    assert choice(guard, again=True).kept  # what was kept has the new key's signature, too


def test_when_a_key_is_taken_away_the_newest_one_before_that_others_signed_is_in_force(
    state: Path, make: Callable[..., Guard]
) -> None:
    """Also after a restart, and though its files are gone; until a good one with a higher number comes."""
    trust(state / "trust", "alice", "bob")
    publish(state, baseline(1), "alice")
    publish(state, baseline(2, image="second"), "alice")
    publish(state, baseline(3, image="third"), "mallory", "bob")
    publish(state, baseline(4, entries=MORE), "bob")
    guard = make()
    bad = choice(guard)
    trust(state / "trust", "alice")
    wait(lambda: guard.choice_of(OLD) != bad)
    for _restart in range(2):
        found = guard.choice_of(OLD)
        assert found is not None
        assert (found.signed, found.kept, found.held, found.void) == (True, True, True, False)
        seen = memory.recall(str(state), OLD)
        assert seen is not None
        assert (seen.revision, seen.sha256) == (2, found.sha256)
        assert guard.stop()
        guard = make()
        choice(guard)
    [(severity, why)] = told(guard)
    assert severity == "high"
    assert why.endswith("; revision 2 stays in force")
    put(state, baseline(1), "alice")  # an attacker with the old files
    assert choice(guard, again=True) == found
    shutil.rmtree(own_directory(str(state), OLD))
    assert choice(guard, again=True) == found
    publish(state, baseline(3, entries={}), "alice")
    assert not choice(guard, again=True).held
    assert guard.stop()


def test_it_passes_over_what_was_revoked_and_counts_the_threshold(state: Path, make: Callable[..., Guard]) -> None:
    trust(state / "trust", "alice", "bob", "carl")
    for number, names in enumerate((("alice", "carl"), ("alice", "bob"), ("alice", "carl"), ("alice", "bob")), 1):
        publish(state, baseline(number, entries={LoadBehaviour(f"/{number}.so"): entry()}), *names)
    guard = make(2)
    bad = choice(guard)
    third = BaselineStore(str(state)).read_revision(OLD, 3)
    remember(str(state), Revoked(OLD, version_of(third), "a miner"))
    trust(state / "trust", "alice", "carl")
    wait(lambda: guard.choice_of(OLD) != bad)
    seen = memory.recall(str(state), OLD)
    assert seen is not None
    assert seen.revision == 1


def test_where_the_one_before_cannot_be_kept_the_image_is_learned_anew(
    state: Path, make: Callable[..., Guard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not asked for again and again."""
    trust(state / "trust", "alice", "bob")
    publish(state, baseline(1), "alice")
    publish(state, baseline(2, entries=MORE), "bob")
    guard = make()
    bad = choice(guard)

    def full(*_what: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(memory, "remember", full)
    trust(state / "trust", "alice")
    wait(lambda: guard.choice_of(OLD) != bad)
    assert guard.choice_of(OLD) == Choice(held=True, nothing=True, void=True)
    assert guard.stop()
    assert any("no space" in str(error) for error in guard.take_errors())


def test_without_readable_keys_everything_is_refused_and_tried_again(state: Path, make: Callable[..., Guard]) -> None:
    put(state, baseline(), "alice")
    (state / "trust" / "broken.pub").write_text("no key")
    guard = make()
    assert choice(guard) == Choice(held=True, nothing=True)
    [(_severity, why)] = told(guard)
    assert why == "it cannot be verified now"
    assert any("broken.pub" in str(error) for error in guard.take_errors())
    (state / "trust" / "broken.pub").unlink()
    wait(lambda: (found := guard.choice_of(OLD)) is not None and found.signed)


def test_an_expiry_is_noticed_while_it_runs_and_a_clock_set_back_revives_nothing(
    state: Path, make: Callable[..., Guard], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    put(state, baseline(2), "alice", expires_ns=now + DAY_NS)
    guard = make()
    good = choice(guard)
    assert told(guard) == []
    monkeypatch.setattr(time, "time_ns", lambda: now + 2 * DAY_NS)
    wait(lambda: guard.refused)
    [(severity, why)] = told(guard)
    assert (severity, why.startswith("its signature expired on ")) == ("high", True)
    assert guard.choice_of(OLD) == good  # nothing better is known
    assert guard.stop()
    monkeypatch.setattr(time, "time_ns", lambda: now - DAY_NS)
    again = make()
    assert choice(again) == good
    assert len(told(again)) == 1
    put(state, baseline(3), "alice", expires_ns=now + DAY_NS)  # a new one that expired before it was ever seen
    assert choice(again, again=True) == replace(good, kept=True, held=True)
    assert "stays in force" in told(again)[0][1]


# --- what it was to remember is damaged -------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"name": "other"}', "\x00"])
def test_damaged_memory_is_told(state: Path, make: Callable[..., Guard], content: str) -> None:
    put(state, baseline(), "alice")
    first = make()
    choice(first)
    assert first.stop()
    (kept_directory(str(state), OLD) / "seen.json").write_text(content)
    (state / "signed" / "clock.json").write_text(content)
    guard = make()
    assert choice(guard).signed
    said = " ".join(str(error) for error in guard.take_errors())
    assert "what is remembered of the baseline" in said
    assert "the latest time seen is damaged" in said


def test_what_was_learned_here_is_forgotten_with_it_and_what_was_signed_is_not(
    state: Path, make: Callable[..., Guard]
) -> None:
    other = baseline(key="sha256:" + "d" * 64)
    put(state, learned(baseline(1)))
    put(state, other, "alice")
    first = make()
    choice(first)
    first.want(Wanted(other.key, "", ""))
    wait(lambda: first.choice_of(other.key))
    assert first.stop()
    for name in (OLD, other.key):
        assert kept_directory(str(state), name).is_dir()
        shutil.rmtree(own_directory(str(state), name))
    make()
    wait(lambda: not kept_directory(str(state), OLD).exists())
    assert kept_directory(str(state), other.key).is_dir()


def test_one_that_no_child_can_verify_keeps_out_no_other(
    state: Path, make: Callable[..., Guard], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = baseline(key="sha256:" + "d" * 64)
    put(state, baseline(), "alice")
    put(state, other, "alice")

    def verify(request: Request) -> list[Answer]:
        if OLD in request.names:
            raise ChildError("killed")
        return verify_apart(request)

    monkeypatch.setattr(module, "verify_apart", verify)
    guard = Guard(str(state), str(state / "trust"), 1, lambda: None)
    guard.want(WANTED)
    guard.want(Wanted(other.key, "", ""))
    guard.start()
    wait(lambda: guard.choice_of(other.key))
    assert guard.choice_of(OLD) == Choice(held=True, nothing=True)
    found = guard.choice_of(other.key)
    assert found is not None
    assert found.signed
    assert guard.stop()
    assert [str(error) for error in guard.take_errors()] == ["killed"]


def test_a_kept_one_that_was_tampered_with_is_not_fallen_back_on(state: Path, make: Callable[..., Guard]) -> None:
    put(state, baseline(2), "alice")
    first = make()
    choice(first)
    assert first.stop()
    evil = baseline(2, entries=MORE)
    put(state, evil)
    own, kept = own_directory(str(state), OLD), kept_directory(str(state), OLD)
    shutil.copy(own / "baseline.msgpack", kept / "baseline.msgpack")
    seen = json.loads((kept / "seen.json").read_text())
    found = verify_apart(Request(str(state), str(state / "trust"), 1, (OLD,)))[0]
    (kept / "seen.json").write_text(json.dumps(seen | {"sha256": found.now.sha256}))
    guard = make()
    assert choice(guard) == Choice(held=True, nothing=True)
    assert told(guard)[0][0] == Severity.HIGH


def test_predecessors_are_verified_together_with_a_new_image(state: Path, make: Callable[..., Guard]) -> None:
    put(state, baseline(), "alice")
    (own_directory(str(state), OLD) / "used.json").write_text(json.dumps({"name": OLD, "image": "shop/web:1"}))
    guard, new = make(), Wanted("sha256:" + "c" * 64, "", "shop/web:2")
    guard.want(new)
    wait(guard.take_fresh)
    assert guard.choice_of(new.name) == Choice(nothing=True)
    found = guard.choice_of(OLD)
    assert found is not None
    assert found.signed


# --- the child --------------------------------------------------------------------------------------------------------


def test_one_child_verifies_many_and_says_what_it_found(state: Path) -> None:
    put(state, baseline(), "alice")
    names = (OLD, "sha256:" + "0" * 64, "container:x", f"{OLD}+shop/web")
    answers = verify_apart(Request(str(state), str(state / "trust"), 1, names))
    assert [one.name for one in answers] == list(names)
    assert [one.now.worth for one in answers] == [Worth.GOOD, Worth.ABSENT, Worth.ABSENT, Worth.ABSENT]


def test_a_child_that_cannot_begin_is_an_error_and_not_an_answer(state: Path) -> None:
    with pytest.raises(SignatureError, match="holds 0 keys"):
        verify_apart(Request(str(state), str(trust(state / "none")), 1, (OLD,)))
    with pytest.raises(SignatureError, match="longer than"):
        verify_apart(Request(str(state), str(state / "trust"), 1, (OLD,)), 0.001)


def test_another_images_signed_baseline_in_its_place_is_refused(state: Path, make: Callable[..., Guard]) -> None:
    """Copied over, file and signatures: both are right, for another image."""
    other = baseline(key="sha256:" + "d" * 64)
    put(state, other, "alice")
    shutil.copytree(own_directory(str(state), other.key), own_directory(str(state), OLD))
    guard = make()
    assert choice(guard).held
    assert told(guard)[0][1].startswith("it is another image's")
