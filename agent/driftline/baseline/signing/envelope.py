"""DSSE envelopes: bytes that some keys signed (https://github.com/secure-systems-lab/dsse, protocol 1.0).

In: a payload and keys, or a file of any origin. Out: the file, or the payload with those who signed it. Why the
library's own reader is not used: it takes what base64 overlooks, and needs key ids, which the protocol calls a hint.
The only importer of ``securesystemslib``. Next: ``statement`` reads the payload, once it is signed.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from securesystemslib import dsse
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey

from driftline.baseline.format.jsontext import parse
from driftline.baseline.format.plaintext import MAX_PLAIN_FILE
from driftline.baseline.signing.keys import PrivateKey, PublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_ENVELOPE = MAX_PLAIN_FILE
"""Bytes: 100 000 behaviours take about 40 million as JSON, a third more in base64."""
MAX_SIGNATURES = 32
"""Signatures in one envelope."""
MAX_SIGNATURE = 512
"""Bytes of one signature: P-256 takes up to 72, ed25519 64."""
MAX_ATTEMPTS = 128
"""Verifications of one envelope: each reads the whole payload, some 0.2 s for the largest."""


class EnvelopeError(ValueError):
    """No envelope of ours; the message says why."""


class Signed(NamedTuple):
    """One signature. ``keyid``: a hint, which nobody vouches for."""

    keyid: str
    signature: bytes


class Envelope(NamedTuple):
    """A payload and its signatures, none of them verified."""

    payload: bytes
    signatures: tuple[Signed, ...] = ()


def from_bytes(data: bytes) -> Envelope:
    """Return the envelope in a file. Raises EnvelopeError."""
    if len(data) > MAX_ENVELOPE:
        raise EnvelopeError(f"{len(data)} bytes, at most {MAX_ENVELOPE} allowed")
    try:
        found = _outer(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise EnvelopeError(f"not UTF-8 at byte {error.start}") from error
    if found.get("payloadType") != PAYLOAD_TYPE:
        raise EnvelopeError(f"payloadType: not {PAYLOAD_TYPE}")
    signatures = found.get("signatures")
    if not isinstance(signatures, list) or not 0 < len(signatures) <= MAX_SIGNATURES:
        raise EnvelopeError(f"signatures: not a list of 1 to {MAX_SIGNATURES}")
    read = tuple(_signed(one, f"signatures[{place}]") for place, one in enumerate(signatures))
    named = [one.keyid for one in read if one.keyid]
    if len(set(named)) != len(named):
        raise EnvelopeError("signatures: two with one keyid")
    return Envelope(_decoded(found.get("payload"), "payload"), read)


def _outer(text: str) -> dict[str, object]:
    if text.count("{") > MAX_SIGNATURES + 1 or text.count("[") > 1:
        raise EnvelopeError("more objects or lists than an envelope has")
    try:
        found = parse(text)
    except ValueError as error:
        raise EnvelopeError(str(error)) from error
    if not isinstance(found, dict):
        raise EnvelopeError("not an object")
    return found


def _signed(value: object, place: str) -> Signed:
    if not isinstance(value, dict):
        raise EnvelopeError(f"{place}: not an object")
    keyid = value.get("keyid", "")
    if not isinstance(keyid, str) or len(keyid) > 256 or not keyid.isprintable():
        raise EnvelopeError(f"{place}.keyid: not text of at most 256 characters")
    signature = _decoded(value.get("sig"), f"{place}.sig")
    if not 0 < len(signature) <= MAX_SIGNATURE:
        raise EnvelopeError(f"{place}.sig: not 1 to {MAX_SIGNATURE} bytes")
    return Signed(keyid, signature)


def _decoded(value: object, place: str) -> bytes:
    """Base64, standard or URL-safe, in the one spelling each content has."""
    if not isinstance(value, str) or not value.isascii():
        raise EnvelopeError(f"{place}: not base64")
    alphabet = b"-_" if "-" in value or "_" in value else b"+/"
    try:
        data = base64.b64decode(value, altchars=alphabet, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EnvelopeError(f"{place}: not base64 ({error})") from error
    if base64.b64encode(data, altchars=alphabet) != value.encode():
        raise EnvelopeError(f"{place}: not base64 as it is written")
    return data


def to_bytes(envelope: Envelope) -> bytes:
    """Return the file: one line of JSON, signatures in the order of their key ids."""
    signatures = [{"keyid": one.keyid, "sig": _text(one.signature)} for one in sorted(envelope.signatures)]
    parts = {"payloadType": PAYLOAD_TYPE, "payload": _text(envelope.payload), "signatures": signatures}
    return json.dumps(parts).encode() + b"\n"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sign(envelope: Envelope, key: PrivateKey) -> Envelope:
    """Return ``envelope`` with a signature by ``key``, in the place of an older one by it."""
    made = dsse.Envelope(envelope.payload, PAYLOAD_TYPE, {}).sign(CryptoSigner(key.key, _sslib(key.public)))
    others = [one for one in envelope.signatures if one.keyid != key.public.id]
    if len(others) >= MAX_SIGNATURES:
        raise EnvelopeError(f"{MAX_SIGNATURES} signatures are in it already")
    return envelope._replace(signatures=(*others, Signed(key.public.id, bytes.fromhex(made.signature))))


def signers(envelope: Envelope, keys: Sequence[PublicKey]) -> list[PublicKey]:
    """Return those of ``keys`` that signed, each once, however often it did.

    A key id only says which pairs to try first; the type of a signature follows from the key alone.
    """
    pairs = [(one, key) for one in envelope.signatures for key in keys]
    pairs.sort(key=lambda pair: pair[0].keyid != pair[1].id)
    data = dsse.Envelope(envelope.payload, PAYLOAD_TYPE, {}).pae()
    found: dict[str, PublicKey] = {}
    for one, key in islice(pairs, MAX_ATTEMPTS):
        if key.id not in found and _verifies(one, key, data):
            found[key.id] = key
    return list(found.values())


def _verifies(one: Signed, key: PublicKey, data: bytes) -> bool:
    try:
        _sslib(key).verify_signature(Signature(key.id, one.signature.hex()), data)
    except UnverifiedSignatureError:
        return False
    return True


def _sslib(key: PublicKey) -> SSlibKey:
    return SSlibKey.from_crypto(key.key, key.id)
