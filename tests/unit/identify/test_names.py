"""Names of addresses: per container, bounded, what was asked for, and never an excuse for a dangerous address."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.identify import names as module
from driftline.identify.addresses import METADATA_ADDRESSES
from driftline.identify.names import LEAST_NS, MAX_ADDRESSES, MAX_IN_ALL, MAX_NAMES, MAX_SERVERS, MOST_NS, NS, Names
from driftline.nouns import DnsEvent, Loss
from unit.baseline.making import connected

SERVER = "10.96.0.10"
ADDRESS = "192.0.2.7"


class Time:
    """A clock in the test's hand."""

    def __init__(self) -> None:
        self.now = 0
        self.names = Names(lambda: self.now)

    def hear(self, name: str, *addresses: str, cgroup: int = 5, ttl: int = 60, server: str = SERVER) -> None:
        told = tuple((address, ttl) for address in addresses)
        self.names.take(DnsEvent(self.now, cgroup, server, name, told, ""))


def test_names_are_the_containers_own() -> None:
    time = Time()
    time.hear("a.example", ADDRESS, "2001:db8::7")
    assert time.names.of(5, ADDRESS) == time.names.of(5, "2001:db8::7") == ("a.example",)
    assert time.names.of(6, ADDRESS) == time.names.of(5, "192.0.2.8") == ()


def test_the_newest_name_comes_first() -> None:
    time = Time()
    for name in ("a.example", "b.example", "a.example"):
        time.hear(name, ADDRESS)
    assert time.names.of(5, ADDRESS) == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("ttl", "kept_ns"),
    [(0, LEAST_NS), (60, LEAST_NS), (2 * LEAST_NS // NS, 2 * LEAST_NS), ((1 << 31) - 1, MOST_NS)],
)
def test_an_answer_counts_a_day_at_least_and_a_week_at_most(ttl: int, kept_ns: int) -> None:
    time = Time()
    time.hear("a.example", ADDRESS, ttl=ttl)
    time.now = kept_ns - 1
    assert time.names.of(5, ADDRESS) == ("a.example",)
    time.now = kept_ns
    assert time.names.of(5, ADDRESS) == ()
    assert time.names.notes(replace(connected(ADDRESS), kernel_ns=time.now)) == ()
    time.hear("a.example", ADDRESS, ttl=ttl)
    assert time.names.of(5, ADDRESS) == ("a.example",)


@pytest.mark.parametrize(
    "address", [*sorted(METADATA_ADDRESSES), "127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.1.1", "::1", "::", "fe80::1"]
)
def test_a_name_never_excuses_a_dangerous_address_but_is_evidence(address: str) -> None:
    time = Time()
    time.hear("harmless.example", address)
    assert time.names.of(5, address) == ()
    assert time.names.notes(connected(address)) == (f"name: harmless.example (DNS answer by {SERVER}, 0 s before)",)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")]
)
def test_a_note_says_who_told_the_name_and_when(seconds: int, words: str) -> None:
    time = Time()
    time.hear("a.example", ADDRESS)
    event = replace(connected(ADDRESS), kernel_ns=seconds * NS)
    assert time.names.notes(event) == (f"name: a.example (DNS answer by {SERVER}, {words} before)",)


def test_an_answer_that_came_after_the_connect_says_nothing_about_it() -> None:
    """Events wait for their container's name: answers overtake them."""
    time = Time()
    event = replace(connected(ADDRESS), kernel_ns=10 * NS)
    time.now = 11 * NS
    time.hear("late.example", ADDRESS)
    assert time.names.notes(event) == ()
    time.now = 5 * NS
    time.hear("a.example", ADDRESS)
    time.now = 12 * NS
    time.hear("a.example", ADDRESS)
    assert time.names.notes(event) == (f"name: a.example (DNS answer by {SERVER}, 5 s before)",)


