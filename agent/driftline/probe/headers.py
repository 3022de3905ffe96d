"""A kernel source tree for BCC, made from the running kernel's BTF.

In: /sys/kernel/btf/vmlinux (and overlay's own BTF where it is a module). Out: a directory for ``BCC_KERNEL_SOURCE``.
Why: no kernel headers on the nodes; the types printed are those of the kernel that runs, so plain C offsets are right.
Next: ``compiler``. Runs in the compile child only.
"""

from __future__ import annotations

import ctypes as c
import os
import re
from pathlib import Path

from driftline.errors import HostError
from driftline.probe.libbpf import LIB, DumpCallback

VMLINUX = Path("/sys/kernel/btf/vmlinux")
OVERLAY = Path("/sys/kernel/btf/overlay")
FILESYSTEMS = Path("/proc/filesystems")
FSOPEN = 430  # the same number on every architecture (include/uapi/asm-generic/unistd.h), Linux 5.2
LINE_BYTES = 65536  # one formatted piece of BTF text; libbpf prints a line or less at a time

BASIC = (
    "u8",
    "u16",
    "u32",
    "u64",
    "s8",
    "s16",
    "s32",
    "s64",
    "__u8",
    "__u16",
    "__u32",
    "__u64",
    "__s8",
    "__s16",
    "__s32",
    "__s64",
    "__be16",
    "__be32",
    "__be64",
    "__wsum",
    "__sum16",
    "bool",
    "size_t",
    "pid_t",
    "umode_t",
)
STRUCTURES = (
    "task_struct",
    "mm_struct",
    "file",
    "path",
    "inode",
    "dentry",
    "qstr",
    "super_block",
    "vfsmount",
    "mount",
    "mnt_namespace",
    "nsproxy",
    "fs_struct",
    "files_struct",
    "fdtable",
    "linux_binprm",
    "cred",
    "css_set",
    "cgroup",
    "cgroup_root",
    "kernfs_node",
    "signal_struct",
    "tty_struct",
    "socket_alloc",
    "socket",
    "sock",
    "unix_sock",
    "unix_address",
    "pt_regs",
    "timespec64",
)
OPTIONAL = (
    "io_kiocb",
    "io_open",
    "io_uring_cqe",
    "filename",
    "btf_trace_io_uring_complete",  # prototypes of the tracepoints: what they pass differs between kernels
    "btf_trace_io_uring_submit_req",
    "btf_trace_io_uring_submit_sqe",
)
NUMBERED = ("bpf_rdonly_cast", "timespec64")  # for plain loads from any address (bpf/include/prelude.h)
OVERLAY_STRUCTURES = ("ovl_inode", "ovl_entry")

KCONFIG = """\
#ifndef DRIFTLINE_KCONFIG_H
#define DRIFTLINE_KCONFIG_H
#define CONFIG_BPF_SYSCALL 1
#define BPF_NO_PRESERVE_ACCESS_INDEX
#define PAGE_SIZE 4096
#define __aligned_u64 __u64 __attribute__((aligned(8)))
#include <driftline/btf.h>
typedef unsigned long uintptr_t;
#endif
"""
VERSION = """\
#define LINUX_VERSION_CODE {code}
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
"""
EMPTY = (
    "include/linux/types.h",
    "include/linux/log2.h",
    "include/uapi/linux/if_packet.h",
    "arch/x86/include/asm/page.h",
    "arch/arm64/include/asm/page.h",
)


def load_overlay() -> None:
    """Have overlayfs's types, where it is a module that no container has used yet. Raises HostError.

    fsopen(2) loads the module of a file system it does not know, from inside a container too; nothing is mounted.
    """
    if "\toverlay\n" in FILESYSTEMS.read_text():
        return
    descriptor = c.CDLL(None).syscall(c.c_long(FSOPEN), b"overlay", c.c_uint(0))
    if descriptor < 0:
        raise HostError("overlayfs, which holds the containers' files, is not loaded", "modprobe overlay")
    os.close(descriptor)


