"""Falco's JSON: what falcosidekick takes, and the names of rules people know."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given

from driftline.nouns import Kind, Loss, Severity, Subject
from driftline.verdict.checks.table import CHECKS
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector.outputs.falco import falco_event
from driftline_collector.outputs.falco_rules import TABLE, falco_rule
from unit.collector.outputs import things
from unit.wire import samples

PRIORITIES = {"emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"}


def accepted(event: dict[str, Any]) -> bool:
    """The checks of falcosidekick on what it is sent: types.FalcoPayload, Check, newFalcoPayload."""
    known = {"uuid": str, "output": str, "priority": str, "rule": str, "source": str, "hostname": str, "time": str}
    assert all(isinstance(event[name], kind) for name, kind in known.items())
    assert all(isinstance(tag, str) for tag in event["tags"])
    assert event.keys() <= {*known, "output_fields", "tags"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", event["time"])
    for name in ("k8s.ns.name", "k8s.pod.name"):  # taken for strings without looking: anything else is a panic
        assert isinstance(event["output_fields"].get(name, ""), str)
    assert all(isinstance(value, str | int) for value in event["output_fields"].values())
    return event["priority"].lower() in PRIORITIES and bool(event["rule"]) and len(event["output_fields"]) > 0


def test_an_exec() -> None:
    event = falco_event(things.stored(severity=Severity.CRITICAL, kind=Kind.EXEC_DRIFT).deviation)
    assert accepted(event)
    assert event["priority"] == "Critical"
    assert event["rule"] == "Drop and execute new binary in container"
    assert event["hostname"] == "node-a"
    assert event["source"] == "syscall"
    assert event["tags"] == ["driftline", "exec.drift", "T1059"]
    fields = event["output_fields"]
    assert fields["proc.cmdline"] == "/tmp/x -a b c"
    assert fields["proc.pname"] == "sh"
    assert fields["user.uid"] == "0"
    assert fields["container.id"] == "abc123abc123"
    assert fields["container.image.repository"] == "registry.local/nginx"
    assert fields["container.image.tag"] == "1.25"
    assert fields["k8s.ns.name"] == "shop"
    assert fields["k8s.pod.name"] == "web-0"
    assert fields["fd.name"] == "/tmp/x"
    assert "" not in fields.values()


def test_outside_kubernetes_there_are_no_kubernetes_fields() -> None:
    subject = Subject(cgroup=1, cgroup_path="/a", container_id="c" * 64, name="db")
    fields = falco_event(things.stored(subject=subject).deviation)["output_fields"]
    assert not [name for name in fields if name.startswith("k8s.")]


def test_a_connect() -> None:
    fields = falco_event(things.connect().deviation)["output_fields"]
    assert (fields["fd.sip"], fields["fd.sport"], fields["fd.l4proto"]) == ("203.0.113.9", 443, "tcp")


def test_a_gap_is_an_event_of_falcos_own() -> None:
    event = falco_event(things.stored(kind=Kind.COVERAGE_GAP, loss=Loss("exec", "ring_full", 3)).deviation)
    assert event["source"] == "internal"
    assert event["rule"] == "Falco internal: syscall event drop"


@given(samples.deviations)
def test_falcosidekick_accepts_any_deviation(deviation: Any) -> None:
    item = things.wired(deviation)
    event = falco_event(item.deviation)
    assert accepted(json.loads(json.dumps(event)))
    assert all(text.isprintable() for text in texts(event))


def texts(value: object) -> list[str]:
    """Every text in ``value``, names included."""
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"kind": Kind.EXEC_DRIFT, "what": "/dev/shm/x", "file": None}, "Execution from /dev/shm"),
        ({"kind": Kind.EXEC_FILELESS}, "Fileless execution via memfd_create"),
        ({"kind": Kind.EXEC_UNKNOWN, "what": "/usr/bin/id"}, "Driftline exec.unknown"),
        ({"kind": Kind.EXEC_UNKNOWN, "what": "/bin/busybox", "argv": ("sh",)}, "Run shell untrusted"),
        (
            {"kind": Kind.EXEC_UNKNOWN, "what": "/bin/sh", "checks": ("NL-06",)},
            "Redirect STDOUT/STDIN to Network Connection in Container",
        ),
        ({"kind": Kind.EXEC_INTO_CONTAINER, "what": "/bin/bash", "tty": "pts0"}, "Terminal shell in container"),
        ({"kind": Kind.EXEC_INTO_CONTAINER, "what": "/bin/bash"}, "Driftline exec.into_container"),
        ({"kind": Kind.FILE_WRITE_CODE, "what": "/usr/bin/ls", "file": None}, "Write below binary dir"),
        ({"kind": Kind.FILE_WRITE_CODE, "what": "/etc/passwd", "file": None}, "Write below etc"),
        ({"kind": Kind.FILE_WRITE_CODE, "technique": "T1053.003"}, "Schedule Cron Jobs"),
        ({"kind": Kind.FILE_WRITE_CODE, "what": "/a/.ssh/authorized_keys"}, "Adding ssh keys to authorized_keys"),
        (
            {"kind": Kind.FILE_READ_SENSITIVE, "what": "/proc/7/environ"},
            "Read environment variable from /proc files",
        ),
        ({"kind": Kind.FILE_READ_SENSITIVE, "what": "/etc/shadow"}, "Read sensitive file untrusted"),
        (
            {"kind": Kind.EXEC_SUSPICIOUS, "checks": ("NL-01", "NL-08")},
            "Launch Package Management Process in Container",
        ),
        ({"kind": Kind.EXEC_SUSPICIOUS, "checks": ("NL-12",)}, "Driftline exec.suspicious"),
        ({"kind": Kind.CONNECT_METADATA}, "Contact cloud metadata service from container"),
        ({"kind": Kind.CONNECT_RUNTIME_SOCKET}, "Driftline connect.runtime_socket"),
    ],
)
def test_rules(changes: dict[str, Any], rule: str) -> None:
    assert falco_rule(things.stored(**({"file": None} | changes)).deviation) == rule


def test_a_kind_of_a_newer_agent_has_a_rule_of_its_own() -> None:
    assert falco_rule(deviation_pb2.Deviation(kind="dns.odd")) == "Driftline dns.odd"


def test_every_row_can_be_reached() -> None:
    """A row below one that holds more often would never be used."""
    plain = [row for row in TABLE if not (row.technique or row.path or row.terminal or row.check)]
    assert len(plain) > 5
    for row in plain:
        assert [one for one in TABLE if one.kind == row.kind][-1] is row


def test_checks_and_kinds_in_the_table_exist() -> None:
    assert {row.check for row in TABLE if row.check} <= set(CHECKS)
    assert {row.kind for row in TABLE if row.kind} <= set(Kind)
