"""A container's own addresses, so that a connect to itself is told as such.

In: a process id. Out: addresses as text. Read from /proc/PID/net, which shows the process's network namespace without
entering it. Sources: proc(5) ``fib_trie`` (IPv4, entries "host LOCAL"), ``if_inet6``. Next: ``baseline.behaviour``.
"""

from __future__ import annotations

import socket

MAX_BYTES = 1 << 20  # a node in host networking with thousands of pods; beyond it the rest is not folded


def own_addresses(pid: int) -> frozenset[str]:
    """IPv4 and IPv6 addresses of the network namespace of ``pid``; what cannot be read is left out."""
    return frozenset(_ipv4(_read(f"/proc/{pid}/net/fib_trie")) | _ipv6(_read(f"/proc/{pid}/net/if_inet6")))


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(MAX_BYTES)
    except OSError:
        return ""


def _ipv4(text: str) -> set[str]:
    found, address = set(), ""
    for line in text.splitlines():
        word = line.strip()
        if word.startswith("|-- "):
            address = word.removeprefix("|-- ")
        elif word == "/32 host LOCAL":
            found.add(address)
    return found


def _ipv6(text: str) -> set[str]:
    found = set()
    for line in text.splitlines():
        digits = line.partition(" ")[0]
        if len(digits) == 32:
            found.add(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)))
    return found
