"""Keys that sign baselines: ed25519 or ECDSA P-256, in PEM files (PKCS #8 private, SPKI public).

In: files. Out: keys with their id, or a SignatureError that never repeats what is in a file. Why this id: it is the
OpenSSH fingerprint of the public key, what ``ssh-keygen -l`` prints and what cosign compares a signature's key id with
(go-securesystemslib, ``dsse.SHA256KeyID``); any other text there makes cosign skip the signature. Next: ``envelope``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from driftline.baseline.keeping.files import read_file
from driftline.errors import SignatureError
from driftline.text import escape

MAX_KEY_FILE = 16 * 1024
"""Bytes: a P-256 key takes 250."""
MAX_KEYS = 64
"""Keys in a trust directory: more than a team has people."""
SUFFIXES = (".pem", ".pub")

_Public = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
_Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
_KINDS = "ed25519 and ECDSA P-256 keys sign baselines (docs/signing.md)"


class KeyType(StrEnum):
    """What kind of key to make."""

    ECDSA_P256 = "ecdsa-p256"
    ED25519 = "ed25519"


class PublicKey(NamedTuple):
    """A key that can verify. ``name``: the file it came from, for people."""

    id: str
    name: str
    key: _Public


class PrivateKey(NamedTuple):
    """A key that can sign."""

    public: PublicKey
    key: _Private


def generate(kind: KeyType) -> PrivateKey:
    """Make a new key."""
    key: _Private
    key = ed25519.Ed25519PrivateKey.generate() if kind is KeyType.ED25519 else ec.generate_private_key(ec.SECP256R1())
    return PrivateKey(_public(key.public_key(), "new key"), key)


def to_pem(private: PrivateKey, passphrase: bytes) -> tuple[bytes, bytes]:
    """Return the private key (encrypted unless ``passphrase`` is empty) and the public key as PEM."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    cipher: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        cipher = serialization.BestAvailableEncryption(passphrase)
    public = private.public.key.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.key.private_bytes(encoding, form, cipher), public


def load_public(path: Path) -> PublicKey:
    """Return the public key in a PEM file. Raises SignatureError."""
    where, data = escape(str(path)), _read(path)
    if b"PRIVATE KEY" in data:
        raise SignatureError(f"{where} holds a private key", "trust the public one; keep the private one to yourself")
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SignatureError(f"{where} holds no public key in PEM", _KINDS) from error
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _public(key, path.name)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return _public(key, path.name)
    raise SignatureError(f"{where}: this type of key is not supported", _KINDS)


def load_private(path: Path, passphrase: Callable[[], bytes]) -> PrivateKey:
    """Return the private key in a PEM file; ``passphrase`` is called if it is encrypted. Raises SignatureError."""
    where, data = escape(str(path)), _read(path)
    if b"SIGSTORE PRIVATE KEY" in data or b"COSIGN PRIVATE KEY" in data:
        hint = "make the key with openssl or `driftline baseline keygen`, and give it to cosign by import-key-pair"
        raise SignatureError(f"{where} is in cosign's own format", hint)
    encrypted = b"ENCRYPTED" in data
    secret = passphrase() if encrypted else None
    if encrypted and not secret:
        raise SignatureError(f"{where} is encrypted, and no passphrase was given", "--passphrase-file FILE")
    try:
        key = serialization.load_pem_private_key(data, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # the library's words might quote the file
        problem = "the passphrase is wrong, or it is damaged" if encrypted else "no private key in PEM"
        raise SignatureError(f"{where}: {problem}", _KINDS) from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return PrivateKey(_public(key.public_key(), path.name), key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return PrivateKey(_public(key.public_key(), path.name), key)
    raise SignatureError(f"{where}: this type of key is not supported", _KINDS)


def load_trusted(directory: Path) -> tuple[PublicKey, ...]:
    """Return the keys in the ``.pem`` and ``.pub`` files of a directory, each once. Raises SignatureError.

    One bad file fails all: a key that silently does not count may be the one that was to be trusted.
    """
    where = escape(str(directory))
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix in SUFFIXES)
    except OSError as error:
        hint = "put the public keys of those who sign there, a PEM file each"
        raise SignatureError(f"{where} cannot be read: {error.strerror}", hint) from error
    if not 0 < len(paths) <= MAX_KEYS:
        names = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
        raise SignatureError(f"{where} holds {len(paths)} keys ({names}), 1 to {MAX_KEYS} are needed")
    return unique(load_public(path) for path in paths)


def unique(keys: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
    """Return each key once: two files with one key are one signer."""
    found: dict[str, PublicKey] = {}
    for key in keys:
        found.setdefault(key.id, key)
    return tuple(found.values())


def _read(path: Path) -> bytes:
    where = escape(str(path))
    try:
        data = read_file(path.resolve(), MAX_KEY_FILE)
    except (OSError, ValueError) as error:
        raise SignatureError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if data.count(b"-----BEGIN ") != 1:
        raise SignatureError(f"{where} does not hold exactly one PEM block", "one key in each file")
    return data


def _public(key: _Public, name: str) -> PublicKey:
    return PublicKey(_fingerprint(key), name, key)


def _fingerprint(key: _Public) -> str:
    """``SHA256:`` and the unpadded base64 of the SHA-256 of the key as SSH sends it (RFC 4253, 6.6)."""
    line = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
