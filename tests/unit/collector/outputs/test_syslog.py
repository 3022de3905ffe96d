"""Syslog messages: RFC 5424, whatever is in the deviation, and never longer than allowed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.nouns import Severity
from driftline_collector.outputs.syslog import FACILITIES, SMALLEST, VALUE_OCTETS, Body, SyslogFormat
from driftline_collector.outputs.syslogout import Address
from unit.collector.outputs import things
from unit.wire import samples

BOM = b"\xef\xbb\xbf"
HEADER = re.compile(
    rb"<(?P<pri>\d{1,3})>1 (?P<time>-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) (?P<host>[!-~]{1,255}) "
    rb"(?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) (?P<msgid>[!-~]{1,32}) "
)
PARAMETER = re.compile(rb' ([!-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"')
SD_ID = re.compile(rb"\[driftline@[0-9]+")


def parse(message: bytes) -> tuple[dict[str, bytes], dict[str, str], str]:
    """Header, structured data and text of a message; strictly by the grammar of RFC 5424, section 6."""
    header = HEADER.match(message)
    assert header, message
    rest = message[header.end() :]
    identity = SD_ID.match(rest)
    assert identity, rest
    position, parameters = identity.end(), dict[str, str]()
    while found := PARAMETER.match(rest, position):
        parameters[found[1].decode()] = re.sub(r'\\(["\\\]])', r"\1", found[2].decode())
        position = found.end()
    assert rest[position : position + 2] == b"] ", rest[position:]
    text = rest[position + 2 :]
    assert text.isascii() or text.startswith(BOM)
    return header.groupdict(), parameters, text.removeprefix(BOM).decode()


def form(body: Body = Body.SENTENCE, size: int = 8192, facility: str = "authpriv") -> SyslogFormat:
    return SyslogFormat(facility, body, size, 32473)


def test_a_message() -> None:
    item = things.stored(severity=Severity.CRITICAL, last_wall_ns=1_700_000_000_123_456_789)
    header, parameters, text = parse(form().message(item))
    assert header["pri"] == b"82"  # authpriv (10), critical (2)
    assert header["time"] == b"2023-11-14T22:13:20.123456Z"
    assert (header["host"], header["app"], header["proc"], header["msgid"]) == (
        b"node-a",
        b"driftline",
        b"-",
        b"exec.drift",
    )
    assert text == "/tmp/x ran, which is not from the image"
    assert parameters["namespace"] == "shop"
    assert parameters["cmdline"] == "/tmp/x -a b c"
    assert parameters["sha256"] == "ab" * 32
    assert "truncated" not in parameters


@pytest.mark.parametrize(("severity", "number"), [*zip(Severity, (6, 5, 4, 3, 2), strict=True)])
def test_severities(severity: Severity, number: int) -> None:
    header, _, _ = parse(form(facility="local7").message(things.stored(severity=severity)))
    assert int(header["pri"]) == 23 * 8 + number


def test_facilities_are_those_of_the_rfc() -> None:
    assert len(FACILITIES) == 20
    assert (FACILITIES["kern"], FACILITIES["authpriv"], FACILITIES["local0"], FACILITIES["local7"]) == (0, 10, 16, 23)


def test_json_is_the_text() -> None:
    item = things.stored()
    _, _, text = parse(form(Body.JSON).message(item))
    assert json.loads(text)["id"] == item.deviation.id


def test_json_that_does_not_fit_becomes_the_sentence_and_says_so() -> None:
    _, parameters, text = parse(form(Body.JSON, 2048).message(things.stored(notes=("n" * 4000,))))
    assert text == "/tmp/x ran, which is not from the image"
    assert int(parameters["truncated"]) > 2000


def test_quotes_brackets_and_backslashes_are_escaped() -> None:
    item = things.stored(what='/a"b]c[d=e')
    message = form().message(item)
    assert b'what="/a\\"b\\]c[d=e"' in message
    assert parse(message)[1]["what"] == '/a"b]c[d=e'


def test_a_long_value_is_cut_and_the_rest_stays_whole() -> None:
    _, parameters, text = parse(form().message(things.stored(what="/" + "ä" * 2000)))
    assert len(parameters["what"].encode()) <= VALUE_OCTETS + len("…".encode())
    assert text == "/tmp/x ran, which is not from the image"


@pytest.mark.parametrize("size", [SMALLEST, 2048, 8192])
def test_a_cut_message_says_how_much_is_missing(size: int) -> None:
    long = form(size=10**9).message(things.stored(sentence="s" * 20_000, argv=("a" * 300,)))
    message = form(size=size).message(things.stored(sentence="s" * 20_000, argv=("a" * 300,)))
    _, parameters, text = parse(message)
    assert len(message) <= size
    assert text
    assert abs(int(parameters["truncated"]) - (len(long) - len(message))) < 64


@given(samples.deviations, st.sampled_from(Body), st.sampled_from([SMALLEST, 2048, 65_000]))
def test_any_deviation_is_a_message_of_one_line(deviation: Any, body: Body, size: int) -> None:
    message = form(body, size).message(things.wired(deviation))
    assert len(message) <= size
    _, parameters, text = parse(message)
    assert text.isprintable()
    assert all(value.isprintable() for value in parameters.values())


def test_what_a_hostile_agent_did_not_escape_is_escaped_here() -> None:
    item = things.stored()
    item.deviation.sentence = "a\n<13>1 - forged - - - -\x1b[2J"
    item.deviation.node = "no de\n\u202e"
    header, _, text = parse(form().message(item))
    assert "\n" not in text
    assert header["host"] == b"no_de__"


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address("unix", path="/dev/log"), "unix:/dev/log"),
        (Address("tls", "::1", 6514), "tls://[::1]:6514"),
    ],
)
def test_addresses_read_as_they_are_written(address: Address, text: str) -> None:
    assert str(address) == text
