"""The table of checks: what is never learned in silence, whoever does it.

In: nothing. Out: ``CHECKS``, by id. Why a table: one place to see and review all of it; docs/checks.md is tested
against it. The ids are in baselines, excuses and deviations: a number is never given to another check. Each check is
one that Falco, Kubescape, Tracee or NeuVector also have, as far as execs, opens and connects can decide it. Next:
``execs``, ``opens`` and ``connects``, which say of an event which checks it fails.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.nouns import Kind, Severity


class Check(NamedTuple):
    """One check. Severity, technique and reason are those of its usual case: what happened may be told more closely."""

    title: str
    reason: str  # ends the deviation's sentence: "… ran in shop-1/web: {reason}"
    kind: Kind
    severity: Severity
    technique: str
    events: str  # which events decide it
    own: bool = False  # may be the service's own work: then quiet until somebody looked at it
    taints: bool = False  # what such a program does is not learned either


_LOW, _MEDIUM, _HIGH, _CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL

BY_TAINTED = "NL-00"
NOT_OF_IMAGE = "NL-01"
FILELESS = "NL-02"
TEMPORARY = "NL-03"
TERMINAL = "NL-04"
SERVER_CHILD = "NL-05"
REMOTE_SHELL = "NL-06"
TOOL = "NL-07"
PACKAGES = "NL-08"
KUBERNETES = "NL-09"
ARGUMENTS = "NL-10"
PRELOAD = "NL-11"
PRIVILEGE = "NL-12"
SECRET = "NL-13"
KERNEL = "NL-14"
NODE = "NL-15"
CODE = "NL-16"
LOG = "NL-17"
METADATA = "NL-18"
DESTINATION = "NL-19"
TRAVERSAL = "NL-20"
IO_URING = "NL-21"
ISOLATION = "NL-22"

CHECKS: dict[str, Check] = {
    BY_TAINTED: Check(
        "done by a program that failed a check",
        "the program that did it failed a check",
        Kind.EXEC_SUSPICIOUS,
        _MEDIUM,
        "T1059",
        "exec, open, load, connect",
    ),
    NOT_OF_IMAGE: Check(
        "code that is not the image's",
        "it is not in the image",
        Kind.EXEC_DRIFT,
        _CRITICAL,
        "T1105",
        "exec, load, open of a script",
        taints=True,
    ),
    FILELESS: Check(
        "code without a file",
        "it has no file (memfd), or its file was deleted",
        Kind.EXEC_FILELESS,
        _CRITICAL,
        "T1620",
        "exec, load",
        taints=True,
    ),
    TEMPORARY: Check(
        "code in a place where anybody may write",
        "it lies where anybody may write",
        Kind.EXEC_DRIFT,
        _HIGH,
        "T1105",
        "exec, load",
        taints=True,
    ),
    TERMINAL: Check(
        "somebody came in on a terminal",
        "somebody came in from outside, on a terminal",
        Kind.EXEC_INTO_CONTAINER,
        _HIGH,
        "T1609",
        "exec",
        taints=True,
    ),
    SERVER_CHILD: Check(
        "a server started a shell",
        "a server started it: a web shell looks like this",
        Kind.EXEC_SUSPICIOUS,
        _HIGH,
        "T1505.003",
        "exec",
        taints=True,
    ),
    REMOTE_SHELL: Check(
        "input or output is a network connection",
        "its input or output is a network connection",
        Kind.EXEC_UNKNOWN,
        _CRITICAL,
        "T1059",
        "exec",
        taints=True,
    ),
    TOOL: Check(
        "a tool of attackers",
        "it is a tool attackers bring or look for",
        Kind.EXEC_SUSPICIOUS,
        _MEDIUM,
        "T1046",
        "exec",
        taints=True,
    ),
    PACKAGES: Check(
        "a package manager changes the container",
        "it changes what is installed, and an image is built beforehand",
        Kind.EXEC_SUSPICIOUS,
        _MEDIUM,
        "T1105",
        "exec",
        taints=True,
    ),
    KUBERNETES: Check(
        "it speaks to the Kubernetes API",
        "it speaks to the Kubernetes API",
        Kind.CONNECT_SUSPICIOUS,
        _HIGH,
        "T1613",
        "exec, connect",
        own=True,
    ),
    ARGUMENTS: Check(
        "arguments that only attacks have",
        "its arguments are those of an attack",
        Kind.EXEC_SUSPICIOUS,
        _CRITICAL,
        "T1059",
        "exec",
        taints=True,
    ),
    PRELOAD: Check(
        "code forced into programs",
        "a variable that puts other code into it was set",
        Kind.EXEC_SUSPICIOUS,
        _MEDIUM,
        "T1574.006",
        "exec, open",
    ),
    PRIVILEGE: Check(
        "privileges gained by an exec",
        "it gained privileges by the mode of its file",
        Kind.EXEC_SUSPICIOUS,
        _MEDIUM,
        "T1548.001",
        "exec",
    ),
    SECRET: Check(
        "secrets",
        "it holds secrets",
        Kind.FILE_READ_SENSITIVE,
        _HIGH,
        "T1552.001",
        "open",
        own=True,
    ),
    KERNEL: Check(
        "memory of others, and files the kernel obeys",
        "it is memory of others, or the kernel obeys it",
        Kind.FILE_READ_SENSITIVE,
        _CRITICAL,
        "T1003.007",
        "open",
    ),
    NODE: Check(
        "raw disks and the runtime's socket",
        "it gives power over the node",
        Kind.CONNECT_RUNTIME_SOCKET,
        _CRITICAL,
        "T1611",
        "open, connect",
    ),
    CODE: Check(
        "writing what runs, or who may log in",
        "it decides what runs, or who may log in",
        Kind.FILE_WRITE_CODE,
        _HIGH,
        "T1554",
        "open",
    ),
    LOG: Check(
        "emptying logs",
        "a log was emptied",
        Kind.FILE_WRITE_LOG,
        _MEDIUM,
        "T1070.002",
        "open",
    ),
    METADATA: Check(
        "the cloud's metadata service",
        "the cloud's metadata service hands out the node's credentials",
        Kind.CONNECT_METADATA,
        _HIGH,
        "T1552.005",
        "connect",
    ),
    DESTINATION: Check(
        "mining pools, SSH to odd ports, mail",
        "such a connection serves attackers more often than services",
        Kind.CONNECT_SUSPICIOUS,
        _MEDIUM,
        "T1496",
        "connect",
    ),
    TRAVERSAL: Check(
        "links and .. into sensitive directories",
        "the kernel's resolved path is judged",
        Kind.FILE_READ_SENSITIVE,
        _HIGH,
        "T1083",
        "open",
    ),
    IO_URING: Check(
        "io_uring",
        "it was done through io_uring, past what watches system calls",
        Kind.FILE_READ_UNKNOWN,
        _LOW,
        "T1562",
        "open",
    ),
    ISOLATION: Check(
        "leaving the container",
        "it changes what a container is kept apart by",
        Kind.EXEC_SUSPICIOUS,
        _HIGH,
        "T1611",
        "exec",
        taints=True,
    ),
}


class Hit(NamedTuple):
    """One check an event fails, and what is known of it more closely than the table says."""

    id: str
    reason: str
    severity: Severity
    technique: str
    kind: Kind
    own: bool = False  # it may be the service's own work: quiet until somebody looked at it


def hit(
    number: str,
    reason: str = "",
    severity: Severity | None = None,
    technique: str = "",
    kind: Kind | None = None,
    own: bool = False,
) -> Hit:
    """Return a hit of the check ``number``; what is not given is the table's."""
    check = CHECKS[number]
    level = check.severity if severity is None else severity
    return Hit(number, reason or check.reason, level, technique or check.technique, kind or check.kind, own)
