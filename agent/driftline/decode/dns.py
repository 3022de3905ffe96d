"""DNS answers: bpf/dns.bpf.c → DnsEvent.

In: record bytes. Out: the name a container asked for and the addresses it was told. The message is a stranger's: what
is wrong with it is told in the event and never spoils the record. Source: RFC 1035, section 4; AAAA: RFC 3596; time to
live: RFC 2181, section 8. Next: ``identify.names``.

Names are kept as on the wire (length, label, length, label…, lowercase) until one is told: only there two different
names never look alike.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from driftline.decode.connect import address_of
from driftline.decode.header import Head
from driftline.errors import RecordError
from driftline.nouns import DnsEvent
from driftline.probe.layout import DNS, DNS_BYTES, HEADER

MAX_ALIASES = 16
"""CNAMEs followed from the name asked for; resolvers themselves give up at 8 to 16."""
NAME_BYTES = 255
"""Longest name on the wire (RFC 1035, section 2.3.4)."""
LABEL_BYTES = 63
POINTER = 0xC0
INTERNET = 1
A, CNAME, AAAA, ANY = 1, 5, 28, 255
FAMILIES = {A: (2, 4), AAAA: (10, 16)}  # type → address family, bytes
CUT, MALFORMED = "cut", "malformed"
_MESSAGE = struct.Struct(">6H")  # id flags questions answers authority additional
_RECORD = struct.Struct(">HHIH")  # type class ttl length
_RESPONSE = 0x8000
_HOST_BYTES = b"abcdefghijklmnopqrstuvwxyz0123456789-_"


class Answer(NamedTuple):
    """What a message says: see ``DnsEvent``."""

    name: str
    addresses: tuple[tuple[str, int], ...]
    cut: bool = False


class _EndError(Exception):
    """The message ends in the middle of something."""


class _Names:
    """The names in a message, as on the wire, lowercase, without their end. Each byte is looked at once, whatever the
    pointers do: they may all lead into one long name."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._known: dict[int, tuple[bytes, int]] = {}

    def read(self, at: int) -> tuple[bytes, int]:
        """(the name at an offset, offset behind it). Pointers must lead back each time, as RFC 1035, 4.1.4 has it."""
        message, trail, lowest = self._message, [], at
        while (known := self._known.get(at)) is None:
            if at + 1 > len(message):
                raise _EndError
            length = message[at]
            if not length:
                known = b"", at + 1
                break
            trail.append(at)
            if length <= LABEL_BYTES:
                at += 1 + length
            else:
                at = lowest = self._target(at, lowest)
        return self._remember(trail, *known)

    def _target(self, at: int, lowest: int) -> int:
        pointer = self._message[at : at + 2]
        if pointer[0] < POINTER:
            raise RecordError("a DNS name with a part longer than names can have")
        if len(pointer) < 2:
            raise _EndError
        target = int.from_bytes(pointer) - (POINTER << 8)
        if target >= lowest:
            raise RecordError("a DNS name whose pointer does not lead back")
        return target

    def _remember(self, trail: list[int], name: bytes, behind: int) -> tuple[bytes, int]:
        """Put together what was passed on the way, from its end."""
        message = self._message
        for at in reversed(trail):
            length = message[at]
            if length >= POINTER:
                behind = at + 2
            else:
                name = message[at : at + 1 + length].lower() + name
            if len(name) >= NAME_BYTES:
                raise RecordError("a DNS name longer than names can be")
            self._known[at] = name, behind
        return name, behind


