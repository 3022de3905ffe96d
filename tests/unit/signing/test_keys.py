"""Keys: what is read, what is refused, and that nothing secret is ever repeated."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from driftline.baseline.signing.keys import MAX_KEYS, KeyType, generate, load_private, load_public, load_trusted, to_pem
from driftline.errors import SignatureError

SPKI = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def nothing() -> bytes:
    raise AssertionError("asked for a passphrase nobody needs")


@pytest.mark.parametrize("kind", KeyType)
@pytest.mark.parametrize("passphrase", [b"", b"long enough"])
def test_a_made_key_is_read_again(tmp_path: Path, kind: KeyType, passphrase: bytes) -> None:
    key = generate(kind)
    private, public = to_pem(key, passphrase)
    assert (b"ENCRYPTED" in private) == bool(passphrase)
    (tmp_path / "k.key").write_bytes(private)
    (tmp_path / "k.pub").write_bytes(public)
    assert load_private(tmp_path / "k.key", lambda: passphrase if passphrase else nothing()).public.id == key.public.id
    assert load_public(tmp_path / "k.pub").id == key.public.id


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no OpenSSH here")
def test_the_id_is_the_fingerprint_openssh_prints(tmp_path: Path) -> None:
    key = generate(KeyType.ED25519)
    line = key.public.key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    (tmp_path / "k").write_bytes(line)
    said = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "k"], capture_output=True, text=True, check=True).stdout
    assert said.split()[1] == key.public.id


@pytest.mark.parametrize("passphrase", [b"", b"wrong"])
def test_an_encrypted_key_without_its_passphrase(tmp_path: Path, passphrase: bytes) -> None:
    (tmp_path / "k").write_bytes(to_pem(generate(KeyType.ED25519), b"right")[0])
    with pytest.raises(SignatureError, match="passphrase"):
        load_private(tmp_path / "k", lambda: passphrase)


def _others() -> dict[str, bytes]:
    keys: dict[str, Any] = {
        "rsa": rsa.generate_private_key(65537, 2048).public_key(),
        "p384": ec.generate_private_key(ec.SECP384R1()).public_key(),
        "k1": ec.generate_private_key(ec.SECP256K1()).public_key(),
        "ed448": ed448.Ed448PrivateKey.generate().public_key(),
    }
    return {name: key.public_bytes(*SPKI) for name, key in keys.items()}


GOOD = to_pem(generate(KeyType.ED25519), b"")
WRONG = {
    **_others(),
    "private": GOOD[0],
    "two": GOOD[1] * 2,
    "empty": b"",
    "text": b"hello",
    "damaged": GOOD[1].replace(b"MCow", b"MCox"),
    "cut": GOOD[1][:60],
    "certificate": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "huge": b"\n" * 100_000 + GOOD[1],
    "algorithm": GOOD[1].replace(b"MCowBQYDK2Vw", b"MCowBQYDK2Vx"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_key_to_trust_is_refused_and_not_quoted(tmp_path: Path, name: str) -> None:
    (tmp_path / "k.pub").write_bytes(WRONG[name])
    with pytest.raises(SignatureError, match=r"k\.pub") as caught:
        load_public(tmp_path / "k.pub")
    assert len(str(caught.value)) < 400
    assert not any(line in str(caught.value) for line in WRONG[name].decode().split() if len(line) > 20)
    with pytest.raises(SignatureError):
        load_trusted(tmp_path)  # one bad file fails all of them


@pytest.mark.parametrize("data", [GOOD[1], b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAA\n-----END", b""])
def test_what_cannot_sign_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "k").write_bytes(data)
    with pytest.raises(SignatureError):
        load_private(tmp_path / "k", nothing)


def test_a_trust_directory_holds_each_key_once_and_other_files_do_not_count(tmp_path: Path) -> None:
    for name in ("a.pub", "b.pem", "README", "a.key"):
        (tmp_path / name).write_bytes(GOOD[1])
    found = load_trusted(tmp_path)
    assert [one.name for one in found] == ["a.pub"]


def test_a_trust_directory_is_bounded_and_never_empty(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="holds 0 keys"):
        load_trusted(tmp_path)
    with pytest.raises(SignatureError, match="cannot be read"):
        load_trusted(tmp_path / "none")
    for number in range(MAX_KEYS + 1):
        (tmp_path / f"{number}.pub").write_bytes(GOOD[1])
    with pytest.raises(SignatureError, match=f"holds {MAX_KEYS + 1} keys"):
        load_trusted(tmp_path)
