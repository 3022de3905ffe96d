"""Where the store is: ``--store`` and its password file, checked before anybody connects.

In: texts of the command line. Out: a ``PostgresAddress``, or None for the SQLite file in the state directory. Why a
password is refused in the address: everybody on the host reads it in the process list. Why the file is read at each
connection: a password is replaced without a restart. Next: ``postgres`` connects.
"""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from driftline.errors import SettingsError
from driftline.text import escape

PASSWORD_BYTES = 4096
"""Largest password file: tokens that stand for a password (cloud providers') are about 2 KiB."""

_URL = re.compile(r"postgres(ql)?://(?P<authority>[^/?#\0]*)(?P<path>[^?#\0]*)(\?(?P<query>[^#\0]+))?")
_SECRETS = ("password", "sslpassword", "oauth_client_secret")
_UNSURE = ("disable", "allow", "prefer")  # values of sslmode with which plain text may travel
_TOO_OPEN = stat.S_IRWXO | stat.S_IWGRP  # the group may read: that is how Kubernetes shares a file
_HINT = "write it like postgresql://driftline@db.example/driftline?sslmode=verify-full"


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A database of PostgreSQL. ``url`` is as typed and holds no secret; ``name`` is what a person is shown."""

    url: str
    name: str
    local: bool = True
    warnings: list[str] = field(default_factory=list)
    password_file: str = ""

    def password(self) -> str:
        """Return what the password file holds now, "" without one. Raises SettingsError."""
        if not self.password_file:
            return ""
        shown = f"password file {escape(self.password_file)}"
        try:
            with open(self.password_file, "rb") as file:
                mode, content = os.fstat(file.fileno()).st_mode, file.read(PASSWORD_BYTES + 1)
        except OSError as error:
            raise SettingsError(f"{shown} cannot be read: {error.strerror}") from error
        if stat.S_IMODE(mode) & _TOO_OPEN:
            raise SettingsError(f"{shown} is open to everybody", f"chmod 600 {escape(self.password_file)}")
        password = content.rstrip(b"\r\n")
        if not password or len(content) > PASSWORD_BYTES or b"\n" in password or b"\0" in password:
            raise SettingsError(f"{shown} must hold one line, the password")
        try:
            return password.decode()
        except UnicodeDecodeError:
            raise SettingsError(f"{shown} is not UTF-8") from None


def parse_store(url: str, password_file: Path | None = None) -> PostgresAddress | None:
    """Return what ``--store`` means; None if it is empty. Raises SettingsError, which never repeats what was typed."""
    if not url:
        if password_file is not None:
            raise SettingsError("a password file without --store", _HINT)
        return None
    parts = _URL.fullmatch(url)
    try:
        text = (parts and parts["query"]) or ""
        query = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)))
    except ValueError:
        parts = None
    if parts is None:
        raise SettingsError("--store is not a postgresql:// address", f"{_HINT}; without it, SQLite is used")
    user, _, listed = parts["authority"].rpartition("@")
    if ":" in user or any(secret in query for secret in _SECRETS):
        raise SettingsError(
            "--store holds a password, which everybody on this host could read in the process list",
            "remove it there (and replace it), use --store-password-file, PGPASSFILE or PGPASSWORD",
        )
    hosts = _hosts(listed, query)
    local = all(_is_local(host) for host in hosts)
    name = escape(f"postgresql://{','.join(hosts)}{unquote(parts['path']) or '/'}")
    mode = query.get("sslmode") or os.environ.get("PGSSLMODE", "")
    warnings = [] if local or mode not in _UNSURE else [f"PLAIN TEXT may travel to {name}: sslmode={escape(mode)}"]
    return PostgresAddress(url, name, local, warnings, "" if password_file is None else str(password_file))


def _hosts(listed: str, query: dict[str, str]) -> list[str]:
    """Return every host of the address, as libpq would take them; "" is its default, a Unix socket."""
    named = query.get("hostaddr") or query.get("host")
    if named:
        return named.split(",")
    return [unquote(one) for one in listed.split(",")] if listed else [os.environ.get("PGHOST", "")]


def _is_local(host: str) -> bool:
    bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.startswith("/") else host
    bare = bare.strip("[]")
    if not bare or bare.startswith(("/", "@")) or bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
