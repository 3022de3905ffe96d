"""Checks of an exec.

In: an ``ExecEvent`` and the name it was called by. Out: the checks it fails. Two groups: *circumstances* say something
no entry of a baseline can (a terminal, a socket, an argument), so they are asked though the program is known; the rest
is asked only of programs that are not. String tests on what the record holds, nothing else. Next: ``judge_exec``.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.baseline.applet import absolute, names_by_argument
from driftline.nouns import ExecEvent, Kind, RecordFlag, Severity
from driftline.verdict.checks import arguments
from driftline.verdict.checks.interpreters import SHELLS, base_name, is_interpreter, names_in, scripts_of
from driftline.verdict.checks.table import (
    PRELOAD,
    PRIVILEGE,
    REMOTE_SHELL,
    SERVER_CHILD,
    TEMPORARY,
    TERMINAL,
    Hit,
    hit,
)
from driftline.verdict.checks.tools import BY_NAME, by_package_manager

_SCRIPT, _ENTERED = int(RecordFlag.SCRIPT), int(RecordFlag.ENTERED)
_IS_INIT = int(RecordFlag.IS_INIT)
_STDIN_STDOUT = 0b11
_SHM = "/dev/shm/"

PRELOADS = frozenset({"LD_PRELOAD", "LD_AUDIT", "GLIBC_TUNABLES"})
"""Variables that put code into a program, or were used to; the others merely move where it looks for code."""

_SERVERS = names_in("""
    nginx openresty httpd apache2 apache lighttpd caddy haproxy traefik envoy varnishd squid php-fpm php-cgi uwsgi
    mysqld mariadbd postgres redis-server valkey-server keydb-server memcached mongod clickhouse-server slapd
    named unbound dnsmasq vsftpd proftpd pure-ftpd exim4 exim smtpd dovecot smbd snmpd
""")
_FETCHERS = frozenset({"curl", "wget"})

_CAPABILITIES = {
    **{1: "CAP_DAC_OVERRIDE", 2: "CAP_DAC_READ_SEARCH", 6: "CAP_SETGID", 7: "CAP_SETUID", 16: "CAP_SYS_MODULE"},
    **{17: "CAP_SYS_RAWIO", 19: "CAP_SYS_PTRACE", 21: "CAP_SYS_ADMIN", 31: "CAP_SETFCAP", 39: "CAP_BPF"},
}
_POWERS = sum(1 << bit for bit in _CAPABILITIES)
"""Capabilities that make root of a user (linux/capability.h); binding a low port or a ping does not."""


GAINS_SHOW = "capabilities"
"""Of what a container was started with: its users have no powers, so one that has them gained them."""


def started_with(event: ExecEvent) -> frozenset[str]:
    """Return what whoever started a container chose, from the exec of its init: dangerous variables, ``GAINS_SHOW``.

    An init that is no root and has powers is the root of a user namespace (rootless Podman), or has ambient ones.
    """
    plain = event.process.euid == 0 or not event.capabilities & _POWERS
    return frozenset((*event.environment, GAINS_SHOW) if plain else event.environment)


class Call(NamedTuple):
    """How a program was called."""

    name: str  # of the program, applet or script, without directory
    file: str  # of the executable, without directory
    words: tuple[str, ...]  # arguments after its own name
    scripts: tuple[str, ...]  # files it will run, absolute as far as the arguments tell


def hangs_on_arguments(event: ExecEvent, invoked: str) -> bool:
    """Whether what it does is in its arguments, so that the kernel must not take the next such exec for this one.

    ``invoked``: the applet, of a multi-call binary (``applet.invoked_name``).
    """
    if event.flags & _SCRIPT:
        return False
    path = event.file.path
    file = path[path.rfind("/") + 1 :]
    return _by_arguments(file) or (invoked != file and _by_arguments(invoked))


def _by_arguments(name: str) -> bool:
    return (
        is_interpreter(name)
        or name in arguments.PROGRAMS
        or by_package_manager(name, ("install", "add", "-i")) is not None
    )


def call_of(event: ExecEvent, invoked: str) -> Call:
    """Return how the program was called; ``invoked``: ``applet.invoked_name`` of it."""
    path, argv = event.file.path, event.argv
    file = path[path.rfind("/") + 1 :]
    if event.flags & _SCRIPT:
        at = argv.index(event.invoked) + 1 if event.invoked in argv else 2
        return Call(_stem(invoked), file, argv[at:], (invoked,))
    words = argv[2:] if names_by_argument(event) else argv[1:]
    scripts = tuple(absolute(one, event.cwd) for one in scripts_of(invoked, words))
    if scripts:
        return Call(_stem(scripts[0]), file, _after(words, scripts[0]), scripts)
    if len(words) > 1 and words[0] == "-m" and base_name(invoked) == "python":
        return Call(words[1], file, words[2:], ())
    return Call(invoked, file, words, ())


def _stem(script: str) -> str:
    """``/usr/lib/node_modules/npm/bin/npm-cli.js`` → ``npm-cli``."""
    name = script[script.rfind("/") + 1 :]
    return name.removesuffix(".js").removesuffix(".py")


def _after(words: tuple[str, ...], script: str) -> tuple[str, ...]:
    """The script's own arguments."""
    name = script[script.rfind("/") + 1 :]
    at = next((place for place, word in enumerate(words) if word.endswith(name)), len(words))
    return words[at + 1 :]


