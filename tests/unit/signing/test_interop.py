"""Other tools: keys made by OpenSSL sign here, and what is signed here OpenSSL verifies, with nothing of ours between.

The bytes under a signature follow from the protocol alone (DSSE 1.0), so whatever verifies DSSE verifies these.
"""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from driftline.baseline.signing.envelope import from_bytes, sign, to_bytes
from driftline.baseline.signing.keys import load_private, load_public
from driftline.baseline.signing.verification import verify
from unit.signing.making import as_bytes, baseline, outer, payload

ECDSA = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
ED25519 = ("genpkey", "-algorithm", "ed25519")
PASSPHRASE = b"from openssl"


def openssl(*words: str | Path) -> bytes:
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, check=True).stdout


def pae(data: bytes) -> bytes:
    kind = b"application/vnd.in-toto+json"
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(data), data)


def pair(directory: Path, make: tuple[str, ...], encrypted: bool = False) -> tuple[Path, Path]:
    private, public = directory / "k.pem", directory / "k.pub"
    cipher = ("-aes-256-cbc", "-pass", f"pass:{PASSPHRASE.decode()}") if encrypted else ()
    openssl(*make, *cipher, "-out", private)
    secret = ("-passin", f"pass:{PASSPHRASE.decode()}") if encrypted else ()
    openssl("pkey", "-in", private, *secret, "-pubout", "-out", public)
    return private, public


@pytest.mark.parametrize("make", [ECDSA, ED25519], ids=["ecdsa", "ed25519"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_openssl_verifies_what_is_signed_with_its_keys(tmp_path: Path, make: tuple[str, ...], encrypted: bool) -> None:
    private, public = pair(tmp_path, make, encrypted)
    key = load_private(private, lambda: PASSPHRASE)
    data = to_bytes(sign(from_bytes(_unsigned()), key))
    envelope = outer(data)
    (tmp_path / "pae").write_bytes(pae(base64.b64decode(envelope["payload"])))
    [entry] = [one for one in envelope["signatures"] if one["keyid"] == key.public.id]
    (tmp_path / "sig").write_bytes(base64.b64decode(entry["sig"]))
    checked: tuple[str | Path, ...]
    if make is ECDSA:
        checked = ("dgst", "-sha256", "-verify", public, "-signature", tmp_path / "sig", tmp_path / "pae")
    else:
        files = ("-in", tmp_path / "pae", "-sigfile", tmp_path / "sig")
        checked = ("pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", *files)
    assert b"Verified" in openssl(*checked)
    (tmp_path / "pae").write_bytes(pae(base64.b64decode(envelope["payload"]) + b" "))
    with pytest.raises(subprocess.CalledProcessError):
        openssl(*checked)


def _unsigned() -> bytes:
    """An envelope with a signature that will not count: one of none is no envelope."""
    signature = {"keyid": "nobody", "sig": base64.b64encode(b"x").decode()}
    values = {"payloadType": "application/vnd.in-toto+json", "signatures": [signature]}
    return as_bytes(values | {"payload": base64.b64encode(payload()).decode()})


@pytest.mark.parametrize("make", [ECDSA, ED25519], ids=["ecdsa", "ed25519"])
def test_what_openssl_signed_is_verified_here(tmp_path: Path, make: tuple[str, ...]) -> None:
    """Without a key id, as cosign writes them."""
    private, public = pair(tmp_path, make)
    (tmp_path / "pae").write_bytes(pae(payload()))
    if make is ECDSA:
        made = openssl("dgst", "-sha256", "-sign", private, tmp_path / "pae")
    else:
        made = openssl("pkeyutl", "-sign", "-inkey", private, "-rawin", "-in", tmp_path / "pae")
    values = outer(_unsigned()) | {"signatures": [{"keyid": "", "sig": base64.b64encode(made).decode()}]}
    found = verify(as_bytes(values), [load_public(public)], 1)
    assert found.statement.baseline == baseline()
    assert [key.id for key in found.keys] == [load_public(public).id]
