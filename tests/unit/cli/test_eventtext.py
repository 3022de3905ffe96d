"""Events as text: short, complete, and nothing from a container can act on a terminal."""

from __future__ import annotations

import json

from hypothesis import given

from driftline.cli.eventtext import as_json, line, names_of
from driftline.nouns import (
    Access,
    CgroupChange,
    CgroupEvent,
    ConnectEvent,
    DnsEvent,
    LeftEvent,
    Origin,
    RecordFlag,
    Subject,
)
from unit.baseline.making import SUBJECT, connected, executed, hostile_text, loaded, opened, process

WALL = 1_795_447_845_123_456_789


def test_one_line_each() -> None:
    ran = executed("/bin/busybox", "/bin/sh", ("sh", "-c", "a b"), environment=("LD_PRELOAD",), flags=4)
    assert line(ran, SUBJECT) == (
        "exec     shop-1/web  100 web uid 1000  /bin/busybox (image) as /bin/sh: sh -c a b env LD_PRELOAD  [entered]"
    )
    wrote = opened("/var/x", int(Access.WRITE | Access.CREATE), Origin.WRITABLE)
    assert line(wrote, SUBJECT) == "open     shop-1/web  100 web uid 1000  /var/x (writable) write,create"
    assert line(loaded("/lib/a.so"), SUBJECT).endswith("/lib/a.so (image)")
    assert line(connected("10.0.0.1"), SUBJECT).endswith("tcp 10.0.0.1:443")
    assert line(connected("fd00::1", family="ipv6"), SUBJECT).endswith("tcp [fd00::1]:443")
    unix = ConnectEvent(1, 5, process(), 0, 1, b"", b"", "unix", "unix", "@hidden", 0, None)
    assert line(unix, SUBJECT).endswith("unix @hidden")
    left = LeftEvent(1, 5, process(), 0, 1, b"", b"", "/")
    assert line(left, SUBJECT).endswith("moved to cgroup /")
    made = CgroupEvent(1, 5, 1, 5, CgroupChange.CREATED, "/default/x")
    assert line(made, None) == "created  cgroup:5  /default/x"
    answer = DnsEvent(1, 5, "10.96.0.10", "api.example.com", (("10.0.0.1", 60), ("fd00::1", 60)), "")
    assert line(answer, SUBJECT) == "dns      shop-1/web  api.example.com is 10.0.0.1 fd00::1 says 10.96.0.10"
    odd = DnsEvent(1, 5, "10.96.0.10", "", (), "malformed")
    assert line(odd, None) == "dns      cgroup:5  (no host name) is no address says 10.96.0.10 (malformed)"


def test_what_a_container_is_called() -> None:
    long = "0123456789ab" + "c" * 52
    assert names_of(None, 5) == ("cgroup:5",)
    assert names_of(Subject(5, "/default/a", container_id="my-container-1"), 5)[0] == "my-container-1"
    assert names_of(Subject(5, "/docker/a", container_id=long), 5)[0] == "0123456789ab"
    assert names_of(Subject(5, "/odd"), 5)[0] == "/odd"
    assert set(names_of(SUBJECT, 5)) == {"shop-1/web", "web", SUBJECT.container_id, "shop-1"}


def test_json_has_the_wall_time_and_names_for_numbers() -> None:
    event = opened("/x", int(Access.READ | Access.TRUNCATE), flags=int(RecordFlag.ENTERED | RecordFlag.IS_INIT))
    values = as_json(event, SUBJECT, WALL)
    assert values["time"] == "2026-11-23T15:30:45.123456789Z"
    assert values["event"] == "open"
    assert values["access"] == ["read", "truncate"]
    assert values["flags"] == ["entered", "is_init"]
    assert values["container"]["name"] == "web"
    assert not {"cache_key", "cache_value"} & set(values)
    assert as_json(event, None, WALL)["container"] is None
    answer = as_json(DnsEvent(1, 5, "10.96.0.10", "api.example.com", (("10.0.0.1", 60),), ""), SUBJECT, WALL)
    assert (answer["event"], answer["name"], answer["addresses"]) == ("dns", "api.example.com", [["10.0.0.1", 60]])


@given(hostile_text, hostile_text, hostile_text)
def test_hostile_names_are_escaped(path: str, name: str, argument: str) -> None:
    subject = Subject(5, "/x", name=name, labels=((name, argument),))
    event = executed(path, path, (argument,), by=path, cwd=path, tty="pts0")
    assert line(event, subject).isprintable()
    for text in strings(as_json(event, subject, WALL)):
        assert text.isprintable()
    assert "\n" not in json.dumps(as_json(event, subject, WALL))


def strings(value: object) -> list[str]:
    """Every text in it."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in strings(one)]
    return [text for one in value for text in strings(one)] if isinstance(value, list) else []
