"""Deviations a receiver refuses, set aside.

In: a deviation and the receiver's reason. Out: a line of JSON in ``STATE/outputs/NAME.refused.jsonl``. Why: what is
refused is never tried again, and somebody must be able to see what it was. Bounded: the file begins anew when it is
full, one older file is kept. Next: a person.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.outputs.sending import clean

_log = logging.getLogger(__name__)

REFUSALS_BYTES = 4 * 1024 * 1024
"""Size at which the file begins anew: some ten thousand refusals, more than anybody reads."""


class Refusals:
    """The file at ``path``; it is made with the first refusal."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, item: pb.StoredDeviation, reason: str) -> None:
        """Note that ``item`` was refused. A disk that refuses costs the note, nothing else."""
        deviation = item.deviation
        texts = {"id": deviation.id, "node": deviation.node, "kind": deviation.kind, "what": deviation.what[:4096]}
        line = json.dumps({"revision": item.revision, "reason": reason, **{k: clean(v) for k, v in texts.items()}})
        try:
            if self._path.exists() and self._path.stat().st_size > REFUSALS_BYTES:
                self._path.replace(f"{self._path}.1")
            with open(self._path, "a", opener=_private) as file:
                file.write(f"{line}\n")
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error.strerror)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
