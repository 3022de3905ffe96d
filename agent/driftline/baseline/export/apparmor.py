"""AppArmor profile: one for the container, as container engines use them.

In: what a baseline allows. Out: profile text for apparmor_parser. Syntax: apparmor.d(5) of AppArmor 3.0. Why one
profile and ``ix``: a baseline does not know which program opened a file, so every program gets all of them; ``Px``
would need a profile for each. Next: ``apparmor_parser``, then ``docker run --security-opt apparmor=NAME`` or the pod's
``appArmorProfile``.
"""

from __future__ import annotations

from driftline.baseline.export.common import (
    READ,
    WRITE,
    Allowed,
    Effect,
    Exported,
    Gaps,
    Wanted,
    commented,
    head,
    name_of,
)
from driftline.baseline.export.globs import glob, is_literal
from driftline.baseline.export.peers import Place, peer_of
from driftline.baseline.patterns.pattern import literal

_GLOB_CHARACTERS = frozenset('?*[]{}^"')
_FIRST_PRINTABLE, _DELETE = 0x20, 0x7F
_ORDER = "rwmix"
_FAMILIES = ("inet", "inet6")


def export(found: Allowed, wanted: Wanted) -> Exported:
    """Return the profile."""
    gaps, name = Gaps(), name_of(found.baseline, wanted)
    rules = sorted(_files(found, gaps).items())
    lines = [f"  {_quoted(path)} {''.join(sorted(modes, key=_ORDER.index))}," for path, modes in rules]
    lines += [f"  network {rule}," for rule in _network(found, gaps)]
    lines += [f"  signal (send, receive) peer={_name(name)},", "  signal (receive) peer=unconfined,", "  capability,"]
    _say_the_rest(found, gaps)
    start = commented(head(found, "apparmor", gaps.all())) + "abi <abi/3.0>,\n\n"
    body = "\n".join(lines)
    flags = "(attach_disconnected, mediate_deleted)"
    return Exported(f"{start}profile {_name(name)} flags={flags} {{\n{body}\n}}\n", gaps.all())


def _files(found: Allowed, gaps: Gaps) -> dict[str, set[str]]:
    """Path in AppArmor's glob syntax → its modes."""
    modes: dict[str, set[str]] = {}
    for pattern, access in found.opens.items():
        path = _path(pattern, gaps)
        if path is None:
            continue
        kinds = {letter for letter, bit in (("r", READ), ("w", WRITE)) if access & bit}
        modes.setdefault(path + _or_directory(pattern), set()).update(kinds)
    foreign_programs = [one.path for one in found.foreign_programs]
    foreign_libraries = [one.path for one in found.foreign_libraries]
    for path in (*found.programs, *foreign_programs):
        if (shown := _path(literal(path), gaps)) is not None:
            modes.setdefault(shown, set()).update("rmix")
    for path in found.scripts:  # AppArmor asks about the file given to execve, not about its interpreter
        if (shown := _path(literal(path), gaps)) is not None:
            modes.setdefault(shown, set()).update("rix")
    for path in (*found.libraries, *foreign_libraries):
        if (shown := _path(literal(path), gaps)) is not None:
            modes.setdefault(shown, set()).update("rm")
    for path in (*foreign_programs, *foreign_libraries):
        gaps.add("code allowed from one place only, here from any: AppArmor knows paths", Effect.WIDER, path)
    return modes


def _path(pattern: str, gaps: Gaps) -> str | None:
    if not pattern.startswith("/"):
        gaps.add("files without a path from the root, refused", Effect.NARROWER, pattern)
        return None
    if not is_literal(pattern):
        gaps.add("patterns whose classes ({num}, {uuid}…) become globs", Effect.WIDER, pattern)
    return glob(pattern, _literal)


def _or_directory(pattern: str) -> str:
    """AppArmor writes directories with a slash at the end; a baseline does not say which is one."""
    return "" if pattern.endswith(("/", "/**")) else "{,/}"


def _literal(char: str) -> str:
    """One character of a path, between quotation marks; bytes that are no text as octal numbers."""
    code = ord(char)
    if char in _GLOB_CHARACTERS:
        return f"\\{char}"
    if code < _FIRST_PRINTABLE or code == _DELETE or char == "\\":  # a last \\ would escape the quotation mark
        return f"\\{code:03o}"
    if code > _DELETE:
        return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))
    return char


def _quoted(path: str) -> str:
    return f'"{path}"'


def _name(name: str) -> str:
    return f'"{name}"'


def _network(found: Allowed, gaps: Gaps) -> list[str]:
    gaps.add("addresses and ports: AppArmor knows families and kinds of sockets", Effect.WIDER)
    gaps.add("listening is no part of a baseline, so TCP, UDP and Unix sockets are allowed to all", Effect.WIDER)
    for peer in map(peer_of, found.connects):
        if peer.place is not Place.UNIX and peer.behaviour.protocol not in ("tcp", "udp"):
            gaps.add("connects of other protocols than TCP and UDP, refused", Effect.NARROWER, peer.text)
    return [*(f"{family} {kind}" for family in _FAMILIES for kind in ("stream", "dgram")), "unix", "netlink raw"]


def _say_the_rest(found: Allowed, gaps: Gaps) -> None:
    gaps.add("which program opens which file: all programs may open all of them", Effect.WIDER)
    gaps.add("capabilities are no part of a baseline: those the runtime leaves are allowed", Effect.WIDER)
    gaps.add(
        "mkdir, mknod, links, ptrace and mount are no part of a baseline, refused: try with --Complain first",
        Effect.NARROWER,
    )
    gaps.add(
        "files read because their package is in use, refused where the baseline does not name them", Effect.NARROWER
    )
    for one in found.execs:
        gaps.add("who runs a program, and under which name", Effect.WIDER, one.path)
