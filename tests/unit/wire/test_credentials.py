"""Credentials fit their address, and every wrong file is told as what it is."""

from __future__ import annotations

import base64
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from driftline.cli import certs
from driftline.errors import SettingsError
from driftline.wire.credentials import TOKEN_BYTES, TOKEN_VARIABLE, Credentials, Link, read_token
from driftline.wire.credentials_dates import validities
from driftline.wire.credentials_files import FILE_BYTES, TlsPaths, WatchedFiles, read_tls_files
from driftline.wire.roles import NAME_CHARACTERS, Identity, Role, checked_name, identity_uri, parse_identity


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    certs.init(tmp_path / "pki")
    return tmp_path / "pki"


@pytest.fixture
def paths(pki: Path) -> TlsPaths:
    certs.issue(pki, Role.AGENT, "n")
    return TlsPaths(str(pki / "ca.pem"), str(pki / "agent-n.pem"), str(pki / "agent-n.key"))


# --- what fits what --------------------------------------------------------------------------------------------------


def test_plain_text_is_for_the_loopback() -> None:
    assert Link("127.0.0.1:1").target == "127.0.0.1:1"
    assert Link("localhost:1").target == "127.0.0.1:1"
    for target in ("10.0.0.1:1", "collector.example:1", "[::]:1"):
        with pytest.raises(SettingsError, match="is not a loopback address: the connection must be encrypted"):
            Link(target)


def test_plain_text_abroad_must_be_asked_for() -> None:
    assert Link("10.0.0.1:1", Credentials(insecure_plaintext=True)).plaintext_abroad
    assert not Link("127.0.0.1:1", Credentials(insecure_plaintext=True)).plaintext_abroad


def test_a_token_never_travels_unencrypted() -> None:
    with pytest.raises(SettingsError, match="a token is never sent unencrypted") as caught:
        Link("10.0.0.1:1", Credentials(token="dlt_secret", insecure_plaintext=True))
    assert "dlt_secret" not in str(caught.value)
    assert Link("127.0.0.1:1", Credentials(token="t")).metadata == (("authorization", "Bearer t"),)


def test_tls_needs_all_its_parts(paths: TlsPaths) -> None:
    for wrong, message in (
        (Credentials(paths._replace(ca="")), "no CA is named"),
        (Credentials(paths._replace(cert="")), "certificate and key belong together"),
        (Credentials(paths._replace(key="")), "certificate and key belong together"),
        (Credentials(TlsPaths(ca=paths.ca)), "neither a certificate nor a token"),
        (Credentials(paths, insecure_plaintext=True), "exclude each other"),
    ):
        with pytest.raises(SettingsError, match=message):
            Link("collector.example:1", wrong)
    link = Link("localhost:1", Credentials(paths))
    assert link.tls
    assert link.target == "localhost:1"


# --- files -----------------------------------------------------------------------------------------------------------


def test_good_files(paths: TlsPaths) -> None:
    files = read_tls_files(paths)
    assert files.ca == Path(paths.ca).read_bytes()
    assert files.ends is not None
    assert timedelta(days=89) < files.ends - datetime.now(UTC) <= timedelta(days=90)
    assert "PRIVATE" not in repr(files)


def refused(paths: TlsPaths) -> str:
    with pytest.raises(SettingsError) as caught:
        read_tls_files(paths)
    return str(caught.value)


def test_wrong_files(paths: TlsPaths, pki: Path, tmp_path: Path) -> None:
    assert f"certificate {tmp_path}/no cannot be read: No such file" in refused(paths._replace(cert=f"{tmp_path}/no"))
    assert "cannot be read: not a path" in refused(paths._replace(cert="a\0b"))
    assert "cannot be read: Is a directory" in refused(paths._replace(ca=str(tmp_path)))
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refused(paths._replace(cert=str(tmp_path / "pipe")))
    assert "holds a private key, not a certificate" in refused(paths._replace(cert=paths.key))
    assert "holds a certificate, not a private key" in refused(paths._replace(key=paths.cert))
    (tmp_path / "empty").touch()
    assert "holds nothing" in refused(paths._replace(cert=str(tmp_path / "empty")))
    (tmp_path / "der").write_bytes(b"\x30\x03\x02\x01\x01")
    assert "CA certificate" in refused(paths._replace(ca=str(tmp_path / "der")))
    (tmp_path / "large").write_bytes(b"-" * (FILE_BYTES + 1))
    assert "is larger than 256 KiB" in refused(paths._replace(ca=str(tmp_path / "large")))
    (tmp_path / "damaged").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert "is damaged" in refused(paths._replace(cert=str(tmp_path / "damaged")))


