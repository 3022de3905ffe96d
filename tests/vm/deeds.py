"""A fixed workload in one real container, and what a sensor must tell of it.

In: a directory that becomes the container's volume. Out: the shell script, and the expected events with their numbers.
Counts are prime, so that no doubling and halving can cancel out. Next: ``check``.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

FILES = 7
EXECS = 3
LOADS = 5
CONNECTS = 3
PORT = 9  # discard: nobody listens, a refused attempt is one too
STORM_PROCESSES, STORM_PASSES = 5, 300
READ, WRITE, CREATE, TRUNCATE, APPEND = 1, 2, 4, 8, 16  # nouns.Access
# Mode of the workload "opens" → access told; None: must stay unseen
OPENS = {
    "open": READ,
    "openat": READ,
    "openat2": READ,
    "compat": READ,
    "creat": WRITE | TRUNCATE,
    "write": WRITE,
    "append": WRITE | APPEND,
    "truncate": READ | WRITE | TRUNCATE,
    "uring": READ,
    "uring2": READ,
    "uring-direct": READ,
    "path": None,
    "failing": None,
}


@dataclass(frozen=True, slots=True)
class Deed:
    """What must be told of one deed: ``what`` is a path or an address, ``detail`` the access or protocol."""

    kind: str
    what: str
    detail: str = ""
    origin: str = ""


def prepare(volume: Path) -> None:
    """Files for every mode of opening."""
    for mode in OPENS:
        (volume / mode).mkdir()
        for number in range(FILES):
            (volume / mode / f"f{number:06d}").write_text("x")


def script() -> str:
    """What the container runs."""
    return "\n".join(
        (
            "set -e",
            f"/work/execs fork {EXECS} /work/nothing",
            *(f"/work/opens {mode} /vol/{mode} {FILES}" for mode in OPENS),
            "echo x >>/data/one",
            "read line </data/two",
            "echo x >/tmp/new",
            f"/work/mmaps exec /work/payload_shared.so {LOADS}",
            f"/work/mmaps read /work/payload_shared.so {LOADS}",
            *(f"/work/connects {how} 127.0.0.1 {PORT} {CONNECTS}" for how in ("tcp", "uring", "udp-sendto")),
            f"/work/connects tcp ::1 {PORT} {CONNECTS}",
            f"/work/connects unix-stream /vol/stream 0 {CONNECTS}",
            f"/work/connects unix-dgram /vol/dgram 0 {CONNECTS}",
        )
    )


def storm_script() -> str:
    """Processes that open the same files at once, so that programs preempt each other. The shell opens /dev/null for
    each of them."""
    one = f"/work/opens open /vol/open {FILES} {STORM_PASSES} &"
    return "\n".join((*[one] * STORM_PROCESSES, "wait"))


STORM_OPENS = STORM_PROCESSES * (FILES * STORM_PASSES + 1)


def expected(provider: str, volume: Path) -> Counter[Deed]:
    """What ``provider`` must tell. The Unix sockets are bound outside, so their paths are the host's."""
    kind = _file_system(volume)
    deeds = Counter({Deed("exec", "/work/nothing", origin="image"): EXECS})
    for mode, access in OPENS.items():
        deeds.update(_opened(mode, access, provider, kind) if access is not None else [])
    deeds[Deed("open", "/data/one", str(WRITE | APPEND), "copyup")] = 1
    deeds[Deed("open", "/data/two", str(READ), "image")] = 1
    deeds[Deed("open", "/tmp/new", str(WRITE | CREATE | TRUNCATE), "writable")] = 1
    deeds[Deed("load", "/work/payload_shared.so", origin="image")] = LOADS
    deeds[Deed("connect", f"127.0.0.1:{PORT}", "tcp")] = 2 * CONNECTS  # io_uring's are no different
    deeds[Deed("connect", f"127.0.0.1:{PORT}", "udp")] = CONNECTS
    deeds[Deed("connect", f"::1:{PORT}", "tcp")] = CONNECTS
    deeds[Deed("connect", f"{volume}/stream:0", "unix")] = CONNECTS
    deeds[Deed("connect", f"{volume}/dgram:0", "unix")] = CONNECTS
    return deeds


def _file_system(volume: Path) -> str:
    """A volume's origin: virtual machines keep theirs in memory."""
    told = subprocess.run(["stat", "-f", "-c", "%T", volume], capture_output=True, text=True, check=True).stdout
    return "tmpfs" if told.strip() == "tmpfs" else "volume"


def _opened(mode: str, access: int, provider: str, origin: str) -> list[Deed]:
    """A direct descriptor is told by its name as given where only the io_uring tracepoints see it."""
    by_name = provider == "sys_exit" and mode == "uring-direct"
    names = [f"f{number:06d}" for number in range(FILES)]
    if by_name:
        return [Deed("open", name, str(access), "unknown") for name in names]
    return [Deed("open", f"/vol/{mode}/{name}", str(access), origin) for name in names]
