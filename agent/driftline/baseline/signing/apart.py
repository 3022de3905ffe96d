"""Verifies signatures in a process of its own: the agent never loads a library for that.

In: a ``Request``. Out: an ``Answer`` for each baseline. Why a child: the libraries take 10 MiB and reading a signed
baseline ten times its size; a child gives them back, is niced, has limits of memory and time. Its other side is
``child``. Next: ``guard``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from driftline.baseline.signing.judged import Answer, Judged, Request, Worth
from driftline.errors import SignatureError

MODULE = "driftline.baseline.signing.child"
SECONDS = 120.0
"""Longest run for ``MAX_NAMES``; one baseline takes a tenth of a second, the largest possible some ten."""
MAX_NAMES = 64
"""Baselines verified in one run."""
_SHOWN = 2_000  # characters of the child's complaint


class ChildError(SignatureError):
    """The child did not come to its end; perhaps for one baseline alone."""


def verify_apart(request: Request, seconds: float = SECONDS) -> list[Answer]:
    """Verify up to ``MAX_NAMES`` baselines. Blocks. Raises SignatureError if nothing can be said about any, ChildError
    if it might be about some of them."""
    command = [sys.executable, "-m", MODULE]
    try:
        done = subprocess.run(command, input=json.dumps(asdict(request)).encode(), capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise ChildError(f"signatures cannot be verified: it took longer than {seconds:g} s") from error
    except OSError as error:
        raise SignatureError(f"signatures cannot be verified: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[-_SHOWN:] or f"exit status {done.returncode}"
        kind = SignatureError if done.returncode == SignatureError.exit_status else ChildError
        raise kind(f"signatures cannot be verified: {said}")
    return [_answer(json.loads(line)) for line in done.stdout.splitlines()]


def _answer(values: dict[str, Any]) -> Answer:
    return Answer(str(values["name"]), *(_judged(values[which]) for which in ("now", "kept", "earlier")))


def _judged(values: dict[str, Any]) -> Judged:
    return Judged(**{**values, "worth": Worth(values["worth"])})
