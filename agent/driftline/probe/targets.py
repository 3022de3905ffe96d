"""Ids of the kernel functions that LSM, fentry and iterator programs attach to.

In: names. Out: ids in the kernel's BTF. Why not libbpf_find_vmlinux_btf_id: it parses all of the BTF, 11 ms, for each
name. Next: ``loader``, ``preflight``.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from driftline.errors import HostError
from driftline.probe.headers import VMLINUX
from driftline.probe.libbpf import LIB

FUNCTION, TYPEDEF = 12, 8  # BTF_KIND_FUNC, BTF_KIND_TYPEDEF (include/uapi/linux/btf.h)


class Targets:
    """The kernel's functions by name: parsed at the first question, given back on exit."""

    def __init__(self) -> None:
        self._btf: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._btf:
            LIB.btf__free(self._btf)

    def number(self, function: str) -> int:
        """BTF id of a kernel function or a tracepoint (``btf_trace_NAME``). Raises HostError if there is none."""
        if not self._btf:
            self._btf = LIB.btf__parse_raw(str(VMLINUX).encode())
        if not self._btf:
            raise HostError(f"this kernel has no BTF ({VMLINUX})", "a kernel built with CONFIG_DEBUG_INFO_BTF=y")
        kind = TYPEDEF if function.startswith("btf_trace_") else FUNCTION
        found = int(LIB.btf__find_by_name_kind(self._btf, function.encode(), kind))
        if found < 0:
            raise HostError(f"this kernel has no function {function}")
        return found
