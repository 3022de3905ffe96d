"""Open a private key through io_uring: no open system call is made at all."""

import ctypes
import os
import struct

SETUP, ENTER = 425, 426  # the same numbers on every architecture
SQES_OFFSET, GETEVENTS, OPENAT, AT_FDCWD = 0x10000000, 1, 18, -100
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]


def shared(length: int, offset: int) -> int:
    """Map a part of the ring readable and writable (3), shared and populated (0x8001)."""
    address: int = libc.mmap(None, length, 3, 0x8001, ring, offset)
    return address


def word(address: int) -> ctypes.c_uint32:
    """The 32-bit number at an address."""
    return ctypes.c_uint32.from_address(address)


params = ctypes.create_string_buffer(120)  # struct io_uring_params
ring = libc.syscall(SETUP, 1, params)
if ring < 0:
    raise OSError(ctypes.get_errno(), "io_uring_setup")
entries, cq_entries = struct.unpack_from("II", params, 0)
sq = struct.unpack_from("7I", params, 40)  # head, tail, mask, entries, flags, dropped, array
cq = struct.unpack_from("6I", params, 80)  # head, tail, mask, entries, overflow, cqes
queue = shared(max(sq[6] + 4 * entries, cq[5] + 16 * cq_entries), 0)  # both rings lie in one mapping since 5.4
path = ctypes.create_string_buffer(b"/root/.ssh/id_ed25519")
request = struct.pack("=BBHiQQII", OPENAT, 0, 0, AT_FDCWD, 0, ctypes.addressof(path), 0, os.O_RDONLY)
ctypes.memmove(shared(64, SQES_OFFSET), request.ljust(64, b"\0"), 64)
word(queue + sq[6]).value = 0  # slot 0 holds the request
word(queue + sq[1]).value += 1
libc.syscall(ENTER, ring, 1, 1, GETEVENTS, None, 0)
descriptor = ctypes.c_int32.from_address(queue + cq[5] + 8).value  # result of the first completion
print(len(os.read(descriptor, 4096)), "bytes of", path.value.decode())
os.close(descriptor)
os.close(ring)
