"""Statements: what was signed is read whole and exactly, or refused; and only after its signatures were right."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from driftline.baseline.format.reading import DocumentError
from driftline.baseline.schema import Baseline, State
from driftline.baseline.signing import verification
from driftline.baseline.signing.envelope import PAYLOAD_TYPE
from driftline.baseline.signing.intoto import STATEMENT_TYPE
from driftline.baseline.signing.statement import PREDICATE_TYPE, Statement, from_payload, payload_of
from driftline.errors import SignatureError
from unit.baseline.documents import baselines
from unit.cli.baselines import OLD
from unit.signing.making import DAY_NS, as_bytes, baseline, inner, key, outer, payload, signed, signed_payload

ALICE = [key("alice").public]


@given(baselines)
def test_any_baseline_comes_back_as_it_was(given: Baseline) -> None:
    one = replace(given, key=OLD, revision=max(1, given.revision))
    if one.state is State.LEARNING:
        one = replace(one, state=State.RETIRED)
    assert from_payload(payload_of(Statement(one, 7 * DAY_NS))) == Statement(one, 7 * DAY_NS)


def test_it_is_an_in_toto_statement_about_the_image() -> None:
    data = signed("alice", expires_ns=DAY_NS)
    assert outer(data)["payloadType"] == PAYLOAD_TYPE
    found = inner(data)
    assert found["_type"] == STATEMENT_TYPE == "https://in-toto.io/Statement/v1"
    assert found["subject"] == [{"name": "docker.io/library/nginx:1.22", "digest": {"sha256": OLD.partition(":")[2]}}]
    assert found["predicateType"] == PREDICATE_TYPE
    assert found["predicate"]["expires"] == "1970-01-02T00:00:00.000000000Z"
    assert found["predicate"]["revision"] == 1
    assert found["predicate"]["baseline"]["key"] == OLD


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "sha256:11"},
        {"key": "container:x"},
        {"key": "sha512:" + "a" * 64},
        {"state": State.LEARNING},
        {"revision": 0},
    ],
    ids=str,
)
def test_what_nobody_can_sign(changed: dict[str, Any]) -> None:
    with pytest.raises(DocumentError):
        payload(baseline(**changed))


def tampered(place: tuple[str | int, ...], value: object) -> bytes:
    """A statement with another value in one place."""
    found: Any = json.loads(payload())
    part = found
    for step in place[:-1]:
        part = part[step]
    if value is KeyError:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    return as_bytes(found)


SUBJECT = {"name": "docker.io/library/nginx:1.22", "digest": {"sha256": OLD.partition(":")[2]}}
WRONG: dict[str, bytes] = {
    "type": tampered(("_type",), "https://in-toto.io/Statement/v0.1"),
    "predicate type": tampered(("predicateType",), "driftline:baseline/2"),
    "no predicate": tampered(("predicate",), KeyError),
    "more fields": tampered(("more",), 1),
    "no subject": tampered(("subject",), []),
    "two subjects": tampered(("subject",), [SUBJECT, SUBJECT]),
    "another image": tampered(("subject", 0, "digest", "sha256"), "0" * 64),
    "two digests": tampered(("subject", 0, "digest", "sha512"), "0" * 128),
    "another name": tampered(("subject", 0, "name"), "nginx"),
    "a subject's more": tampered(("subject", 0, "uri"), "x"),
    "revision differs": tampered(("predicate", "revision"), 2),
    "revision true": tampered(("predicate", "revision"), True),
    "version differs": tampered(("predicate", "version"), "sha256:" + "0" * 64),
    "parent differs": tampered(("predicate", "parent"), "sha256:" + "0" * 64),
    "a promise more": tampered(("predicate", "notBefore"), "2030"),
    "expires missing": tampered(("predicate", "expires"), KeyError),
    "expires a number": tampered(("predicate", "expires"), 1),
    "expires at the beginning": tampered(("predicate", "expires"), "1970-01-01T00:00:00.000000000Z"),
    "expires no time": tampered(("predicate", "expires"), "2027-13-01T00:00:00.000000000Z"),
    "the baseline's version": tampered(("predicate", "baseline", "version"), "sha256:" + "0" * 64),
    "the baseline's revision": tampered(("predicate", "baseline", "revision"), 9),
    "the baseline's key": tampered(("predicate", "baseline", "key"), "sha256:" + "0" * 64),
    "a behaviour more": tampered(("predicate", "baseline", "load"), []),
    "not UTF-8": b"\xff",
    "no JSON": b"{",
    "a key twice": payload()
    .replace(b'"revision":1,"parent"', b'"revision":9,"revision":1,"parent"')
    .replace(b'"_type"', b'"_type":"x","_type"'),
    "nested": b"[" * 200_000,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_statement_with_one_thing_wrong_is_refused_though_it_is_signed(name: str) -> None:
    with pytest.raises(SignatureError, match="no signed baseline: "):
        verification.verify(signed_payload(WRONG[name], "alice"), ALICE, 1)


def test_what_nobody_trusted_signed_is_never_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_payload: bytes) -> Statement:
        raise AssertionError("parsed")

    monkeypatch.setattr(verification, "from_payload", never)
    with pytest.raises(SignatureError, match="0 of 1 needed signatures"):
        verification.verify(signed("mallory"), ALICE, 1)


@pytest.mark.parametrize(("threshold", "enough"), [(1, True), (2, True), (3, False)])
def test_the_threshold_counts_keys(threshold: int, enough: bool) -> None:
    keys = [key(name).public for name in ("alice", "carl", "bob")]
    data = signed("alice", "carl", "mallory")
    if enough:
        assert {one.id for one in verification.verify(data, keys, threshold).keys} == {one.id for one in keys[:2]}
        return
    with pytest.raises(SignatureError, match="2 of 3 needed signatures are by trusted keys"):
        verification.verify(data, keys, threshold)


def test_a_refusal_names_the_keys_that_signed_and_those_that_would_count() -> None:
    alice, bob, mallory = (key(name).public for name in ("alice", "bob", "mallory"))
    keys = [alice._replace(name="alice.pub"), bob._replace(name="bob\x1b.pub")]
    with pytest.raises(SignatureError) as caught:
        verification.verify(signed("alice", "mallory"), keys, 2)
    assert caught.value.args[0] == (
        f"1 of 2 needed signatures are by trusted keys; signed by {alice.id} (alice.pub); signed, as it says, by"
        f" {mallory.id}; trusted, too: {bob.id} (bob\\x1b.pub)"
    )
    forged = outer(signed("mallory"))
    forged["signatures"][0]["keyid"] = alice.id
    forged["signatures"] += [{"keyid": f"{number}" * 200, "sig": "AAAA"} for number in range(1, 9)]
    with pytest.raises(SignatureError) as caught:
        verification.verify(as_bytes(forged), keys, 1)
    said = caught.value.args[0]
    assert f"wrong is the signature of {alice.id} (alice.pub)" in said
    assert f"signed, as it says, by {'1' * 64}, {'2' * 64}, {'3' * 64}, {'4' * 64}, and 4 more;" in said


@pytest.mark.parametrize("threshold", [0, -1, 2])
def test_a_threshold_that_can_never_be_met_or_always_is_refused(threshold: int) -> None:
    with pytest.raises(SignatureError, match="trusted"):
        verification.verify(signed("alice"), ALICE, threshold)