def test_servers_are_those_that_answered_or_were_connected_to() -> None:
    time = Time()
    time.hear("a.example", ADDRESS)
    time.names.connected(replace(connected("10.0.0.2", 53), cgroup=5))
    time.names.connected(replace(connected("10.0.0.3", 443), cgroup=5))
    time.names.connected(replace(connected("/run/x", 53, family="unix"), cgroup=5))
    assert time.names.servers(5) == ("10.0.0.2", SERVER)
    assert time.names.servers(6) == ()
    for number in range(MAX_SERVERS + 5):
        time.hear("a.example", server=f"10.1.0.{number}")
    assert time.names.servers(5) == tuple(f"10.1.0.{number}" for number in reversed(range(5, MAX_SERVERS + 5)))


def test_a_container_keeps_the_addresses_it_saw_last() -> None:
    time = Time()
    time.hear("first.example", ADDRESS)
    time.hear("second.example", "192.0.2.8")
    for number in range(MAX_ADDRESSES - 2):
        time.hear("many.example", f"10.{number >> 8}.{number & 255}.1")
    assert time.names.of(5, ADDRESS) == ("first.example",)  # looked at: used
    time.hear("more.example", "198.51.100.1")
    assert time.names.of(5, ADDRESS) == ("first.example",)
    assert time.names.of(5, "192.0.2.8") == ()
    assert (len(time.names), time.names.evictions) == (MAX_ADDRESSES, 1)


def test_an_address_keeps_the_names_it_had_last() -> None:
    time = Time()
    for number in range(MAX_NAMES + 3):
        time.hear(f"n{number}.example", ADDRESS)
    assert time.names.of(5, ADDRESS) == tuple(f"n{number}.example" for number in reversed(range(3, MAX_NAMES + 3)))
    assert time.names.evictions == 3


def test_a_loud_container_costs_a_quiet_one_nothing() -> None:
    time = Time()
    time.hear("quiet.example", ADDRESS, cgroup=1)
    for cgroup in range(2, 2 + 2 * MAX_IN_ALL // MAX_ADDRESSES):
        for number in range(MAX_ADDRESSES):
            time.hear("loud.example", f"10.{number >> 8}.{number & 255}.1", cgroup=cgroup)
        assert len(time.names) <= MAX_IN_ALL
    assert time.names.of(1, ADDRESS) == ("quiet.example",)


def test_a_container_that_is_gone_is_forgotten() -> None:
    time = Time()
    time.hear("a.example", ADDRESS)
    time.names.forget(5)
    time.names.forget(5)
    assert len(time.names) == 0
    assert time.names.of(5, ADDRESS) == time.names.servers(5) == ()


def test_what_could_not_be_read_is_counted_per_container() -> None:
    time = Time()
    for cgroup, trouble in ((5, "cut"), (5, "malformed"), (5, "malformed"), (6, "cut")):
        time.names.take(DnsEvent(1, cgroup, SERVER, "", (), trouble))
    assert time.names.losses() == [
        Loss("dns", "cut", 1, 5),
        Loss("dns", "cut", 1, 6),
        Loss("dns", "malformed", 2, 5),
    ]
    assert time.names.losses() == []


def test_of_an_answer_that_was_cut_what_there_is_counts() -> None:
    time = Time()
    time.names.take(DnsEvent(1, 5, SERVER, "a.example", ((ADDRESS, 60),), "cut"))
    assert time.names.of(5, ADDRESS) == ("a.example",)


_address = st.integers(0, 40).map(lambda number: f"192.0.2.{number}")
_step = st.tuples(st.integers(1, 4), st.integers(0, 9), st.lists(_address, max_size=6), st.booleans())


@given(st.lists(_step, max_size=60))
def test_the_size_is_what_is_there_whatever_happens(steps: list[tuple[int, int, list[str], bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_ADDRESSES", 7)
        patch.setattr(module, "MAX_IN_ALL", 17)
        time = Time()
        for cgroup, name, addresses, end in steps:
            time.hear(f"n{name}.example", *addresses, cgroup=cgroup)
            if end:
                time.names.forget(cgroup)
            there = [sum(bool(time.names.of(one, f"192.0.2.{n}")) for n in range(41)) for one in range(1, 5)]
            assert sum(there) == len(time.names) <= 17
            assert max(there) <= 7
