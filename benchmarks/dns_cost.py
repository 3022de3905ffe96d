"""What the DNS hook costs every UDP packet of the node: nanoseconds per datagram over loopback, pinned to a core.

In: root, a kernel that can run us. Out: a table; with ``--json`` the numbers. Beside each other in one run, rounds
interleaved, the best round counts, in CPU time of the sending thread, which receives too (see dns_cost.c): no program;
an empty program on the same hook (what the kernel takes for calling any); the hook alone with packets of another port,
with answers to a process of the host, and with answers to a container, told and read. The other hooks are not loaded.
Run: ``python benchmarks/dns_cost.py`` with agent/ and tests/ in PYTHONPATH.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from driftline.identify import hierarchy
from driftline.probe.build import build
from driftline.probe.layout import SUBJECT, TRACED_CGROUP
from driftline.probe.loader import Loaded, attach, load, load_program
from driftline.probe.maps import Map
from driftline.probe.object import ProgramSpec
from driftline.probe.preflight import ALLOW
from driftline.probe.ring import Ring
from driftline.probe.targets import Targets
from driftline.settings import Settings
from rig import cgroups, dns, session

HERE = Path(__file__).parent
CPU = "1"
ROUNDS, PACKETS = 15, 60_000
TOLD_PACKETS = 20_000
OTHER_PORT, DNS_PORT = 4711, 53
ANSWER = dns.message("api.example.com", [dns.a("192.0.2.7"), dns.a("192.0.2.8")])
PASS = bytes.fromhex("b700000001000000") + ALLOW[8:]  # r0 = 1; exit: let the packet through
READ_SECONDS = 0.002
WAIT_SECONDS = 120.0  # for another test run on this machine to end


class Bench:
    """The workload, and the hook with nothing else."""

    def __init__(self, directory: Path) -> None:
        self._program, self._answer = directory / "dns_cost", directory / "answer"
        subprocess.run(["cc", "-O2", "-static", "-o", self._program, HERE / "dns_cost.c"], check=True)
        self._answer.write_bytes(ANSWER)
        whole = build("sys_exit", Settings().ring_bytes, session.CACHE / "bpf")
        self._object = replace(whole, programs=tuple(one for one in whole.programs if one.name == "on_dns"))
        self._root = hierarchy.find().root

    def packets(self, port: int, count: int = PACKETS) -> float:
        """One run."""
        command = [str(self._program), str(port), str(count), CPU, str(self._answer)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    @contextlib.contextmanager
    def _attached(self, program: int) -> Iterator[None]:
        root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        link = attach("on_dns", program, root)
        try:
            yield
        finally:
            os.close(link)
            os.close(root)

    def nothing(self) -> float:
        """No program on the hook."""
        return self.packets(OTHER_PORT)

    def empty(self) -> float:
        """A program that lets every packet through."""
        program = load_program(ProgramSpec("on_dns", PASS, ()), {}, Targets())
        try:
            with self._attached(program):
                return self.packets(OTHER_PORT)
        finally:
            os.close(program)

    @contextlib.contextmanager
    def _hook(self) -> Iterator[Loaded]:
        loaded = load(self._object)
        try:
            with self._attached(loaded.programs["on_dns"]):
                yield loaded
        finally:
            loaded.close()

    def other(self) -> float:
        """The hook, packets of another port: what nearly all packets of a node cost."""
        with self._hook():
            return self.packets(OTHER_PORT)

    def host(self) -> float:
        """The hook, answers to a process that is in no container."""
        with self._hook():
            return self.packets(DNS_PORT)

    def told(self) -> float:
        """The hook, answers to a container: this process's own cgroup is taken for one."""
        with self._hook() as loaded:
            cgroup = cgroups.directory(own_cgroup()).stat().st_ino
            key = struct.pack("<Q", cgroup)
            Map(loaded.maps["traced_cgroups"], 8, TRACED_CGROUP.size).put(key, TRACED_CGROUP.pack(cgroup, 0, 0))
            Map(loaded.maps["subjects"], 8, SUBJECT.size).put(key, bytes(SUBJECT.size))
            with reading(loaded.maps["actions"]) as records:
                cost = self.packets(DNS_PORT, TOLD_PACKETS)
            assert sum(records) > 0, "the hook told nothing"
            return cost


def own_cgroup() -> str:
    """This process's path in the cgroup2 hierarchy."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return next(line.removeprefix("0::") for line in lines if line.startswith("0::"))


@contextlib.contextmanager
def reading(descriptor: int) -> Iterator[list[int]]:
    """Empty a ring from the other core meanwhile; the numbers of records read."""
    ring, stop, records = Ring(descriptor), threading.Event(), []

    def read() -> None:
        while not stop.wait(READ_SECONDS):
            records.append(len(ring.read()))

    reader = threading.Thread(target=read, name="reader")
    reader.start()
    try:
        yield records
    finally:
        stop.set()
        reader.join()
        ring.close()


def strangers() -> int:
    """Programs of others on the same hook now."""
    done = subprocess.run(["bpftool", "--json", "link", "show"], capture_output=True, text=True, check=True)
    return sum(link.get("attach_type") == "cgroup_inet_ingress" for link in json.loads(done.stdout or "[]"))


def undisturbed(way: Callable[[], float]) -> float:
    """One run of ``way`` with nobody else on the hook before and after."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if not strangers():
            value = way()
            if not strangers():
                return value
        time.sleep(0.1)
    raise SystemExit("other programs stay on the hook: what they cost would be in every line")


def measure(rounds: int) -> dict[str, float]:
    """Nanoseconds per packet of each way, the best of the rounds."""
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        ways: dict[str, Callable[[], float]] = {
            "no program": bench.nothing,
            "empty program": bench.empty,
            "hook, other port": bench.other,
            "hook, answer to the host": bench.host,
            "hook, answer told": bench.told,
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                found[name].append(undisturbed(way))
    return {name: min(values) for name, values in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps({"ns_per_packet": found}))
        return
    for name, value in found.items():
        print(f"{name:26} {value:8.0f} ns a packet   {value - found['no program']:+7.0f} ns")


if __name__ == "__main__":
    main()
