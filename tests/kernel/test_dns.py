"""DNS answers: those to the container's own questions, each once, with the server that gave them; nothing else."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from driftline.errors import HostError
from driftline.nouns import DnsEvent
from driftline.probe.loader import load_program
from driftline.probe.object import ProgramSpec
from driftline.probe.targets import Targets
from kernel.watching import ROOT, Box, Seen, Watch
from rig import dns
from rig.bundle import ContainerOptions

COUNT = 13
V4, V6 = dns.LOOPBACK, "::1"
HOST = ContainerOptions(host_network=True)
MODES = ("connected", "unconnected")
ANSWER = dns.message(
    "api.example.com", [dns.cname("edge.example.net"), dns.a("192.0.2.7", dns.wire("edge.example.net"))]
)


@pytest.fixture(scope="module")
def client(watch: Watch) -> Iterator[Box]:
    """A container in the host's network: the resolver is a process outside, as in a cluster."""
    with watch.box(HOST) as one:
        yield one


def heard(seen: Seen) -> list[DnsEvent]:
    return [event for event in seen.events if isinstance(event, DnsEvent)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("server", [V4, V6], ids=["IPv4", "IPv6"])  # the same for every worker of pytest
def test_every_answer_is_seen_once(client: Box, mode: str, server: str) -> None:
    with dns.server(server, lambda _query: ANSWER):
        events = heard(client.see(["/work/k_asks", mode, server, "53", str(COUNT)]))
    assert [(e.server, e.name, e.addresses) for e in events] == [
        (server, "api.example.com", (("192.0.2.7", dns.TTL),))
    ] * COUNT
    assert {event.cgroup for event in events} == {client.subject}


def test_what_a_real_resolver_is_asked(client: Box) -> None:
    """busybox asks for both kinds of address."""
    addresses = ("192.0.2.7", "192.0.2.8", "2001:db8::7")
    with dns.server(V4, lambda query: dns.answer_to(query, addresses)):
        events = heard(client.see(["/bin/nslookup", "API.Example.com", V4]))
    assert {event.name for event in events} == {"api.example.com"}
    assert {address for event in events for address, _ttl in event.addresses} == set(addresses)


def test_a_resolver_inside_the_container(box: Box) -> None:
    """127.0.0.53 and its like: the packet never leaves the container's own network namespace."""
    with dns.server("127.0.0.53", lambda _query: ANSWER, pid=box.container.pid):
        events = heard(box.see(["/work/k_asks", "unconnected", "127.0.0.53", "53", "3"]))
    assert [(event.server, event.name) for event in events] == [("127.0.0.53", "api.example.com")] * 3


def test_other_ports_and_other_messages_are_not_told(client: Box) -> None:
    with dns.server(V4, lambda _query: ANSWER, port=5353):
        assert heard(client.see(["/work/k_asks", "connected", V4, "5353", "3"])) == []
    empty = dns.message("api.example.com", [])
    missing = dns.message("api.example.com", [dns.a("192.0.2.7")], flags=dns.RESPONSE | 3)
    question = dns.message("api.example.com", [dns.a("192.0.2.7")], flags=0x0100)
    for other in (empty, missing, question, b"x", b""):
        with dns.server(V4, lambda _query, other=other: other):  # type: ignore[misc]
            assert heard(client.see(["/work/k_asks", "unconnected", V4, "53", "1"])) == []


def test_an_answer_nobody_asked_for_teaches_nothing(client: Box) -> None:
    """A stranger may send from port 53 to any open port."""
    process = client.container.spawn(["/work/k_asks", "waits", V4, "4711", "5"])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((V4, 53))
        for _ in range(5):
            stranger.sendto(ANSWER, (V4, 4711))
    assert process.stdout.readline() == "asks 5 answered 5\n"
    assert heard(client.watch.take(client.subject)) == []


def test_a_question_from_outside_the_container_is_not_its_own(client: Box) -> None:
    with dns.server(V4, lambda _query: ANSWER), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        client.watch.take(client.subject)
        host.settimeout(30)
        host.sendto(b"?", (V4, 53))
        assert host.recv(4096) == ANSWER
        assert heard(client.watch.take(client.subject)) == []


def test_a_long_answer_is_cut_and_says_so(client: Box) -> None:
    many = dns.message("api.example.com", [dns.a(f"192.0.2.{number}") for number in range(101)])
    assert len(many) > 1232
    with dns.server(V4, lambda _query: many):
        (event,) = heard(client.see(["/work/k_asks", "connected", V4, "53", "1"]))
    assert event.trouble == "cut"
    assert [address for address, _ttl in event.addresses] == [f"192.0.2.{number}" for number in range(74)]


def test_a_malformed_answer_is_told_as_such(client: Box) -> None:
    with dns.server(V4, lambda _query: ANSWER[:12] + b"\xc0\x0c" + ANSWER[14:]):
        (event,) = heard(client.see(["/work/k_asks", "connected", V4, "53", "1"]))
    assert (event.name, event.addresses, event.trouble) == ("", (), "malformed")


def test_a_kernel_that_refuses_the_program_costs_the_names_alone(
    sensors: Callable[..., AbstractContextManager[Watch]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said in one sentence; everything else is seen."""

    def refuse(program: ProgramSpec, maps: dict[str, int], targets: Targets) -> int:
        if program.name == "on_dns":
            raise HostError("program on_dns was refused by the kernel: Invalid argument\n    the verifier's words")
        return load_program(program, maps, targets)

    monkeypatch.setattr("driftline.probe.loader.load_program", refuse)
    with sensors(watched_roots=(f"{ROOT}-dns",)) as watch, watch.box(HOST) as box:
        assert watch.sensor.shortcomings() == [
            "DNS answers are not seen, so addresses are told without their names: "
            "program on_dns was refused by the kernel: Invalid argument"
        ]
        with dns.server(V4, lambda _query: ANSWER):
            seen = box.see(["/work/k_asks", "connected", V4, "53", "3"])
        assert (len(seen.connects()), heard(seen)) == (3, [])


def test_a_flood_is_held_back_counted_and_hides_nothing_else(
    sensors: Callable[..., AbstractContextManager[Watch]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """done = seen + held back, exactly; execs and connects have a bucket of their own."""
    monkeypatch.setattr("driftline.probe.sensor.DNS_RATE", 5)
    with sensors(watched_roots=(f"{ROOT}-dns",)) as watch, watch.box(HOST) as box, dns.server(V4, lambda _q: ANSWER):
        seen = box.see(["/work/k_asks", "connected", V4, "53", "97"])
        held, answers = watch.sensor.held_back(box.subject)
        assert len(heard(seen)) < 97
        assert len(heard(seen)) + answers == 97
        assert (held, watch.counted("dns", "bucket_empty")) == (0, answers)
        assert watch.counted("dns", "sent") == len(heard(seen))
        assert len(seen.connects()) == 97