def test_an_unreadable_file(paths: TlsPaths) -> None:
    os.chmod(paths.cert, 0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may read everything
    try:
        assert "Permission denied" in refused(paths)
    finally:
        if root:
            os.seteuid(0)


def test_the_key_of_another_certificate(paths: TlsPaths, pki: Path) -> None:
    certs.issue(pki, Role.AGENT, "other")
    other = str(pki / "agent-other.key")
    assert f"key {other} does not belong to certificate {paths.cert}" in refused(paths._replace(key=other))


def test_a_damaged_or_locked_key(paths: TlsPaths, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    assert "is damaged" in refused(paths._replace(key=str(key)))
    key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
    assert "is locked with a passphrase" in refused(paths._replace(key=str(key)))


@pytest.mark.parametrize(("mode", "good"), [(0o600, 1), (0o400, 1), (0o440, 1), (0o644, 0), (0o620, 0), (0o601, 0)])
def test_who_may_read_the_key(paths: TlsPaths, mode: int, good: int) -> None:
    os.chmod(paths.key, mode)
    if good:
        assert read_tls_files(paths).key
    else:
        assert f"has mode {mode:04o}: others can use it\n  try: chmod 600 {paths.key}" in refused(paths)


def test_expired_and_early(paths: TlsPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = read_tls_files(paths).ends
    assert ends is not None

    class Later(datetime):
        shift = timedelta()

        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + cls.shift

    monkeypatch.setattr("driftline.wire.credentials_files.datetime", Later)
    Later.shift = timedelta(days=91)
    assert f"certificate {paths.cert} expired on {ends:%Y-%m-%d %H:%M} UTC" in refused(paths)
    Later.shift = timedelta(days=-1)
    assert "is not valid before" in refused(paths)
    assert "check this machine's clock" in refused(paths)


def test_changed_files_are_read_and_broken_ones_are_not_used(
    paths: TlsPaths, pki: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = WatchedFiles(paths)
    first = watched.current()
    Path(paths.cert).write_text("nonsense")
    assert watched.current() == watched.current() == first
    assert caplog.text.count("going on with the certificate read before") == 1
    for path in (paths.cert, paths.key):
        os.unlink(path)
    certs.issue(pki, Role.AGENT, "n")
    assert watched.current() != first


def test_the_dates_are_those_of_the_certificate(pki: Path) -> None:
    for days in (1, 3650, 9000, 40_000):  # beyond 2049 a certificate has another kind of time
        pair = certs.make_ca(days)
        pem = pair.certificate.public_bytes(Encoding.PEM)
        (found,) = validities(pem)
        assert found == (pair.certificate.not_valid_before_utc, pair.certificate.not_valid_after_utc)


def test_no_damage_gets_through_the_dates(paths: TlsPaths) -> None:
    """Flipped, cut and random bytes: ValueError or two dates, nothing else."""
    der = x509.load_pem_x509_certificate(Path(paths.cert).read_bytes()).public_bytes(Encoding.DER)
    chance, outcomes = random.Random(7), set()
    for _ in range(3000):
        damaged = bytearray(der[: chance.randrange(len(der) + 1)] if chance.random() < 0.3 else der)
        for _ in range(chance.randrange(4)):
            if damaged:
                damaged[chance.randrange(min(len(damaged), 200))] = chance.randrange(256)
        pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(bytes(damaged)) + b"\n-----END CERTIFICATE-----\n"
        try:
            outcomes.add(len(validities(pem)))
        except ValueError:
            outcomes.add(-1)
    assert outcomes >= {-1, 1}


# --- tokens and names ------------------------------------------------------------------------------------------------


def test_tokens_come_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert read_token("") == ""
    monkeypatch.setenv(TOKEN_VARIABLE, "dlt_env\n")
    assert read_token("") == "dlt_env"
    file = tmp_path / "t"
    file.touch(0o600)
    file.write_text("dlt_file\n")
    assert read_token(str(file)) == "dlt_file"
    assert "dlt_file" not in repr(Credentials(token="dlt_file"))


def test_wrong_token_files(tmp_path: Path) -> None:
    file = tmp_path / "t"
    file.touch(0o600)
    for content, message in (("", "is empty"), ("two words", "holds no token"), ("x" * TOKEN_BYTES * 2, None)):
        file.write_text(content)
        if message:
            with pytest.raises(SettingsError, match=message) as caught:
                read_token(str(file))
            assert "two words" not in str(caught.value)
        else:
            assert len(read_token(str(file))) == TOKEN_BYTES
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="can be read by others"):
        read_token(str(file))
    with pytest.raises(SettingsError, match="No such file"):
        read_token(str(tmp_path / "no"))


@given(st.sampled_from(Role), st.text(min_size=1, max_size=NAME_CHARACTERS))
def test_a_name_comes_back_from_its_uri(role: Role, name: str) -> None:
    try:
        checked_name(name)
    except SettingsError:
        return
    uri = identity_uri(Identity(role, name))
    assert uri.isascii()
    assert parse_identity(uri) == (role, name)


@given(st.text(max_size=60).map("driftline:agent/".__add__) | st.text(max_size=60))
def test_only_one_spelling_names_anybody(uri: str) -> None:
    identity = parse_identity(uri)
    assert identity is None or identity_uri(identity) == uri


# --- several addresses -----------------------------------------------------------------------------------------------


def test_addresses_take_turns() -> None:
    link = Link("localhost:1,127.0.0.2:2")
    seen = []
    for _ in range(3):
        seen.append(link.target)
        link.advance()
    assert seen == ["127.0.0.1:1", "127.0.0.2:2", "127.0.0.1:1"]


def test_one_address_abroad_needs_what_all_would_need() -> None:
    with pytest.raises(SettingsError, match=r"^10\.0\.0\.1 is not a loopback address"):
        Link("127.0.0.1:1,10.0.0.1:1")
    assert Link("127.0.0.1:1,10.0.0.1:1", Credentials(insecure_plaintext=True)).plaintext_abroad
    with pytest.raises(SettingsError, match="port 0"):
        Link("127.0.0.1:1,127.0.0.1:0")
