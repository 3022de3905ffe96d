"""``driftline baseline keygen``, ``sign`` and ``verify``: who vouches for a baseline.

In: a baseline of this node, or a file; keys. Out: an in-toto statement in a DSSE envelope, beside the baseline or as a
file; or whether enough trusted keys signed one. Keys and passphrases never stand on the command line itself. Next:
``baseline.signing``; an agent with ``require_signatures`` asks for them.
"""

from __future__ import annotations

import json as jsonlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from driftline.baseline.format.canonical import version_of
from driftline.baseline.format.reading import DocumentError
from driftline.baseline.keeping.files import read_file
from driftline.baseline.schema import Baseline
from driftline.baseline.signing.envelope import MAX_ENVELOPE, Envelope, EnvelopeError, to_bytes
from driftline.baseline.signing.envelope import sign as add_signature
from driftline.baseline.signing.files import SUFFIX, is_envelope
from driftline.baseline.signing.keys import KeyType, PrivateKey, generate, load_private, to_pem
from driftline.baseline.signing.statement import Statement, from_payload, payload_of
from driftline.baseline.signing.verification import Verified, read_envelope, read_statement
from driftline.baseline.signing.verification import verify as verify_envelope
from driftline.cli.baseline import Json, changing, day, find, label, numbered, open_store
from driftline.cli.baseline_trust import Keys, Threshold, Trust, trusted
from driftline.cli.baselinefile import read_baseline
from driftline.cli.moments import expiry
from driftline.cli.secretfile import PUBLIC, write_new
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.errors import SettingsError, SignatureError
from driftline.text import escape, plural
from driftline.wire.jsontext import wall_time

PASSPHRASE = "DRIFTLINE_KEY_PASSPHRASE"
MAX_PASSPHRASE = 1_024
"""Bytes of a file that holds a passphrase: OpenSSL's own bound."""

PassphraseFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help=f"File with the key's passphrase. Or {PASSPHRASE}, or you are asked."),
]


# --- keys -------------------------------------------------------------------------------------------------------------


def keygen(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="NAME.key and NAME.pub are written; neither may exist.")],
    type: Annotated[KeyType, typer.Option("--type", help="What kind of key.")] = KeyType.ECDSA_P256,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a key to sign with, in PEM: NAME.key stays with you, NAME.pub goes to those who trust you.

    Without a passphrase the key is not encrypted.
    """
    passphrase = passphrase_of(passphrase_file, "Passphrase for the new key (empty: none)", confirm=True)
    key = generate(type)
    private, public = to_pem(key, passphrase)
    with write_new(_named(name, ".key")) as private_file, write_new(_named(name, ".pub"), PUBLIC) as public_file:
        private_file.write(private)
        public_file.write(public)
    encrypted = "encrypted" if passphrase else "NOT encrypted"
    print(f"{key.public.id}: {escape(str(_named(name, '.key')))} ({encrypted}), {escape(str(_named(name, '.pub')))}")


def _named(name: Path, suffix: str) -> Path:
    return name.with_name(name.name + suffix)


def passphrase_of(path: Path | None, question: str, confirm: bool = False) -> bytes:
    """Return it from a file, the environment, or the person at the terminal; empty if there is none of them."""
    if path is not None:
        return _read(path, MAX_PASSPHRASE).rstrip(b"\r\n")
    if PASSPHRASE in os.environ:
        return os.environ[PASSPHRASE].encode()
    if not sys.stdin.isatty():
        return b""
    text: str = typer.prompt(question, default="", hide_input=True, confirmation_prompt=confirm, show_default=False)
    return text.encode()


# --- signing ----------------------------------------------------------------------------------------------------------


def sign(
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="Image, or a file: a baseline, or one that is signed already.")
    ],
    key: Annotated[Path, typer.Option("--key", metavar="KEY.pem", help="Private key: ed25519 or ECDSA P-256.")],
    expires: Annotated[str, typer.Option(metavar="WHEN", help="90d, a date (2027-01-31), or never, the default.")] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help=f"Where to write. Of a file by default beside it, *{SUFFIX}."
        ),
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Drop the signatures there are; the expiry may change.")] = False,
    revision: Annotated[
        int, typer.Option(metavar="N", min=0, help="Of a file: the revision to sign it as. Default: as it says.")
    ] = 0,
    passphrase_file: PassphraseFile = None,
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Sign a baseline. Signing again adds a signature; a key that signed already only renews its own."""
    private = load_private(key, lambda: passphrase_of(passphrase_file, f"Passphrase of {escape(str(key))}"))
    until = expiry(expires, time.time_ns()) if expires else None
    add = _Adding(private, until, anew)
    path = Path(image)
    if path.is_file():
        _sign_file(path, output or _beside(path), revision, add)
        return
    if revision:
        raise SettingsError("--revision is for files", "the node numbers its own revisions")
    store = open_store(state_dir)
    with changing(store, image) as baseline:
        data = store.signatures(baseline)
        made = add(baseline, read_envelope(data) if data else None)
        store.put_signatures(baseline, made)
    if output is not None:
        _write(output, made)


def _beside(path: Path) -> Path:
    if path.name.endswith(SUFFIX):
        return path
    return path.with_name(path.name.removesuffix(path.suffix) + SUFFIX)


