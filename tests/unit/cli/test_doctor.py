"""What ``driftline doctor`` prints and how it exits, from made-up examinations and a made-up host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driftline.cli import doctor, examination, main
from driftline.cli.examination import Examination, agent_status, bcc_version
from driftline.identify.hierarchy import Hierarchy
from driftline.probe import preflight
from driftline.probe.preflight import CAPABILITIES, TRIED, Obstacle, Report

KERNEL = Report(
    release="6.12.1",
    machine="x86_64",
    btf=True,
    capabilities=sum(1 << bit for bit, _why in CAPABILITIES.values()),
    lockdown="none",
    security_modules=("yama", "bpf"),
    libbpf="1.1",
    memlock=-1,
    preemption="voluntary",
    features=dict.fromkeys(("ring_buffer", *TRIED), ""),
)
FOUND = Examination(
    kernel=KERNEL,
    bcc="0.26.0",
    bcc_elsewhere=False,
    hierarchy=Hierarchy("/proc"),  # any directory
    watched=("kubepods",),
    engines={"docker": "/run/\x1b[31mdocker.sock"},
    agent={},
    obstacles=[],
    provider="lsm",
    reason="the best there is",
)

Doctor = Callable[[Examination], tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    def run(found: Examination, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(doctor, "examine", lambda _settings: found)
        return main.run(["doctor", *arguments]), capsys.readouterr().out

    return run


def test_a_good_host(run: Doctor) -> None:
    status, out = run(FOUND)
    assert status == 0
    assert out.endswith("opens are seen by lsm (the best there is)\nthe agent can run here\n")
    assert "capabilities      enough\n" in out


def test_what_is_missing_is_told_with_what_to_try_and_the_status_is_3(run: Doctor) -> None:
    missing = Obstacle("bcc is not installed for /usr/bin/python3", "apt-get install python3-bpfcc")
    status, out = run(replace(FOUND, obstacles=[missing]))
    assert status == 3
    assert "missing: bcc is not installed for /usr/bin/python3\n  try: apt-get install python3-bpfcc\n" in out
    assert out.endswith("the agent cannot run here\n")


def test_what_could_be_better_does_not_stop_the_agent(run: Doctor) -> None:
    status, out = run(replace(FOUND, obstacles=[Obstacle("a", "b", fatal=False)]))
    assert (status, "could be better: a\n  try: b\n" in out) == (0, True)


def test_without_a_provider_the_status_is_3(run: Doctor) -> None:
    assert run(replace(FOUND, provider=""))[0] == 3


def test_names_cannot_write_to_the_terminal(run: Doctor) -> None:
    assert "\x1b" not in run(FOUND)[1]


def test_losses_of_a_running_agent(run: Doctor) -> None:
    status = {"pid": 7, "provider": "sys_exit", "armed_at": 0.0, "losses": {"open.ring_full": 12}}
    out = run(replace(FOUND, agent=status))[1]
    assert "pid 7, armed 1970-01-01T00:00:00+00:00, opens by sys_exit\n  lost            open.ring_full: 12\n" in out


def test_json_says_the_same(run: Callable[..., tuple[int, str]]) -> None:
    told = json.loads(run(FOUND, "--json")[1])
    assert told["can_run"] is True
    assert (told["provider"], told["kernel"]["release"], told["watched_roots"]) == ("lsm", "6.12.1", ["kubepods"])


# --- the host --------------------------------------------------------------------------------------------------------


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, run: object) -> Callable[..., Any]:
    """An examination of a host with this kernel and nothing else made up."""

    def examine(kernel: Report = KERNEL, bcc: dict[str, str] | None = None, **settings: Any) -> Examination:
        versions = {sys.executable: "0.26.0"} if bcc is None else bcc
        monkeypatch.setattr(preflight, "examine_providers", lambda: kernel)
        monkeypatch.setattr(examination, "bcc_version", lambda python: versions.get(python, ""))
        monkeypatch.setattr(examination, "find", lambda: Hierarchy("/proc"))
        return examination.examine(doctor_settings(**settings))

    return examine


def doctor_settings(**values: Any) -> Any:
    from driftline.settings import Settings

    return Settings(**values)


@pytest.mark.parametrize(
    ("bcc", "remedy"),
    [
        ({}, "apt-get install python3-bpfcc"),
        ({"/usr/bin/python3": "0.26.0"}, "make the virtual environment with /usr/bin/python3"),
    ],
)
def test_missing_bcc(host: Callable[..., Examination], bcc: dict[str, str], remedy: str) -> None:
    found = host(bcc=bcc)
    assert not found.can_run
    assert found.obstacles[0].remedy.startswith(remedy)


def test_a_fatal_obstacle_is_told_once(host: Callable[..., Examination]) -> None:
    sentences = [one.sentence for one in host(replace(KERNEL, btf=False)).obstacles if one.fatal]
    assert sentences == ["this kernel has no BTF (/sys/kernel/btf/vmlinux)"]


def test_a_provider_that_the_settings_want_and_the_kernel_refuses(host: Callable[..., Examination]) -> None:
    kernel = replace(KERNEL, features=KERNEL.features | {"fentry": "refused by the kernel: EPERM"})
    found = host(kernel, open_provider="fentry")
    assert not found.can_run
    assert "the provider fentry cannot be used here: refused by the kernel: EPERM" in found.obstacles[0].sentence


def test_how_to_get_the_lsm_provider(host: Callable[..., Examination]) -> None:
    found = host(replace(KERNEL, security_modules=("yama",)))
    assert found.can_run
    assert found.provider == "fentry"
    assert any(one.remedy == "boot with lsm=yama,bpf" and not one.fatal for one in found.obstacles)


def test_engines_and_watched_roots_that_are_there(host: Callable[..., Examination], tmp_path: Path) -> None:
    found = host(docker_socket=str(tmp_path), watched_roots=("self", "nothing"))
    assert found.engines["docker"] == str(tmp_path)
    assert found.watched == ("self",)


def test_only_a_running_agent_has_a_status(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert agent_status(tmp_path, []) == {}
    for pid, expected in ((os.getpid(), {"pid": os.getpid()}), (ended.pid, {})):
        (tmp_path / "status.json").write_text(json.dumps({"pid": pid}))
        assert agent_status(tmp_path, []) == expected


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "{}"])
def test_a_broken_status_file_is_no_status(tmp_path: Path, text: str) -> None:
    (tmp_path / "status.json").write_text(text)
    assert agent_status(tmp_path, []) == {}


def test_a_status_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    obstacles: list[Obstacle] = []
    assert agent_status(tmp_path, obstacles) == {}
    assert [(one.remedy, one.fatal) for one in obstacles] == [("run as root", False)]


def test_bcc_of_an_interpreter_that_is_not_there() -> None:
    assert bcc_version("/nonexistent/python") == ""
