"""Takes what a collector published or revoked, in a process of its own.

In: a ``Request``. Out: an ``Answer``. Why a child: a baseline from elsewhere is parsed, verified and written there,
niced, with limits of memory and time; the agent never loads a library for that. Its other side is ``child``. Next: the
running agent notices what was written, as it notices a person's decision.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from driftline.errors import StateError
from driftline.text import escape

MODULE = "driftline.baseline.receiving.child"
SECONDS = 120.0
"""Longest run: the largest possible baseline takes some ten."""
_SHOWN = 2_000  # characters of the child's complaint


class Became(StrEnum):
    """What became of it."""

    TAKEN = "taken"
    REFUSED = "refused"  # for good: it is not asked for again
    FAILED = "failed"  # the node could not; again later


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to take, and on what terms. ``name``: as on the wire, escaped."""

    state_dir: str
    trust_dir: str
    threshold: int
    unsigned: bool  # what nobody signed is taken, too
    required: bool  # the agent requires signatures of all it judges by
    collector: str  # its address, for the baseline's history
    name: str
    version: str
    file: str = ""  # of a published baseline: what was sent, compressed
    signed: bool = False  # of a published baseline: it is in an envelope
    revocation: bool = False
    reason: str = ""  # of a revocation, escaped; what is signed says it itself
    envelope: str = ""  # of a revocation: DSSE, base64; "": nobody signed it


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of it. ``reason``: why it was not taken, or was revoked, escaped."""

    became: Became
    reason: str = ""
    now: str = ""  # of a revoked version that was in force: what is in its place
    inherited: Mapping[str, str] = field(default_factory=dict)
    """Of a revoked version: what became of what newer images had from it, by name of their baselines."""
    forgotten: int = 0  # older revocations, for lack of room

    @property
    def said(self) -> str:
        """What the collector is told, escaped."""
        if self.became is not Became.TAKEN:
            return self.reason
        inherited = (f"of {escape(name)} {what}" for name, what in self.inherited.items())
        return "; ".join([*filter(None, [self.now]), *inherited])


def receive_apart(request: Request, seconds: float = SECONDS) -> Answer:
    """Take it. Blocks. Raises StateError if the child did not come to its end."""
    command = [sys.executable, "-m", MODULE]
    try:
        done = subprocess.run(command, input=json.dumps(asdict(request)).encode(), capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise StateError(f"it took longer than {seconds:g} s") from error
    except OSError as error:
        raise StateError(f"no process to take it: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[-_SHOWN:] or f"exit status {done.returncode}"
        raise StateError(f"what takes it ended: {said}")
    values = json.loads(done.stdout)
    return Answer(**{**values, "became": Became(values["became"])})
