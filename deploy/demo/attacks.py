"""What the demo does to the service, and what must be seen of it.

In: nothing. Out: ``ATTACKS``, in their order. Each says in plain words what happens, which deviations must come, and
which others are its traces: files a payload reads on its way, not worth a line of their own. Next: ``score``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from driftline.nouns import Kind

PAYLOADS = Path(__file__).parent / "payloads"
_PYTHON_MODULES = r"^/usr/lib/python3|^/usr/lib/[^/]+/lib(ffi|z)\.so"
_MAPS = r"^/proc/[^/]+/maps$"  # libffi looks there for a place for its trampolines


@dataclass(frozen=True, slots=True)
class Expected:
    """A deviation that must come: its kind, and what ``Deviation.what`` must contain (regular expression)."""

    kind: Kind
    what: str

    def matches(self, kind: str, what: str) -> bool:
        """Whether a deviation is this one."""
        return kind == self.kind and re.search(self.what, what) is not None


@dataclass(frozen=True, slots=True)
class Attack:
    """``endpoint``: of the service; ``body``: file below payloads/, or the text itself for the shell."""

    sentence: str
    endpoint: str
    body: str
    expected: tuple[Expected, ...]
    traces: tuple[str, ...] = ()  # regular expressions of files it reads on its way

    def is_trace(self, kind: str, what: str) -> bool:
        """Whether a deviation is a mere trace of this attack."""
        return kind == Kind.FILE_READ_UNKNOWN and any(re.search(trace, what) for trace in self.traces)


ATTACKS = (
    Attack(
        "drop a program into /tmp and run it",
        "/debug/eval",
        "drop.py",
        (Expected(Kind.FILE_WRITE_UNKNOWN, r"^/tmp/dropped$"), Expected(Kind.EXEC_DRIFT, r"^/tmp/dropped")),
        (r"^/usr/bin/uname$",),
    ),
    Attack(
        "run a program from memory, one that has no file at all",
        "/debug/eval",
        "memfd.py",
        (Expected(Kind.EXEC_FILELESS, r"memfd:kworker"),),
        (r"^/usr/bin/uname$",),
    ),
    Attack(
        "make the service start a shell, which looks around",
        "/debug/shell",
        "id; uname -a",
        (
            Expected(Kind.EXEC_UNKNOWN, r"^/usr/bin/dash"),
            Expected(Kind.EXEC_UNKNOWN, r"^/usr/bin/id"),
            Expected(Kind.EXEC_UNKNOWN, r"^/usr/bin/uname"),
        ),
        (r"^/usr/lib/[^/]+/lib", r"^/etc/(passwd|group|nsswitch\.conf)$", r"^/proc/"),
    ),
    Attack(
        "write /tmp/payload.so and load it into the running service",
        "/debug/eval",
        "library.py",
        (Expected(Kind.FILE_WRITE_UNKNOWN, r"^/tmp/payload\.so$"), Expected(Kind.CODE_LOAD, r"^/tmp/payload\.so$")),
        (_PYTHON_MODULES, _MAPS, r"^/tmp/payload\.so$"),
    ),
    Attack(
        "read the password hashes and the pod's Kubernetes token",
        "/debug/eval",
        "secrets.py",
        (
            Expected(Kind.FILE_READ_SENSITIVE, r"^/etc/shadow$"),
            Expected(Kind.FILE_READ_SENSITIVE, r"serviceaccount/.*token$"),
        ),
    ),
    Attack(
        "connect to an address the service never talked to",
        "/debug/eval",
        "connect.py",
        (Expected(Kind.CONNECT_UNKNOWN, r":4444"),),
    ),
    Attack(
        "open a private key through io_uring, without any open system call",
        "/debug/eval",
        "io_uring.py",
        (Expected(Kind.FILE_READ_SENSITIVE, r"/id_ed25519$"),),
        (_PYTHON_MODULES, _MAPS),
    ),
)
EXPECTED = sum(len(attack.expected) for attack in ATTACKS)
