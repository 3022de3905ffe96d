"""Maps and programs into the kernel.

In: ``Object``. Out: ``Loaded``: descriptors by name. Everything lives and dies with these descriptors: nothing is
pinned, so the kernel cleans up after a killed agent. Next: ``attach``.
"""

from __future__ import annotations

import ctypes as c
import os
from dataclasses import dataclass, field

from driftline.errors import HostError
from driftline.probe.libbpf import LIB, check
from driftline.probe.object import MapSpec, Object, ProgramSpec, relocate
from driftline.probe.targets import Targets

ITER_BYTES = 4096
LOG_BYTES = 1 << 20  # enough for the verifier's last words
NAME_BYTES = 15  # BPF_OBJ_NAME_LEN without its NUL

# enum bpf_prog_type, enum bpf_attach_type (include/uapi/linux/bpf.h)
CGROUP_SKB, RAW_TRACEPOINT, CGROUP_SOCK_ADDR, TRACING, LSM = 8, 17, 18, 26, 29
TRACE_RAW_TP, TRACE_FENTRY, LSM_MAC, TRACE_ITER = 23, 24, 27, 28
BTF_TRACEPOINTS = {"on_sys_exit"}  # their arguments are typed: plain loads instead of probe reads
CGROUP_HOOKS = {  # (program type, expected attach type)
    "on_dns": (CGROUP_SKB, 0),
    "on_connect4": (CGROUP_SOCK_ADDR, 10),
    "on_connect6": (CGROUP_SOCK_ADDR, 11),
    "on_sendmsg4": (CGROUP_SOCK_ADDR, 14),
    "on_sendmsg6": (CGROUP_SOCK_ADDR, 15),
}
OPTIONAL = {"on_dns": "DNS answers are not seen, so addresses are told without their names"}
"""Programs the agent can do without, each with the sentence that says what is missing then."""


class _LoadOptions(c.Structure):
    """struct bpf_prog_load_opts of libbpf 1.0, up to the log (later members default to 0 by ``sz``)."""

    _fields_ = [
        ("sz", c.c_size_t),
        ("attempts", c.c_int),
        ("expected_attach_type", c.c_int),
        ("prog_btf_fd", c.c_uint32),
        ("prog_flags", c.c_uint32),
        ("prog_ifindex", c.c_uint32),
        ("kern_version", c.c_uint32),
        ("attach_btf_id", c.c_uint32),
        ("attach_prog_fd", c.c_uint32),
        ("attach_btf_obj_fd", c.c_uint32),
        ("fd_array", c.c_void_p),
        ("func_info", c.c_void_p),
        ("func_info_cnt", c.c_uint32),
        ("func_info_rec_size", c.c_uint32),
        ("line_info", c.c_void_p),
        ("line_info_cnt", c.c_uint32),
        ("line_info_rec_size", c.c_uint32),
        ("log_level", c.c_uint32),
        ("log_size", c.c_uint32),
        ("log_buf", c.c_char_p),
    ]


class _MapOptions(c.Structure):
    """struct bpf_map_create_opts of libbpf 1.0, up to map_flags."""

    _fields_ = [
        ("sz", c.c_size_t),
        ("btf_fd", c.c_uint32),
        ("btf_key_type_id", c.c_uint32),
        ("btf_value_type_id", c.c_uint32),
        ("btf_vmlinux_value_type_id", c.c_uint32),
        ("inner_map_fd", c.c_uint32),
        ("map_flags", c.c_uint32),
    ]


@dataclass(slots=True)
class Loaded:
    """Descriptors of maps and programs by name; ``close`` gives them back. ``refused``: OPTIONAL program → why."""

    maps: dict[str, int]
    programs: dict[str, int]
    refused: dict[str, str] = field(default_factory=dict)

    def close(self) -> None:
        """Close every descriptor."""
        for descriptor in (*self.programs.values(), *self.maps.values()):
            os.close(descriptor)
        self.maps, self.programs = {}, {}


