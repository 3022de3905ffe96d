"""False alarms after learning, and attacks caught by what was learned: real servers, real containers, a real agent.

In: minutes. Out: a table per server, and every false alarm by name. Each server is learned in a short window under
varied traffic with each of its jobs; after that everything it is told is a false alarm, until the attacks begin. Alone:
``PYTHONPATH=tests python -m benchmarks.false_alarms --minutes 10``. Next: RESULTS.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import results
from benchmarks.attacks import Attack, attacks
from benchmarks.figures import Row, Section
from benchmarks.machine import describe
from benchmarks.servers.every import SERVERS
from benchmarks.servers.server import Action
from benchmarks.servers.stand import Container, Stand, standing

from rig.agent import Agent

LEARN_SECONDS, QUIET_SECONDS = 150.0, 10.0
ROUNDS = 3  # in one turn of a server
LEARN_JOB_EVERY = 2  # rounds: each job twice in one container, for what it does to its own traces
LEARN_RESTARTS = 2  # one in order, one by a kill: what recovers from a crash does it differently
PATIENCE = 1.5  # windows until the clients of what is still learned rest
LEARN_LIMIT = 600.0  # seconds: a server that never falls silent is not learned
PAUSE_SECONDS = 0.15  # between two deeds, so that the machine is not busy
JOB_EVERY = 12  # rounds of a server between two of its jobs
RESTARTS = 3  # of each server while it is watched
SETTLE_SECONDS = 4.0  # until what was done last was told, its digest and owner included
LOUD = ("medium", "high", "critical")
SEED = 20_261
METHOD = """Real servers from Debian 12's packages in containers of their own (containerd, one image each), one agent.
Each is learned in a window of {learn:.0f} s under varied traffic, each of its jobs, one restart and one crash included
(the clients of a server that is never without new names rest at the end, or learning would not end);
then watched for {minutes:.0f} minutes: other traffic of the same sorts, {restarts} restarts (each second one a crash)
with a fresh writable layer, and its jobs: configuration and certificate reloads, log rotation, the packages' cron jobs,
dumps, VACUUM and so on. All the agent tells in that time is a false alarm. Minutes are each server's own. Then the
attacks of `attacks.py` are done to each, in the very directories the baseline has patterns for; *caught* means told, as
the kind that is meant. Kinds no container shows by itself (`coverage.gap`, `image.sbom_mismatch`, `baseline.refused`,
`agent.*`) have no attack."""


@dataclass
class Watched:
    """A server's container, what was done to it and what was told about it."""

    container: Container
    chance: Random
    turns: itertools.count[int] = field(default_factory=itertools.count)
    done: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.container.server.name

    def turn(self, job_every: int) -> None:
        """One round, and now and then a job."""
        number, server = next(self.turns), self.container.server
        for _ in range(ROUNDS):
            self.do("requests", self.chance.choice(list(server.rounds)))
        jobs = {**server.jobs, **server.inside}
        if job_every and number % job_every == 0:
            name = list(jobs)[number // job_every % len(jobs)]
            self.do(name, jobs[name])

    def do(self, name: str, action: Action) -> None:
        """One deed; a client's failure is noted, and no reason to stop."""
        try:
            action(self.container, self.chance)
            self.done[name] += 1
        except OSError as error:
            self.failed.append(f"{name}: {error}")

    def restart(self) -> None:
        """As an update of the workload does, or a crash; by turns."""
        self.container.stop(graceful=self.done["restarts"] % 2 == 0)
        self.container.start()
        self.done["restarts"] += 1


class Told:
    """What an agent told since a moment, each thing once."""

    def __init__(self, agent: Agent) -> None:
        self._agent, self._from = agent, len(agent.deviations)

    def of(self, watched: Watched) -> list[dict[str, Any]]:
        """About one server's containers, after it was learned; the last word on each."""
        last = {one["id"]: one for one in self._agent.deviations[self._from :]}
        image = watched.container.image.name
        return [one for one in last.values() if one["subject"]["image"] == image and not one["learning"]]


def learn(agent: Agent, every: Sequence[Watched], seconds: float, *, jobs: bool) -> None:
    """Work until each server's baseline judges."""
    began = time.monotonic()
    while waiting := [one for one in every if not _is_learned(agent, one)]:
        passed = time.monotonic() - began
        if passed > LEARN_LIMIT or agent.process.poll() is not None:
            raise RuntimeError(f"not learned: {', '.join(one.name for one in waiting)}: {agent.lines[-20:]}")
        for one in every:
            if one in waiting and passed > PATIENCE * seconds:
                time.sleep(PAUSE_SECONDS)  # its clients rest: new names all the time keep it from falling silent
                continue
            one.turn(LEARN_JOB_EVERY if jobs else 0)
            if one.done["restarts"] < LEARN_RESTARTS and passed > one.done["restarts"] * seconds / 6:
                one.restart()
            time.sleep(PAUSE_SECONDS)


def _is_learned(agent: Agent, watched: Watched) -> bool:
    return any(f"detecting {watched.container.image.name}" in line for line in agent.lines)


def watch(every: Sequence[Watched], minutes: float) -> None:
    """Work for so long, jobs and restarts included."""
    began, restarts = time.monotonic(), Counter[str]()
    while (passed := (time.monotonic() - began) / 60) < minutes:
        for place, one in enumerate(every):
            one.turn(JOB_EVERY)
            due = (restarts[one.name] + (place + 1) / (len(every) + 1)) / RESTARTS * minutes
            if passed > due:
                one.restart()
                restarts[one.name] += 1
            time.sleep(PAUSE_SECONDS)


def attack(agent: Agent, watched: Watched) -> list[tuple[Attack, str]]:
    """Attack a server; return each attack with what it was told as, "" if that is not what was meant."""
    told, wanted = Told(agent), attacks(watched.container.server.data)
    for one in wanted:
        if one.entered:
            watched.container.probe(one.line.split())
        else:
            watched.container.order(one.line)
        time.sleep(PAUSE_SECONDS)
    time.sleep(SETTLE_SECONDS)
    found = told.of(watched)
    return [(one, _caught(one, found)) for one in wanted]


def _caught(one: Attack, found: Iterable[dict[str, Any]]) -> str:
    return next((each["severity"] for each in found if each["kind"] == one.kind and one.what in each["what"]), "")


# --- the table --------------------------------------------------------------------------------------------------------


def false_alarms(watched: Watched, told: list[dict[str, Any]], minutes: float) -> Row:
    """A server's line."""
    loud = [one for one in told if one["severity"] in LOUD]
    quiet = len(told) - len(loud)
    done = ", ".join(f"{count} {name}" for name, count in sorted(watched.done.items()))
    kinds = Counter(f"{one['severity']} `{one['kind']}`" for one in told)
    what = "; ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    value = f"{len(loud) * 60 / minutes:.1f} an hour ({len(loud)} in {minutes:.0f} min); below medium: {quiet}"
    return Row(f"{watched.name}: medium or higher", value, "0", not loud, note=done, why=what)


def caught(watched: Watched, outcome: list[tuple[Attack, str]]) -> Row:
    """A server's line."""
    missed = [f"{one.kind} ({one.name})" for one, severity in outcome if not severity]
    value = f"{len(outcome) - len(missed)} of {len(outcome)}"
    return Row(f"attacks on {watched.name} caught", value, "all", not missed, why=f"missed: {', '.join(missed)}")


def measure(names: Sequence[str], minutes: float, learn_seconds: float, *, jobs: bool) -> Section:
    """Learn, watch, attack."""
    with standing() as stand:
        every = [Watched(stand.add(SERVERS[name], ordered=True), Random(f"{SEED} {name}")) for name in names]
        with stand.agent(learn_seconds, QUIET_SECONDS) as agent:
            for one in every:
                one.container.start()
            learn(agent, every, learn_seconds, jobs=jobs)
            for line in agent.lines:
                print(line, flush=True)
            for one in every:
                one.done.clear()
                one.chance = Random(f"{SEED} {one.name} later")
            told = Told(agent)
            watch(every, minutes)
            time.sleep(SETTLE_SECONDS)
            alarms = {one.name: told.of(one) for one in every}
            _print_alarms(every, alarms)
            outcome = {one.name: attack(agent, one) for one in every}
            losses = _losses(stand)
        _print_attacks(every, outcome)
    rows = [false_alarms(one, alarms[one.name], minutes) for one in every]
    rows += [caught(one, outcome[one.name]) for one in every]
    rows.append(Row("records lost", str(losses), "0", losses == 0))
    return Section(results.FALSE_ALARMS, METHOD.format(learn=learn_seconds, minutes=minutes, restarts=RESTARTS), rows)


def _losses(stand: Stand) -> int:
    status = json.loads((stand.state / "status.json").read_text())
    return sum(int(one["count"]) for one in status.get("losses", []))


def _print_alarms(every: Sequence[Watched], alarms: dict[str, list[dict[str, Any]]]) -> None:
    for one in every:
        for told in alarms[one.name]:
            print(f"{one.name}: false alarm: {told['severity']} {told['kind']}: {told['sentence']}", flush=True)
        for failure in sorted(set(one.failed)):
            print(f"{one.name}: {failure}", flush=True)


def _print_attacks(every: Sequence[Watched], outcome: dict[str, list[tuple[Attack, str]]]) -> None:
    for one in every:
        for each, severity in outcome[one.name]:
            print(f"{one.name}: {each.kind} ({each.name}): {severity or 'MISSED'}", flush=True)


def main() -> None:
    """Measure; write the table into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long each server is watched")
    parser.add_argument("--learn-seconds", type=float, default=LEARN_SECONDS)
    parser.add_argument("--servers", nargs="+", choices=list(SERVERS), default=list(SERVERS))
    parser.add_argument(
        "--traffic-only", action="store_true", help="learn without the jobs, to see what they are told as"
    )
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    chosen = parser.parse_args()
    head = describe()
    section = measure(chosen.servers, chosen.minutes, chosen.learn_seconds, jobs=not chosen.traffic_only)
    text = results.markdown_with(section, head, f"make falsealarms MINUTES={chosen.minutes:g}")
    print(text)
    if chosen.write:
        results.put(Path(__file__).with_name("RESULTS.md"), section.title, text)


if __name__ == "__main__":
    main()
