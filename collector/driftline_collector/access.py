"""Who may do what.

In: a call: its method, the certificate or token it came with. Out: the ``Caller``, or ``Refused`` with a reason; each
refusal is counted and, bounded, logged. Why a table: who may call what can be read in one place, and what is missing
there is for admins only. Failures are never made to wait in the name of a whole address: a token cannot be guessed, and
whoever shares the address with an attacker must still get in. Next: ``access_guard`` asks before every call.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import grpc

from driftline.text import escape
from driftline.wire import service
from driftline.wire.credentials_dates import validities
from driftline.wire.roles import READERS, Identity, Role, parse_identity
from driftline_collector.access_limits import Limit
from driftline_collector.tokens import Tokens

ANYBODY: Final = frozenset(Role)
ADMINS: Final = frozenset({Role.ADMIN})
REVIEWERS: Final = frozenset({Role.REVIEWER, Role.ADMIN})
ALLOWED: Final[Mapping[str, frozenset[Role]]] = {
    service.REPORT: frozenset({Role.AGENT}),
    service.TAIL: READERS,
    service.LIST_DEVIATIONS: READERS,
    service.LIST_AGENTS: READERS,
    service.LIST_SILENCES: READERS,
    service.ADD_SILENCE: REVIEWERS,
    service.END_SILENCE: REVIEWERS,
    service.FORGET_AGENT: ADMINS,
    service.LIST_BASELINES: READERS,
    service.GET_BASELINE: READERS,
    service.FETCH_BASELINE: READERS,
    service.PUBLISH_BASELINE: REVIEWERS,
    service.REVOKE_BASELINE: REVIEWERS,
    "/grpc.health.v1.Health/Check": ANYBODY,
    "/grpc.health.v1.Health/Watch": ANYBODY,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": READERS,
}
"""Method to the roles that may call it; a method that is not here is for admins."""

STREAMS_PER_SECOND, STREAMS_BURST = 1.0, 60
"""New calls of one certificate, token or address: an agent or tail that reconnects with back-off needs far fewer."""

REFUSALS_PER_SECOND, REFUSALS_BURST = 0.2, 20
"""Refusals that one address is told the reason of, and that are logged; beyond it they are only counted."""

LINES_PER_SECOND, LINES_BURST = 2.0, 60
"""Log lines about refusals in all, whatever the number of addresses."""

CERTIFICATE, TOKEN, PLAINTEXT = "certificate", "token", "plaintext"


class Refused(Exception):
    """A call that may not be. ``reason`` is sent to the caller and logged: it never quotes a secret."""

    def __init__(self, code: grpc.StatusCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Caller(NamedTuple):
    """Who calls. ``identity`` is None in plain text, where nobody proves anything and everybody may do everything."""

    transport: str
    identity: Identity | None
    address: str
    ends: float
    """Unix time at which the certificate ends; infinite without one."""
    sha256: str
    """Digest of the token, empty without one."""

    @property
    def key(self) -> str:
        """What limits count by: who it is, or from where if nobody knows."""
        return f"{self.identity.role}/{self.identity.name}" if self.identity else self.address


NOBODY: Final = Caller(PLAINTEXT, None, "", float("inf"), "")
CALLER: Final[ContextVar[Caller]] = ContextVar("caller", default=NOBODY)
"""Who makes the call that the present task serves."""


def proved() -> str:
    """Return who makes the present call, as "reviewer/alice"; empty over plain text."""
    identity = CALLER.get().identity
    return f"{identity.role}/{identity.name}" if identity else ""


def require_node(node: str) -> None:
    """Raise Refused unless the present caller may write as ``node`` (escaped, as in a hello)."""
    identity = CALLER.get().identity
    if identity is not None and escape(identity.name) != node:
        reason = f"the certificate is of node '{identity.name}', it cannot report as '{node}'"
        raise Refused(grpc.StatusCode.PERMISSION_DENIED, reason)


class Access:
    """Decides about calls. Belongs to the event loop."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._streams = Limit(STREAMS_PER_SECOND, STREAMS_BURST)
        self._refusals = Limit(REFUSALS_PER_SECOND, REFUSALS_BURST)
        self._lines = Limit(LINES_PER_SECOND, LINES_BURST)
        self._unlogged = 0
        self._counts: Counter[str] = Counter()

    def admit(self, method: str, context: Any, streaming: bool) -> Caller:
        """Return who calls ``method``. Raises Refused if he may not."""
        caller = self._identify(context)
        allowed = ALLOWED.get(method, ADMINS)
        if caller.identity is not None and caller.identity.role not in allowed:
            names = " or ".join(sorted(allowed))
            reason = f"role {caller.identity.role} may not call {method.rpartition('/')[2]}: it needs {names}"
            raise Refused(grpc.StatusCode.PERMISSION_DENIED, reason)
        if streaming and not self._may_stream(caller):
            raise Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many new streams: wait some seconds")
        self._counts["admitted"] += 1
        return caller

    def _may_stream(self, caller: Caller) -> bool:
        """On the loopback without identities every agent has one address: a limit would only hit the wrong ones."""
        if caller.identity is None and caller.address.startswith(("127.", "[::1]")):
            return True
        return self._streams.take(caller.key, time.monotonic())

    def _identify(self, context: Any) -> Caller:
        auth, address = context.auth_context(), peer_address(context.peer())
        encrypted = auth.get("transport_security_type") == [b"ssl"]
        if encrypted and "x509_pem_cert" in auth:
            return Caller(CERTIFICATE, _identity_in(auth.get("peer_uri", ())), address, _end_of(auth), "")
        token = bearer(context.invocation_metadata())
        if token is not None:
            return self._owner_of(token, address)
        if encrypted:
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "this port wants a token: --token-file")
        return NOBODY._replace(address=address)

    def _owner_of(self, secret: str, address: str) -> Caller:
        token = self._tokens.find(secret)
        if token is None:
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "the token is unknown, expired or removed")
        return Caller(TOKEN, Identity(Role(token.role), token.name), address, float("inf"), token.sha256)

    def still_valid(self, caller: Caller) -> bool:
        """Whether ``caller`` would be let in again: the token not removed, the certificate not at its end."""
        if caller.sha256:
            return self._tokens.still(caller.sha256) is not None
        return time.time() < caller.ends

    def note(self, method: str, address: str, refused: Refused) -> Refused:
        """Count and log a refusal; return what the caller is told."""
        now = time.monotonic()
        self._counts[f"refused.{refused.code.name.lower()}"] += 1
        if not self._refusals.take(address, now):
            self._unlogged += 1
            return Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "refused too often: wait some seconds")
        if not self._lines.take("", now):
            self._unlogged += 1
            return refused
        unlogged, self._unlogged = self._unlogged, 0
        more = f" (and {unlogged} refusals not logged)" if unlogged else ""
        _log.warning("refused %s from %s: %s%s", escape(method), escape(address), escape(refused.reason), more)
        return refused

    def counters(self) -> dict[str, int]:
        """Return what was admitted and refused since the start."""
        forgotten = self._streams.forgotten + self._refusals.forgotten
        return {f"access.{name}": count for name, count in sorted(self._counts.items())} | {
            "access.peers_forgotten": forgotten
        }