def circumstances(event: ExecEvent, call: Call) -> list[Hit]:
    """Checks asked of every exec, known or not."""
    hits = []
    if event.tty and event.flags & _ENTERED and not event.by_exec_id and not event.by_path:
        hits.append(hit(TERMINAL, f"somebody came in from outside, on terminal {event.tty}"))
    if event.inet_stdio & _STDIN_STDOUT:
        hits.append(hit(REMOTE_SHELL, "its input or output is a network connection: a remote shell looks like this"))
    found = arguments.attack_in(call.name, event.argv)
    if found is not None:
        hits.append(found)
    return hits


def unknown_program(event: ExecEvent, call: Call, preset: frozenset[str]) -> list[Hit]:
    """Checks asked of a program the baseline does not hold; ``preset``: see ``started_with``."""
    found = (
        BY_NAME.get(call.name) or BY_NAME.get(call.file),
        by_package_manager(call.name, call.words),
        _server_child(event, call),
        _preloaded(event, preset),
        _privileged(event, preset),
        _in_shared_memory(event),
    )
    return [one for one in found if one is not None]


def _server_child(event: ExecEvent, call: Call) -> Hit | None:
    if base_name(event.by_path) not in _SERVERS:
        return None
    if call.file in SHELLS or is_interpreter(call.file) or not {call.name, call.file}.isdisjoint(_FETCHERS | SHELLS):
        return hit(SERVER_CHILD, f"the server {event.by_path} started it: a web shell looks like this")
    return None


def _preloaded(event: ExecEvent, preset: frozenset[str]) -> Hit | None:
    """What the container was started with was chosen by whoever started it; so was its init's environment."""
    found = PRELOADS.intersection(event.environment) - preset
    if not found or (event.flags & _IS_INIT and not event.by_path):
        return None
    return hit(PRELOAD, f"{' and '.join(sorted(found))} was set, which puts other code into it")


def _privileged(event: ExecEvent, preset: frozenset[str]) -> Hit | None:
    process = event.process
    if process.euid == 0 and process.uid != 0:
        return hit(PRIVILEGE, f"user {process.uid} became root by it (set-user-id)")
    if process.euid == 0 or not event.capabilities & _POWERS or GAINS_SHOW not in preset:
        return None
    names = " ".join(name for bit, name in _CAPABILITIES.items() if event.capabilities >> bit & 1)
    return hit(PRIVILEGE, f"it has capabilities its user has not: {names}")


def _in_shared_memory(event: ExecEvent) -> Hit | None:
    if not f"{event.cwd}/".startswith(_SHM):
        return None
    reason = f"it was started in {event.cwd}, where programs leave nothing but attackers do"
    return hit(TEMPORARY, reason, Severity.MEDIUM, kind=Kind.EXEC_SUSPICIOUS)
