"""The words of the project as types, shared by every stage: events, subjects, behaviours, deviations.

In: nothing. Out: values every stage speaks in; nobody changes one after it was made (events are not
frozen only because frozen dataclasses cost three times as much to make). Why here: one definition of each word.
Times ending in ``_ns`` are nanoseconds; ``kernel_ns`` is CLOCK_MONOTONIC of the node, ``wall_ns`` is Unix time.
Paths are ``str`` decoded from kernel bytes with ``surrogateescape``; ``driftline.text`` makes them printable.
Flags and access are plain ``int`` in events: an ``IntFlag`` operation costs more than matching the whole event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag, StrEnum


class Origin(StrEnum):
    """Where a file's content comes from, as decided in the kernel from its mount, superblock and inode."""

    IMAGE = "image"  # a lower layer of the container's own overlay root
    WRITABLE = "writable"  # the container's writable layer, contents differ from (or do not exist in) the image
    COPYUP = "copyup"  # in the writable layer, but size and mtime equal the image's file: perhaps only a chmod or chown
    ROOTFS = "rootfs"  # the container's root is no overlay: image and writable layer cannot be told apart
    VOLUME = "volume"  # any other file system mounted into the container (bind mount, hostPath, emptyDir, PVC)
    TMPFS = "tmpfs"  # tmpfs, /dev/shm and memory-backed emptyDir included
    PSEUDO = "pseudo"  # proc, sysfs, cgroupfs, devpts, device nodes
    MEMFD = "memfd"  # anonymous memory file
    DELETED = "deleted"  # link count 0 and not a memfd
    HOST = "host"  # reached through a mount outside the container's mount namespace
    UNKNOWN = "unknown"  # could not be read; always counted as a loss


class Access(IntFlag):
    """What an open asked for."""

    READ = 1
    WRITE = 2
    CREATE = 4
    TRUNCATE = 8
    APPEND = 16


class RecordFlag(IntFlag):
    """Facts about a record, set in the kernel (bpf/include/record.h holds the same numbers)."""

    PATH_TRUNCATED = 1 << 0  # outermost components of the path are missing
    NAME_ONLY = 1 << 1  # path is the name as given by the program, not resolved by the kernel
    ENTERED = 1 << 2  # the process does not descend from the container's init: an exec into the container
    IS_INIT = 1 << 3  # the process is the container's init
    NO_LINEAGE = 1 << 4  # the process table was full: descent unknown
    FOREIGN_MOUNT_NS = 1 << 5  # the process is in another mount namespace than the container's init
    ARGV_TRUNCATED = 1 << 6
    ENV_TRUNCATED = 1 << 7  # not every environment variable was looked at
    SCRIPT = 1 << 8  # the executed file was a script; File is its interpreter
    IO_URING = 1 << 9
    COMPAT = 1 << 10  # 32-bit system call
    DIRECTORY = 1 << 11
    SNAPSHOT = 1 << 12  # made by user space from /proc when the agent attached late
    CACHEABLE = 1 << 13  # the record carries a complete kernel identity for the verdict cache
    CWD_TRUNCATED = 1 << 14  # outermost components of the working directory are missing
    STAND_IN = 1 << 15  # exec_id (of an exec: by_exec_id) is that of an equal exec told earlier; its own was known


@dataclass(slots=True)
class Process:
    """The process an event belongs to. ``pid`` and ``ppid`` are in the node's pid namespace (tgid)."""

    pid: int
    tid: int
    ppid: int
    start_ns: int  # start time since boot, ns: with pid, a unique key
    exec_id: int  # id of the program image it runs (0: none seen yet)
    uid: int
    gid: int
    euid: int
    comm: str


@dataclass(slots=True)
class File:
    """A file as the kernel saw it."""

    path: str
    origin: Origin
    device: int
    inode: int
    links: int
    mode: int  # st_mode
    size: int  # bytes


@dataclass(slots=True)
class Event:
    """What all events have. ``cgroup`` is the container's cgroup2 id (nested cgroups already mapped to it)."""

    kernel_ns: int
    cgroup: int
    process: Process
    flags: int  # RecordFlag bits
    epoch: int  # epoch of the subject when the record was made
    cache_key: bytes  # kernel identity for the verdict cache, empty if not cacheable
    cache_value: bytes


