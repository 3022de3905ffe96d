"""Record the golden captures anew: a few real records of each hook, and the events they decode to.

In: root on a kernel that can run us. Out: NAME.cap and NAME.json beside this file. Run it after every change of the
record ABI: ``python -m golden.record`` with tests/ and agent/ in PYTHONPATH. Read the difference before you commit it:
the JSON is what tests/unit/decode/test_golden.py expects from then on.
"""

from __future__ import annotations

import dataclasses
import json
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from driftline.decode.record import AnyEvent, decode
from driftline.nouns import CgroupEvent, ConnectEvent
from driftline.probe.capture import CaptureWriter
from kernel.conftest import fill, running
from kernel.watching import Watch
from rig import dns
from rig.bundle import ContainerOptions

HERE = Path(__file__).parent
RECORDS = 13  # of each hook: enough for its variants, few enough to read
RESOLVER = "127.0.0.53"
ADDRESSES = ("192.0.2.7", "192.0.2.8", "2001:db8::7")
WORKLOADS = (
    ["/bin/sh", "-c", "printf '#!/bin/sh\\n:\\n' >/tmp/s; chmod +x /tmp/s; /tmp/s; /work/nothing $(printf '\\377')"],
    ["/work/execs", "memfd", "1", "/work/nothing"],
    ["/work/k_stdio", "inet", "/work/nothing"],
    ["/bin/sh", "-c", "cat /data/one; echo x >>/data/two; cat </tmpfs/x /proc/self/stat; rm /tmp/s"],
    ["/work/opens", "uring-direct", "/volume", "1"],
    ["/work/deep", "/tmpfs", "97", "1", "1"],
    ["/work/mmaps", "exec", "/data/one", "1"],
    ["/work/mmaps", "exec", "/volume/f000000", "1"],
    ["/work/connects", "tcp", "127.0.0.1", "80", "1"],
    ["/work/connects", "udp-sendto", "::1", "53", "1"],
    ["/work/connects", "tcp", "::ffff:127.0.0.2", "443", "1"],
    ["/bin/nslookup", "api.example.com", RESOLVER],
    ["/work/connects", "unix-stream", "/volume/listener.sock", "0", "1"],
)


def plain(event: AnyEvent) -> dict[str, object]:
    """An event as JSON can hold it: bytes in hexadecimal, text as escaped by json."""
    fields = dataclasses.asdict(event)
    return {"event": type(event).__name__} | {
        name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()
    }


def name_of(event: AnyEvent) -> str:
    """The golden file an event belongs into."""
    if isinstance(event, CgroupEvent):
        return "cgroup"
    if isinstance(event, ConnectEvent) and event.family == "unix":
        return "unix_connect"
    return type(event).__name__.removesuffix("Event").lower()


def workloads(watch: Watch) -> None:
    """One container's life."""
    with TemporaryDirectory() as directory:
        options = ContainerOptions(volumes={"/volume": fill(Path(directory), 1)}, tmpfs=("/tmpfs",))
        with watch.box(options) as box, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{directory}/listener.sock")
            listener.listen()
            box.container.run(["/bin/sh", "-c", "echo x >/tmpfs/x"])
            with dns.server(RESOLVER, lambda query: dns.answer_to(query, ADDRESSES), pid=box.container.pid):
                for argv in WORKLOADS:
                    box.container.run(argv, env={"LD_PRELOAD": "/x"} if "mmaps" in argv[0] else None)
                    watch.drain()
    watch.drain()


def write(name: str, records: list[bytes]) -> None:
    """NAME.cap and NAME.json."""
    writer = CaptureWriter(HERE / f"{name}.cap")
    writer.write(records)
    writer.close()
    events = [plain(decode(record)) for record in records]
    (HERE / f"{name}.json").write_text(json.dumps(events, indent=1, sort_keys=True) + "\n")


def main() -> None:
    """Record all of them."""
    sorted_records: dict[str, list[bytes]] = {}
    with running() as watch:
        watch.records = []
        workloads(watch)
        for record in watch.records:
            sorted_records.setdefault(name_of(decode(record)), []).append(record)
    for name, records in sorted_records.items():
        write(name, records[:RECORDS])
        print(f"{name}: {len(records[:RECORDS])} of {len(records)} records")


if __name__ == "__main__":
    main()