def decode_dns(record: bytes, head: Head) -> DnsEvent:
    """A DNS answer. Raises RecordError if the record, not the message in it, is malformed."""
    if len(record) < DNS_BYTES:
        raise RecordError(f"a DNS record of {len(record)} bytes, at least {DNS_BYTES} expected")
    raw, whole, size, family = DNS.unpack_from(record, HEADER.size)
    message = record[DNS_BYTES : DNS_BYTES + size]
    if len(message) < size:
        raise RecordError(f"a DNS record of {len(record)} bytes, its message needs {DNS_BYTES + size}")
    server = address_of(family, raw)[1]
    try:
        answer = read_answer(message)
    except RecordError:
        return DnsEvent(head[4], head[6], server, "", (), MALFORMED)
    trouble = (CUT if whole > size else MALFORMED) if answer.cut else ""
    return DnsEvent(head[4], head[6], server, answer.name, answer.addresses, trouble)


def read_answer(message: bytes) -> Answer:
    """The host name asked for and its addresses. Of a message that ends too early (``cut``), what there is.

    Only addresses of the name itself or of what its CNAMEs lead to count, whatever else the message says. Raises
    RecordError for bytes that are no answer to one question.
    """
    if len(message) < _MESSAGE.size:
        raise RecordError(f"a DNS message of {len(message)} bytes, at least {_MESSAGE.size} expected")
    _id, flags, questions, answers, _authority, _additional = _MESSAGE.unpack_from(message)
    if not flags & _RESPONSE or questions != 1:
        raise RecordError("a DNS message that does not answer one question")
    names = _Names(message)
    try:
        asked, at = names.read(_MESSAGE.size)
        kind, network = _numbers(message, at)
    except _EndError:
        return Answer("", (), cut=True)
    name = _text(asked)
    if network != INTERNET or kind not in {A, AAAA, ANY} or not name:
        return Answer("", ())
    found, aliases, cut = _answers(message, names, at + 4, answers)
    owners = _chain(asked, aliases)
    addresses = {address: ttl for owner, address, ttl in found if owner in owners}
    return Answer(name, tuple(addresses.items()), cut)


def _numbers(message: bytes, at: int) -> tuple[int, int]:
    if at + 4 > len(message):
        raise _EndError
    return int.from_bytes(message[at : at + 2]), int.from_bytes(message[at + 2 : at + 4])


def _answers(
    message: bytes, names: _Names, at: int, count: int
) -> tuple[list[tuple[bytes, str, int]], dict[bytes, bytes], bool]:
    """((owner, address, ttl) …, CNAMEs, whether the message ended early). At most a record per 11 bytes."""
    found: list[tuple[bytes, str, int]] = []
    aliases: dict[bytes, bytes] = {}
    try:
        for _ in range(count):
            owner, at = names.read(at)
            if at + _RECORD.size > len(message):
                raise _EndError
            kind, network, ttl, size = _RECORD.unpack_from(message, at)
            at += _RECORD.size
            if at + size > len(message):
                raise _EndError
            if network == INTERNET and kind == CNAME:
                aliases[owner] = names.read(at)[0]
            elif network == INTERNET and kind in FAMILIES:
                found.append((owner, _address(kind, message[at : at + size]), ttl if ttl < 1 << 31 else 0))
            at += size
    except _EndError:
        return found, aliases, True
    return found, aliases, False


def _address(kind: int, data: bytes) -> str:
    family, size = FAMILIES[kind]
    if len(data) != size:
        raise RecordError(f"a DNS record with an address of {len(data)} bytes, {size} expected")
    return address_of(family, data)[1]


def _chain(asked: bytes, aliases: dict[bytes, bytes]) -> set[bytes]:
    """The name asked for and what its CNAMEs lead to."""
    owners, name = {asked}, asked
    while (target := aliases.get(name)) is not None and target not in owners and len(owners) <= MAX_ALIASES:
        owners.add(target)
        name = target
    return owners


def _text(name: bytes) -> str:
    """A host name as people write it; empty for the root and for names that no host has (RFC 952, and ``_``)."""
    labels, at = [], 0
    while at < len(name):
        label = name[at + 1 : at + 1 + name[at]]
        if label.translate(None, _HOST_BYTES):
            return ""
        labels.append(label.decode())
        at += 1 + len(label)
    return ".".join(labels)
