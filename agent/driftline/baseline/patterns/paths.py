"""Paths that mean more than themselves: secrets, and files that decide what runs or who may log in.

In: a path as the container sees it, resolved by the kernel. Out: the rule it falls under, or None. Why plain string
tests: no regular expression on the way of an event; most rules are one ``endswith`` with a tuple, which also finds them
in a host's root mounted somewhere. Next: ``verdict.checks.opens``; ``tokens`` and ``folding``, which leave such paths
as they are.

Reading its own credentials (its token, keys and secrets mounted for it) is a service's work: told quietly, and a person
approves it. What gives power over others (password hashes, other processes' memory, the kernel's, raw disks, the node's
keys) is told loudly.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.nouns import Severity


class PathRule(NamedTuple):
    """Why a path matters; ``reason`` ends the sentence."""

    reason: str
    technique: str
    own: bool = False  # may be the service's own credential
    severity: Severity = Severity.HIGH
    check: str = "NL-13"  # id in ``driftline.verdict.checks.table``


_HASHES = PathRule("it holds password hashes", "T1003.008")
_SUDOERS = PathRule("it says who may become root", "T1003.008", severity=Severity.MEDIUM)
_MEMORY = PathRule("it is another process's memory", "T1003.007", severity=Severity.CRITICAL, check="NL-14")
_KERNEL = PathRule("it is the node's memory", "T1003.007", severity=Severity.CRITICAL, check="NL-14")
_LAYOUT = PathRule("it tells where the kernel keeps things", "T1082", severity=Severity.MEDIUM, check="NL-14")
_NODE_KEYS = PathRule("it holds the node's own Kubernetes credentials", "T1552.001", severity=Severity.CRITICAL)
_TOKEN = PathRule("it is the pod's Kubernetes token", "T1528", own=True)
_SECRET = PathRule("it is a secret mounted into the container", "T1552.001", own=True)
_KEY = PathRule("it is a private key", "T1552.004", own=True)
_CREDENTIALS = PathRule("it holds credentials", "T1552.001", own=True)
_ENVIRONMENT = PathRule("a process's environment often holds secrets", "T1552.001", own=True)
DISK = PathRule("it is a raw disk, all of the node's files", "T1006", severity=Severity.CRITICAL, check="NL-15")

_READ_SUFFIXES: tuple[tuple[tuple[str, ...], PathRule], ...] = (
    (("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-", "/etc/security/opasswd"), _HASHES),
    (("/etc/sudoers",), _SUDOERS),
    (("/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port", "/proc/vmcore"), _KERNEL),
    (("/proc/sched_debug", "/debug/sched/debug", "/proc/sys/kernel/randomize_va_space", "/proc/kallsyms"), _LAYOUT),
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
_READ_ENDS = tuple(suffix for suffixes, _rule in _READ_SUFFIXES for suffix in suffixes)
_PUBLIC = (".pub", "/ca.crt", "/namespace")


def sensitive_read(path: str) -> PathRule | None:
    """Return the rule for reading ``path``, None if it is no secret."""
    return _sensitive_read(path) if path.endswith(_READ_ENDS) or _is_near_secrets(path) else None


def _is_near_secrets(path: str) -> bool:
    """Whether it lies where secrets may: nearly every path is done with after these."""
    return (
        "/etc/" in path
        or "/proc/" in path
        or "/secrets/" in path
        or "/var/lib/" in path
        or "/.ssh/" in path
        or "/.config/" in path
    )


def _sensitive_read(path: str) -> PathRule | None:
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


_PROGRAMS = PathRule("programs are run from there", "T1554", check="NL-16")
_LIBRARIES = PathRule("programs load their code from there", "T1574.006", check="NL-16")
_LOADER = PathRule("it tells every program which code to load", "T1574.006", severity=Severity.CRITICAL, check="NL-11")
_CRON = PathRule("what it says runs by the clock", "T1053.003", check="NL-16")
_INIT = PathRule("what it says runs at start-up", "T1037", check="NL-16")
_SYSTEMD = PathRule("what it says runs as a service", "T1543.002", check="NL-16")
_SHELL = PathRule("every new shell runs it", "T1546.004", check="NL-16")
_LOGIN = PathRule("it decides who may log in or become root", "T1098", check="NL-16")
_ESCAPE = PathRule(
    "the node's kernel runs what it says, outside the container", "T1611", severity=Severity.CRITICAL, check="NL-14"
)
_INJECT = PathRule(
    "it is another process's memory: code can be put into it", "T1055.009", severity=Severity.CRITICAL, check="NL-14"
)

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
    (("/proc/sys/kernel/randomize_va_space", "/etc/request-key.conf"), _ESCAPE),
)
_CODE_STARTS = (*_PROGRAM_DIRS, *_LIBRARY_DIRS, "/opt/", *(one for starts, _rule in _WRITE_STARTS for one in starts))
_CODE_ROOTS = tuple({start[: start.index("/", 1)] for start in _CODE_STARTS})
"""The few directories those are in: most paths are done with after these."""
_CODE_ENDS = ("/mem", *(suffix for suffixes, _rule in _WRITE_SUFFIXES for suffix in suffixes))


def code_write(path: str) -> PathRule | None:
    """Return the rule for writing ``path``, None if nothing runs from it.

    CPython's own cache (``__pycache__``) is left out: Python writes it beside every module it loads as root, and an
    image without it does so at its first start. Such a write is judged like any other.
    """
    if (path.startswith(_CODE_ROOTS) and path.startswith(_CODE_STARTS)) or path.endswith(_CODE_ENDS):
        return _code_write(path)
    return _code_write(path) if "-packages/" in path else None


def _code_write(path: str) -> PathRule | None:
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


_CODE_ENDINGS = (
    *(".so", ".ko", ".sh", ".bash", ".py", ".pyc", ".pl", ".pm", ".rb", ".lua", ".php", ".phtml", ".phar", ".cgi"),
    *(".js", ".mjs", ".cjs", ".node", ".wasm", ".jar", ".war", ".class", ".jsp", ".jspx", ".asp", ".aspx", ".ps1"),
    *(".exe", ".dll", ".elf", ".service", ".timer"),
)
_KEY_ENDINGS = (".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".env")
_TELLING_ENDINGS = frozenset((*_CODE_ENDINGS, *_KEY_ENDINGS))
_LIBRARY = ".so."  # libx.so.1.2
_TELLING_NAMES = frozenset(end.rpartition("/")[2] for end in (*_READ_ENDS, *_CODE_ENDS))


def is_telling(path: str) -> bool:
    """Whether the very name of ``path`` matters: a secret, a key, code. One such file says nothing of the next."""
    name = path[path.rfind("/") + 1 :]
    if name[name.rfind(".") :] in _TELLING_ENDINGS or _LIBRARY in path or "/__pycache__/" in path:
        return True
    if not (name in _TELLING_NAMES or path.startswith(_CODE_ROOTS) or "-packages/" in path or _is_near_secrets(path)):
        return False
    return sensitive_read(path) is not None or code_write(path) is not None


def stands_alone(path: str) -> bool:
    """Whether no wildcard that was not written by a person may stand for ``path``: telling, or in a hidden place.

    Names with a leading dot are where programs keep credentials and settings, and where intruders hide; ``.cache`` is
    the exception everybody uses.
    """
    return "/." in path.replace("/.cache/", "/") or is_telling(path)


_LOG_FILES = ("/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog", "/var/run/utmp", "/run/utmp")
_HISTORIES = tuple(
    f"/.{name}" for name in ("bash_history", "sh_history", "ash_history", "zsh_history", "history", "python_history")
)


def is_log(path: str) -> bool:
    """Whether what happened is written there."""
    return path.startswith("/var/log/") or path.endswith(".log") or path in _LOG_FILES


def is_history(path: str) -> bool:
    """Whether a shell writes there what was typed, or the system who logged in."""
    return path.endswith(_HISTORIES) or path in _LOG_FILES
