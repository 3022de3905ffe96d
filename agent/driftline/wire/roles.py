"""Who may be who: roles, and how a certificate names one.

In: a role and a name. Out: the URI that a certificate carries among its subject alternative names, and back. Why a URI
and not the subject: it has one spelling, gRPC hands it over as it is, and cert-manager and other issuers can write it.
Next: ``cli.certs`` writes it, the collector's ``access`` reads it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from driftline.errors import SettingsError
from driftline.text import escape

NAME_CHARACTERS: Final = 253
"""Longest name: a Kubernetes node's."""

_SCHEME: Final = "driftline:"


class Role(StrEnum):
    """What a certificate or token is for. reader < reviewer < admin; the others stand apart."""

    AGENT = "agent"
    READER = "reader"
    REVIEWER = "reviewer"
    ADMIN = "admin"
    COLLECTOR = "collector"


READERS: Final = frozenset({Role.READER, Role.REVIEWER, Role.ADMIN})
"""Roles of people, in any of which one may read."""


class Identity(NamedTuple):
    """A role and whose: for an agent the name of its node."""

    role: Role
    name: str


def checked_name(name: str) -> str:
    """Return ``name``. Raises SettingsError if it cannot stand in a certificate or beside a token."""
    if not 0 < len(name) <= NAME_CHARACTERS or escape(name) != name or name != name.strip():
        raise SettingsError(f"'{escape(name)}' is no name", f"1 to {NAME_CHARACTERS} printable characters")
    return name


def identity_uri(identity: Identity) -> str:
    """Return e.g. ``driftline:agent/node-1``; the name percent-encoded as in RFC 3986."""
    return f"{_SCHEME}{identity.role}/{quote(identity.name, safe='')}"


def parse_identity(uri: str) -> Identity | None:
    """Return who ``uri`` names; None if it is not what ``identity_uri`` writes, so each has one spelling only."""
    role, separator, quoted = uri.removeprefix(_SCHEME).partition("/")
    if not separator:
        return None
    try:
        identity = Identity(Role(role), checked_name(unquote(quoted, errors="strict")))
    except (SettingsError, ValueError):
        return None
    return identity if identity_uri(identity) == uri else None
