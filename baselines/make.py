"""Make the starter baselines of this directory again, from real runs of Debian's packages.

In: the servers of ``benchmarks.servers``. Out: NAME.yaml beside this file. As root: ``make baselines``, or
``PYTHONPATH=tests:. python baselines/make.py [NAME…]``. Each server runs alone in its container, learned by a real
agent under requests, reloads, restarts and a crash; then what is the stand's own (its addresses, its site, its
containers, times and counts) is taken out, and what a person must add is put in. With ``--check`` none is made: those
there are tried (``check``). Next: somebody reads the difference in git, then ``driftline baseline begin``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from baselines.check import LOUD, check
from benchmarks.servers.every import STARTERS
from benchmarks.servers.server import TLS
from benchmarks.servers.stand import Container, Stand, standing

from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import REVIEWED, STARTER_KEY, Baseline, Entry, Standing, State
from driftline.baseline.wording import text_of
from driftline.nouns import Behaviour, ConnectBehaviour, OpenBehaviour
from rig.agent import Agent

HERE = Path(__file__).parent
LEARN_SECONDS, QUIET_SECONDS, LEARN_LIMIT = 60.0, 10.0, 600.0
PAUSE_SECONDS = 0.1
ROUNDS = 5  # of requests, between two rounds of jobs
RESTARTS = 4  # in order and by a kill, by turns: each start and each end is learned twice
SEED = 7


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """What a person decided about a server. ``drop``: beginnings of paths that are the stand's, or everybody's own;
    ``write``: (pattern, access) everybody's own files are expected at; ``connects``: whether its own are kept."""

    image: str
    drop: Sequence[str] = ()
    write: Sequence[tuple[str, str]] = ()
    connects: bool = True


REVIEWED_BY_HAND: Mapping[str, Reviewed] = {
    "nginx": Reviewed(
        image="debian-12/nginx",
        drop=("/srv/www", "/etc/nginx/conf.d", "/var/cache/nginx"),
        write=(
            ("/etc/nginx/conf.d/*", "read"),
            ("/etc/nginx/sites-available/*", "read"),
            ("/var/www/html/**", "read"),
            ("/var/cache/nginx/**", "write"),
        ),
        connects=False,
    ),
    "redis": Reviewed(image="debian-12/redis", write=(("/var/lib/redis/dump.rdb", "read"),)),
    "postgresql": Reviewed(image="debian-12/postgresql", drop=("/etc/postgresql/15/main/conf.d/site.conf",)),
    "memcached": Reviewed(image="debian-12/memcached"),
    "haproxy": Reviewed(
        image="debian-12/haproxy",
        drop=("/etc/haproxy/site.cfg",),
        write=(("/etc/haproxy/*", "read"),),
        connects=False,
    ),
}
STANDS = (TLS, "/orders", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname")
"""Of every container of the stand: the kubelet's and the engine's files are not in an image."""


def learn(stand: Stand, name: str) -> Baseline:
    """Run a server until its baseline is learned."""
    container, chance = stand.add(STARTERS[name], ordered=False), Random(SEED)
    with stand.agent(LEARN_SECONDS, QUIET_SECONDS) as agent:
        container.start()
        work(agent, container, chance)
    found = BaselineStore(str(stand.state)).load_one(container.image.digest)
    if not isinstance(found, Baseline) or found.reasons:
        raise RuntimeError(f"{name}: {found if not isinstance(found, Baseline) else found.reasons}")
    return found


def work(agent: Agent, container: Container, chance: Random) -> None:
    """Requests and jobs, a restart now and then, until the agent judges."""
    began, restarts, server = time.monotonic(), 0, container.server
    while not any(f"detecting {container.image.name}" in line for line in agent.lines):
        passed = time.monotonic() - began
        if passed > LEARN_LIMIT or agent.process.poll() is not None:
            raise RuntimeError(f"{server.name} is not learned: {agent.lines[-20:]}")
        for action in (*(list(server.rounds) * ROUNDS), *server.jobs.values()):
            action(container, chance)
            time.sleep(PAUSE_SECONDS)
        if restarts < RESTARTS and passed > (restarts + 1) * LEARN_SECONDS / (RESTARTS + 2):
            container.stop(graceful=restarts % 2 == 0)
            container.start()
            restarts += 1


def starter(name: str, learned: Baseline) -> Baseline:
    """What of ``learned`` holds for anybody's image of the server."""
    decided = REVIEWED_BY_HAND[name]
    entries = {one: _bare(entry) for one, entry in learned.entries.items() if _general(one, decided)}
    for pattern, access in decided.write:
        entries[OpenBehaviour(pattern, access)] = Entry(REVIEWED, 0, 0, 0, frozenset())
    waiting = [text_of(one) for one, entry in entries.items() if entry.standing is not Standing.ALLOWED]
    if waiting:
        raise RuntimeError(f"{name}: decide about these in REVIEWED_BY_HAND: {waiting}")
    packages = tuple(sorted({entry.package for entry in entries.values()} - {""}))
    return Baseline(
        f"{STARTER_KEY}{name}", image=decided.image, state=State.ACTIVE, revision=1, entries=entries, packages=packages
    )


def _bare(entry: Entry) -> Entry:
    """Without what is another at each run."""
    return replace(entry, first_ns=0, last_ns=0, count=0, containers=frozenset(), examples=())


def _general(behaviour: Behaviour, decided: Reviewed) -> bool:
    if isinstance(behaviour, ConnectBehaviour):
        return decided.connects
    return not _of_stand(behaviour.path, decided)


def _of_stand(path: str, decided: Reviewed) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in (*STANDS, *decided.drop))


def make(name: str) -> None:
    """Make NAME.yaml anew."""
    with standing() as stand:
        made = starter(name, learn(stand, name))
    (HERE / f"{name}.yaml").write_text(to_yaml(made))
    print(f"{name}.yaml: {len(made.entries)} behaviours", flush=True)


def try_out(name: str) -> bool:
    """Say how NAME.yaml does; return whether it holds."""
    found, decided = check(name), REVIEWED_BY_HAND[name]
    strange = [one["sentence"] for one in found.told if one["severity"] in LOUD or not _explained(one, decided)]
    holds = not (strange or found.missed)
    print(f"{name}.yaml: {'holds' if holds else 'DOES NOT HOLD'}, {len(found.told)} told of its work", flush=True)
    for sentence in strange:
        print(f"  not the stand's own: {sentence}", flush=True)
    for kind in found.missed:
        print(f"  the attack was not told as {kind}", flush=True)
    return holds


def _explained(deviation: Mapping[str, Any], decided: Reviewed) -> bool:
    """Whether it is the stand's own, or of a package in another version than the starter's."""
    if deviation["kind"].startswith("connect."):
        return not decided.connects
    return "carried over" in deviation["sentence"] or _of_stand(deviation["what"], decided)


def main() -> int:
    """Make those named, or all; or try them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="try them against real servers, and change nothing")
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(STARTERS))
    arguments = parser.parse_args()
    if arguments.check:
        held = [try_out(name) for name in arguments.names]
        return 0 if all(held) else 1
    for name in arguments.names:
        make(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
