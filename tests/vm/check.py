"""The check itself: every provider this kernel has, each with its own sensor and its own container.

In: the running kernel (run as root, on any host: ``PYTHONPATH=tests python -m vm.check [PROVIDER…]``). Out: one line
per provider and one ``RESULT`` line of JSON. Exit status 0: all deeds told, none twice, nothing else, nothing lost.
Next: ``matrix``.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from driftline.decode.record import decode
from driftline.errors import DriftlineError
from driftline.nouns import ConnectEvent, ExecEvent, LoadEvent, OpenEvent, RecordFlag
from driftline.probe import build, preflight
from driftline.probe.counters import losses
from driftline.probe.sensor import Sensor
from driftline.settings import Settings
from rig import cgroups, mounts, session
from rig.bundle import ContainerOptions
from rig.runc import RuncContainer
from vm import deeds
from vm.deeds import Deed

COMPILE_SECONDS = 600  # under emulation on a loaded machine; the agent's own limit is for real ones
SETTLE_SECONDS = 0.5  # records are in the ring when the system call returns; exits of the last processes are not


def main(wanted: list[str]) -> int:
    """Check the providers named, or all this kernel has."""
    session.become_reaper()
    build.COMPILE_SECONDS = COMPILE_SECONDS
    report = preflight.examine_providers()
    results = []
    for provider in wanted or preflight.PROVIDERS:
        why = preflight.unusable(report, provider)
        results.append({"provider": provider, "unusable": why} if why else check(provider))
        print(json.dumps(results[-1]), flush=True)
    chosen = preflight.choose(report, preflight.AUTO)
    print("RESULT " + json.dumps({"release": report.release, "chosen": chosen[0], "results": results}), flush=True)
    return 0 if all("unusable" in one or passed(one) for one in results) else 1


def passed(result: dict[str, Any]) -> bool:
    """Whether a provider told everything once; in the storm, where losses may be, whether it counted each."""
    if result.get("error") or result["missing"] or result["extra"] or result["losses"]:
        return False
    storm = result["storm"]
    return bool(storm["seen"] + sum(storm["lost"].values()) == storm["done"])


def check(provider: str) -> dict[str, Any]:
    """Run the deeds under a sensor and compare."""
    started = time.monotonic()
    with ExitStack() as stack:
        volume = session.scratch("volume")
        stack.callback(mounts.discard, volume)
        deeds.prepare(volume)
        wanted = deeds.expected(provider, volume)
        stack.enter_context(_listeners(volume))
        try:
            sensor = Sensor.start(Settings(), provider, cgroups.cgroup2_root(), None)
        except DriftlineError as error:
            return {"provider": provider, "error": str(error)}
        stack.callback(sensor.close)
        armed = time.monotonic() - started
        container = stack.enter_context(_container(sensor, volume))
        seen = Counter(_deeds(_run(sensor, container, deeds.script())))
        lost = _losses(sensor)
        stormy = [event for event in _run(sensor, container, deeds.storm_script()) if _in_storm(event)]
        storm_lost = _losses(sensor)
    return {
        "provider": provider,
        "armed_seconds": round(armed, 1),
        "expected": wanted.total(),
        "seen": (seen & wanted).total(),
        "missing": _words(wanted - seen),
        "extra": _words(seen - wanted),
        "losses": lost,
        "storm": {"done": deeds.STORM_OPENS, "seen": len(stormy), "lost": storm_lost},
    }


@contextmanager
def _container(sensor: Sensor, volume: Path) -> Iterator[RuncContainer]:
    parent = cgroups.cgroup2_root() / "default"
    if parent.exists():  # made before the sensor, whose mkdir hook would have noted it
        sensor.trace(parent.stat().st_ino, parent.stat().st_ino, True)
    with RuncContainer(ContainerOptions(volumes={"/vol": volume})) as container:
        yield container


def _run(sensor: Sensor, container: RuncContainer, script: str) -> list[object]:
    """Events of the container while it runs ``script``."""
    container.run(["/bin/sh", "-c", script])
    time.sleep(SETTLE_SECONDS)
    events: list[object] = []
    while records := sensor.read():
        events += map(decode, records)
    return [event for event in events if getattr(event, "cgroup", 0) == container.cgroup_id]


def _losses(sensor: Sensor) -> dict[str, int]:
    return {f"{hook}.{cause}": count for (hook, cause), count in losses(sensor.counters()).items()}


def _in_storm(event: object) -> bool:
    return isinstance(event, OpenEvent) and (event.file.path.startswith("/vol/open/") or event.file.path == "/dev/null")


def _deeds(events: list[object]) -> Iterator[Deed]:
    """What is compared: not the opens of directories and devices, nor the execs of the tools themselves."""
    for event in events:
        match event:
            case ExecEvent() if event.file.path == "/work/nothing":
                yield Deed("exec", event.file.path, origin=event.file.origin.value)
            case OpenEvent() if not event.flags & RecordFlag.DIRECTORY and event.file.path != "/work/payload_shared.so":
                yield Deed("open", event.file.path, str(event.access), event.file.origin.value)
            case LoadEvent():
                yield Deed("load", event.file.path, origin=event.file.origin.value)
            case ConnectEvent():
                yield Deed("connect", f"{event.address}:{event.port}", event.protocol)


@contextmanager
def _listeners(volume: Path) -> Iterator[None]:
    """Unix sockets that take what the container sends."""
    with socket.socket(socket.AF_UNIX) as stream, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
        stream.bind(str(volume / "stream"))
        stream.listen(deeds.CONNECTS)
        datagram.bind(str(volume / "dgram"))
        yield


def _words(found: Counter[Deed]) -> list[str]:
    return [f"{count} × {deed.kind} {deed.what} {deed.detail} {deed.origin}" for deed, count in found.items()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
