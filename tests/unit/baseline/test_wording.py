"""A behaviour's text and id: printable, and no two behaviours share one."""

from __future__ import annotations

import pytest
from hypothesis import given

from driftline.baseline.wording import id_of, text_of, word
from driftline.nouns import (
    EPHEMERAL,
    Behaviour,
    ConnectBehaviour,
    ExecBehaviour,
    LoadBehaviour,
    OpenBehaviour,
)
from unit.baseline.documents import behaviours
from unit.baseline.making import hostile_text


@given(behaviours, behaviours)
def test_printable_and_different_for_different_behaviours(one: Behaviour, other: Behaviour) -> None:
    assert text_of(one).isprintable()
    assert (text_of(one) == text_of(other)) == (one == other)
    assert (id_of(one) == id_of(other)) == (one == other)


@given(hostile_text)
def test_a_word_stays_one_word(text: str) -> None:
    found = word(text)
    assert " " not in found or (found[0] == found[-1] == '"')


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [
        (ExecBehaviour("/usr/bin/id", "id", "/bin/sh", False), "exec /usr/bin/id as id by /bin/sh"),
        (ExecBehaviour("/bin/sh", "-sh", "", True), "exec /bin/sh as -sh by the runtime, entered"),
        (ExecBehaviour("/tmp/a b", "x", "/b", False, "tmpfs"), 'exec "/tmp/a b" as x by /b, from tmpfs'),
        (OpenBehaviour("/srv/{num}/**", "write"), "write /srv/{num}/**"),
        (OpenBehaviour("/a\x1b[31m\n\u202e", "read"), "read /a\\x1b[31m\\x0a\\u{202e}"),
        (LoadBehaviour("/lib/x.so", "volume"), "load /lib/x.so, from volume"),
        (ConnectBehaviour("tcp", "10.0.3.0/24", EPHEMERAL), "connect tcp 10.0.3.0/24 port ephemeral"),
        (ConnectBehaviour("unix", "/run/x.sock", 0), "connect unix /run/x.sock"),
        (ConnectBehaviour("tcp", "::1", 80), "connect tcp ::1 port 80"),
    ],
)
def test_as_a_person_reads_it(behaviour: Behaviour, text: str) -> None:
    assert text_of(behaviour) == text


def test_a_path_cannot_pose_as_another_behaviour() -> None:
    posing = ExecBehaviour("/a as b by the runtime", "c", "", False)
    assert text_of(posing) == 'exec "/a as b by the runtime" as c by the runtime'
