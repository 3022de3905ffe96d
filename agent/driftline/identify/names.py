"""Names for addresses: what DNS told each container.

In: DNS answers and connects. Out: the names an address had for a container, for baselines and as evidence. Why per
container: only an answer to its own question says what a program meant by an address. Why the name asked for, and not
the one its CNAMEs end at: it is what the program was configured with, and what stays. Next: ``baseline``, ``verdict``.

A name is what a resolver said, and a container chooses its resolver. So a name excuses no address that is dangerous
whatever it is called: ``of`` knows no names of the loopback and of metadata services.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from driftline.decode.dns import CUT
from driftline.identify.addresses import METADATA_ADDRESSES
from driftline.nouns import ConnectEvent, DnsEvent, Loss

MAX_ADDRESSES = 512
"""Addresses with names of one container; the one not seen for longest goes first."""
MAX_IN_ALL = 4_096
"""Addresses with names in all, at 600 bytes each under 2.5 MiB; the container with the most gives one up."""
MAX_NAMES = 4
"""Names of one address: sites behind one content network share addresses. The oldest goes first."""
MAX_SERVERS = 8
"""DNS servers of one container; libc's resolvers know three."""
LEAST_NS = 24 * 3600 * 1_000_000_000
"""How long an answer counts at least, whatever its time to live: many servers (nginx, HAProxy) ask once at their start
and use the answer for as long as they run, and the kernel tells a known connect again only when it was evicted."""
MOST_NS = 7 * LEAST_NS
"""How long it counts at most, as RFC 8767, section 4, has it for caches."""
DNS_PORT = 53
NOTE = "name: "
ANSWERED = " (DNS answer "
"""Between the name and when it was heard, which differs between repeats. Neither can be part of a name."""
NS = 1_000_000_000

_NAMELESS = ("127.", "0.", "169.254.", "fe80:")  # loopback, this host, link-local: what they are is not DNS's to say
_ALSO_NAMELESS = METADATA_ADDRESSES | {"::1", "::"}


class _Said(NamedTuple):
    first_ns: int
    last_ns: int
    until_ns: int
    server: str


class _Container:
    __slots__ = ("addresses", "servers")

    def __init__(self) -> None:
        self.addresses: OrderedDict[str, dict[str, _Said]] = OrderedDict()  # least recently used first
        self.servers: OrderedDict[str, None] = OrderedDict()


class Names:
    """Belongs to the pipeline's thread. ``now_ns``: CLOCK_MONOTONIC, or a capture's time."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._containers: dict[int, _Container] = {}
        self._size = 0
        self._cut: Counter[int] = Counter()
        self._malformed: Counter[int] = Counter()
        self.evictions = 0
        """Addresses or names forgotten for lack of room: connects to them are told without a name."""

    def __len__(self) -> int:
        return self._size

    def take(self, event: DnsEvent) -> None:
        """Remember an answer. The container must be one that ``forget`` will be called for."""
        if event.trouble:
            (self._cut if event.trouble == CUT else self._malformed)[event.cgroup] += 1
        self._note_server(event.cgroup, event.server)
        for address, ttl in event.addresses:
            self._remember(event, sys.intern(address), ttl * NS)

    def connected(self, event: ConnectEvent) -> None:
        """Take note of a connect if it is to a DNS server."""
        if event.port == DNS_PORT and event.family != "unix":
            self._note_server(event.cgroup, event.address)

    def of(self, cgroup: int, address: str) -> tuple[str, ...]:
        """Return the names a container knows ``address`` by, newest first, lowercase, without the last dot.

        ``cgroup``: the container's; ``address``: as in a ``ConnectEvent``. Empty for addresses no name excuses.
        """
        if address.startswith(_NAMELESS) or address in _ALSO_NAMELESS:
            return ()
        return tuple(self._said(cgroup, address))

    def said(self, event: ConnectEvent) -> tuple[str, ...]:
        """Return the names of the address of ``event`` as evidence: whatever it is, newest first."""
        return tuple(self._said(event.cgroup, event.address))

    def servers(self, cgroup: int) -> tuple[str, ...]:
        """Return the addresses a container talked to on port 53, newest first. Anybody can answer there: that an
        address is one of these proves nothing."""
        container = self._containers.get(cgroup)
        return tuple(reversed(container.servers)) if container else ()

    def notes(self, event: ConnectEvent) -> tuple[str, ...]:
        """Return what is known of the address of ``event``, for a deviation: names, who said so, and when."""
        said = self._said(event.cgroup, event.address)
        return tuple(
            f"{NOTE}{name}{ANSWERED}by {one.server}, {_age(event.kernel_ns - heard)} before)"
            for name, one in said.items()
            if (heard := one.last_ns if one.last_ns <= event.kernel_ns else one.first_ns) <= event.kernel_ns
        )

    def forget(self, cgroup: int) -> None:
        """Drop what a container that is gone was told."""
        container = self._containers.pop(cgroup, None)
        self._size -= len(container.addresses) if container else 0

    def losses(self) -> list[Loss]:
        """Return and reset the answers of which not everything could be read."""
        losses = [Loss("dns", "cut", count, cgroup) for cgroup, count in self._cut.items()]
        losses += [Loss("dns", "malformed", count, cgroup) for cgroup, count in self._malformed.items()]
        self._cut.clear()
        self._malformed.clear()
        return losses

    def _said(self, cgroup: int, address: str) -> dict[str, _Said]:
        """What still counts, newest first."""
        container = self._containers.get(cgroup)
        said = container.addresses.get(address) if container else None
        if container is None or said is None:
            return {}
        container.addresses.move_to_end(address)
        now = self._now_ns()
        return {name: said[name] for name in reversed(said) if now < said[name].until_ns}

    def _remember(self, event: DnsEvent, address: str, ttl_ns: int) -> None:
        addresses = self._container(event.cgroup).addresses
        if address not in addresses:
            self._make_room(addresses)
            addresses[address] = {}
            self._size += 1
        said, now, name = addresses[address], event.kernel_ns, sys.intern(event.name)
        before = said.pop(name, None)
        if len(said) >= MAX_NAMES:
            del said[next(iter(said))]
            self.evictions += 1
        until = now + min(max(ttl_ns, LEAST_NS), MOST_NS)
        said[name] = _Said(before.first_ns if before else now, now, until, event.server)
        addresses.move_to_end(address)

    def _make_room(self, addresses: OrderedDict[str, dict[str, _Said]]) -> None:
        if len(addresses) < MAX_ADDRESSES:
            if self._size < MAX_IN_ALL:
                return
            addresses = max((one.addresses for one in self._containers.values()), key=len)
        addresses.popitem(last=False)
        self._size -= 1
        self.evictions += 1

    def _note_server(self, cgroup: int, address: str) -> None:
        servers = self._container(cgroup).servers
        servers[sys.intern(address)] = None
        servers.move_to_end(address)
        if len(servers) > MAX_SERVERS:
            servers.popitem(last=False)

    def _container(self, cgroup: int) -> _Container:
        found = self._containers.get(cgroup)
        if found is None:
            found = self._containers[cgroup] = _Container()
        return found


def _age(ns: int) -> str:
    """``12 s``, ``5 min``, ``3 h``: whole units are enough."""
    seconds = ns // NS
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
