"""Environment variables that change what code a program runs: the bits of exec_record.environment.

In: nothing. Out: names by bit, and the first eight bytes the kernel side compares. Only names are ever recorded, never
values. Sources: ld.so(8), python(1), node(1), perlrun(1), bash(1), ruby(1), iconv(3).
"""

from __future__ import annotations

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


def heads() -> dict[bytes, int]:
    """First eight bytes of ``NAME=`` → bit mask."""
    return {f"{name}=".encode()[:HEAD_BYTES]: 1 << bit for bit, name in enumerate(NAMES)}


def names(bits: int) -> tuple[str, ...]:
    """Names of the set bits."""
    return tuple(name for bit, name in enumerate(NAMES) if bits >> bit & 1) if bits else ()
