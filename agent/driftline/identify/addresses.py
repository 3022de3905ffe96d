"""Addresses that mean something by themselves: a container's own, and those of the cloud's metadata services.

In: a process id. Out: addresses as text, so that a connect to itself is told as such. Read from /proc/PID/net, which
shows the process's network namespace without entering it. Sources: proc(5) ``fib_trie`` (IPv4, entries "host LOCAL"),
``if_inet6``; resolv.conf(5). Next: ``baseline.patterns.addresses``, ``names``, ``verdict``.
"""

from __future__ import annotations

import os
import socket
import stat

MAX_BYTES = 1 << 20  # a node in host networking with thousands of pods; beyond it the rest is not folded

METADATA_ADDRESSES = frozenset(
    {
        "169.254.169.254",  # AWS, Azure, Google Cloud, OpenStack, Oracle, DigitalOcean
        "169.254.170.2",  # AWS ECS task credentials
        "169.254.170.23",  # AWS EKS pod identity
        "fd00:ec2::254",  # AWS over IPv6
        "fd00:ec2::23",  # AWS EKS pod identity over IPv6
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure WireServer
        "169.254.0.23",  # Tencent Cloud
    }
)
"""A cloud's metadata service: it hands out the node's credentials."""


def own_addresses(pid: int) -> frozenset[str]:
    """IPv4 and IPv6 addresses of the network namespace of ``pid``; what cannot be read is left out."""
    return frozenset(_ipv4(_read(f"/proc/{pid}/net/fib_trie")) | _ipv6(_read(f"/proc/{pid}/net/if_inet6")))


MAX_RESOLV_CONF = 64 * 1024
"""Bytes read of a resolv.conf; libc takes three servers of it."""
MAX_RESOLVERS = 3
"""Name servers libc uses (MAXNS in resolv.h); further lines are ignored there and here."""


def name_servers(pid: int) -> frozenset[str]:
    """Name servers in the resolv.conf of the container of ``pid``, as text; empty if there is no such plain file.

    To be asked once, when the container starts: later the file may say what an intruder wants it to. The container
    chooses what lies there: no link is followed, for it would lead to the node's files, and nothing but a regular file
    is opened.
    """
    try:
        return _servers(_resolv_conf(f"/proc/{pid}/root"))
    except OSError:
        return frozenset()


def _servers(text: str) -> frozenset[str]:
    lines = (line.split() for line in text.splitlines())
    servers = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"][:MAX_RESOLVERS]
    return frozenset(address for server in servers if (address := _as_told(server)))


def _resolv_conf(root: str) -> str:
    step = os.open(root, os.O_PATH | os.O_CLOEXEC)
    try:
        for name in ("etc", "resolv.conf"):
            below = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=step)
            os.close(step)
            step = below
        if not stat.S_ISREG(os.fstat(step).st_mode):
            return ""
        with open(f"/proc/self/fd/{step}", "rb") as file:
            return file.read(MAX_RESOLV_CONF).decode("ascii", "replace")
    finally:
        os.close(step)


def _as_told(address: str) -> str:
    """``address`` as a ``ConnectEvent`` writes it, "" if it is none; the zone of a link-local one goes."""
    address = address.partition("%")[0]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, address))
    except (OSError, ValueError):
        return ""


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
