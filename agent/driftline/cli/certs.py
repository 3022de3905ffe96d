"""``driftline certs``: a certificate authority for trying out, and certificates from it.

In: a directory; a role, a name, hosts. Out: PEM files in the directory, keys with mode 0600; nothing secret is printed.
Why: nobody tries mTLS if it takes an afternoon with OpenSSL. Whoever has a CA already lets it write the same
certificates (docs/access.md); cert-manager can. The only importer of ``cryptography``, which the agent never loads.
Keys are ECDSA P-256: gRPC's TLS library takes no Ed25519 certificates. Next: ``wire.credentials_files`` reads them.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from driftline.cli.secretfile import PUBLIC, write_new
from driftline.errors import SettingsError
from driftline.text import escape
from driftline.wire.credentials_files import FILE_BYTES
from driftline.wire.roles import Identity, Role, checked_name, identity_uri

CA_CERTIFICATE, CA_KEY = "ca.pem", "ca.key"
CA_DAYS = 3650
NEVER = datetime.max.replace(tzinfo=UTC)
DAYS = 90
"""How long a certificate lives unless told otherwise. There is no revocation list: a short life takes its place."""
SLACK = timedelta(minutes=5)
"""Certificates begin so much earlier, because clocks differ."""
COMMON_NAME_CHARACTERS = 64  # RFC 5280, upper bound ub-common-name; the URI has the whole name

_Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Directory with ca.pem and ca.key.")]


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory to make ca.pem and ca.key in.")],
    days: Annotated[int, typer.Option(min=1, max=36500, help="How long the CA is valid.")] = CA_DAYS,
) -> None:
    """Make a certificate authority for trying out.

    Whoever has ca.key can be any agent and any reader: keep it off the machines that only need certificates.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"{escape(str(directory))} cannot be made: {error.strerror}") from error
    pair = make_ca(days)
    write_pair(directory / CA_CERTIFICATE, directory / CA_KEY, pair)
    typer.echo(f"CA in {escape(str(directory / CA_CERTIFICATE))}, until {_date(pair.certificate)}")


def issue(
    directory: _Directory,
    role: Annotated[Role, typer.Option(help="What the certificate is for.")],
    name: Annotated[str, typer.Option(help="Whose it is. For an agent: the name of its node.")],
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Name or IP address agents and readers use for the collector. Repeatable."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is valid.")] = DAYS,
) -> None:
    """Issue a certificate for an agent, person or collector.

    Writes ROLE-NAME.pem and ROLE-NAME.key into the directory.
    """
    if (role is Role.COLLECTOR) != bool(host):
        hint = "--host NAME as agents write it, e.g. --host collector.example --host 10.0.0.5"
        raise SettingsError("a collector's certificate names its hosts, and no other does", hint)
    stem = f"{role}-{re.sub(r'[^A-Za-z0-9._@-]', '_', checked_name(name))}"
    certificate, key = directory / f"{stem}.pem", directory / f"{stem}.key"
    pair = make_leaf(load_ca(directory), Identity(role, name), host or [], days)
    write_pair(certificate, key, pair)
    typer.echo(f"certificate in {escape(str(certificate))}, key beside it, until {_date(pair.certificate)}")


def make_ca(days: int) -> Pair:
    """Return a new CA, which may sign certificates but no other CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    common_name = f"Driftline CA {secrets.token_hex(4)}"  # two CAs of one name are confused by whoever looks for one
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)  # certificates and lists
    builder = (
        _builder(subject, subject, key, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return Pair(builder.sign(key, hashes.SHA256()), key)


def make_leaf(ca: Pair, identity: Identity, hosts: list[str], days: float) -> Pair:
    """Return a new certificate for ``identity``; it never outlives its CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, str(identity.role)),
            x509.NameAttribute(NameOID.COMMON_NAME, identity.name[:COMMON_NAME_CHARACTERS]),
        ]
    )
    names = [x509.UniformResourceIdentifier(identity_uri(identity)), *map(_host, hosts)]
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if identity.role is Role.COLLECTOR else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(subject, ca.certificate.subject, key, days, ca.certificate.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )
    return Pair(builder.sign(ca.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    days: float,
    latest: datetime = NEVER,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(min(now + timedelta(days=days), latest))
    )


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        return x509.DNSName(text)
    except ValueError:
        raise SettingsError(f"'{escape(text)}' is neither a host name nor an IP address") from None


def load_ca(directory: Path) -> Pair:
    """Return the CA that ``init`` made in ``directory``. Raises SettingsError."""
    try:
        certificate = x509.load_pem_x509_certificate(_read(directory / CA_CERTIFICATE))
        key = serialization.load_pem_private_key(_read(directory / CA_KEY), password=None)
    except (ValueError, TypeError):  # the library's words might quote the file
        message = f"{CA_CERTIFICATE} or {CA_KEY} in {escape(str(directory))} is damaged"
        raise SettingsError(message, "driftline certs init in an empty directory") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise SettingsError(f"{CA_KEY} in {escape(str(directory))} does not belong to {CA_CERTIFICATE}")
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        raise SettingsError(f"the CA in {escape(str(directory))} expired on {_date(certificate)}", "make a new one")
    return Pair(certificate, key)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES)
    except OSError as error:
        hint = f"driftline certs init {escape(str(path.parent))}"
        raise SettingsError(f"{escape(str(path))} cannot be read: {error.strerror}", hint) from error


def write_pair(certificate: Path, key: Path, pair: Pair) -> None:
    """Write both files, which must be new. Raises SettingsError."""
    secret = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with write_new(key) as key_file, write_new(certificate, PUBLIC) as certificate_file:
        key_file.write(secret)
        certificate_file.write(pair.certificate.public_bytes(serialization.Encoding.PEM))


def _date(certificate: x509.Certificate) -> str:
    return f"{certificate.not_valid_after_utc:%Y-%m-%d}"
