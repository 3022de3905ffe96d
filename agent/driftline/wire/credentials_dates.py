"""From when until when a certificate is valid.

In: PEM text. Out: one pair of times per certificate. Why read here: the agent must say when its certificate ends, the
standard library tells it only of a peer's, and the library that could is too large for the agent. Format: X.509 (RFC
5280 section 4.1) in DER (X.690), of which only the way to the two dates is read. Next: ``credentials``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


class Validity(NamedTuple):
    """When a certificate begins and ends, UTC."""

    begins: datetime
    ends: datetime


def validities(pem: bytes) -> list[Validity]:
    """Return the validity of each certificate in ``pem``, in their order. Raises ValueError if one is malformed."""
    try:
        return [_validity(base64.b64decode(body, validate=False)) for body in _PEM.findall(pem)]
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _validity(der: bytes) -> Validity:
    certificate = _expect(next(_elements(der), None), _SEQUENCE)
    fields = _elements(_expect(next(_elements(certificate), None), _SEQUENCE))
    first = next(fields, None)
    before = 3 if first is not None and first[0] == _VERSION else 2  # serial number, algorithm, issuer
    for _ in range(before):
        next(fields, None)
    dates = [_moment(tag, content) for tag, content in _elements(_expect(next(fields, None), _SEQUENCE))]
    if len(dates) != 2:
        raise ValueError("no validity")
    return Validity(*dates)


def _expect(element: tuple[int, bytes] | None, tag: int) -> bytes:
    if element is None or element[0] != tag:
        raise ValueError("not a certificate")
    return element[1]


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element in ``data``. Raises ValueError where it ends too early."""
    position = 0
    while position < len(data):
        header = data[position : position + 2]
        if len(header) < 2:
            raise ValueError("truncated")
        position, length = position + 2, header[1]
        if length >= 0x80:  # the next so many bytes hold the length
            count = length & 0x7F
            length = int.from_bytes(data[position : position + count], "big")
            position += count
        if position + length > len(data):
            raise ValueError("truncated")
        yield header[0], data[position : position + length]
        position += length


def _moment(tag: int, content: bytes) -> datetime:
    """RFC 5280 4.1.2.5: UTCTime has two digits of the year, 50 and above meaning 19xx; both end with Z."""
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