@dataclass(slots=True)
class ExecEvent(Event):
    """A program image was committed. ``file`` is the executable really running (the interpreter, for a script)."""

    file: File
    invoked: str  # name as given to execve (the script's, for a script)
    interpreter: str  # interpreter path for a script, else ""
    argv: tuple[str, ...]
    cwd: str
    tty: str
    environment: tuple[str, ...]  # names (never values) of dangerous variables that were set
    inet_stdio: int  # bit n: descriptor n is an internet socket
    unix_stdio: int  # bit n: descriptor n is a Unix socket
    by_exec_id: int  # image this process ran before (0: it came from the container runtime)
    by_path: str  # path of that image's executable, "" if it came from the container runtime
    capabilities: int  # effective set


@dataclass(slots=True)
class OpenEvent(Event):
    """A file was opened."""

    file: File
    access: int  # Access bits


@dataclass(slots=True)
class LoadEvent(Event):
    """A file was mapped executable (library, dlopen, LD_PRELOAD)."""

    file: File


@dataclass(slots=True)
class ConnectEvent(Event):
    """An outbound connection or datagram. For family ``unix``, ``address`` is the socket's path (``@`` = abstract)."""

    family: str  # "ipv4", "ipv6", "unix"
    protocol: str  # "tcp", "udp", "icmp", "unix" or the number
    address: str
    port: int
    result: int | None  # errno (0 = success), None where the hook cannot know


@dataclass(slots=True)
class LeftEvent(Event):
    """A process of the container was moved out of its cgroup: nothing it does from now on is attributed to it."""

    path: str  # cgroup it was moved to


class CgroupChange(StrEnum):
    """What happened to a cgroup."""

    CREATED = "created"
    REMOVED = "removed"


@dataclass(slots=True)
class CgroupEvent:
    """A watched cgroup appeared or went away."""

    kernel_ns: int
    cgroup: int
    parent: int
    subject: int  # the container's cgroup this one is nested in, or itself
    change: CgroupChange
    path: str  # within the cgroup2 hierarchy, "/kubepods/…"


@dataclass(slots=True)
class DnsEvent:
    """A DNS answer that reached a container. No process: the answer belongs to a socket.

    ``name``: the host name asked for, lowercase, without the last dot; empty if the answer is about something else.
    ``addresses``: what it stands for, each with the seconds it may be kept. ``trouble``: why not all of it could be
    read, empty if it could.
    """

    kernel_ns: int
    cgroup: int  # the container's
    server: str  # address the answer came from
    name: str
    addresses: tuple[tuple[str, int], ...]
    trouble: str


@dataclass(frozen=True, slots=True)
class ExecImage:
    """One program image in a process's lineage (see Deviation.ancestors)."""

    exec_id: int
    pid: int
    start_ns: int
    path: str
    argv: tuple[str, ...]
    uid: int
    entered: bool


CONTAINER_KEY = "container:"
"""Start of the key of a baseline whose image nobody could name."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The container (or host service) events belong to. Unknown parts are empty; ``image_known`` says it plainly."""

    cgroup: int
    cgroup_path: str
    engine: str = ""  # "containerd", "cri-o", "docker", "podman", "runc", ""
    container_id: str = ""
    name: str = ""
    image: str = ""  # reference as the engine knows it
    image_digest: str = ""  # "sha256:…"
    namespace: str = ""  # Kubernetes namespace
    pod: str = ""
    workload: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    started_ns: int = 0  # kernel_ns the cgroup was made, 0 if before the agent
    attached_late: bool = False

    @property
    def image_known(self) -> bool:
        """Whether the engine told us the image's digest."""
        return bool(self.image_digest)

    @property
    def baseline_key(self) -> str:
        """What its baseline is filed under: the image digest; without one, the container alone."""
        return self.image_digest or f"{CONTAINER_KEY}{self.container_id or self.cgroup_path}"

    @property
    def overlay(self) -> str:
        """Workload its overlay is filed under, ``namespace/workload``; empty if there is none."""
        return f"{self.namespace}/{self.workload}" if self.workload and self.image_digest else ""


@dataclass(frozen=True, slots=True)
class ExecBehaviour:
    """Baseline entry for an exec."""

    path: str
    invoked: str  # name the program was called by: tells applets of multi-call binaries apart
    by: str  # executable that ran it; "" = the container runtime
    entered: bool  # an exec into the container
    origin: str = ""  # "": the image's file; else the Origin it came from, which only a person can allow


