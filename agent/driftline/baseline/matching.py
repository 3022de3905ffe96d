"""Matcher: is this behaviour in the baseline? The hottest question of the agent.

In: behaviours. Out: plain sets and dicts keyed by strings, read directly by ``driftline.verdict`` without building a
``Behaviour`` first (making one costs more than the look-up). Why not the baseline itself: an active baseline's
statistics stay on disk; of 100 images only this remains in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from driftline.nouns import Behaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour

READ = 1
WRITE = 2


class Matcher:
    """Look-ups of one baseline.

    ``opens``: path → ``READ`` and ``WRITE`` bits. ``loads``: paths. ``connects``: (protocol, address, port).
    ``execs``: (path, invoked, by, entered). ``programs``: (path, invoked) of every exec, whoever ran it.
    Paths are interned: a hundred images share libc's name.
    """

    __slots__ = ("connects", "execs", "loads", "opens", "programs", "version")

    def __init__(self, behaviours: Iterable[Behaviour] = (), version: str = "") -> None:
        self.version = version
        self.opens: dict[str, int] = {}
        self.loads: set[str] = set()
        self.connects: set[tuple[str, str, int]] = set()
        self.execs: set[tuple[str, str, str, bool]] = set()
        self.programs: set[tuple[str, str]] = set()
        for behaviour in behaviours:
            self.add(behaviour)

    def add(self, behaviour: Behaviour) -> None:
        """Expect ``behaviour`` from now on."""
        if isinstance(behaviour, OpenBehaviour):
            path = sys.intern(behaviour.path)
            self.opens[path] = self.opens.get(path, 0) | (WRITE if behaviour.access == "write" else READ)
        elif isinstance(behaviour, ExecBehaviour):
            path, invoked = sys.intern(behaviour.path), sys.intern(behaviour.invoked)
            self.execs.add((path, invoked, sys.intern(behaviour.by), behaviour.entered))
            self.programs.add((path, invoked))
        elif isinstance(behaviour, LoadBehaviour):
            self.loads.add(sys.intern(behaviour.path))
        else:
            self.connects.add((sys.intern(behaviour.protocol), sys.intern(behaviour.address), behaviour.port))

    def __contains__(self, behaviour: Behaviour) -> bool:
        if isinstance(behaviour, OpenBehaviour):
            bits = self.opens.get(behaviour.path, 0)
            return bool(bits & WRITE if behaviour.access == "write" else bits)
        if isinstance(behaviour, ExecBehaviour):
            return (behaviour.path, behaviour.invoked, behaviour.by, behaviour.entered) in self.execs
        if isinstance(behaviour, LoadBehaviour):
            return behaviour.path in self.loads
        return (behaviour.protocol, behaviour.address, behaviour.port) in self.connects
