"""Envelopes: signatures count once for each trusted key, whatever else a file says."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import Signature, SSlibKey

from driftline.baseline.signing.envelope import (
    MAX_ATTEMPTS,
    MAX_ENVELOPE,
    MAX_SIGNATURES,
    PAYLOAD_TYPE,
    Envelope,
    EnvelopeError,
    Signed,
    from_bytes,
    sign,
    signers,
    to_bytes,
)
from driftline.baseline.signing.keys import PublicKey
from unit.signing.making import as_bytes, key, outer, signed, signed_payload

PAYLOAD = b'{"a": 1}'
ALL = ["alice", "carl", "bob"]


def ids(*names: str) -> set[str]:
    return {key(name).public.id for name in names}


def found(data: bytes, *names: str) -> set[str]:
    """Whose signatures in ``data`` are right, of the keys of ``names``."""
    return {one.id for one in signers(from_bytes(data), [key(name).public for name in names])}


@given(st.binary(max_size=300), st.lists(st.sampled_from(ALL), min_size=1, max_size=5))
def test_what_is_signed_is_read_again_with_its_signers(payload: bytes, names: list[str]) -> None:
    data = signed_payload(payload, *names)
    envelope = from_bytes(data)
    assert envelope.payload == payload
    assert len(envelope.signatures) == len(set(names))
    assert found(data, *ALL) == ids(*names)


def test_the_signed_bytes_are_the_pre_authentication_encoding_of_the_protocol() -> None:
    """As any other implementation would make them, and verify them."""
    pae = b"DSSEv1 28 application/vnd.in-toto+json 8 " + PAYLOAD
    for name in ("alice", "carl"):
        text = outer(signed_payload(PAYLOAD, name))["signatures"][0]["sig"]
        verify(key(name).public, base64.b64decode(text), pae)
        with pytest.raises(InvalidSignature):
            verify(key(name).public, base64.b64decode(text), pae + b" ")


def verify(public: PublicKey, signature: bytes, data: bytes) -> None:
    if isinstance(public.key, ed25519.Ed25519PublicKey):
        public.key.verify(signature, data)
    else:
        public.key.verify(signature, data, ec.ECDSA(SHA256()))


def test_a_key_that_signs_again_renews_its_own_signature() -> None:
    first = from_bytes(signed_payload(PAYLOAD, "carl", "alice"))
    again = sign(first, key("alice"))
    assert len(again.signatures) == 2
    assert {one.keyid for one in again.signatures} == ids("alice", "carl")


def test_signatures_are_bounded() -> None:
    full = Envelope(PAYLOAD, tuple(Signed(f"{number}", b"x") for number in range(MAX_SIGNATURES)))
    with pytest.raises(EnvelopeError, match="signatures are in it already"):
        sign(full, key("alice"))


# --- what does not count ----------------------------------------------------------------------------------------------


def entry(name: str, keyid: str | None = None) -> dict[str, Any]:
    one: dict[str, Any] = outer(signed_payload(PAYLOAD, name))["signatures"][0]
    return one if keyid is None else one | {"keyid": keyid}


def envelope(*entries: dict[str, Any], **changed: Any) -> bytes:
    payload = base64.b64encode(PAYLOAD).decode()
    return as_bytes({"payloadType": PAYLOAD_TYPE, "payload": payload, "signatures": list(entries)} | changed)


def test_one_key_counts_once_however_often_it_signed() -> None:
    """The same signature under other ids; ECDSA also makes a new one each time."""
    copies = [entry("bob1", keyid) for keyid in ("", "", "one", "two", key("carl").public.id)]
    assert found(envelope(*copies, entry("bob1")), "bob1", "carl", "alice") == ids("bob1")


@pytest.mark.parametrize("keyid", ["", "unknown", "0" * 64])
def test_a_key_id_is_only_a_hint(keyid: str) -> None:
    """Other tools write other ids, or none."""
    assert found(envelope(entry("alice", keyid)), *ALL) == ids("alice")


def test_the_id_of_a_trusted_key_proves_nothing() -> None:
    assert found(envelope(entry("mallory", key("alice").public.id)), *ALL) == set()


def test_a_wrong_signature_beside_right_ones_does_no_harm() -> None:
    wrong = entry("alice") | {"sig": base64.b64encode(b"x" * 64).decode()}
    assert found(envelope(wrong, entry("carl")), *ALL) == ids("carl")


def test_a_signature_of_another_type_of_key_is_none() -> None:
    """Nothing in the file chooses the algorithm."""
    bob, alice = key("bob").public.id, key("carl").public.id
    confused = [entry("carl", bob) | {"alg": "ed25519"}, entry("bob", alice) | {"alg": "none", "scheme": "rsa"}]
    assert found(envelope(*confused), "bob", "carl") == ids("bob", "carl")  # by their keys, not by what is said
    assert found(envelope(confused[0]), "bob") == set()


def test_a_signature_counts_for_its_payload_and_type_alone() -> None:
    other = base64.b64encode(PAYLOAD + b" ").decode()
    assert found(envelope(entry("alice"), payload=other), *ALL) == set()
    raw = as_bytes({"payloadType": "text/plain", "payload": "", "signatures": [entry("alice")]})
    with pytest.raises(EnvelopeError, match="payloadType"):
        from_bytes(raw)


def test_thousands_of_pairs_are_not_all_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    real = SSlibKey.verify_signature

    def verify_signature(key: SSlibKey, signature: Signature, data: bytes) -> None:
        tried.append(1)
        real(key, signature, data)

    monkeypatch.setattr(SSlibKey, "verify_signature", verify_signature)
    junk = [
        {"keyid": "", "sig": base64.b64encode(bytes([number]) * 64).decode()} for number in range(MAX_SIGNATURES - 1)
    ]
    keys = [key(name).public for name in (*ALL, *map(str, range(20)))]
    assert {one.id for one in signers(from_bytes(envelope(*junk, entry("bob"))), keys)} == ids("bob")
    assert 100 < len(tried) <= MAX_ATTEMPTS


# --- what is no envelope ----------------------------------------------------------------------------------------------

TEXT = signed("alice").decode()
ENTRY = json.dumps(entry("alice"))
HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not JSON"),
    "binary": (b"\x80\xff", "not UTF-8 at byte 0"),
    "a list": (b"[]", "not an object"),
    "nothing in it": (b"{}", "payloadType"),
    "payload type": (TEXT.replace("vnd.in-toto", "vnd.in-tota").encode(), "payloadType"),
    "payload type twice": (TEXT.replace('{"payloadType"', '{"payloadType": "x", "payloadType"', 1).encode(), "twice"),
    "payload twice": (TEXT.replace('"payload":', '"payload": "", "payload":', 1).encode(), "twice"),
    "keyid twice": (TEXT.replace('"keyid":', '"keyid": "", "keyid":', 1).encode(), "twice"),
    "no payload": (envelope(entry("alice"), payload=None), "payload: not base64"),
    "payload a number": (envelope(entry("alice"), payload=7), "payload: not base64"),
    "bad base64": (envelope(entry("alice"), payload="e30"), "payload: not base64"),
    "spaces in base64": (envelope(entry("alice"), payload="e3\n0="), "payload: not base64"),
    "junk in base64": (envelope(entry("alice"), payload="e3!0="), "payload: not base64"),
    "loose bits in base64": (envelope(entry("alice"), payload="e31="), "not base64 as it is written"),
    "two alphabets": (envelope(entry("alice"), payload="-_+/"), "payload: not base64"),
    "letters beyond ASCII": (envelope(entry("alice"), payload="é30="), "payload: not base64"),
    "no signatures": (envelope(), "signatures: not a list of 1"),
    "signatures an object": (envelope(signatures={}), "signatures: not a list"),
    "too many": (envelope(*[entry("alice", str(number)) for number in range(MAX_SIGNATURES + 1)]), "more objects"),
    "a signature a text": (envelope(signatures=["x"]), r"signatures\[0\]: not an object"),
    "no sig": (envelope({"keyid": "x"}), r"signatures\[0\].sig: not base64"),
    "an empty sig": (envelope({"keyid": "x", "sig": ""}), "not 1 to 512 bytes"),
    "a huge sig": (envelope({"keyid": "x", "sig": "AAAA" * 1000}), "not 1 to 512 bytes"),
    "keyid a number": (envelope(entry("alice") | {"keyid": 1}), "keyid: not text"),
    "keyid a terminal's": (envelope(entry("alice", "\x1b]0;x\x07")), "keyid: not text"),
    "one keyid twice": (envelope(entry("alice"), entry("alice")), "two with one keyid"),
    "nested": (b"[" * 100_000, "more objects or lists"),
    "NaN": (TEXT.replace('"keyid"', '"x": NaN, "keyid"').encode(), "whole numbers"),
    "more behind it": ((TEXT + "{}").encode(), "not JSON"),
    "two together": ((TEXT + TEXT).encode(), "more objects or lists"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_envelopes_are_refused_with_the_place(name: str) -> None:
    data, wanted = HOSTILE[name]
    with pytest.raises(EnvelopeError, match=wanted):
        from_bytes(data)


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(EnvelopeError, match="at most"):
        from_bytes(b" " * (MAX_ENVELOPE + 1))


def test_url_safe_base64_is_read_too() -> None:
    """The protocol allows both alphabets."""
    payload = b"\xff\xfe\xfd"
    data = outer(signed_payload(payload, "alice"))
    data["payload"] = base64.urlsafe_b64encode(payload).decode()
    data["signatures"][0]["sig"] = data["signatures"][0]["sig"].replace("+", "-").replace("/", "_")
    assert found(as_bytes(data), "alice") == ids("alice")


@pytest.mark.parametrize("change", [str.upper, lambda text: text.replace("a", "b")], ids=["upper", "other"])
def test_to_bytes_and_back(change: Callable[[str], str]) -> None:
    one = Envelope(change("payload").encode(), (Signed("b", b"2"), Signed("a", b"1")))
    assert from_bytes(to_bytes(one)) == Envelope(one.payload, tuple(sorted(one.signatures)))
