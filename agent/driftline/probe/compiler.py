"""The compile child: C text in, ``Object`` out. The only importer of bcc.

In: JSON on standard input (text, flags). Out: the serialised ``Object`` on standard output. Why a child: bcc and LLVM
take over 100 MB; they leave with the child. Run as ``python -m driftline.probe.compiler``. Next: ``loader``.
"""

from __future__ import annotations

import ctypes as c
import json
import os
import sys
import tempfile
from pathlib import Path

from driftline.probe.headers import write_tree
from driftline.probe.object import MapSpec, Object, ProgramSpec, call_kernel_functions, map_references


def compile_text(text: str, flags: list[str]) -> Object:
    """Compile with bcc against headers made from this kernel's BTF. Raises what bcc raises."""
    with tempfile.TemporaryDirectory(prefix="driftline-headers-") as directory:
        write_tree(Path(directory))
        os.environ["BCC_KERNEL_SOURCE"] = directory
        from bcc import BPF  # must come after BCC_KERNEL_SOURCE is set

        module = BPF(text=text, cflags=flags)
        return _object_of(module)


# Functions of libbcc that bcc's own module does not declare
_UNTYPED = {
    "bpf_table_name": c.c_char_p,
    "bpf_table_fd_id": c.c_int,
    "bpf_table_key_size_id": c.c_size_t,
    "bpf_table_leaf_size_id": c.c_size_t,
}


def _object_of(module: object) -> Object:
    from bcc.libbcc import lib

    handle = module.module  # type: ignore[attr-defined]
    for name, result in _UNTYPED.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, [c.c_void_p, c.c_size_t]
    maps, names = [], {}
    for number in range(lib.bpf_num_tables(handle)):
        name = lib.bpf_table_name(handle, number).decode()
        names[lib.bpf_table_fd_id(handle, number)] = name
        maps.append(
            MapSpec(
                name,
                lib.bpf_table_type_id(handle, number),
                lib.bpf_table_key_size_id(handle, number),
                lib.bpf_table_leaf_size_id(handle, number),
                lib.bpf_table_max_entries_id(handle, number),
                lib.bpf_table_flags_id(handle, number),
            )
        )
    programs = []
    for number in range(lib.bpf_num_functions(handle)):
        program = lib.bpf_function_name(handle, number)
        code = c.string_at(lib.bpf_function_start(handle, program), lib.bpf_function_size(handle, program))
        at = tuple((index, names[descriptor]) for index, descriptor in map_references(code))
        programs.append(ProgramSpec(program.decode(), call_kernel_functions(code), at))
    return Object(tuple(maps), tuple(programs))


def main() -> None:
    """Read the request, compile, write the object."""
    request = json.load(sys.stdin)
    keep = os.dup(1)
    os.dup2(2, 1)  # bcc and clang may print; standard output carries the object alone
    data = compile_text(request["text"], request["flags"]).to_bytes()
    with os.fdopen(keep, "wb") as out:
        out.write(data)


if __name__ == "__main__":
    main()
