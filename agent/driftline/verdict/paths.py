"""Paths that mean more than themselves: secrets, and files that decide what runs or who may log in.

In: a path as the container sees it, resolved by the kernel. Out: the rule it falls under, or None. Why plain string
tests: no regular expression on the way of an event; most rules are one ``endswith`` with a tuple, which also finds them
in a host's root mounted somewhere. Next: ``judge_open``. From peers.md 5.6, NL-13 to NL-16.

A service's own credentials (its token, keys and secrets mounted for it) may be learned: reading them is its work. What
gives power over others (password hashes, other processes' memory, the kernel's, raw disks, the node's keys) never is.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.nouns import Severity


class PathRule(NamedTuple):
    """Why a path matters; ``reason`` ends the sentence."""

    reason: str
    technique: str
    learnable: bool = False
    severity: Severity = Severity.HIGH


_HASHES = PathRule("it holds password hashes", "T1003.008")
_SUDOERS = PathRule("it says who may become root", "T1003.008", severity=Severity.MEDIUM)
_MEMORY = PathRule("it is another process's memory", "T1003.007", severity=Severity.CRITICAL)
_KERNEL = PathRule("it is the node's memory", "T1003.007", severity=Severity.CRITICAL)
_NODE_KEYS = PathRule("it holds the node's own Kubernetes credentials", "T1552.001", severity=Severity.CRITICAL)
_TOKEN = PathRule("it is the pod's Kubernetes token", "T1528", learnable=True)
_SECRET = PathRule("it is a secret mounted into the container", "T1552.001", learnable=True)
_KEY = PathRule("it is a private key", "T1552.004", learnable=True)
_CREDENTIALS = PathRule("it holds credentials", "T1552.001", learnable=True)
_ENVIRONMENT = PathRule("a process's environment often holds secrets", "T1552.001", learnable=True)
DISK = PathRule("it is a raw disk, all of the node's files", "T1006", severity=Severity.CRITICAL)

_READ_SUFFIXES: tuple[tuple[tuple[str, ...], PathRule], ...] = (
    (("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-", "/etc/security/opasswd"), _HASHES),
    (("/etc/sudoers",), _SUDOERS),
    (("/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port", "/proc/vmcore"), _KERNEL),
    (("/.aws/credentials", "/.docker/config.json", "/.kube/config", "/.git-credentials", "/.netrc"), _CREDENTIALS),
    (("/.pgpass", "/.my.cnf", "/.npmrc", "/.pypirc", "/.vault-token", "/.azure/accessTokens.json"), _CREDENTIALS),
)
_READ_INSIDE: tuple[tuple[str, PathRule], ...] = (
    ("/etc/sudoers.d/", _SUDOERS),
    ("/etc/kubernetes/pki/", _NODE_KEYS),
    ("/var/lib/kubelet/pki/", _NODE_KEYS),
    ("/var/lib/etcd/", _NODE_KEYS),
    ("/secrets/kubernetes.io/serviceaccount/", _TOKEN),
    ("/secrets/eks.amazonaws.com/serviceaccount/", _TOKEN),
    ("/secrets/azure/tokens/", _TOKEN),
    ("/.config/gcloud/", _CREDENTIALS),
)
_SECRET_ROOTS = ("/run/secrets/", "/var/run/secrets/")
_PUBLIC = (".pub", "/ca.crt", "/namespace")


def sensitive_read(path: str) -> PathRule | None:
    """Return the rule for reading ``path``, None if it is no secret."""
    if path.startswith("/proc/") or "/proc/" in path:
        found = _proc_read(path)
        if found is not None:
            return found
    for suffixes, rule in _READ_SUFFIXES:
        if path.endswith(suffixes):
            return rule
    if path.endswith(_PUBLIC):
        return None
    for part, rule in _READ_INSIDE:
        if part in path:
            return rule
    if path.startswith(_SECRET_ROOTS):
        return _SECRET
    if "/etc/kubernetes/" in path and path.endswith(".conf"):
        return _NODE_KEYS
    return _KEY if _is_ssh_key(path) else None


def _proc_read(path: str) -> PathRule | None:
    """Rules of ``/proc/PID/…`` (also ``task/TID``), wherever proc is mounted."""
    if path.endswith(("/mem", "/environ")):
        numbered = path.rsplit("/", 2)[-2].isdigit()
        return (_MEMORY if path.endswith("/mem") else _ENVIRONMENT) if numbered else None
    return None


def _is_ssh_key(path: str) -> bool:
    directory, _, name = path.rpartition("/")
    if directory.endswith("/.ssh"):
        return name.startswith("id_") or name.endswith((".pem", ".key"))
    return directory.endswith("/etc/ssh") and name.startswith("ssh_host_") and name.endswith("_key")


_PROGRAMS = PathRule("programs are run from there", "T1554")
_LIBRARIES = PathRule("programs load their code from there", "T1574.006")
_LOADER = PathRule("it tells every program which code to load", "T1574.006", severity=Severity.CRITICAL)
_CRON = PathRule("what it says runs by the clock", "T1053.003")
_INIT = PathRule("what it says runs at start-up", "T1037")
_SYSTEMD = PathRule("what it says runs as a service", "T1543.002")
_SHELL = PathRule("every new shell runs it", "T1546.004")
_LOGIN = PathRule("it decides who may log in or become root", "T1098")
_ESCAPE = PathRule("the node's kernel runs what it says, outside the container", "T1611", severity=Severity.CRITICAL)
_INJECT = PathRule("it is another process's memory: code can be put into it", "T1055.009", severity=Severity.CRITICAL)

_PROGRAM_DIRS = (
    *("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/libexec/", "/usr/games/"),
    *("/usr/local/bin/", "/usr/local/sbin/", "/usr/local/libexec/"),
)
_LIBRARY_DIRS = (
    *("/lib/", "/lib32/", "/lib64/", "/libx32/", "/usr/lib/", "/usr/lib32/", "/usr/lib64/", "/usr/libx32/"),
    *("/usr/local/lib/", "/usr/local/lib64/"),
)
_PACKAGES = ("/site-packages/", "/dist-packages/")
_OPT_PROGRAMS = ("/bin/", "/sbin/", "/libexec/")
_OPT_LIBRARIES = ("/lib/", "/lib64/")

_RUN_LEVELS = ("/etc/rc.", *(f"/etc/rc{level}.d/" for level in "0123456S"))

_WRITE_STARTS: tuple[tuple[tuple[str, ...], PathRule], ...] = (
    (("/etc/ld.so.", "/etc/ld-musl-"), _LOADER),
    (("/etc/cron", "/var/spool/cron/", "/etc/anacrontab"), _CRON),
    (("/etc/systemd/", "/run/systemd/system/"), _SYSTEMD),
    (("/etc/init.d/", "/etc/inittab", "/etc/s6/", "/etc/s6-overlay/", "/etc/services.d/", *_RUN_LEVELS), _INIT),
    (("/etc/profile", "/etc/bash.bashrc", "/etc/zsh/"), _SHELL),
    (("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers", "/etc/pam.d/"), _LOGIN),
)
_WRITE_SUFFIXES: tuple[tuple[tuple[str, ...], PathRule], ...] = (
    (("/.bashrc", "/.bash_profile", "/.bash_login", "/.profile", "/.zshrc", "/.zshenv", "/.bash_logout"), _SHELL),
    (("/.ssh/authorized_keys", "/.ssh/authorized_keys2", "/etc/ssh/sshd_config"), _LOGIN),
    (("/release_agent", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/uevent_helper"), _ESCAPE),
    (("/proc/sysrq-trigger", "/binfmt_misc/register", "/proc/sys/kernel/hotplug", "/notify_on_release"), _ESCAPE),
)


def code_write(path: str) -> PathRule | None:
    """Return the rule for writing ``path``, None if nothing runs from it.

    CPython's own cache (``__pycache__``) is left out: Python writes it beside every module it loads as root, and an
    image without it does so at its first start. Such a write is judged like any other.
    """
    if "/__pycache__/" in path:
        return None
    if path.startswith(_PROGRAM_DIRS):
        return _PROGRAMS
    if path.startswith(_LIBRARY_DIRS) or any(part in path for part in _PACKAGES):
        return _LIBRARIES
    for starts, rule in _WRITE_STARTS:
        if path.startswith(starts):
            return rule
    for suffixes, rule in _WRITE_SUFFIXES:
        if path.endswith(suffixes):
            return rule
    if path.startswith("/opt/"):
        return _opt_write(path)
    if path.endswith("/mem") and "/proc/" in path:
        return _INJECT if path.rsplit("/", 2)[-2].isdigit() else None
    return None


def _opt_write(path: str) -> PathRule | None:
    if any(part in path for part in _OPT_PROGRAMS):
        return _PROGRAMS
    return _LIBRARIES if any(part in path for part in _OPT_LIBRARIES) else None


_TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/", "/var/run/")


def is_temporary(path: str) -> bool:
    """Whether any program may put files there: an image ships nothing in such a directory."""
    return path.startswith(_TEMPORARY)
