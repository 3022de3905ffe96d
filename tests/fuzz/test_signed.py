"""Damaged envelopes and statements: whatever the damage, the baseline that was signed, or refused with a reason."""

from __future__ import annotations

import base64
import random

from driftline.baseline.signing import files
from driftline.baseline.signing.keys import PublicKey
from driftline.baseline.signing.statement import Statement
from driftline.baseline.signing.verification import verify
from driftline.errors import SignatureError
from fuzz.test_baselines import ROUNDS, damaged, replace_one
from unit.signing.making import as_bytes, baseline, inner, key, outer, payload, signed, signed_payload

KEYS: list[PublicKey] = [key(name).public for name in ("alice", "carl")]


def read(data: bytes, threshold: int = 2) -> Statement | None:
    """What ``data`` says, None if it is refused."""
    try:
        return verify(data, KEYS, threshold).statement
    except SignatureError as error:
        text = str(error)
        assert text.replace("\n", "").isprintable()
        assert len(text) < 1_500
        return None


def test_a_damaged_envelope_is_refused_or_says_what_was_signed() -> None:
    dice, data = random.Random(20261123), signed("alice", "carl", "mallory")
    wanted = Statement(baseline(), 0)
    found = [read(damaged(data, dice)) for _ in range(ROUNDS)]
    assert all(one in (None, wanted) for one in found)
    assert found.count(None) > ROUNDS / 2
    assert read(data) == wanted


def test_wrong_types_in_an_envelope() -> None:
    dice, wanted, data = random.Random(3), Statement(baseline(), 0), signed("alice", "carl")
    for _ in range(ROUNDS):
        values = outer(data)
        replace_one(values, dice)
        assert read(_text(values)) in (None, wanted)


def _text(values: object) -> bytes:
    """JSON of anything: bytes as their base64."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {str(name): plain(one) for name, one in value.items()}
        if isinstance(value, list):
            return [plain(one) for one in value]
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value

    return as_bytes(plain(values))


def test_damaged_statements_that_are_signed_all_the_same() -> None:
    """A trusted signer may be careless: what is no whole baseline is refused, what is one can be signed again."""
    dice, whole = random.Random(5), payload()
    for _ in range(300):
        again(read(signed_payload(damaged(whole, dice), "alice", "carl")))
    for _ in range(300):
        values = inner(signed("alice"))
        replace_one(values, dice)
        again(read(signed_payload(_text(values), "alice", "carl")))


def again(found: Statement | None) -> None:
    if found is not None:
        assert read(signed("alice", "carl", one=found.baseline, expires_ns=found.expires_ns)) == found


def test_no_file_is_taken_for_an_envelope_and_a_baseline_at_once() -> None:
    dice, data = random.Random(9), signed("alice")
    assert files.is_envelope(data)
    assert sum(files.is_envelope(damaged(data, dice)) for _ in range(200)) > 100
