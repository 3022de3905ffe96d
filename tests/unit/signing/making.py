"""Keys, signed baselines and envelopes with one thing wrong, for the tests of signatures.

In: what to sign and who signs. Out: bytes. Next: the tests; tests/fuzz/test_signed.py.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from driftline.baseline.format.canonical import to_msgpack
from driftline.baseline.keeping.files import replace_file
from driftline.baseline.keeping.revoked import Revoked
from driftline.baseline.keeping.store import MSGPACK, BaselineStore
from driftline.baseline.schema import Baseline, Review
from driftline.baseline.signing import revocation
from driftline.baseline.signing.envelope import Envelope, sign, to_bytes
from driftline.baseline.signing.keys import KeyType, PrivateKey, generate, to_pem
from driftline.baseline.signing.statement import Statement, payload_of
from driftline.baseline.signing.verification import revision_in
from unit.cli.baselines import web

CAME = Review(1, "collector: c", "publish", "published for every node")
DAY_NS = 24 * 3600 * 1_000_000_000


@cache
def key(name: str = "alice") -> PrivateKey:
    """The key of somebody; those of even length are ECDSA."""
    return generate(KeyType.ED25519 if len(name) % 2 else KeyType.ECDSA_P256)


def baseline(revision: int = 1, **changed: Any) -> Baseline:
    """A candidate with something of every kind."""
    values: dict[str, Any] = {"revision": revision, "partial": (), "losses": 0}
    return replace(web(), **(values | changed))


def payload(one: Baseline | None = None, expires_ns: int = 0) -> bytes:
    return payload_of(Statement(one or baseline(), expires_ns))


def signed(*names: str, one: Baseline | None = None, expires_ns: int = 0) -> bytes:
    """The envelope of a baseline signed by all of ``names``."""
    envelope = Envelope(payload(one, expires_ns))
    for name in names:
        envelope = sign(envelope, key(name))
    return to_bytes(envelope)


def signed_payload(data: bytes, *names: str) -> bytes:
    """An envelope of any payload."""
    envelope = Envelope(data)
    for name in names:
        envelope = sign(envelope, key(name))
    return to_bytes(envelope)


def revocation_of(name: str, version: str, reason: str, *names: str) -> bytes:
    """The envelope of a revocation signed by all of ``names``, by alice if by nobody else."""
    return signed_payload(revocation.payload_of(Revoked(name, version, reason)), *(names or ("alice",)))


def outer(data: bytes) -> dict[str, Any]:
    """An envelope as plain values, to be tampered with."""
    found: dict[str, Any] = json.loads(data)
    return found


def inner(data: bytes) -> dict[str, Any]:
    """A statement as plain values."""
    found: dict[str, Any] = json.loads(base64.b64decode(outer(data)["payload"]))
    return found


def as_bytes(values: object) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()


def trust(directory: Path, *names: str) -> Path:
    """A directory of trusted keys, those of ``names`` alone."""
    directory.mkdir(exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    for name in names:
        (directory / f"{name}.pub").write_bytes(to_pem(key(name), b"")[1])
    return directory


def publish(state: Path, one: Baseline, *names: str) -> None:
    """Put a baseline signed by ``names`` in force on a node, as a person's command or a collector does."""
    BaselineStore(str(state), by_hand=True).install(one, signed(*names, one=one), revision_in, CAME)


def put(state: Path, one: Baseline, *names: str, expires_ns: int = 0, envelope: bytes | None = None) -> None:
    """Put a baseline into a node's state, as it is, with signatures of ``names`` or ``envelope`` (b"": none)."""
    store = BaselineStore(str(state))
    directory = store.directory(one.name)
    directory.mkdir(parents=True, exist_ok=True)
    replace_file(directory / MSGPACK, to_msgpack(one))
    data = signed(*names, one=one, expires_ns=expires_ns) if envelope is None and names else envelope
    if data:
        store.put_signatures(one, data)
