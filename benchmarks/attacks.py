"""One attack of every kind a container can show, done by the container's own first process or from outside.

In: a running server. Out: the list of attacks, each with the kind it must be told as. Why by its first process: what an
orchestrator's exec starts is told as such already; this is what code run through a hole in the service looks like. The
attacks use the very directories the baseline has patterns for. Next: ``false_alarms``.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.servers.image import MODIFIED, PLANS, UNOWNED

_SEND = "/usr/bin/perl -MIO::Socket::INET -e 'IO::Socket::INET->new(PeerAddr => \"{to}\", Timeout => 1)'"
_MEMFD = (  # memfd_create; opened again for reading, because what is open for writing cannot be executed
    '/usr/bin/perl -e \'$^F = 255; $n = "x"; $f = syscall(319, $n, 0); open(O, ">&=", $f); open(I, "<", "/usr/bin/id")'
    '; binmode I; binmode O; print O <I>; open(R, "<", "/proc/self/fd/$f"); close O;'
    ' exec {"/proc/self/fd/" . fileno(R)} "x"\''
)
_RUNTIME = (
    "/usr/bin/perl -MIO::Socket::UNIX -e"
    ' \'$l = IO::Socket::UNIX->new(Local => "/run/docker.sock", Listen => 1);'
    ' IO::Socket::UNIX->new(Peer => "/run/docker.sock")\''
)


@dataclass(frozen=True, slots=True)
class Attack:
    """``line``: what the shell is made to run; ``what``: part of what the deviation must be about."""

    kind: str
    name: str
    line: str
    what: str
    entered: bool = False  # through the container runtime instead


def attacks(data: str) -> list[Attack]:
    """All of them; ``data``: a directory the server writes to."""
    return [*_programs(data), *_files(data), *_connects()]


def _programs(data: str) -> list[Attack]:
    drop = "/usr/bin/cp /usr/bin/true {0}; /usr/bin/chmod 755 {0}; {0}"
    library = (
        "/usr/bin/cp $(/usr/bin/find /usr/lib -name 'libz.so.1*' -type f) {0}; LD_PRELOAD={0} /usr/bin/sort /dev/null"
    )
    return [
        Attack("exec.drift", "dropped program in /tmp", drop.format("/tmp/.x1"), "/tmp/.x1"),
        Attack("exec.drift", "dropped program among the data", drop.format(f"{data}/10482"), f"{data}/10482"),
        Attack("exec.drift", "dropped script", f"echo : > {data}/77.sh; /bin/sh {data}/77.sh", f"{data}/77.sh"),
        Attack("exec.fileless", "program from memory", _MEMFD, "memfd:"),
        Attack("exec.unknown", "program of the image never run", "/usr/bin/factor 6", "/usr/bin/factor"),
        Attack("exec.unowned", "program of no package", UNOWNED, UNOWNED),
        Attack("exec.modified", "program that is not the package's", f"{MODIFIED} -e a", MODIFIED),
        Attack("exec.suspicious", "package installed", "/usr/bin/dpkg --install /tmp/none.deb", "/usr/bin/dpkg"),
        Attack(
            "exec.parent", "cron's program by another", "/usr/bin/env /usr/bin/run-parts /mnt", "/usr/bin/run-parts"
        ),
        Attack("exec.into_container", "somebody came in", "/usr/bin/nproc", "/usr/bin/nproc", entered=True),
        Attack("code.load", "library preloaded from the data", library.format(f"{data}/20517"), f"{data}/20517"),
    ]


def _files(data: str) -> list[Attack]:
    return [
        Attack("file.write.unknown", "loot collected", "echo x > /srv/loot", "/srv/loot"),
        Attack("file.write.unknown", "hidden file among the data", f"echo x > {data}/.9713", f"{data}/.9713"),
        Attack("file.write.unknown", "web shell among the data", f"echo x > {data}/9713.php", f"{data}/9713.php"),
        Attack("file.write.code", "program changed", "echo x >> /usr/bin/true", "/usr/bin/true"),
        Attack("file.write.code", "cron job added", "echo x > /etc/cron.d/x", "/etc/cron.d/x"),
        Attack("file.write.log", "log emptied", ": > /var/log/dpkg.log", "/var/log/dpkg.log"),
        Attack("file.read.sensitive", "password hashes read", "read x < /etc/shadow", "/etc/shadow"),
        Attack("file.read.unknown", "a file nobody reads", f"read x < {PLANS}", PLANS),
    ]


def _connects() -> list[Attack]:
    metadata, home, pool = "169.254.169.254:80", "203.0.113.9:8443", "203.0.113.7:3333"
    return [
        Attack("connect.unknown", "home called", _SEND.format(to=home), home),
        Attack("connect.metadata", "metadata service asked", _SEND.format(to=metadata), metadata),
        Attack("connect.suspicious", "mining pool", _SEND.format(to=pool), pool),
        Attack("connect.runtime_socket", "container runtime commanded", _RUNTIME, "/run/docker.sock"),
    ]
