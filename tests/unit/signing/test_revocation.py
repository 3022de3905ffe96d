"""Signed revocations: what enough keys said is read whole and exactly, or refused; and a baseline is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.format.reading import DocumentError
from driftline.baseline.keeping.revoked import Revoked
from driftline.baseline.signing.revocation import PREDICATE_TYPE, from_payload, payload_of, read
from driftline.baseline.signing.verification import verify
from driftline.errors import SignatureError
from unit.baseline.making import hostile_text
from unit.cli.baselines import NEW, OLD
from unit.signing.making import as_bytes, inner, key, signed, signed_payload

REVOKED = Revoked(f"{OLD}+shop/web", NEW, "learned while a miner ran")
ALICE, BOB = key("alice").public, key("bob").public


def envelope(*names: str, revoked: Revoked = REVOKED) -> bytes:
    return signed_payload(payload_of(revoked), *names)


@given(hostile_text, hostile_text.filter(str.strip))
def test_any_revocation_comes_back_as_it_was(workload: str, reason: str) -> None:
    one = Revoked(f"{OLD}+{workload}", NEW, reason)
    assert from_payload(payload_of(one)) == one


def test_it_is_an_in_toto_statement_about_the_image() -> None:
    found = inner(envelope("alice"))
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == PREDICATE_TYPE == "driftline:revocation/1"
    assert found["subject"] == [{"name": f"{OLD}+shop/web", "digest": {"sha256": OLD.partition(":")[2]}}]
    assert found["predicate"] == {"name": f"{OLD}+shop/web", "reason": "learned while a miner ran", "version": NEW}


def test_enough_trusted_keys() -> None:
    assert read(envelope("alice"), [ALICE, BOB], 1) == REVOKED
    assert read(envelope("alice", "bob"), [ALICE, BOB], 2) == REVOKED


@pytest.mark.parametrize(("signers", "threshold"), [(("mallory",), 1), (("alice",), 2), (("alice", "mallory"), 2)])
def test_not_enough_trusted_keys(signers: tuple[str, ...], threshold: int) -> None:
    with pytest.raises(SignatureError, match="needed signatures are by trusted keys"):
        read(envelope(*signers), [ALICE, BOB], threshold)


def test_one_is_not_taken_for_the_other() -> None:
    """A signature under a baseline revokes nothing, and one under a revocation puts nothing in force."""
    with pytest.raises(DocumentError, match="predicateType"):
        read(signed("alice"), [ALICE], 1)
    with pytest.raises(SignatureError, match="predicateType"):
        verify(envelope("alice"), [ALICE], 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "container:x"},
        {"name": "sha256:11"},
        {"name": OLD.upper()},
        {"version": ""},
        {"version": "sha512:" + "a" * 64},
        {"reason": " "},
        {"reason": "x" * 1_001},
    ],
    ids=str,
)
def test_what_nobody_can_sign(changed: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match=next(iter(changed))):
        payload_of(REVOKED._replace(**changed))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("_type",), "https://in-toto.io/Statement/v0.1"),
        (("predicateType",), "driftline:revocation/2"),
        (("subject",), []),
        (("subject", 0, "digest", "sha256"), "ab34" * 16),
        (("subject", 0, "name"), OLD),
        (("predicate", "name"), OLD),
        (("predicate", "name"), 7),
        (("predicate", "version"), None),
        (("predicate", "version"), "latest"),
        (("predicate", "reason"), ""),
        (("predicate", "reason"), "a\nb"),
        (("predicate", "reason"), "\\x41"),
        (("predicate", "reason"), "\\"),
        (("predicate", "expires"), "2030-01-01"),
        (("more",), 1),
    ],
    ids=str,
)
def test_what_was_signed_must_be_exact(place: tuple[str | int, ...], value: object) -> None:
    found = inner(envelope("alice"))
    there: Any = found
    for step in place[:-1]:
        there = there[step]
    there[place[-1]] = value
    with pytest.raises(DocumentError):
        read(signed_payload(as_bytes(found), "alice"), [ALICE], 1)


@given(st.binary(max_size=200) | hostile_text.map(lambda text: text.encode("utf-8", "surrogateescape")))
def test_whatever_it_is_it_is_refused_in_words(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_payload(payload)
