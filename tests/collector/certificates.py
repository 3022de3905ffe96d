"""Certificates for the tests of access: one CA per session, a leaf for every role, and some that are wrong.

In: nothing. Out: ``Papers``, paths in a directory. Next: test_access*.
"""

from __future__ import annotations

from pathlib import Path

from driftline.cli import certs
from driftline.wire.credentials import Credentials
from driftline.wire.credentials_files import TlsPaths
from driftline.wire.roles import Identity, Role
from driftline_collector.access_ports import Security

HOSTS = ["127.0.0.1", "localhost"]


class Papers:
    """A CA in ``directory`` and what it issued."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        certs.init(directory)
        self.ca = str(directory / certs.CA_CERTIFICATE)

    def issue(
        self, role: Role, name: str = "node-a", file: str = "", days: float = 1, hosts: list[str] | None = None
    ) -> TlsPaths:
        """Issue a certificate; ``days`` below 1 makes one that has expired. Replaces an older one of that file name."""
        wanted = (HOSTS if role is Role.COLLECTOR else []) if hosts is None else hosts
        pair = certs.make_leaf(certs.load_ca(self.directory), Identity(role, name), wanted, days)
        certificate, key = (self.directory / f"{file or f'{role}-{name}'}{suffix}" for suffix in (".pem", ".key"))
        for path in (certificate, key):
            path.unlink(missing_ok=True)
        certs.write_pair(certificate, key, pair)
        return TlsPaths(self.ca, str(certificate), str(key))

    def credentials(self, role: Role, name: str = "node-a", file: str = "") -> Credentials:
        """Return the credentials of a client with a new certificate."""
        return Credentials(self.issue(role, name, file))

    def security(self, hosts: list[str] | None = None) -> Security:
        """Return what a collector with a new certificate is given, with a port for tokens."""
        return Security(self.issue(Role.COLLECTOR, "main", hosts=hosts), token_listen="127.0.0.1:0")
