"""The kernel side's counters by name.

In: the per-CPU counters map. Out: sums per hook and counter. The names come from bpf/include/loss.h, where each has its
meaning; a test holds this table against that file. Next: ``sensor``; readers are doctor, metrics, heartbeats.
"""

from __future__ import annotations

import struct

from driftline.probe.libbpf import possible_cpus
from driftline.probe.maps import Map
from driftline.probe.misses import CAUSE

COUNTERS = 32
HOOKS = {0: "exec", 1: "open", 2: "load", 3: "connect", 4: "unix_connect", 5: "fork", 6: "cgroup", 7: "dns"}
NAMES = {
    0: "sent",
    1: "known",
    2: "runtime_setup",
    8: "ring_full",
    9: "bucket_empty",
    10: "read_fault",
    11: "scratch",
    16: "path_truncated",
    17: "env_truncated",
    20: "cgroups_full",
    21: "processes_full",
}
FIRST_LOSS = 8


class Counters:
    """Reads sums over all CPUs."""

    def __init__(self, descriptor: int) -> None:
        cpus = possible_cpus()
        self._map = Map(descriptor, 4, 8 * cpus)
        self._sum = struct.Struct(f"<{cpus}Q")

    def read(self) -> dict[tuple[str, str], int]:
        """(hook, counter) → count since the programs were loaded; zeros left out."""
        found = {}
        for hook, hook_name in HOOKS.items():
            for number, name in NAMES.items():
                raw = self._map.get(struct.pack("<I", hook * COUNTERS + number))
                total = sum(self._sum.unpack(raw)) if raw else 0
                if total:
                    found[hook_name, name] = total
        return found


def losses(counts: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Only what was lost or arrived incomplete."""
    kept = {CAUSE, *(name for number, name in NAMES.items() if number >= FIRST_LOSS)}
    return {key: value for key, value in counts.items() if key[1] in kept}