def load(compiled: Object) -> Loaded:
    """Create all maps, load all programs. Raises HostError naming the program and the verifier's last words."""
    loaded = Loaded({}, {})
    try:
        for spec in compiled.maps:
            loaded.maps[spec.name] = _create_map(spec)
        with Targets() as targets:
            for program in compiled.programs:
                _add(loaded, program, targets)
    except BaseException:
        loaded.close()
        raise
    return loaded


def _add(loaded: Loaded, program: ProgramSpec, targets: Targets) -> None:
    try:
        loaded.programs[program.name] = load_program(program, loaded.maps, targets)
    except HostError as error:
        if program.name not in OPTIONAL:
            raise
        loaded.refused[program.name] = str(error).splitlines()[0]


def _create_map(spec: MapSpec) -> int:
    options = _MapOptions(sz=c.sizeof(_MapOptions), map_flags=spec.flags)
    name = spec.name.encode()[:NAME_BYTES]
    descriptor = LIB.bpf_map_create(spec.type, name, spec.key_size, spec.value_size, spec.max_entries, c.byref(options))
    if descriptor < 0:
        raise HostError(
            f"map {spec.name} cannot be created: {os.strerror(-descriptor)}",
            "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN",
        )
    return int(descriptor)


def program_kind(name: str) -> tuple[int, int, str]:
    """(program type, expected attach type, kernel function it attaches to) of a program by its name."""
    if name in CGROUP_HOOKS:
        return *CGROUP_HOOKS[name], ""
    if name.startswith("lsm_"):
        return LSM, LSM_MAC, f"bpf_{name}"
    if name.startswith("fentry_"):
        return TRACING, TRACE_FENTRY, name.removeprefix("fentry_")
    if name.startswith("iter_"):
        return TRACING, TRACE_ITER, f"bpf_{name}"
    if name in BTF_TRACEPOINTS:
        return TRACING, TRACE_RAW_TP, f"btf_trace_{name.removeprefix('on_')}"
    return RAW_TRACEPOINT, 0, ""


def load_program(program: ProgramSpec, maps: dict[str, int], targets: Targets) -> int:
    """Load one program. Raises HostError with the verifier's last words."""
    kind, attach, target = program_kind(program.name)
    options = _LoadOptions(sz=c.sizeof(_LoadOptions), attempts=5, expected_attach_type=attach)
    if target:
        options.attach_btf_id = targets.number(target)
    code = relocate(program, maps)
    arguments = (kind, program.name.encode()[:NAME_BYTES], b"GPL", code, len(code) // 8)
    descriptor = LIB.bpf_prog_load(*arguments, c.byref(options))
    if descriptor >= 0:
        return int(descriptor)
    log = c.create_string_buffer(LOG_BYTES)
    options.log_level, options.log_size = 1, LOG_BYTES
    options.log_buf = c.cast(log, c.c_char_p)
    again = LIB.bpf_prog_load(*arguments, c.byref(options))
    if again >= 0:
        return int(again)
    words = log.value.decode(errors="replace").strip().splitlines()[-6:]
    raise HostError(
        f"program {program.name} was refused by the kernel: {os.strerror(-descriptor)}"
        + "".join(f"\n    {line}" for line in words)
    )


def attach(name: str, program: int, cgroup_root: int) -> int:
    """Attach a loaded program; the returned descriptor keeps it attached. Raises OSError."""
    kind, attach_type, _target = program_kind(name)
    if kind in {CGROUP_SKB, CGROUP_SOCK_ADDR}:
        # A link, not BPF_PROG_ATTACH: it goes with its descriptor, so a killed agent leaves nothing attached
        return check(LIB.bpf_link_create(program, cgroup_root, attach_type, None), f"attach {name}")
    tracepoint = name.removeprefix("on_").encode() if kind == RAW_TRACEPOINT else None
    return check(LIB.bpf_raw_tracepoint_open(tracepoint, program), f"attach {name}")


def iterate(program: int) -> None:
    """Run an iterator program to its end. Raises OSError."""
    link = check(LIB.bpf_link_create(program, 0, TRACE_ITER, None), "iterator link")
    try:
        descriptor = check(LIB.bpf_iter_create(link), "iterator")
        try:
            while os.read(descriptor, ITER_BYTES):
                pass  # our iterator writes maps, no text
        finally:
            os.close(descriptor)
    finally:
        os.close(link)
