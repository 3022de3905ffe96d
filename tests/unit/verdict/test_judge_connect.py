"""Verdicts on connects."""

from __future__ import annotations

import pytest

from driftline.baseline.matching import Matcher
from driftline.baseline.patterns.addresses import Surroundings
from driftline.nouns import ConnectBehaviour, Kind, RecordFlag, Severity
from driftline.verdict.judge import judge
from unit.baseline.making import SUBJECT, connected

NOTHING = Matcher()


def test_known_is_expected_and_every_part_counts() -> None:
    matcher = Matcher([ConnectBehaviour("tcp", "10.0.0.7", 5432)])
    verdict = judge(connected("10.0.0.7", 5432), SUBJECT, matcher, False)
    assert (verdict.kind, verdict.cacheable) == (None, True)
    for other in (connected("10.0.0.8", 5432), connected("10.0.0.7", 22), connected("10.0.0.7", 5432, "udp")):
        verdict = judge(other, SUBJECT, matcher, False)
        assert (verdict.kind, verdict.severity) == (Kind.CONNECT_UNKNOWN, Severity.MEDIUM)


@pytest.mark.parametrize(
    ("address", "port", "protocol", "family", "what"),
    [
        ("10.0.0.7", 22, "tcp", "ipv4", "10.0.0.7:22/tcp"),
        ("::ffff:10.0.0.7", 22, "tcp", "ipv6", "10.0.0.7:22/tcp"),
        ("fd00::1", 53, "udp", "ipv6", "[fd00::1]:53/udp"),
        ("127.0.0.1", 80, "tcp", "ipv4", "loopback:80/tcp"),
        ("/run/a.sock", 0, "unix", "unix", "/run/a.sock"),
        ("", 0, "unix", "unix", "an unnamed Unix socket"),
    ],
)
def test_what_it_is_called(address: str, port: int, protocol: str, family: str, what: str) -> None:
    verdict = judge(connected(address, port, protocol, family), SUBJECT, NOTHING, False)
    assert verdict.what == what
    assert what in verdict.sentence


def test_near_connects_are_less_urgent() -> None:
    own = Surroundings(frozenset({"10.1.1.1"}))
    for event in (connected("127.0.0.1"), connected("10.1.1.1"), connected("/run/a.sock", 0, "unix", "unix")):
        assert judge(event, SUBJECT, NOTHING, False, own).severity is Severity.LOW


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize(
    ("address", "family"),
    [
        ("169.254.169.254", "ipv4"),
        ("::ffff:169.254.169.254", "ipv6"),
        ("169.254.170.2", "ipv4"),
        ("fd00:ec2::254", "ipv6"),
        ("100.100.100.200", "ipv4"),
        ("168.63.129.16", "ipv4"),
    ],
)
def test_the_metadata_service_is_always_told(address: str, family: str, learning: bool) -> None:
    verdict = judge(connected(address, 80, family=family), SUBJECT, NOTHING, learning)
    assert (verdict.kind, verdict.learn) == (Kind.CONNECT_METADATA, False)


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize(
    "path", ["/var/run/docker.sock", "docker.sock", "/host/run/containerd/containerd.sock", "/run/crio/crio.sock"]
)
def test_a_runtime_socket_is_always_told(path: str, learning: bool) -> None:
    verdict = judge(connected(path, 0, "unix", "unix"), SUBJECT, NOTHING, learning)
    assert (verdict.kind, verdict.severity, verdict.learn) == (Kind.CONNECT_RUNTIME_SOCKET, Severity.CRITICAL, False)


def test_learning() -> None:
    verdict = judge(connected("10.0.0.7"), SUBJECT, NOTHING, True)
    assert (verdict.kind, verdict.learn, verdict.cacheable) == (None, True, True)
    entered = judge(connected("10.0.0.7", flags=int(RecordFlag.ENTERED)), SUBJECT, NOTHING, True)
    assert (entered.kind, entered.learn, entered.cacheable) == (None, True, False)
