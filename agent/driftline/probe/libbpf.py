"""The few functions of libbpf.so.1 the agent calls, by ctypes.

In: nothing. Out: ``LIB`` with typed functions, ``check`` for their error convention. Why ctypes: the agent keeps no
compiler and no bcc in its memory; libbpf.so.1 comes with the distribution's libbpfcc. Next: the other probe modules.

No call lets other threads run (``PyDLL``): the main loop makes one for each event and one for each record of a ring, a
microsecond each, and would wait after every one until a thread that computes gives way, 5 ms later.
"""

from __future__ import annotations

import ctypes as c
import errno
import os

from driftline.errors import HostError

SampleCallback = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_size_t)
PrintCallback = c.CFUNCTYPE(c.c_int, c.c_int, c.c_char_p, c.c_void_p)
DumpCallback = c.CFUNCTYPE(None, c.c_void_p, c.c_char_p, c.c_void_p)

_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "bpf_map_lookup_elem": (c.c_int, [c.c_int, c.c_void_p, c.c_void_p]),
    "bpf_map_update_elem": (c.c_int, [c.c_int, c.c_void_p, c.c_void_p, c.c_uint64]),
    "bpf_map_delete_elem": (c.c_int, [c.c_int, c.c_void_p]),
    "bpf_map_get_next_key": (c.c_int, [c.c_int, c.c_void_p, c.c_void_p]),
    "bpf_map_create": (c.c_int, [c.c_int, c.c_char_p, c.c_uint32, c.c_uint32, c.c_uint32, c.c_void_p]),
    "bpf_prog_load": (c.c_int, [c.c_int, c.c_char_p, c.c_char_p, c.c_void_p, c.c_size_t, c.c_void_p]),
    "bpf_obj_get_info_by_fd": (c.c_int, [c.c_int, c.c_void_p, c.c_void_p]),
    "bpf_raw_tracepoint_open": (c.c_int, [c.c_char_p, c.c_int]),
    "bpf_link_create": (c.c_int, [c.c_int, c.c_int, c.c_int, c.c_void_p]),
    "bpf_iter_create": (c.c_int, [c.c_int]),
    "libbpf_num_possible_cpus": (c.c_int, []),
    "libbpf_version_string": (c.c_char_p, []),
    "libbpf_set_print": (c.c_void_p, [c.c_void_p]),
    "ring_buffer__new": (c.c_void_p, [c.c_int, SampleCallback, c.c_void_p, c.c_void_p]),
    "ring_buffer__consume": (c.c_int, [c.c_void_p]),
    "ring_buffer__epoll_fd": (c.c_int, [c.c_void_p]),
    "ring_buffer__free": (None, [c.c_void_p]),
    "btf__parse_raw": (c.c_void_p, [c.c_char_p]),
    "btf__parse_raw_split": (c.c_void_p, [c.c_char_p, c.c_void_p]),
    "btf__find_by_name": (c.c_int32, [c.c_void_p, c.c_char_p]),
    "btf__find_by_name_kind": (c.c_int32, [c.c_void_p, c.c_char_p, c.c_uint32]),
    "btf__free": (None, [c.c_void_p]),
    "btf_dump__new": (c.c_void_p, [c.c_void_p, DumpCallback, c.c_void_p, c.c_void_p]),
    "btf_dump__dump_type": (c.c_int, [c.c_void_p, c.c_uint32]),
    "btf_dump__free": (None, [c.c_void_p]),
}


def _load() -> c.PyDLL:
    try:
        library = c.PyDLL("libbpf.so.1", use_errno=True)
    except OSError as error:
        raise HostError("libbpf.so.1 is not installed", "apt-get install libbpf1 python3-bpfcc") from error
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.libbpf_set_print(None)  # errors come back as numbers; libbpf's own prints would mix with ours
    return library


LIB = _load()


def check(result: int, what: str) -> int:
    """Return ``result``, or raise OSError for libbpf 1.x's ``-errno``."""
    if result < 0:
        number = -result if result != -1 else c.get_errno() or errno.EPERM
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def possible_cpus() -> int:
    """Number of possible CPUs: how many values a per-CPU map look-up returns."""
    return check(LIB.libbpf_num_possible_cpus(), "possible CPUs")
