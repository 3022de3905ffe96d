"""A person decides by command while the agent runs: what was decided is what is told."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rig.agent import Agent
from rig.runc import RuncContainer

pytestmark = pytest.mark.containers

LEARN = ("--learn-seconds", "8", "--learn-quiet-seconds", "1", "--fold-seconds", "0")
WHY = ("--reason", "a test", "--author", "ann")
READ_GROUP = ["/bin/sh", "-c", "read x < /etc/group"]
READ_SHADOW = ["/bin/sh", "-c", "read x < /etc/shadow"]
READ_MARK = ["/bin/sh", "-c", "read x < /data/one"]
MARK = ("file.read.unknown", "/data/one")


class Person:
    """Whoever types ``driftline baseline`` about one container's baseline."""

    def __init__(self, state: Path, name: str) -> None:
        self._state, self._name = state, name

    def run(self, command: str, *words: str, **environment: str) -> str:
        line = [sys.executable, "-m", "driftline", "baseline", command, self._name, *words]
        line += ["--state-dir", str(self._state)]
        path = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run(line, env=path | environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def show(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("show", "--json"))
        return found


def told(agent: Agent, container: RuncContainer, act: Callable[[], object]) -> list[tuple[str, str]]:
    """What is told of ``act``, the entering of the container aside: all before what is done after it."""
    before = len(agent.deviations)

    def found() -> list[tuple[str, str]]:
        return [(one["kind"], one["what"]) for one in agent.deviations[before:]]

    act()
    container.run(READ_MARK, check=False)
    agent.wait(lambda: MARK in found())
    return [one for one in found() if one != MARK and one[0] != "exec.into_container"]


def test_decisions_while_it_learns_and_after(tmp_path: Path) -> None:
    with Agent(tmp_path, *LEARN) as agent, RuncContainer() as container:
        person = Person(tmp_path, f"container:{container.id}")
        container.run(READ_SHADOW, check=False)
        agent.wait_deviation("file.read.sensitive", "/etc/shadow")
        agent.wait(lambda: list(tmp_path.glob("baselines/*/baseline.msgpack")))
        person.run("reject", "--all-needs-review", *WHY)
        agent.wait_line(f"detecting {person._name}")

        found = person.show()
        assert (found["state"], found["revision"]) == ("candidate", 1)
        assert [one["text"] for one in found["behaviours"] if one["standing"] == "rejected"] == ["read /etc/shadow"]
        assert ("file.read.sensitive", "/etc/shadow") in told(
            agent, container, lambda: container.run(READ_SHADOW, check=False)
        )
        assert told(agent, container, lambda: container.run(READ_GROUP, check=False)) == [
            ("file.read.unknown", "/etc/group")
        ]

        line = '  - {path: "/etc/group", access: "read"}'
        person.run("edit", *WHY, EDITOR=f"sed -i {shlex.quote(f'/^open:/a {chr(92)}{line}')}")
        agent.wait_line("revision 2 is in force (edit by ann)")
        assert told(agent, container, lambda: container.run(READ_GROUP, check=False)) == []

        person.run("promote", *WHY)
        person.run("rollback", "1", *WHY)
        agent.wait_line("revision 4 is in force (rollback by ann)")
        assert told(agent, container, lambda: container.run(READ_GROUP, check=False)) == [
            ("file.read.unknown", "/etc/group")
        ]
        assert [one["action"] for one in json.loads(person.run("history", "--json"))] == [
            *("reject", "learn", "edit", "promote", "rollback")
        ]
