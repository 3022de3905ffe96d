"""Exec → the name a program was called by: what tells the applets of a multi-call binary apart.

In: an ``ExecEvent``. Out: a name. Why apart: one binary is hundreds of programs (busybox, toybox, coreutils), and which
one is said by ``argv[0]``, or by the word after it; for any other program ``argv[0]`` is free text (``-bash``,
``nginx: worker``) and must not matter. Next: ``behaviour``, ``matching``.
"""

from __future__ import annotations

from driftline.nouns import ExecEvent, RecordFlag

_SCRIPT = int(RecordFlag.SCRIPT)

# Longest applet name kept: coreutils' and busybox's longest has 19 characters; longer is free text.
MAX_APPLET = 32
_APPLET_EXTRA = str.maketrans("", "", "-_.[+")  # "[", "[[", "run-parts", "mkfs.ext2", "x86_64": applets have these too


def invoked_name(event: ExecEvent) -> str:
    """Return the name ``event`` was called by.

    A script: its absolute path. A multi-call binary (its own name says so, or it was called by another name than its
    file's): the applet. Anything else: the base name it was called by.
    """
    invoked = event.invoked
    if event.flags & _SCRIPT:
        return absolute(invoked, event.cwd)
    name = invoked[invoked.rfind("/") + 1 :]
    path = event.file.path
    program = path[path.rfind("/") + 1 :]
    if name == program and not program.startswith(_MULTI_CALL):
        return name
    return _applet(event, name, program)


_MULTI_CALL = ("busybox", "toybox", "coreutils")


def _applet(event: ExecEvent, name: str, program: str) -> str:
    """The applet by ``argv``; the program's own name where ``argv`` holds no such thing."""
    if name == "exe" or name.isdigit():
        name = program  # /proc/self/exe, /dev/fd/6: a way to reach the program, not a name
    called = _base(event.argv[0]) if event.argv else ""
    if not _is_applet(called):
        called = name
    if called.startswith(_MULTI_CALL) and len(event.argv) > 1:
        return _applet_word(event.argv[1]) or called
    return called


def _applet_word(word: str) -> str:
    """The applet in ``busybox WORD …`` or ``coreutils --coreutils-prog=WORD …``, "" if it is neither."""
    word = _base(word.removeprefix("--coreutils-prog="))
    return word if _is_applet(word) else ""


def names_by_argument(event: ExecEvent) -> bool:
    """Whether the behaviour hangs on more than file, invoked name and ``argv[0]``.

    Then a cache keyed by those three would take one behaviour for another (``busybox nc`` for ``busybox ls``).
    """
    if event.flags & _SCRIPT:
        return not event.invoked.startswith("/")
    return _base(event.file.path).startswith(_MULTI_CALL) and (
        not event.argv or _base(event.argv[0]).startswith(_MULTI_CALL)
    )


def absolute(path: str, cwd: str) -> str:
    """Return ``path`` under ``cwd`` unless it is absolute; a leading ``./`` goes, nothing else is resolved."""
    if path.startswith("/"):
        return path
    return f"{cwd.rstrip('/')}/{path.removeprefix('./')}"


def _base(path: str) -> str:
    """Last component, without the dash a login shell puts in front."""
    return path[path.rfind("/") + 1 :].removeprefix("-")


def _is_applet(name: str) -> bool:
    if not 0 < len(name) <= MAX_APPLET:
        return False
    rest = name.translate(_APPLET_EXTRA)
    return name.isascii() and (rest.isalnum() or not rest)
