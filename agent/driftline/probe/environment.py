"""Environment variables that change what code a program runs: the bits of exec_record.environment.

In: nothing. Out: names by bit, and the first eight bytes the kernel side compares. Only names are ever recorded, never
values. Sources: ld.so(8), python(1), node(1), perlrun(1), bash(1), ruby(1), iconv(3).
"""

from __future__ import annotations

import struct

NAMES = (
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "GLIBC_TUNABLES",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "NODE_OPTIONS",
    "PERL5LIB",
    "PERL5OPT",
    "BASH_ENV",
    "JAVA_TOOL_OPTIONS",
    "RUBYOPT",
    "RUBYLIB",
    "GCONV_PATH",
)
HEAD_BYTES = 8
REST_BYTES = 16
VARIABLE = struct.Struct(f"<{REST_BYTES}s{REST_BYTES}sI4x")


def variables() -> dict[bytes, bytes]:
    """First eight bytes of ``NAME=`` → struct variable of bpf/include/maps.h: the rest, its mask, the bit."""
    return dict(_variable(bit, f"{name}=".encode()) for bit, name in enumerate(NAMES))


def _variable(bit: int, text: bytes) -> tuple[bytes, bytes]:
    head, rest = text[:HEAD_BYTES], text[HEAD_BYTES:]
    return head, VARIABLE.pack(rest, b"\xff" * len(rest), 1 << bit)


def names(bits: int) -> tuple[str, ...]:
    """Names of the set bits."""
    return tuple(name for bit, name in enumerate(NAMES) if bits >> bit & 1) if bits else ()
