"""Seccomp profile, where a baseline can decide one.

In: what a baseline allows, the profile the runtime uses now. Out: that profile without ``connect``, if a complete
baseline shows that nothing connects; else an error that says why nothing is decidable. Why so little: a baseline knows
programs, files and connects, not system calls; and a profile replaces the runtime's own, so that one made from nothing
would be weaker than none. Format: OCI runtime-spec, config-linux.md, "Seccomp". Next: the container's runtime.
"""

from __future__ import annotations

import json
from typing import Any

from driftline.baseline.export.common import Allowed, Effect, Exported, ExportError, Gaps, Wanted

_CALL = "connect"
_EPERM = 1
_NOT_ALLOWED = "SCMP_ACT_ERRNO"
_UNDECIDABLE = "nothing about system calls can be decided from this baseline"


def export(found: Allowed, wanted: Wanted) -> Exported:
    """Return the profile. Raises ExportError if nothing is decidable, or there is none to start from."""
    if found.connects:
        raise ExportError(f"{_UNDECIDABLE}: it connects ({len(found.connects)} behaviours), and holds no list of calls")
    if found.reasons or found.others:
        why = ", ".join(found.reasons) or "behaviours wait for review or confirmation"
        raise ExportError(f"{_UNDECIDABLE}: only a complete one shows that nothing connects ({why})")
    if wanted.base is None:
        raise ExportError(
            "nothing connects, so `connect` can be refused, but a profile replaces the runtime's own: give that one",
            "--seccomp-base FILE, such as /usr/share/containers/seccomp.json",
        )
    gaps = Gaps()
    gaps.add("system calls but connect: they stay as in the profile given", Effect.UNSAID)
    gaps.add("connects of 32-bit programs, which go through socketcall", Effect.UNSAID)
    gaps.add("datagrams sent without a connect (sendto), and io_uring", Effect.UNSAID)
    return Exported(json.dumps(_without(wanted.base), indent=2, ensure_ascii=True) + "\n", gaps.all())


def _without(base: Any) -> dict[str, Any]:
    """Return the profile ``base`` with ``connect`` refused. Raises ExportError if it is none."""
    if not isinstance(base, dict) or not isinstance(base.get("defaultAction"), str):
        raise ExportError("the file given is no seccomp profile: it has no defaultAction")
    rules = base.get("syscalls", [])
    if not isinstance(rules, list) or not all(_is_rule(rule) for rule in rules):
        raise ExportError("the file given is no seccomp profile: syscalls is no list of rules with names")
    kept = [rule | {"names": [name for name in rule["names"] if name != _CALL]} for rule in rules]
    refused = {"names": [_CALL], "action": _NOT_ALLOWED, "errnoRet": _EPERM}
    return base | {"syscalls": [*(rule for rule in kept if rule["names"]), refused]}


def _is_rule(rule: Any) -> bool:
    if not isinstance(rule, dict) or not isinstance(rule.get("names"), list):
        return False
    return all(isinstance(name, str) for name in rule["names"])
