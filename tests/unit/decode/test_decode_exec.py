"""Exec records field by field."""

from __future__ import annotations

from driftline.decode.record import decode
from driftline.nouns import ExecEvent, Origin, Process, RecordFlag
from driftline.probe import environment
from unit.decode import records


def decoded(record: bytes) -> ExecEvent:
    event = decode(record)
    assert isinstance(event, ExecEvent)
    return event


def test_every_field() -> None:
    event = decoded(
        records.executed(
            records.walked(b"bin", b"busybox"),
            argv=b"sh\0-c\0\xff\0",
            cwd=records.walked(b"srv", b"www"),
            invoked=b"/run.sh\0",
            interpreter=b"/bin/sh\0",
            environment=1 | 1 << 3,
            tty=b"pts3\0",
            flags=RecordFlag.CACHEABLE | RecordFlag.SCRIPT | RecordFlag.ENTERED,
        )
    )
    assert event.process == Process(97, 98, 96, 1_000_000_007, 555, 1000, 1001, 1002, "sh")
    assert (event.kernel_ns, event.cgroup, event.epoch) == (123_456_789, 4711, 3)
    assert (event.file.path, event.file.origin, event.file.inode, event.file.device) == (
        "/bin/busybox",
        Origin.IMAGE,
        77,
        9,
    )
    assert (event.file.links, event.file.mode, event.file.size) == (1, 0o100755, 1234)
    assert (event.invoked, event.interpreter) == ("/run.sh", "/bin/sh")
    assert (event.argv, event.cwd, event.tty) == (("sh", "-c", "\udcff"), "/srv/www", "pts3")
    assert event.environment == (environment.NAMES[0], environment.NAMES[3])
    assert (event.inet_stdio, event.unix_stdio, event.by_exec_id, event.capabilities) == (1, 2, 444, 3)
    assert event.by_path == ""


def test_the_cache_value_carries_the_id_that_will_stand_in() -> None:
    event = decoded(records.executed(records.walked(b"a")))
    assert event.cache_key == b"e" * 192
    assert len(event.cache_value) == 56
    assert int.from_bytes(event.cache_value[48:], "little") == event.process.exec_id


def test_what_is_not_cacheable_has_no_key() -> None:
    event = decoded(records.executed(records.walked(b"a"), flags=0))
    assert (event.cache_key, event.cache_value) == (b"", b"")


def test_empty_arguments_are_kept_and_no_arguments_are_none() -> None:
    assert decoded(records.executed(records.walked(b"a"), argv=b"a\0\0b\0")).argv == ("a", "", "b")
    assert decoded(records.executed(records.walked(b"a"), argv=b"")).argv == ()


def test_as_many_arguments_as_fit_are_kept() -> None:
    assert len(decoded(records.executed(records.walked(b"a"), argv=b"a\0" * 1000)).argv) == 1000


def test_a_truncated_directory_says_so() -> None:
    event = decoded(records.executed(records.walked(b"a"), cwd=records.walked(b"b"), flags=RecordFlag.CWD_TRUNCATED))
    assert (event.cwd, event.file.path) == ("…/b", "/a")
