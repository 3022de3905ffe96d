"""A state directory with baselines as a node has them, for the tests of ``driftline baseline``.

In: a directory. Out: commands run in this process, and what they printed. Next: the tests.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import CARRIED, LEARNED, Baseline, Entry, Standing, State
from driftline.baseline.wording import id_of
from driftline.cli import main
from driftline.nouns import (
    Behaviour,
    ConnectBehaviour,
    ExecBehaviour,
    LoadBehaviour,
    OpenBehaviour,
)

HOUR = 3_600_000_000_000
NOW = 1_795_447_845_000_000_000
OLD, NEW = "sha256:" + "ab12" * 16, "sha256:" + "ab34" * 16
LIBC, NGINX = "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64", "pkg:deb/debian/nginx@1.22.1-9"

SERVER = ExecBehaviour("/usr/sbin/nginx", "nginx", "", False)
SHELL = ExecBehaviour("/bin/dash", "sh", "/usr/sbin/nginx", False)
DROPPED = ExecBehaviour("/tmp/\x1b[31mx y\n<b>\u202e", "x", "/bin/dash", False, "writable")
PASSWD, SHADOW = OpenBehaviour("/etc/passwd", "read"), OpenBehaviour("/etc/shadow", "read")
CARRIED_ON = OpenBehaviour("/etc/old", "read")
PATTERN = OpenBehaviour("/var/lib/nginx/{num}/**", "write")
NETWORK = ConnectBehaviour("tcp", "10.0.3.0/24", 443)


def entry(standing: Standing = Standing.ALLOWED, *checks: str, package: str = "", source: str = LEARNED) -> Entry:
    return Entry(source, NOW - HOUR, NOW, 3, frozenset({"c1"}), standing, checks, package=package)


def web() -> Baseline:
    """A baseline with something of every kind, hostile names included."""
    entries: dict[Behaviour, Entry] = {
        SERVER: replace(entry(package=NGINX), containers=frozenset({"c1", "c2"})),
        SHELL: entry(Standing.NEEDS_REVIEW, "NL-05"),
        DROPPED: entry(Standing.NEEDS_REVIEW, "NL-01", "NL-03"),
        PASSWD: entry(),
        SHADOW: entry(Standing.REJECTED, "NL-13"),
        CARRIED_ON: entry(Standing.UNCONFIRMED, source=CARRIED),
        PATTERN: replace(entry(), examples=("/var/lib/nginx/1/a", "/var/lib/nginx/2/\x07")),
        NETWORK: entry(),
    }
    entries |= {OpenBehaviour(f"/usr/share/nginx/{number}", "read"): entry(package=NGINX) for number in range(40)}
    entries |= {OpenBehaviour(f"/srv/www/{number}", "read"): entry() for number in range(9)}
    entries |= {LoadBehaviour(f"/lib/lib{number}.so"): entry(package=LIBC) for number in range(7)}
    return Baseline(
        OLD,
        image="docker.io/library/nginx:1.22",
        state=State.CANDIDATE,
        partial=("attached late",),
        losses=3,
        elapsed_ns=312 * 10**9,
        quiet_ns=63 * 10**9,
        startups=2,
        entries=entries,
        packages=(LIBC, NGINX),
    )


def identify(behaviour: Behaviour) -> str:
    return id_of(behaviour)[:8]


class Ran(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


class Node:
    """A node's state directory: ``run`` a command on it."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory, self._capsys = directory, capsys
        self.store = BaselineStore(str(directory))

    def run(self, *words: str) -> Ran:
        """Run ``driftline baseline WORDS``; everything printed must be printable."""
        self._capsys.readouterr()
        status = main.run(["baseline", *words, "--state-dir", str(self.directory)])
        out, err = self._capsys.readouterr()
        assert all(line.isprintable() for line in (out + err).splitlines())
        return Ran(status, out, err)

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json").out)

    def one(self, name: str = OLD) -> Baseline:
        """What is in force."""
        found = BaselineStore(str(self.directory)).load_one(name)
        assert isinstance(found, Baseline)
        return found

    def standing(self, behaviour: Behaviour) -> Standing:
        return self.one().entries[behaviour].standing
