"""Arguments that hardly anything but an attack has.

In: a program's name and arguments. Out: the hit of NL-10, or None. Why plain text tests: an attacker can always write
them another way; these catch what is copied from a list of one-liners, which is most. Next: ``execs``.
"""

from __future__ import annotations

from driftline.nouns import Severity
from driftline.verdict.checks.interpreters import is_interpreter
from driftline.verdict.checks.table import ARGUMENTS, Hit, hit

_NETCATS = frozenset({"nc", "ncat", "netcat", "nc.openbsd", "nc.traditional"})
PROGRAMS = _NETCATS | {"socat", "openssl", "env", "xargs", "find", "timeout"}
"""Programs beside interpreters whose arguments say what they do."""
_EXECUTING = frozenset({"-e", "-c", "--exec", "--sh-exec", "--lua-exec"})
_DIALS = ("/dev/tcp/", "/dev/udp/", "/inet/tcp/")
_MINING = ("stratum+tcp://", "stratum+ssl://", "stratum2+tcp://", "stratum+tls://", "--donate-level")

_REVERSE = hit(ARGUMENTS, "its arguments connect a shell to the network")
_MINES = hit(ARGUMENTS, "its arguments are a miner's", technique="T1496")
_PIPED = hit(
    ARGUMENTS, "its arguments download or decode something and hand it to a shell", Severity.HIGH, technique="T1105"
)


def attack_in(name: str, argv: tuple[str, ...]) -> Hit | None:
    """Return what the arguments give away; ``argv``: with the program's own name first."""
    text = " ".join(argv[1:])
    if len(text) < _SHORTEST:
        return None
    if any(part in text for part in _MINING):
        return _MINES
    if any(part in text for part in _DIALS):
        return _REVERSE
    if name in _NETCATS:
        return _REVERSE if _executes(argv) else None
    if name == "socat":
        return _REVERSE if any(part in text.upper() for part in ("EXEC:", "SYSTEM:")) else None
    return _in_code(text) if "|" in text or "ocket" in text or "fsockopen" in text else None


_SHORTEST = 4  # "-e x"


def _executes(argv: tuple[str, ...]) -> bool:
    """Whether netcat was told to run a program: ``-e``, ``-c``, also in a group (``-lvpe``)."""
    return any(
        word.partition("=")[0] in _EXECUTING or (word[:1] == "-" and word[1:2] != "-" and word[-1:] in ("e", "c"))
        for word in argv[1:]
    )


def _in_code(text: str) -> Hit | None:
    """Code given as an argument: ``sh -c``, ``python -c``, ``perl -e``."""
    if "ocket" in text and any(part in text for part in ("pty.spawn", "dup2(", "subprocess", 'exec("/bin', "exec{")):
        return _REVERSE
    if "fsockopen" in text and any(part in text for part in ("exec(", "proc_open", "popen", "shell_exec", "system(")):
        return _REVERSE
    if "mkfifo" in text and any(part in text for part in ("nc ", "ncat ", "telnet ", "s_client")):
        return _REVERSE
    decodes = "base64" in text and any(part in text for part in (" -d", " --decode", " -D"))
    if decodes or "curl " in text or "wget " in text:
        return _PIPED if _into_shell(text) else None
    return None


def _into_shell(text: str) -> bool:
    """Whether something is piped into an interpreter."""
    for part in text.split("|")[1:]:
        word = part.strip().removeprefix("sudo ").split(" ")[0].strip("\"';)&")
        if is_interpreter(word[word.rfind("/") + 1 :]):
            return True
    return False
