"""The msgpack file: lossless, canonical, and refused when anything in it is wrong."""

from __future__ import annotations

import hashlib
from typing import Any

import msgpack
import pytest
from hypothesis import given

from driftline.baseline import document
from driftline.baseline.canonical import canonical_content, from_msgpack, to_msgpack, version_of
from driftline.baseline.document import DocumentError
from driftline.baseline.schema import Baseline
from unit.baseline.documents import baselines, small


@given(baselines)
def test_round_trip_loses_nothing(baseline: Baseline) -> None:
    data = to_msgpack(baseline)
    assert from_msgpack(data) == baseline
    assert to_msgpack(from_msgpack(data)) == data


def test_the_version_is_the_plain_sha256_of_the_content() -> None:
    baseline = small()
    assert version_of(baseline) == "sha256:" + hashlib.sha256(canonical_content(baseline)).hexdigest()
    content = msgpack.unpackb(canonical_content(baseline))
    assert list(content) == ["connect", "exec", "format", "key", "load", "open"]
    assert content["open"] == [[b"/a", b"read"], [b"/a", b"write"], [b"/b\xff", b"read"]]


def test_changed_content_is_refused() -> None:
    values = msgpack.unpackb(to_msgpack(small()))
    values["open"][0]["path"] = b"/etc/shadow"
    with pytest.raises(DocumentError, match="version"):
        from_msgpack(msgpack.packb(values))


def _put(values: Any, place: tuple[Any, ...], value: object) -> None:
    for step in place[:-1]:
        values = values[step]
    values[place[-1]] = value


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (("format",), "driftline.baseline/9", "format"),
        (("key",), 7, r"document\.key"),
        (("state",), "approved", "state"),
        (("losses",), -1, r"document\.losses"),
        (("losses",), 2**63, r"document\.losses"),
        (("losses",), True, r"document\.losses"),
        (("open",), {}, r"document\.open"),
        (("open", 1), [], r"open\[1\]"),
        (("open", 0, "access"), b"exec", r"open\[0\]\.access"),
        (("open", 0, "count"), 1.5, r"open\[0\]\.count"),
        (("open", 0, "first"), "now", r"open\[0\]\.first"),
        (("open", 0, "containers"), [99], r"open\[0\]\.containers"),
        (("open", 0, "extra"), 1, r"open\[0\]: unknown field 'extra'"),
        (("open", 1, "path"), b"/a" * 20_000, r"open\[1\]\.path"),
        (("exec", 0, "entered"), 1, r"exec\[0\]\.entered"),
        (("connect", 0, "port"), 65_536, r"connect\[0\]\.port"),
        (("extra",), 1, "document: unknown field"),
    ],
)
def test_a_wrong_field_is_named(place: tuple[Any, ...], value: object, complaint: str) -> None:
    values = msgpack.unpackb(to_msgpack(small()))
    _put(values, place, value)
    with pytest.raises(DocumentError, match=complaint):
        from_msgpack(msgpack.packb(values))


def test_a_missing_field_and_a_double_are_named() -> None:
    values = msgpack.unpackb(to_msgpack(small()))
    del values["load"][0]["count"]
    with pytest.raises(DocumentError, match=r"load\[0\]\.count: missing"):
        from_msgpack(msgpack.packb(values))
    values = msgpack.unpackb(to_msgpack(small()))
    values["open"].append(values["open"][0])
    with pytest.raises(DocumentError, match=r"open\[3\]: a second entry"):
        from_msgpack(msgpack.packb(values))


def test_too_many_behaviours_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_BEHAVIOURS", 2)
    with pytest.raises(DocumentError, match=r"document\.open: not a list of at most 2"):
        from_msgpack(to_msgpack(small()))


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93", b"\x01", b"\x80", b"\x91" * 3000, b"hello", b"\xc0\xc0"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DocumentError):
        from_msgpack(data)


def test_every_cut_of_a_file_is_refused() -> None:
    data = to_msgpack(small())
    for length in range(len(data)):
        with pytest.raises(DocumentError):
            from_msgpack(data[:length])
