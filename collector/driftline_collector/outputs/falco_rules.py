"""Which of Falco's published rules says what a deviation says.

In: a deviation. Out: the name of a rule of falcosecurity/rules, or a name of ours where none says it. Why the published
names: routes, dashboards and playbooks people have for Falco then work unchanged. docs/outputs.md holds the same table.
Source: the rule files of github.com/falcosecurity/rules (stable, incubating and sandbox). Next: ``falco``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from driftline.nouns import Kind
from driftline.wire.gen.driftline.v1 import deviation_pb2


class Row(NamedTuple):
    """One row: the first whose conditions all hold gives the rule. Conditions that are not given always hold."""

    kind: str  # "": any
    rule: str
    technique: str = ""
    path: str = ""  # regular expression that the file, or what the deviation is about, begins with
    terminal: bool = False  # on a terminal
    check: str = ""  # id of a check that fired (docs/checks.md)


_SHELL = r".*/(?:ba|da|a|z|k|c|tc|fi)?sh$"

TABLE = (
    Row(Kind.EXEC_DRIFT, "Execution from /dev/shm", path=r"/dev/shm/"),
    Row(Kind.EXEC_DRIFT, "Drop and execute new binary in container"),
    Row(Kind.EXEC_FILELESS, "Fileless execution via memfd_create"),
    Row("", "Redirect STDOUT/STDIN to Network Connection in Container", check="NL-06"),
    Row(Kind.EXEC_UNKNOWN, "Run shell untrusted", path=_SHELL),
    Row(Kind.EXEC_UNOWNED, "Run shell untrusted", path=_SHELL),
    Row(Kind.EXEC_PARENT, "Run shell untrusted", path=_SHELL),
    Row(Kind.EXEC_INTO_CONTAINER, "Terminal shell in container", path=_SHELL, terminal=True),
    Row("exec.suspicious", "Launch Package Management Process in Container", check="NL-08"),
    Row("exec.suspicious", "Launch Suspicious Network Tool in Container", check="NL-07"),
    Row("exec.suspicious", "Run shell untrusted", check="NL-05"),
    Row("file.write.log", "Clear Log Activities"),
    Row(Kind.FILE_WRITE_CODE, "Schedule Cron Jobs", technique="T1053.003"),
    Row(Kind.FILE_WRITE_CODE, "Modify Shell Configuration File", technique="T1546.004"),
    Row(Kind.FILE_WRITE_CODE, "Adding ssh keys to authorized_keys", path=r".*/authorized_keys2?$"),
    Row(Kind.FILE_WRITE_CODE, "Detect release_agent File Container Escapes", path=r".*/release_agent$"),
    Row(Kind.FILE_WRITE_CODE, "Write below binary dir", path=r"/(?:usr/|usr/local/)?s?bin/"),
    Row(Kind.FILE_WRITE_CODE, "Write below etc", path=r"/etc/"),
    Row(
        Kind.FILE_WRITE_CODE, "Write below monitored dir", path=r"/(?:boot|lib|lib64|usr/lib|usr/local/lib|root/\.ssh)/"
    ),
    Row(Kind.FILE_WRITE_UNKNOWN, "Write below etc", path=r"/etc/"),
    Row(Kind.FILE_READ_SENSITIVE, "Directory traversal monitored file read", check="NL-20"),
    Row(Kind.FILE_READ_SENSITIVE, "Read environment variable from /proc files", path=r"/proc/[^/]+/environ$"),
    Row(Kind.FILE_READ_SENSITIVE, "Read ssh information", technique="T1552.004"),
    Row(Kind.FILE_READ_SENSITIVE, "Read sensitive file untrusted"),
    Row("connect.suspicious", "Contact K8S API Server From Container", check="NL-09"),
    Row(
        "connect.suspicious",
        "Detect outbound connections to common miner pool ports",
        technique="T1496",
        check="NL-19",
    ),
    Row(Kind.CONNECT_METADATA, "Contact cloud metadata service from container"),
    Row(Kind.COVERAGE_GAP, "Falco internal: syscall event drop"),
)
"""Ordered: what is more particular comes first."""

_PATTERNS = {row.path: re.compile(row.path) for row in TABLE}


def falco_rule(deviation: deviation_pb2.Deviation) -> str:
    """Return the rule's name; "Driftline KIND" where no published rule says the same."""
    rows = (row.rule for row in TABLE if row.kind in ("", deviation.kind) and _holds(row, deviation))
    return next(rows, f"Driftline {deviation.kind}")


def _holds(row: Row, deviation: deviation_pb2.Deviation) -> bool:
    if row.technique and row.technique != deviation.technique:
        return False
    if row.terminal and not deviation.tty:
        return False
    if row.check and row.check not in deviation.checks:
        return False
    return any(map(_PATTERNS[row.path].match, _names(deviation)))


def _names(deviation: deviation_pb2.Deviation) -> Iterator[str]:
    """What a path may be found in: for a program of a multi-call binary (busybox) also the name it was called by."""
    yield deviation.file.path
    yield deviation.what
    if deviation.argv and deviation.kind.startswith("exec."):
        yield f"/{deviation.argv[0]}"
