"""DNS answers: the addresses of the name asked for, and of hostile bytes nothing but an error."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.decode import dns as decoder
from driftline.decode.dns import Answer, read_answer
from driftline.decode.record import decode
from driftline.errors import RecordError
from driftline.nouns import DnsEvent
from driftline.probe.capture import read_capture
from driftline.probe.layout import DNS_BYTES
from rig import dns
from unit.decode import records

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "dns.cap"
# From a resolver, byte by byte as it came: deb.debian.org is 203.0.113.80 there.
RESOLVER = bytes.fromhex(
    "000781800001000100000000036465620664656269616e036f72670000010001c00c000100010000003c0004cb007150"
)
NAME = "www.example.com"
CHAIN = dns.message(
    NAME,
    [
        dns.a("192.0.2.9", dns.wire("cdn.example.net")),
        dns.cname("lb.example.org"),
        dns.cname("cdn.example.net", dns.wire("LB.example.ORG")),
        dns.a("192.0.2.66", dns.wire("victim.example")),
    ],
)
MESSAGES = [RESOLVER, CHAIN, dns.message(NAME, [dns.a("2001:db8::1"), dns.a("2001:db8::2")], kind=dns.AAAA)]


def addresses(message: bytes) -> list[str]:
    return [address for address, _ttl in read_answer(message).addresses]


def test_a_resolvers_own_bytes() -> None:
    assert read_answer(RESOLVER) == Answer("deb.debian.org", (("203.0.113.80", 60),))


def test_the_name_asked_for_stands_for_what_its_aliases_lead_to_in_any_order() -> None:
    assert read_answer(CHAIN) == Answer(NAME, (("192.0.2.9", dns.TTL),))


def test_an_address_of_another_name_is_not_taken() -> None:
    """Nor is the name of an alias: what it leads to belongs to the question."""
    assert addresses(dns.message(NAME, [dns.a("192.0.2.66", dns.wire("bank.example"))])) == []


def test_both_kinds_of_address_and_ipv4_in_ipv6() -> None:
    message = dns.message(NAME, [dns.a("2001:db8::1"), dns.a("192.0.2.1"), dns.a("::ffff:192.0.2.2")], kind=255)
    assert addresses(message) == ["2001:db8::1", "192.0.2.1", "192.0.2.2"]


def test_names_are_lowercase_and_without_the_last_dot() -> None:
    """Resolvers mix the case of questions on purpose (0x20 encoding)."""
    mixed = dns.message("wWw.ExAmPlE.cOm", [dns.a("192.0.2.1", dns.wire("WwW.eXaMpLe.CoM"))])
    assert read_answer(mixed) == Answer(NAME, (("192.0.2.1", dns.TTL),))


@pytest.mark.parametrize(
    "name",
    [b"\x0bexample.com\0", b"\x03\x1b[m\x03com\0", b"\x04a\0bc\0", b"\x02\xc3\xa4\0", b"\0", b"\x01 \x03com\0"],
)
def test_a_name_no_host_has_is_not_told(name: bytes) -> None:
    """Above all one label with a dot in it, which would look like two."""
    message = bytearray(dns.message("x", [dns.a("192.0.2.1")]))
    message[12:15] = name
    assert read_answer(bytes(message)) == Answer("", ())


def test_what_is_not_about_addresses_is_not_told() -> None:
    message = dns.message("7.2.0.192.in-addr.arpa", [(dns.ASKED, dns.PTR, dns.wire("bank.example"))], kind=dns.PTR)
    assert read_answer(message) == Answer("", ())


def test_a_time_to_live_beyond_31_bits_is_none() -> None:
    assert read_answer(dns.message(NAME, [dns.a("192.0.2.1")], ttl=1 << 31)).addresses == (("192.0.2.1", 0),)
    most = (1 << 31) - 1
    assert read_answer(dns.message(NAME, [dns.a("192.0.2.1")], ttl=most)).addresses == (("192.0.2.1", most),)


def test_a_loop_of_aliases_ends() -> None:
    loop = [dns.cname("b.example"), dns.cname(NAME, dns.wire("b.example")), dns.a("192.0.2.1", dns.wire("b.example"))]
    assert addresses(dns.message(NAME, loop)) == ["192.0.2.1"]


def test_a_chain_of_aliases_is_followed_so_far_and_no_further() -> None:
    names = [NAME, *(f"n{number}.example" for number in range(decoder.MAX_ALIASES + 1))]
    links = [dns.cname(to, dns.wire(of)) for of, to in itertools.pairwise(names)]
    near, far = (dns.a("192.0.2.1", dns.wire(names[-2])), dns.a("192.0.2.2", dns.wire(names[-1])))
    assert addresses(dns.message(NAME, [*links, near, far])) == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"", "at least 12"),
        (CHAIN[:11], "at least 12"),
        (dns.message(NAME, [dns.a("192.0.2.1")], flags=0x0100), "does not answer one question"),
        (CHAIN[:4] + b"\0\2" + CHAIN[6:], "does not answer one question"),
        (CHAIN[:12] + b"\xc0\x0c", "does not lead back"),
        (CHAIN[:12] + b"\xc0\xff", "does not lead back"),
        (dns.message(NAME, [dns.a("192.0.2.1", b"\xff\xff")]), "does not lead back"),
        (dns.message(NAME, [dns.a("192.0.2.1", b"\x40a\0")]), "longer than names can"),
        (dns.message(NAME, [(dns.ASKED, dns.A, b"abc")]), "an address of 3 bytes"),
        (dns.message(NAME, [(dns.ASKED, dns.AAAA, b"abcd")]), "an address of 4 bytes"),
        (dns.message(".".join(["a" * 63] * 4), []), "longer than names can"),
    ],
)
def test_what_is_no_answer_is_refused(message: bytes, words: str) -> None:
    with pytest.raises(RecordError, match=words):
        read_answer(message)


def test_the_longest_name_is_read() -> None:
    name = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(dns.wire(name)) == decoder.NAME_BYTES
    assert read_answer(dns.message(name, [dns.a("192.0.2.1")])).name == name


@pytest.mark.parametrize("message", MESSAGES)
def test_of_a_message_cut_anywhere_what_is_there_is_told(message: bytes) -> None:
    whole = set(addresses(message))
    for length in range(12, len(message)):
        answer = read_answer(message[:length])
        assert answer.cut
        assert {address for address, _ttl in answer.addresses} <= whole


def test_each_byte_is_looked_at_once_however_the_pointers_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pointers to pointers, and every record's name in the same longest one."""
    steps = 0

    class Counting(bytes):
        def __getitem__(self, at: object) -> object:  # type: ignore[override]
            nonlocal steps
            steps += 1
            return super().__getitem__(at)  # type: ignore[call-overload]

    head = struct.pack(">6H", 7, dns.RESPONSE, 1, 500, 0, 0) + b"\1a" * 120 + b"\0" + struct.pack(">HH", 1, 1)
    chain = b"".join(struct.pack(">H", 0xC000 + max(12, len(head) + 11 * n - 11)) + bytes(9) for n in range(80))
    read_answer(Counting(head + chain))
    assert steps < 6 * len(head + chain)