class _Printer:
    """Collects what btf_dump prints: it hands over a format and a va_list, which libc can format."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        libc = c.CDLL(None)
        libc.vsnprintf.argtypes = [c.c_char_p, c.c_size_t, c.c_char_p, c.c_void_p]
        buffer = c.create_string_buffer(LINE_BYTES)

        def collect(_context: object, fmt: bytes, arguments: int) -> None:
            length = libc.vsnprintf(buffer, LINE_BYTES, fmt, arguments)
            self.parts.append(buffer.raw[: max(0, min(length, LINE_BYTES - 1))])

        self.callback = DumpCallback(collect)

    def text(self) -> str:
        return b"".join(self.parts).decode()


def kernel_types() -> str:
    """C text of every type the programs use. Raises HostError without BTF or without a needed type."""
    if not VMLINUX.exists():
        raise HostError(
            "this kernel has no BTF (/sys/kernel/btf/vmlinux)",
            "a kernel built with CONFIG_DEBUG_INFO_BTF=y, 5.10 or later",
        )
    btf = LIB.btf__parse_raw(str(VMLINUX).encode())
    if not btf:
        raise HostError(f"{VMLINUX} cannot be parsed")
    if OVERLAY.exists():
        btf = LIB.btf__parse_raw_split(str(OVERLAY).encode(), btf) or btf
    printer = _Printer()
    dump = LIB.btf_dump__new(btf, printer.callback, None, None)
    for name in (*BASIC, *STRUCTURES, *OPTIONAL, *OVERLAY_STRUCTURES):
        number = LIB.btf__find_by_name(btf, name.encode())
        if number > 0:
            LIB.btf_dump__dump_type(dump, number)
        elif name in STRUCTURES:
            raise HostError(f"this kernel's BTF has no type {name}")
    LIB.btf_dump__free(dump)
    return _numbers(btf) + printer.text()


def _numbers(btf: int) -> str:
    """Preprocessor lines with the BTF ids of NUMBERED, none of them unless this kernel has all."""
    numbers = {name: LIB.btf__find_by_name(btf, name.encode()) for name in NUMBERED}
    found = all(number > 0 for number in numbers.values())
    return "".join(f"#define BTF_ID_{name} {number}\n" for name, number in numbers.items()) if found else ""


def differences(types: str) -> list[str]:
    """Preprocessor lines for the kernel differences the programs care about, found in the types, newest form first."""
    found = []
    if re.search(r"\bi_ctime_sec;", types):
        found.append("HAVE_I_CTIME_SEC")
    elif re.search(r"\b__i_ctime;", types):
        found.append("HAVE___I_CTIME")
    if "struct ovl_inode {" in types:
        found.append("HAVE_OVERLAY")
        body = types.split("struct ovl_inode {", 1)[1].split("\n};", 1)[0]
        for member, define in (
            ("oe;", "HAVE_OVL_OE"),
            ("lowerpath;", "HAVE_OVL_LOWERPATH"),
            ("*lower;", "HAVE_OVL_LOWER"),
        ):
            if re.search(rf"[ *]{re.escape(member)}", body):
                found.append(define)
                break
    if "struct io_open {" in types:
        # 6.13 passes the completion entry; 5.19 the request and its result; older ones no request: opens unseen there
        prototype = re.search(r"\(\*btf_trace_io_uring_complete\)\((.*)\)", types)
        arguments = [part.strip() for part in prototype[1].split(",")] if prototype else []
        if len(arguments) == 4 and "io_uring_cqe" in arguments[3]:
            found.append("IO_URING_COMPLETE_CQE")
        elif len(arguments) > 4 and arguments[2] == "void *":
            found.append("IO_URING_COMPLETE_RESULT")
        if "(*btf_trace_io_uring_submit_req)" in types:
            found.append("IO_URING_SUBMIT_REQ")  # 6.4 renamed it
        elif "(*btf_trace_io_uring_submit_sqe)(void *, struct io_kiocb *" in types:
            found.append("IO_URING_SUBMIT_SQE")  # 6.0 passes the request
    return [f"#define {name} 1" for name in found]


def kernel_version(release: str) -> tuple[int, int, int]:
    """(major, minor, patch) of a release such as ``6.1.0-50-cloud-amd64``; patch 0 when there is none."""
    numbers = [int(number) for number in re.findall(r"\d+", release.partition("-")[0])[:3]]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


def write_tree(directory: Path) -> None:
    """Write the source tree BCC wants below ``directory``."""
    major, minor, patch = kernel_version(os.uname().release)
    types = kernel_types()
    files = dict.fromkeys(EMPTY, "")
    files["include/linux/kconfig.h"] = KCONFIG
    files["include/linux/version.h"] = VERSION.format(code=(major << 16) + (minor << 8) + min(patch, 255))
    files["include/linux/bpf_common.h"] = "#define BPF_CLASS(code) ((code) & 0x07)\n"
    files["include/uapi/linux/bpf.h"] = "#include </virtual/include/bcc/bpf.h>\n"
    files["include/driftline/btf.h"] = "\n".join((*differences(types), types))
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