def _sign_file(path: Path, output: Path, revision: int, add: _Adding) -> None:
    before = _read_envelope(path)
    if before is not None:
        if revision:
            raise SettingsError("--revision would be another statement", "sign the baseline's own file")
        _write(output, add(read_statement(before).baseline, before))
        return
    given = read_baseline(path)
    given = replace(given, revision=revision or max(1, given.revision))
    there = _read_envelope(output) if output.exists() else None
    if output.exists() and there is None:
        raise SettingsError(f"{escape(str(output))} is something else", "-o names another file")
    _write(output, add(given, there))


def _read_envelope(path: Path) -> Envelope | None:
    data = _read(path)
    return read_envelope(data) if is_envelope(data) else None


def _read(path: Path, limit: int = MAX_ENVELOPE) -> bytes:
    try:
        return read_file(path.resolve(), limit)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise SettingsError(f"{escape(str(path))} cannot be read: {problem}") from error


class _Adding:
    """One signer's signature. ``until_ns``: Unix ns, 0 never, None: as it is."""

    def __init__(self, key: PrivateKey, until_ns: int | None, anew: bool) -> None:
        self._key, self._until_ns, self._anew = key, until_ns, anew

    def __call__(self, baseline: Baseline, before: Envelope | None) -> bytes:
        """Return the envelope of ``baseline`` with the signature; say what was signed. Raises SignatureError."""
        signed = self._signed(baseline, before)
        try:
            made = add_signature(signed, self._key)
        except EnvelopeError as error:
            raise SignatureError(str(error), "--anew drops the others") from error
        expires_ns = from_payload(made.payload).expires_ns
        until = f"until {day(expires_ns)} UTC" if expires_ns else "for good"
        print(f"{label(baseline)}: {numbered(baseline)}, {plural(len(baseline.entries), 'behaviour')}")
        print(f"signed by {self._key.public.id} {until}; {plural(len(made.signatures), 'signature')}")
        return to_bytes(made)

    def _signed(self, baseline: Baseline, before: Envelope | None) -> Envelope:
        """What there is to sign: the very bytes others signed, if they are of this baseline."""
        if before is not None and not self._anew:
            statement = read_statement(before)
            if statement.baseline == baseline:
                if self._until_ns not in {None, statement.expires_ns}:
                    was = f"until {day(statement.expires_ns)} UTC" if statement.expires_ns else "for good"
                    raise SignatureError(f"others signed it {was}", "leave --expires away, or --anew without them")
                return before
            print(f"the signatures of revision {statement.baseline.revision} are of something else, and dropped")
        try:
            payload = payload_of(Statement(baseline, self._until_ns or 0))
            if from_payload(payload).baseline != baseline:
                raise DocumentError("it holds something that the signed form cannot say")
        except DocumentError as error:
            raise SignatureError(f"{label(baseline)} cannot be signed: {error}") from error
        return Envelope(payload)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise SettingsError(f"{escape(str(path))} cannot be written: {error.strerror}") from error


# --- verifying --------------------------------------------------------------------------------------------------------


def verify(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="Image, or a signed file.")],
    key: Keys = None,
    trust: Trust = None,
    threshold: Threshold = 1,
    state_dir: StateDir = DEFAULT_STATE,
    json: Json = False,
) -> None:
    """Verify that enough trusted keys signed a baseline, and that it has not expired. Exit status 9 if not."""
    keys = trusted(key, trust, state_dir)
    if not keys:
        raise SignatureError("no key is trusted", "--key PUB.pem, or --trust DIR")
    path = Path(image)
    if path.is_file():
        verified = verify_envelope(_read(path), keys, threshold)
    else:
        verified = _verify_image(image, state_dir, lambda data: verify_envelope(data, keys, threshold))
    statement = verified.statement
    if 0 < statement.expires_ns <= time.time_ns():
        raise SignatureError(f"it expired on {day(statement.expires_ns)} UTC", "sign it again: --anew --expires 90d")
    if json:
        print(jsonlib.dumps(_as_json(verified)))
        return
    baseline = statement.baseline
    until = f"until {day(statement.expires_ns)} UTC" if statement.expires_ns else "for good"
    print(f"{label(baseline)}: {numbered(baseline)}, {plural(len(baseline.entries), 'behaviour')}")
    for one in verified.keys:
        print(f"signed by {one.id} ({escape(one.name)}) {until}")


def _verify_image(image: str, state_dir: Path, check: Callable[[bytes], Verified]) -> Verified:
    store = open_store(state_dir)
    baseline = find(store, image)
    data = store.signatures(baseline)
    if data is None:
        raise SignatureError(f"nobody signed {label(baseline)}, {numbered(baseline)}", "driftline baseline sign")
    verified = check(data)
    if verified.statement.baseline != baseline:
        signed, now = verified.statement.baseline.revision, baseline.revision
        other = f"revision {signed} was signed, {now} is in force"
        raise SignatureError(
            f"{label(baseline)}: {other if signed != now else 'what is in force is not what was signed'}"
        )
    return verified


def _as_json(verified: Verified) -> dict[str, object]:
    baseline, expires_ns = verified.statement
    return {
        "name": escape(baseline.name),
        "image": escape(baseline.image),
        "revision": baseline.revision,
        "version": version_of(baseline),
        "expires": wall_time(expires_ns) if expires_ns else None,
        "signed_by": [{"id": one.id, "file": escape(one.name)} for one in verified.keys],
    }
