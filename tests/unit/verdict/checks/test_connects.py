"""Each check of a connect."""

from __future__ import annotations

import pytest

from driftline.baseline.matching import Matcher
from driftline.baseline.patterns.addresses import Surroundings
from driftline.nouns import ConnectBehaviour, ConnectEvent, ExecImage, Kind, Severity
from driftline.verdict.judge import judge
from driftline.verdict.outcome import Verdict
from unit.baseline.making import SUBJECT, connected

NOTHING = Matcher()
SSH = ExecImage(3, 1, 1, "/usr/bin/ssh", ("ssh",), 0, False)
CURL = ExecImage(3, 1, 1, "/usr/bin/curl", ("curl",), 0, False)


def told(event: ConnectEvent, names: tuple[str, ...] = (), learning: bool = True) -> Verdict:
    return judge(event, SUBJECT, NOTHING, learning, Surroundings(names=names))


@pytest.mark.parametrize(
    ("event", "names", "number", "severity"),
    [
        (connected("169.254.169.254", 80), (), "NL-18", Severity.HIGH),
        (connected("10.0.0.1", 80), ("metadata.google.internal",), "NL-18", Severity.HIGH),
        (connected("/run/docker.sock", 0, "unix", "unix"), (), "NL-15", Severity.CRITICAL),
        (connected("5.5.5.5", 3333), (), "NL-19", Severity.MEDIUM),
        (connected("5.5.5.5", 443), ("xmr.pool.minexmr.com",), "NL-19", Severity.CRITICAL),
        (connected("5.5.5.5", 25), (), "NL-19", Severity.MEDIUM),
        (connected("10.96.0.1", 6443), (), "NL-09", Severity.LOW),
        (connected("10.96.0.1", 443), ("kubernetes.default.svc.cluster.local",), "NL-09", Severity.LOW),
    ],
)
def test_a_destination_and_its_check(
    event: ConnectEvent, names: tuple[str, ...], number: str, severity: Severity
) -> None:
    verdict = told(event, names)
    assert (verdict.checks, verdict.severity, verdict.review) == ((number,), severity, True)
    later = told(event, names, learning=False)
    assert (later.kind, later.checks, later.review) == (verdict.kind, (number,), False)
    assert later.severity.rank >= Severity.MEDIUM.rank
    assert judge(event, SUBJECT, NOTHING, True, Surroundings(names=names), excused=frozenset({number})).learn


@pytest.mark.parametrize(
    ("event", "names"),
    [
        (connected("10.0.0.5", 3333), ()),
        (connected("172.20.0.5", 25), ()),
        (connected("5.5.5.5", 443), ("minexmr.com.evil.example",)),
        (connected("5.5.5.5", 3333, "udp"), ()),
        (connected("127.0.0.1", 25), ()),
        (connected("5.5.5.5", 443), ("kubernetes.io",)),
        (connected("/run/mysql.sock", 0, "unix", "unix"), ()),
    ],
)
def test_near_misses(event: ConnectEvent, names: tuple[str, ...]) -> None:
    verdict = told(event, names)
    assert (verdict.kind, verdict.learn) == (None, True)


def test_an_ssh_client_to_another_port() -> None:
    for image, port, fires in ((SSH, 2222, True), (SSH, 22, False), (CURL, 2222, False)):
        verdict = judge(connected("10.0.0.5", port), SUBJECT, NOTHING, True, image=image)
        assert (verdict.kind is Kind.CONNECT_SUSPICIOUS) is fires
    assert judge(connected("10.0.0.5", 2222), SUBJECT, NOTHING, True).learn


def test_what_a_person_approved_is_silent() -> None:
    matcher = Matcher([ConnectBehaviour("tcp", "169.254.169.254", 80), ConnectBehaviour("tcp", "5.5.5.5", 3333)])
    for event in (connected("169.254.169.254", 80), connected("5.5.5.5", 3333)):
        assert judge(event, SUBJECT, matcher, False).kind is None


def test_a_known_name_does_not_hide_the_metadata_service() -> None:
    """Whoever answers the container's DNS questions chooses what a name leads to."""
    matcher = Matcher([ConnectBehaviour("tcp", "api.example.com", 80)])
    names = Surroundings(names=("api.example.com",))
    assert judge(connected("5.5.5.5", 80), SUBJECT, matcher, False, names).kind is None
    assert judge(connected("169.254.169.254", 80), SUBJECT, matcher, False, names).kind is Kind.CONNECT_METADATA