@given(st.binary(max_size=1300))
def test_random_bytes_are_an_answer_or_a_record_error(data: bytes) -> None:
    try_read(data)


@given(st.sampled_from(MESSAGES), st.data())
def test_answers_with_some_bytes_changed(message: bytes, data: st.DataObject) -> None:
    changed = bytearray(message)
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try_read(bytes(changed))


@given(st.lists(st.sampled_from([b"\xc0\x0c", b"\xc0", b"\1a", b"\0", b"\x3f", struct.pack(">HHIH", 1, 1, 1, 4)])))
def test_pieces_of_answers_in_any_order(pieces: list[bytes]) -> None:
    try_read(struct.pack(">6H", 7, dns.RESPONSE, 1, 65535, 0, 0) + b"".join(pieces))


def try_read(message: bytes) -> None:
    """An answer whose text nothing can be hidden in, or a RecordError."""
    try:
        answer = read_answer(message)
    except RecordError:
        return
    assert set(answer.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(answer.name) < decoder.NAME_BYTES
    for address, ttl in answer.addresses:
        assert set(address) <= set("0123456789abcdef:.")
        assert 0 <= ttl < 1 << 31


def test_the_record_around_it() -> None:
    event = decode(records.answered(RESOLVER))
    assert event == DnsEvent(123_456_789, records.SUBJECT, "10.0.0.53", "deb.debian.org", (("203.0.113.80", 60),), "")
    v6 = decode(records.answered(RESOLVER, family=10, server=bytes(15) + b"\1"))
    assert isinstance(v6, DnsEvent)
    assert v6.server == "::1"


def test_a_message_longer_than_its_record_says_that_it_is_cut() -> None:
    message = dns.message(NAME, [dns.a(f"192.0.2.{number}") for number in range(5)])
    event = decode(records.answered(message[:-20], whole=len(message)))
    assert isinstance(event, DnsEvent)
    assert (event.trouble, len(event.addresses)) == ("cut", 3)


@pytest.mark.parametrize("message", [b"", b"x" * 40, CHAIN[:-3], CHAIN[:12] + b"\xc0\x0c" + CHAIN[14:]])
def test_a_hostile_message_spoils_no_record(message: bytes) -> None:
    event = decode(records.answered(message))
    assert isinstance(event, DnsEvent)
    assert event.trouble == "malformed"


def test_a_family_that_is_none_is_refused() -> None:
    with pytest.raises(RecordError, match="address family 1"):
        decode(records.answered(RESOLVER, family=1))


@given(st.data())
def test_recorded_answers_with_some_bytes_changed(data: st.DataObject) -> None:
    """The message of a record can be anything; the decoder of records lets nothing else out."""
    record = bytearray(data.draw(st.sampled_from(list(read_capture(GOLDEN)))))
    for _ in range(data.draw(st.integers(1, 8))):
        record[data.draw(st.integers(DNS_BYTES, len(record) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(decode(bytes(record)), DnsEvent)