def bearer(metadata: Any) -> str | None:
    """Return the token that came with a call, None if none did."""
    for key, value in metadata or ():
        if key == "authorization":
            scheme, _, token = str(value).partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return None


def peer_address(peer: str) -> str:
    """Return the address in gRPC's ``ipv4:1.2.3.4:567`` or ``ipv6:%5B::1%5D:567``, without the port."""
    return peer.partition(":")[2].rpartition(":")[0].replace("%5B", "[").replace("%5D", "]")


def _identity_in(uris: Sequence[bytes]) -> Identity:
    """Return whom a certificate names; it must name exactly one."""
    found = [parse_identity(uri.decode("utf-8", "replace")) for uri in uris if uri.startswith(b"driftline:")]
    if len(found) != 1 or found[0] is None:
        reason = "the certificate has no URI like driftline:agent/NODE among its subject alternative names"
        raise Refused(grpc.StatusCode.UNAUTHENTICATED, reason)
    return found[0]


def _end_of(auth: Mapping[str, Sequence[bytes]]) -> float:
    try:
        ends = [validity.ends for pem in auth["x509_pem_cert"] for validity in validities(pem)]
    except (ValueError, KeyError):
        ends = []
    return min(ends, default=datetime.now(UTC)).timestamp()


_log = logging.getLogger(__name__)
