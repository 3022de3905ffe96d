"""``python -m driftline_collector.baseline_child``: reads what strangers sent, and merges baselines.

In: jobs on standard input, as ``baseline_apart`` frames them. Out: an answer to each; the end after one that went
wrong, or with the input. Why a child: the largest baseline takes seconds and a GiB of memory to read; a child is niced,
has limits, and may be killed, while the event loop goes on. It believes nothing and writes no file. Next:
``baseline_apart``.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from typing import IO

from driftline.baseline.fleet import merge
from driftline.baseline.format.canonical import from_msgpack, to_msgpack, version_of
from driftline.baseline.schema import Baseline, Standing
from driftline.errors import SignatureError
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.pieces import deflate, inflate
from driftline.wire.service import WHOLE_BYTES
from driftline_collector.baseline_facts import LENGTH_BYTES, MERGE, REVOCATION, Facts, Withdrawal

MEMORY = 2 * 1024**3
"""Address space, bytes: the largest baseline as objects takes about 1 GiB."""
NICENESS = 10
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> int:
    """Do one job after the other; return the exit status."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # there is nothing to clean up
    os.nice(NICENESS)
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard), hard))
    while serve(sys.stdin.buffer, sys.stdout.buffer):
        pass
    return 0


def serve(source: IO[bytes], target: IO[bytes]) -> bool:
    """Do the next job; return whether another may follow."""
    if (job := _block(source)) is None:
        return False
    facts: Facts | Withdrawal | None = None
    data, wrong = b"", ""
    try:
        facts, data = _do(json.loads(job), source)
    except (ValueError, SignatureError) as error:
        wrong = str(error.args[0])
    except MemoryError:
        wrong = f"it needs more than {MEMORY} bytes of memory"
    answer = {"facts": facts and facts._asdict(), "wrong": escape(wrong)}
    for block in (json.dumps(answer).encode(), data):
        target.write(len(block).to_bytes(LENGTH_BYTES, "big") + block)
    target.flush()
    return not wrong


def _do(job: dict[str, int | str], source: IO[bytes]) -> tuple[Facts | Withdrawal, bytes]:
    if job["job"] == MERGE:
        merged = merge(_read(one, baseline_pb2.BASELINE_FORMAT_MSGPACK) for one in _contents(source))
        return _facts(merged), deflate(to_msgpack(merged))
    (content,) = _contents(source)
    if job["job"] == REVOCATION:
        return _withdrawal(content), b""
    return _facts(_read(content, int(job["form"]))), b""


def _contents(source: IO[bytes]) -> Iterator[bytes]:
    """Yield what comes, one whole at a time, up to an empty one."""
    while content := _block(source):
        yield content


def _block(source: IO[bytes]) -> bytes | None:
    length = int.from_bytes(source.read(LENGTH_BYTES), "big")
    data = source.read(length)
    return data if len(data) == length and length else None


def _read(content: bytes, form: int) -> Baseline:
    """Return the baseline in ``content``. Raises ValueError or SignatureError."""
    data = inflate(content, WHOLE_BYTES)
    if form == baseline_pb2.BASELINE_FORMAT_MSGPACK:
        return from_msgpack(data)
    from driftline.baseline.signing.verification import read_envelope, read_statement  # 60 ms, and seldom needed

    return read_statement(read_envelope(data)).baseline  # who signed it is the agents' question: they have the keys


def _withdrawal(envelope: bytes) -> Withdrawal:
    """Return what an envelope revokes, whoever signed it. Raises ValueError or SignatureError."""
    from driftline.baseline.signing.revocation import from_payload  # as above
    from driftline.baseline.signing.verification import read_envelope

    return Withdrawal(*map(escape, from_payload(read_envelope(envelope).payload)))


def _facts(baseline: Baseline) -> Facts:
    return Facts(
        name=escape(baseline.name),
        image=escape(baseline.image),
        state=baseline.state.value,
        version=version_of(baseline),
        revision=baseline.revision,
        behaviours=len(baseline.entries),
        needs_review=sum(entry.standing is Standing.NEEDS_REVIEW for entry in baseline.entries.values()),
        reasons=[escape(reason) for reason in baseline.reasons],
        elapsed_ns=baseline.elapsed_ns,
        startups=baseline.startups,
        containers=len(baseline.containers),
    )


if __name__ == "__main__":
    sys.exit(main())