@dataclass(frozen=True, slots=True)
class OpenBehaviour:
    """Baseline entry for an open: ``access`` is "read" or "write" (create, truncate, append count as write).

    ``path`` is a path pattern (``driftline.baseline.patterns.pattern``).
    """

    path: str
    access: str


@dataclass(frozen=True, slots=True)
class LoadBehaviour:
    """Baseline entry for a file mapped executable."""

    path: str
    origin: str = ""  # as in ExecBehaviour


@dataclass(frozen=True, slots=True)
class ConnectBehaviour:
    """Baseline entry for a connect.

    ``address``: an address, "loopback", "self", "resolver" (a DNS server of the container's resolv.conf), a host name
    DNS gave the address, or a network in CIDR notation. ``port``: ``EPHEMERAL`` stands for any port of that range.
    """

    protocol: str
    address: str
    port: int


EPHEMERAL = -1
"""Any port from 32768 to 60999, Linux's default ip_local_port_range: a number the peer made up this time."""

Behaviour = ExecBehaviour | OpenBehaviour | LoadBehaviour | ConnectBehaviour


class Severity(StrEnum):
    """How urgent a deviation is; ordered by ``rank``."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 (info) to 4 (critical)."""
        return list(Severity).index(self)


class Kind(StrEnum):
    """Every kind of deviation."""

    EXEC_DRIFT = "exec.drift"
    EXEC_FILELESS = "exec.fileless"
    EXEC_UNKNOWN = "exec.unknown"
    EXEC_UNOWNED = "exec.unowned"
    EXEC_MODIFIED = "exec.modified"
    EXEC_SUSPICIOUS = "exec.suspicious"
    EXEC_PARENT = "exec.parent"
    EXEC_INTO_CONTAINER = "exec.into_container"
    CODE_LOAD = "code.load"
    FILE_WRITE_UNKNOWN = "file.write.unknown"
    FILE_WRITE_CODE = "file.write.code"
    FILE_WRITE_LOG = "file.write.log"
    FILE_READ_SENSITIVE = "file.read.sensitive"
    FILE_READ_UNKNOWN = "file.read.unknown"
    CONNECT_UNKNOWN = "connect.unknown"
    CONNECT_METADATA = "connect.metadata"
    CONNECT_RUNTIME_SOCKET = "connect.runtime_socket"
    CONNECT_SUSPICIOUS = "connect.suspicious"
    IMAGE_SBOM_MISMATCH = "image.sbom_mismatch"
    BASELINE_REFUSED = "baseline.refused"
    COVERAGE_GAP = "coverage.gap"
    AGENT_SILENT = "agent.silent"
    AGENT_DEGRADED = "agent.degraded"


@dataclass(frozen=True, slots=True)
class Loss:
    """Something we failed to see or keep; ``hook`` and ``cause`` are named in bpf/include/loss.h or by a stage."""

    hook: str
    cause: str
    count: int
    cgroup: int = 0  # 0: cannot be attributed


@dataclass(frozen=True, slots=True)
class Deviation:
    """A verdict worth telling, with its evidence. Text fields are raw; escape at the border (driftline.text)."""

    id: str  # UUIDv7 (RFC 9562)
    kind: Kind
    severity: Severity
    sentence: str  # for a tired person
    technique: str  # MITRE ATT&CK id, "" if none fits
    what: str  # the thing itself: path, address:port, loss cause
    first_wall_ns: int
    last_wall_ns: int
    first_kernel_ns: int
    last_kernel_ns: int
    node: str
    subject: Subject
    baseline: str  # version (content digest) of the baseline judged against, "" while there is none
    learning: bool  # fired while the baseline was still being learned
    count: int = 1  # this and its folded repeats
    process: Process | None = None
    argv: tuple[str, ...] = ()
    cwd: str = ""
    tty: str = ""
    exe: str = ""  # executable of the process
    ancestors: tuple[ExecImage, ...] = ()  # nearest first, at most 16
    file: File | None = None
    access: int = 0  # Access bits
    sha256: str = ""  # of the executable, hex; "" if not computed
    sha256_note: str = ""  # why there is none: "too large", "gone", ...
    protocol: str = ""
    address: str = ""
    port: int = 0
    flags: int = 0  # RecordFlag bits
    environment: tuple[str, ...] = ()
    loss: Loss | None = None
    notes: tuple[str, ...] = field(default=())  # e.g. "baseline partial: attached late"
    checks: tuple[str, ...] = field(default=())  # ids of the never-learned checks that fired, "NL-07"
