"""Verdict on a connect.

In: a ``ConnectEvent``. Out: connect.metadata, connect.runtime_socket, connect.suspicious, connect.unknown, or expected.
"""

from __future__ import annotations

from driftline.baseline.matching import Matcher
from driftline.baseline.patterns.addresses import LOOPBACK, NOTHING_KNOWN, SELF, Surroundings, place_of
from driftline.identify.addresses import METADATA_ADDRESSES
from driftline.nouns import ConnectEvent, ExecImage, Kind, RecordFlag, Severity, Subject
from driftline.verdict.checks.connects import check_connect
from driftline.verdict.failing import NO_CHECKS, failing
from driftline.verdict.outcome import EXPECTED, LEARN, LEARN_ONCE, Verdict, deviating

_ENTERED = int(RecordFlag.ENTERED)


def judge_connect(
    event: ConnectEvent,
    subject: Subject,
    matcher: Matcher,
    learning: bool,
    surroundings: Surroundings = NOTHING_KNOWN,
    excused: frozenset[str] = NO_CHECKS,
    image: ExecImage | None = None,
) -> Verdict:
    """Return the verdict on a connect; ``image``: the program, if it is known."""
    address = place_of(event, surroundings)
    # Whoever answers the container's questions could give the metadata service a name the baseline knows
    names = () if address in METADATA_ADDRESSES else surroundings.names
    if matcher.connects_to(event.protocol, address, event.port, names):
        return LEARN if learning else EXPECTED
    what = _name(event, address)
    found = check_connect(event, address, names, image)
    if found is not None and found.id not in excused:
        return failing(event, subject, what, [found], learning)
    if learning:
        return LEARN_ONCE if event.flags & _ENTERED else LEARN
    near = event.family == "unix" or address in {LOOPBACK, SELF}
    why = "it never did while the image was learned"
    return deviating(Kind.CONNECT_UNKNOWN, event, subject, what, why, Severity.LOW if near else None)


def _name(event: ConnectEvent, address: str) -> str:
    """``10.0.0.1:443/tcp``, ``[fd00::1]:53/udp``, or the path of a Unix socket."""
    if event.family == "unix":
        return address or "an unnamed Unix socket"
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{event.port}/{event.protocol}"
