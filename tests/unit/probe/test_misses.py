"""Which hook a program's skipped runs are counted for."""

from __future__ import annotations

import re

import pytest

from driftline.probe.counters import HOOKS, losses
from driftline.probe.misses import CAUSE, hook_of
from driftline.probe.source import ALWAYS, PROVIDERS, bpf_directory

_PROGRAM = re.compile(r"^int (\w+)\(", re.MULTILINE)


def programs() -> list[str]:
    names = {*ALWAYS, *(name for provider in PROVIDERS.values() for name in provider)}
    return [found for name in names for found in _PROGRAM.findall((bpf_directory() / f"{name}.bpf.c").read_text())]


@pytest.mark.parametrize(
    ("program", "hook"),
    [
        ("lsm_file_open", "open"),
        ("fentry_security_file_open", "open"),
        ("lsm_mmap_file", "load"),
        ("fentry_security_unix_may_send", "unix_connect"),
        ("lsm_unix_stream_connect", "unix_connect"),
        ("on_sendmsg6", "connect"),
        ("on_sys_exit", "open"),
        ("on_io_uring_complete", "open"),
        ("on_sched_process_exec", "exec"),
        ("on_sched_process_exit", "fork"),
        ("on_cgroup_rmdir", "cgroup"),
        ("iter_task", "exec"),
        ("on_dns", "dns"),
    ],
)
def test_the_hook_of_a_program(program: str, hook: str) -> None:
    assert program in programs()
    assert hook_of(program) == hook


def test_every_program_belongs_to_a_hook_that_has_counters() -> None:
    assert {hook_of(program) for program in programs()} <= set(HOOKS.values())


def test_skipped_runs_are_losses() -> None:
    assert losses({("open", CAUSE): 2, ("open", "sent"): 5}) == {("open", CAUSE): 2}
