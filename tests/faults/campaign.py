"""A campaign: a fleet of agents delivers while collectors, database and network fail again and again.

In: collectors, a database, how many deviations, a seed. Out: what was submitted and what is stored, counted. Why a
seeded schedule: a campaign that found something can be run again. Next: ``test_campaign``.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from collector.rig import CollectorProcess
from faults.campaign_agents import node, orderly
from faults.network import Network

AGENTS = 20
FLEET = Path(__file__).with_name("campaign_agents.py")
SEED = 20261123
PER_SECOND = 5_000  # what the fleet submits: two cores do it all
FAULT_SECONDS = 1.8  # what one takes, with the pause before it: the fleet submits about until each kind has come
PATIENCE_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong, and how it is healed."""

    name: str
    begin: Callable[[], object]
    heal: Callable[[], object]


def collector_faults(collector: CollectorProcess, name: str) -> list[Fault]:
    """Return what can happen to a collector."""

    def send(number: signal.Signals) -> None:
        assert collector.process
        collector.process.send_signal(number)

    return [
        Fault(f"{name} killed", lambda: collector.complaints(signal.SIGKILL), collector.start),
        Fault(f"{name} restarted", lambda: collector.complaints(signal.SIGTERM), collector.start),
        Fault(f"{name} paused", lambda: send(signal.SIGSTOP), lambda: send(signal.SIGCONT)),
    ]


def network_faults(network: Network, name: str) -> list[Fault]:
    """Return what can happen to the way there."""
    return [
        Fault(f"network to {name} cut", network.cut, network.heal),
        Fault(f"network to {name} stalled", network.stall, network.heal),
    ]


class Disk:
    """A tmpfs that can be full. Why by its limit: no ballast that takes memory."""

    def __init__(self, place: Path, size: str) -> None:
        self.place = place
        self._size = size
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)

    def fill(self) -> None:
        """Leave no room, as far as writers let us: they go on meanwhile."""
        for _ in range(20):
            blocks = subprocess.run(["stat", "-fc", "%b %f %S", str(self.place)], capture_output=True, text=True)
            total, free, size = map(int, blocks.stdout.split())
            limit = f"remount,size={(total - free) * size + 64 * 1024}"
            if not subprocess.run(["mount", "-o", limit, str(self.place)], capture_output=True).returncode:
                return

    def empty(self) -> None:
        """Make room again."""
        subprocess.run(["mount", "-o", f"remount,size={self._size}", str(self.place)], check=True)

    def unmount(self) -> None:
        """Take it away."""
        subprocess.run(["umount", "--lazy", str(self.place)], check=True)

    def fault(self) -> Fault:
        """Return it as part of a schedule."""
        return Fault("disk filled", self.fill, self.empty)


@dataclass(slots=True)
class Report:
    """What happened, for people; ``check`` raises for what must not."""

    submitted: int
    faults: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    stored: int = 0
    doubled: int = 0
    missing: int = 0
    out_of_order: int = 0
    longest: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        """Return the figures, a line each."""
        faults = "".join(f"\n  {name}: {count}" for name, count in sorted(self.faults.items()))
        rate = self.submitted / self.seconds if self.seconds else 0
        return (
            f"submitted {self.submitted} by {AGENTS} agents, stored {self.stored}, missing {self.missing}, "
            f"doubled {self.doubled}, out of order {self.out_of_order}, losses {dict(self.losses)}\n"
            f"longest backlog {self.longest}; {self.seconds:.0f} s, {rate:.0f}/s; "
            f"{self.faults.total()} faults:{faults}"
        )

    def check(self) -> None:
        """Raise AssertionError unless every deviation was stored once, and in order."""
        assert (self.stored, self.missing, self.doubled, self.out_of_order) == (self.submitted, 0, 0, 0), str(self)
        assert not self.losses, str(self)


def run(addresses: str, directory: Path, count: int, faults: list[Fault]) -> Report:
    """Let the fleet deliver ``count`` deviations to ``addresses`` while ``faults`` come and go."""
    report, chance, each = Report(count // AGENTS * AGENTS), random.Random(SEED), count // AGENTS
    seconds = max(FAULT_SECONDS * len(faults), count / PER_SECOND)
    arguments = [addresses, str(directory), str(AGENTS), str(each), str(seconds)]
    said, complaints = directory / "said", directory / "complaints"
    begun = time.monotonic()
    with (
        said.open("w") as out,
        complaints.open("w") as err,
        subprocess.Popen([sys.executable, str(FLEET), *arguments], stdout=out, stderr=err) as fleet,
    ):
        try:
            deal(fleet, faults, chance, report, begun + 1.5 * seconds)
            fleet.wait(PATIENCE_SECONDS)
        finally:
            fleet.kill()
    assert fleet.returncode == 0, complaints.read_text()[-4000:]
    report.seconds = time.monotonic() - begun
    for line in said.read_text().splitlines():
        outcome = json.loads(line)
        report.losses.update(outcome["losses"])
        report.longest = max(report.longest, outcome["longest"])
    return report


def deal(
    fleet: subprocess.Popen[bytes], faults: list[Fault], chance: random.Random, report: Report, until: float
) -> None:
    """One fault after the other, each kind as often, until the agents are done or it is late."""
    hand: list[Fault] = []
    while fleet.poll() is None and time.monotonic() < until:
        time.sleep(chance.uniform(0.3, 1.5))
        if not hand:
            hand = chance.sample(faults, len(faults))
        fault = hand.pop()
        fault.begin()
        time.sleep(chance.uniform(0.1, 1.2))
        fault.heal()
        report.faults[fault.name] += 1


def judge(report: Report, rows: Iterable[tuple[str, str, int]]) -> None:
    """Count what is stored: ``rows`` of node, id and count, in the store's order."""
    found = {node(number): array("Q") for number in range(AGENTS)}
    for name, identity, count in rows:
        report.stored += 1
        report.doubled += count - 1
        found[name].append(int(identity[-12:], 16))
    each = report.submitted // AGENTS
    for number in range(AGENTS):
        indices = found[node(number)]
        distinct = len(set(indices))
        report.doubled += len(indices) - distinct
        report.missing += each - distinct
        report.out_of_order += disorder(indices, lanes=1 if orderly(number) else 2)


def disorder(indices: Iterable[int], lanes: int) -> int:
    """Return how many of ``indices`` fit into none of ``lanes`` that each only grow (docs/spool.md, "In order")."""
    ends, wrong = [-1] * lanes, 0
    for index in indices:
        fitting = [place for place, end in enumerate(ends) if end < index]
        if fitting:
            ends[max(fitting, key=ends.__getitem__)] = index
        else:
            wrong += 1
    return wrong
