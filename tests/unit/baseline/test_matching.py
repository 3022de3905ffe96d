"""The matcher expects what was added and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.matching import Matcher
from driftline.nouns import Behaviour, ExecBehaviour, OpenBehaviour
from unit.baseline.making import behaviours


@given(st.sets(behaviours, max_size=10), behaviours)
def test_holds_what_was_added(added: set[Behaviour], other: Behaviour) -> None:
    matcher = Matcher(added)
    assert all(behaviour in matcher for behaviour in added)
    covered = isinstance(other, OpenBehaviour) and OpenBehaviour(other.path, "write") in added
    assert (other in matcher) == (other in added or covered)


def test_a_known_write_covers_the_read_but_not_the_reverse() -> None:
    matcher = Matcher([OpenBehaviour("/a", "write"), OpenBehaviour("/b", "read")])
    assert OpenBehaviour("/a", "read") in matcher
    assert OpenBehaviour("/b", "write") not in matcher


def test_programs_are_known_whoever_ran_them() -> None:
    matcher = Matcher([ExecBehaviour("/bin/busybox", "ls", "/bin/sh", False)])
    assert ("/bin/busybox", "ls") in matcher.programs
    assert ("/bin/busybox", "nc") not in matcher.programs
