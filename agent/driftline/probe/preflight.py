"""What this kernel lets us do, and which hook for opens follows from it.

In: the running kernel, asked by loading programs of a few instructions. Out: ``Report``; ``choose`` gives the provider
and why. Why by trying: distributions backport and switch off, a version number proves nothing. Cheap enough for every
start of the agent: milliseconds, in this process. Next: ``sensor`` (provider), ``cli.doctor`` (all of it).
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass, field
from pathlib import Path

from driftline.errors import HostError
from driftline.probe.headers import VMLINUX
from driftline.probe.libbpf import LIB
from driftline.probe.loader import OPTIONAL, attach, load_program
from driftline.probe.modules import SECURITY, security_modules
from driftline.probe.object import ProgramSpec
from driftline.probe.preemption import PREEMPTING, preemption
from driftline.probe.targets import Targets

AUTO = "auto"
PROVIDERS = ("lsm", "fentry", "sys_exit")  # best first
ALLOW = bytes.fromhex("b700000000000000 9500000000000000")  # r0 = 0; exit
# r1 = r10 - 8; r2 = 8; r3 = 0; call bpf_probe_read_kernel (113); r0 = 0; exit: lockdown=confidentiality refuses it
READING = bytes.fromhex("bfa1000000000000 07010000f8ffffff b702000008000000 b703000000000000 8500000071000000") + ALLOW
# Program type, as doctor names it → (name by which ``loader`` knows type and target, instructions)
TRIED = {
    "raw_tracepoint": ("on_sched_process_exec", READING),
    "btf_tracepoint": ("on_sys_exit", READING),
    "cgroup": ("on_connect4", ALLOW),
    "iterator": ("iter_task", READING),
    "cgroup_skb": ("on_dns", ALLOW),
    "lsm": ("lsm_file_open", ALLOW),
    "fentry": ("fentry_security_file_open", READING),
}
TRAMPOLINES = ("lsm", "fentry")  # some kernels load these and refuse to attach them (arm64 before 6.0)
NEEDED = {
    "ring_buffer": "Linux 5.10 or later; before 5.11 also an unlimited memory lock (ulimit -l unlimited)",
    "raw_tracepoint": "a kernel with CONFIG_BPF_SYSCALL=y and CONFIG_BPF_EVENTS=y",
    "cgroup": "a kernel with CONFIG_CGROUP_BPF=y",
    "iterator": "Linux 5.10 or later with CONFIG_BPF_SYSCALL=y",
}
USEFUL = {"cgroup_skb": ("on_dns", "a kernel with CONFIG_CGROUP_BPF=y")}  # as NEEDED, for a program of loader.OPTIONAL
RING_BUFFER = "ring_buffer"
RING_BUFFER_TYPE = 27  # enum bpf_map_type
RING_BYTES = 4096  # the smallest
# Capability → (number in include/uapi/linux/capability.h, what for)
CAPABILITIES = {
    "CAP_BPF": (39, "create BPF maps and programs"),
    "CAP_PERFMON": (38, "load programs that trace"),
    "CAP_NET_ADMIN": (12, "attach the connect programs to cgroups"),
    "CAP_SYS_PTRACE": (19, "read /proc of container processes"),
    "CAP_DAC_READ_SEARCH": (2, "find cgroups by id, read executables to hash them"),
}
SYS_ADMIN = 21
FOR_BPF = ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")  # CAP_SYS_ADMIN stands for each of these


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the kernel offers. ``features``: program type or ring buffer → why we do not get it, empty if we do."""

    release: str
    machine: str
    btf: bool
    capabilities: int  # effective set
    lockdown: str  # "none", "integrity", "confidentiality", "" if it cannot be read
    security_modules: tuple[str, ...] | None  # None: cannot be told
    libbpf: str
    memlock: int  # soft limit in bytes, -1 unlimited
    preemption: str  # see ``preemption``
    features: dict[str, str] = field(default_factory=dict)

    def missing_capabilities(self) -> list[str]:
        """Names from CAPABILITIES that are not in the effective set."""
        return _missing(self.capabilities, tuple(CAPABILITIES))


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something missing: what, and how to get it. ``fatal``: the agent cannot run without it."""

    sentence: str
    remedy: str
    fatal: bool = True


def examine_providers() -> Report:
    """Ask the kernel. Raises HostError only when libbpf itself is missing."""
    system = os.uname()
    capabilities = _effective_capabilities()
    return Report(
        release=system.release,
        machine=system.machine,
        btf=VMLINUX.exists(),
        capabilities=capabilities,
        lockdown=_lockdown(SECURITY / "lockdown"),
        security_modules=security_modules(),
        libbpf=LIB.libbpf_version_string().decode().removeprefix("v"),
        memlock=resource.getrlimit(resource.RLIMIT_MEMLOCK)[0],
        preemption=preemption(),
        features=_not_tried() if _missing(capabilities, FOR_BPF) else _tried(),
    )


def _missing(capabilities: int, names: tuple[str, ...]) -> list[str]:
    admin = capabilities >> SYS_ADMIN & 1
    return [name for name in names if not capabilities >> CAPABILITIES[name][0] & 1 and not (admin and name in FOR_BPF)]


def _not_tried() -> dict[str, str]:
    why = f"not tried without {', '.join(FOR_BPF)}"
    return dict.fromkeys((RING_BUFFER, *TRIED), why)


def _tried() -> dict[str, str]:
    with Targets() as targets:
        return {RING_BUFFER: _ring_buffer(), **{kind: refusal(kind, targets) for kind in TRIED}}


def refusal(kind: str, targets: Targets) -> str:
    """Why programs of this type do not load (or attach, for trampolines) here; empty if they do."""
    name, code = TRIED[kind]
    try:
        program = load_program(ProgramSpec(name, code, ()), {}, targets)
        try:
            if kind in TRAMPOLINES:
                os.close(attach(name, program, -1))
        finally:
            os.close(program)
    except HostError as error:
        return str(error).splitlines()[0].removeprefix(f"program {name} was ")
    except OSError as error:
        return f"loads, but cannot be attached: {os.strerror(error.errno or 0)}"
    return ""


def obstacles(report: Report) -> list[Obstacle]:
    """What is missing, the cause before what follows from it."""
    found = []
    if report.missing_capabilities():
        found.append(_capability_obstacle(report))
    if not report.btf:
        found.append(Obstacle(f"this kernel has no BTF ({VMLINUX})", "a kernel built with CONFIG_DEBUG_INFO_BTF=y"))
    if report.lockdown == "confidentiality":
        found.append(
            Obstacle(
                "lockdown is set to confidentiality: no program may read kernel memory", "boot with lockdown=integrity"
            )
        )
    if not any(obstacle.fatal for obstacle in found):  # else the kernel refuses the rest for the same reasons
        found += [
            Obstacle(f"{kind.replace('_', ' ')}: {why}", remedy)
            for kind, remedy in NEEDED.items()
            if (why := report.features[kind])
        ]
        found += [
            Obstacle(f"{OPTIONAL[program]}: {why}", remedy, fatal=False)
            for kind, (program, remedy) in USEFUL.items()
            if (why := report.features[kind])
        ]
    return found


def unusable(report: Report, provider: str) -> str:
    """Why ``provider`` cannot be used here; empty if it can."""
    if provider == "sys_exit":
        if report.machine != "x86_64":
            return f"reads the registers of x86_64, not {report.machine}"
        return report.features["btf_tracepoint"]
    if provider == "lsm" and not report.features["lsm"]:
        if report.security_modules is None:
            return "cannot tell whether the bpf security module is active: securityfs is not mounted"
        if "bpf" not in report.security_modules:
            return "the bpf security module is not active"
    return report.features[provider]


def choose(report: Report, wanted: str) -> tuple[str, str]:
    """(provider, why) for ``wanted``: "auto" or a provider. Raises HostError when it, or none, can be used."""
    fatal = [obstacle for obstacle in obstacles(report) if obstacle.fatal]
    if fatal:
        raise HostError(fatal[0].sentence, fatal[0].remedy)
    if wanted != AUTO:
        if why := unusable(report, wanted):
            raise HostError(f"the provider {wanted} cannot be used here: {why}", "set open_provider to auto")
        return wanted, "as the settings want it"
    reasons = {provider: unusable(report, provider) for provider in PROVIDERS}
    if not reasons["fentry"] and not reasons["sys_exit"] and report.preemption in PREEMPTING:
        reasons["fentry"] = f"would miss what a preempted CPU does meanwhile (preempt={report.preemption})"
    for provider, why in reasons.items():
        if not why:
            passed = [f"{name}: {reasons[name]}" for name in PROVIDERS[: PROVIDERS.index(provider)]]
            return provider, "; ".join(passed) or "the best there is"
    words = "; ".join(f"{name}: {why}" for name, why in reasons.items())
    raise HostError(f"no way to see opens on this kernel: {words}", "see docs/kernels.md for kernels that work")


def _capability_obstacle(report: Report) -> Obstacle:
    missing = report.missing_capabilities()
    why = "; ".join(f"{name} to {CAPABILITIES[name][1]}" for name in missing)
    flags = " ".join(f"--cap-add {name.removeprefix('CAP_')}" for name in missing)
    fatal = any(name in FOR_BPF for name in missing)
    return Obstacle(f"missing capabilities: {why}", f"run as root, or in a container {flags}", fatal)


def _ring_buffer() -> str:
    descriptor = LIB.bpf_map_create(RING_BUFFER_TYPE, b"preflight", 0, 0, RING_BYTES, None)
    if descriptor < 0:
        return f"no BPF ring buffer can be made: {os.strerror(-descriptor)}"
    os.close(descriptor)
    return ""


def _effective_capabilities() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("CapEff:", 1)[1].split(None, 1)[0], 16)


def _lockdown(path: Path) -> str:
    """The word in brackets of "none [integrity] confidentiality" (kernel_lockdown(7))."""
    try:
        return path.read_text().partition("[")[2].partition("]")[0]
    except OSError:
        return ""
