"""The choice of the provider, and what is told when there is none: pure functions of a report."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.errors import HostError
from driftline.probe import modules
from driftline.probe.preflight import CAPABILITIES, SYS_ADMIN, TRIED, Report, _lockdown, choose, obstacles, unusable

ALL = sum(1 << bit for bit, _why in CAPABILITIES.values())
REFUSED = "refused by the kernel: Operation not permitted"
GOOD = Report(
    release="6.12.1",
    machine="x86_64",
    btf=True,
    capabilities=ALL,
    lockdown="none",
    security_modules=("lockdown", "bpf"),
    libbpf="1.1",
    memlock=-1,
    preemption="voluntary",
    features=dict.fromkeys(("ring_buffer", *TRIED), ""),
)


def without(*features: str) -> Report:
    return replace(GOOD, features=GOOD.features | dict.fromkeys(features, REFUSED))


@pytest.mark.parametrize(
    ("report", "provider", "reason"),
    [
        (GOOD, "lsm", "the best there is"),
        (replace(GOOD, security_modules=("lockdown",)), "fentry", "lsm: the bpf security module is not active"),
        (replace(GOOD, security_modules=None), "fentry", "securityfs is not mounted"),
        (without("lsm"), "fentry", f"lsm: {REFUSED}"),
        (replace(without("lsm"), preemption=""), "fentry", f"lsm: {REFUSED}"),
        (replace(without("lsm"), preemption="full"), "sys_exit", "fentry: would miss"),
        (replace(without("lsm", "btf_tracepoint"), preemption="lazy"), "fentry", f"lsm: {REFUSED}"),
        (without("lsm", "fentry"), "sys_exit", f"fentry: {REFUSED}"),
    ],
)
def test_auto_takes_the_best_that_works_and_says_why(report: Report, provider: str, reason: str) -> None:
    chosen, why = choose(report, "auto")
    assert chosen == provider
    assert reason in why


def test_without_dns_answers_the_agent_runs_and_says_so() -> None:
    report = without("cgroup_skb")
    assert choose(report, "auto")[0] == "lsm"
    (obstacle,) = obstacles(report)
    assert not obstacle.fatal
    assert obstacle.sentence == f"DNS answers are not seen, so addresses are told without their names: {REFUSED}"


@pytest.mark.parametrize("provider", ["lsm", "fentry", "sys_exit"])
def test_a_wanted_provider_is_taken_when_it_works(provider: str) -> None:
    assert choose(GOOD, provider)[0] == provider


def test_a_wanted_provider_that_does_not_work_is_an_error_not_another_provider() -> None:
    with pytest.raises(HostError, match="the provider fentry cannot be used here: refused") as caught:
        choose(without("fentry"), "fentry")
    assert caught.value.exit_status == 3


def test_no_provider_at_all_names_each_reason() -> None:
    report = replace(without("lsm", "fentry"), machine="aarch64")
    with pytest.raises(HostError, match=r"lsm: .*fentry: .*sys_exit: reads the registers of x86_64, not aarch64"):
        choose(report, "auto")


def test_sys_exit_needs_tracepoints_with_types() -> None:
    assert unusable(without("btf_tracepoint"), "sys_exit") == REFUSED


@pytest.mark.parametrize(
    ("report", "sentence", "remedy"),
    [
        (replace(GOOD, btf=False), "this kernel has no BTF", "CONFIG_DEBUG_INFO_BTF=y"),
        (replace(GOOD, lockdown="confidentiality"), "lockdown is set to confidentiality", "lockdown=integrity"),
        (replace(GOOD, capabilities=0), "CAP_BPF to create BPF maps", "--cap-add BPF --cap-add PERFMON"),
        (without("ring_buffer"), "ring buffer: refused", "Linux 5.10"),
        (without("cgroup"), "cgroup: refused", "CONFIG_CGROUP_BPF=y"),
        (without("iterator"), "iterator: refused", "Linux 5.10"),
    ],
)
def test_what_is_missing_is_told_with_its_remedy_and_stops_the_choice(
    report: Report, sentence: str, remedy: str
) -> None:
    (found,) = obstacles(report)
    assert found.fatal
    assert sentence in found.sentence
    assert remedy in found.remedy
    with pytest.raises(HostError) as caught:
        choose(report, "auto")
    assert (caught.value.args[0], caught.value.hint) == (found.sentence, found.remedy)


def test_a_good_kernel_has_no_obstacles() -> None:
    assert obstacles(GOOD) == []


def test_sys_admin_stands_for_the_bpf_capabilities_and_for_no_other() -> None:
    report = replace(GOOD, capabilities=1 << SYS_ADMIN)
    assert report.missing_capabilities() == ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]
    (found,) = obstacles(report)
    assert not found.fatal
    assert choose(report, "auto")[0] == "lsm"


def test_lockdown_is_the_word_in_brackets(tmp_path: Path) -> None:
    (tmp_path / "lockdown").write_text("none [integrity] confidentiality\n")
    assert _lockdown(tmp_path / "lockdown") == "integrity"
    assert _lockdown(tmp_path / "absent") == ""


def test_security_modules_come_from_securityfs_where_it_is_mounted(tmp_path: Path) -> None:
    (tmp_path / "lsm").write_text("lockdown,capability,yama,bpf\n")
    assert modules.security_modules(tmp_path) == ("lockdown", "capability", "yama", "bpf")


@pytest.mark.parametrize(("listed", "expected"), [([108, 109], ("bpf",)), ([108, 110], ()), (None, None)])
def test_else_from_the_system_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: list[int] | None, expected: tuple[str, ...] | None
) -> None:
    monkeypatch.setattr(modules, "_listed", lambda: listed)
    assert modules.security_modules(tmp_path) == expected


def test_examining_without_privileges_gives_a_report_and_no_traceback() -> None:
    """In a child that drops to nobody when the tests run as root."""
    code = (
        "import os, json; from driftline.probe import preflight\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "report = preflight.examine_providers()\n"
        "print(json.dumps([report.features['lsm'], [o.fatal for o in preflight.obstacles(report)]]))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == '["not tried without CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN", [true]]'
