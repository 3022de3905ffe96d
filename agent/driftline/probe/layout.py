"""Byte layouts of records and map values, the Python side of bpf/include/record.h and maps.h.

In: nothing. Out: ``struct.Struct`` per record and value. tests/abi compiles the C header and compares every size and
offset. Next: decode (records), ``sensor`` (map values).
"""

from __future__ import annotations

import struct

ABI = 3

# record_header: abi kind hook flags kernel_ns cgroup subject exec_id start_ns pid tid ppid uid gid euid epoch pad comm
HEADER = struct.Struct("<HBBI5Q8I16s")
# file_key + file_value, kept as bytes for the verdict cache; then size device links mode path_bytes origin access
FILE = struct.Struct("<32s48sQ3IHBB")
FILE_KEY_NUMBER_OFFSET = 8  # of value.number within file_value
# exec_key; by_exec_id capabilities environment cwd argv invoked interpreter inet_stdio unix_stdio pad tty
EXEC = struct.Struct("<192s2QI4H2B2x16s")
# connect_key: subject epoch port family protocol address; result path_bytes abstract pad
CONNECT = struct.Struct("<QIHBB16siHBx")
# parent path_bytes
CGROUP = struct.Struct("<QH6x")
# server whole dns_bytes family pad
DNS = struct.Struct("<16sHHB3x")

OPEN_BYTES = HEADER.size + FILE.size
EXEC_BYTES = OPEN_BYTES + EXEC.size
CONNECT_BYTES = HEADER.size + CONNECT.size
CGROUP_BYTES = HEADER.size + CGROUP.size
DNS_BYTES = HEADER.size + DNS.size
CONNECT_KEY_BYTES = 32

# map values (maps.h)
TRACED_CGROUP = struct.Struct("<QII")
SUBJECT = struct.Struct("<QQII3Q3Q")
PROCESS = struct.Struct("<6QII")
CONFIG = struct.Struct("<3Q3QI4xQ")
FILE_VALUE_BYTES = 48
EXEC_VALUE_BYTES = 56
EXEC_KEY_BYTES = 192
FILE_KEY_BYTES = 32
ROOT_NAME_BYTES = 64
