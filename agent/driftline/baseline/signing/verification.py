"""Is this file a baseline that enough trusted keys signed?

In: an envelope's bytes, keys, how many must have signed. Out: what was signed and by whom; or a SignatureError. The
payload is looked at only after that: what nobody trusted signed is never parsed. Expiry is the caller's question, for
it depends on whose clock. Next: ``child`` for the agent, ``driftline baseline verify`` for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from driftline.baseline.format.reading import DocumentError
from driftline.baseline.signing.envelope import Envelope, EnvelopeError, from_bytes, signers
from driftline.baseline.signing.keys import PublicKey
from driftline.baseline.signing.statement import Statement, from_payload
from driftline.errors import SignatureError
from driftline.text import escape, plural

MAX_NAMED = 4
"""Keys of each sort that are named in a refusal: it is one sentence of a deviation."""
MAX_KEYID = 64
"""Characters shown of a key id: a fingerprint has 50; anybody may write any id."""


class UntrustedError(SignatureError):
    """It is whole, and too few trusted keys signed it."""


class Verified(NamedTuple):
    """A signed baseline, and the trusted keys that signed it."""

    statement: Statement
    keys: tuple[PublicKey, ...]


def verify(data: bytes, keys: Sequence[PublicKey], threshold: int) -> Verified:
    """Return what ``data`` says, signed by at least ``threshold`` of ``keys``. Raises SignatureError."""
    envelope, found = signed_by_enough(data, keys, threshold)
    return Verified(read_statement(envelope), found)


def signed_by_enough(data: bytes, keys: Sequence[PublicKey], threshold: int) -> tuple[Envelope, tuple[PublicKey, ...]]:
    """Return what at least ``threshold`` of ``keys`` signed, whatever it says, and which.

    Raises UntrustedError if it was others; SignatureError.
    """
    if not 0 < threshold <= len(keys):
        raise SignatureError(
            f"{plural(threshold, 'signature')} needed, and only {plural(len(keys), 'key')} trusted", "give more keys"
        )
    envelope = read_envelope(data)
    found = signers(envelope, keys)
    if len(found) < threshold:
        what = f"{len(found)} of {threshold} needed signatures are by trusted keys"
        raise UntrustedError(f"{what}; {_who(envelope, keys, found)}")
    return envelope, tuple(found)


def _who(envelope: Envelope, keys: Sequence[PublicKey], found: Sequence[PublicKey]) -> str:
    """Whose signatures are in an envelope, by the ids it claims, and which keys would count."""
    names = {key.id: f"{key.id} ({escape(key.name)})" for key in keys}
    right = [key.id for key in found]
    claimed = [one.keyid for one in envelope.signatures if one.keyid not in right]
    parts = [
        ("signed by", [names[one] for one in right]),
        ("signed, as it says, by", [escape(one[:MAX_KEYID]) or "no key id" for one in claimed if one not in names]),
        ("wrong is the signature of", [names[one] for one in claimed if one in names]),
        ("trusted, too:" if right else "trusted:", [names[one] for one in names if one not in right]),
    ]
    return "; ".join(f"{what} {_listed(ids)}" for what, ids in parts if ids)


def _listed(ids: Sequence[str]) -> str:
    more = [f"and {len(ids) - MAX_NAMED} more"] if len(ids) > MAX_NAMED else []
    return ", ".join([*ids[:MAX_NAMED], *more])


def read_envelope(data: bytes) -> Envelope:
    """Return an envelope, nothing in it verified. Raises SignatureError."""
    try:
        return from_bytes(data)
    except EnvelopeError as error:
        raise SignatureError(f"no DSSE envelope: {error}") from error


def read_statement(envelope: Envelope) -> Statement:
    """Return what an envelope says, whoever signed it. Raises SignatureError."""
    try:
        return from_payload(envelope.payload)
    except DocumentError as error:
        raise SignatureError(f"no signed baseline: {error}") from error


def revision_in(data: bytes) -> int:
    """Return the revision an envelope is of, nothing in it verified; 0 if it is not of a baseline."""
    try:
        return read_statement(read_envelope(data)).baseline.revision
    except SignatureError:
        return 0
