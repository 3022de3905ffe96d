"""Names and limits of the gRPC service, the same on both sides.

In: the compiled collector.proto. Out: method paths, message types, limits. Why not generated stubs: they add a module
of untyped code to every agent and say nothing this table does not. Next: ``client`` here, ``server`` in the collector.
"""

from __future__ import annotations

from typing import Final

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

SERVICE: Final = pb.DESCRIPTOR.services_by_name["CollectorService"].full_name

REPORT: Final = f"/{SERVICE}/Report"
TAIL: Final = f"/{SERVICE}/Tail"
LIST_DEVIATIONS: Final = f"/{SERVICE}/ListDeviations"
LIST_AGENTS: Final = f"/{SERVICE}/ListAgents"
FORGET_AGENT: Final = f"/{SERVICE}/ForgetAgent"
ADD_SILENCE: Final = f"/{SERVICE}/AddSilence"
LIST_SILENCES: Final = f"/{SERVICE}/ListSilences"
END_SILENCE: Final = f"/{SERVICE}/EndSilence"
LIST_BASELINES: Final = f"/{SERVICE}/ListBaselines"
GET_BASELINE: Final = f"/{SERVICE}/GetBaseline"
FETCH_BASELINE: Final = f"/{SERVICE}/FetchBaseline"
PUBLISH_BASELINE: Final = f"/{SERVICE}/PublishBaseline"
REVOKE_BASELINE: Final = f"/{SERVICE}/RevokeBaseline"

BATCH_DEVIATIONS: Final = 512
"""Most deviations in one message: at about 1 KiB each, half a MiB, which commits in some milliseconds."""

BATCH_BYTES: Final = 1024 * 1024
"""A batch is closed when it holds this many bytes, so that one with large evidence still fits a message."""

DEVIATION_BYTES: Final = 1024 * 1024
"""Largest deviation sent. The kernel's bounds on argv and paths keep real ones far below."""

MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Largest message taken, gRPC's own default: more than a batch and its largest last member together."""

PART_BYTES: Final = 256 * 1024
"""Largest piece of a baseline: a deviation behind it waits some milliseconds."""

WHOLE_BYTES: Final = 64 * 1024 * 1024
"""Largest baseline taken, compressed or not: 100 000 behaviours are about half of it."""

MAX_IN_USE: Final = 2_000
"""Baselines an agent lists as in use, some 250 bytes each."""

KEEPALIVE_MS: Final = 10_000
"""Pause after which an idle connection is probed: a dead peer behind a silent network is noticed within 15 s."""

KEEPALIVE_TIMEOUT_MS: Final = 5_000
"""How long the probe may take."""

CONNECT_MS: Final = 5_000
"""How long a connection may take to come about: somebody frozen must not keep an agent from the next collector."""

INT64_MAX: Final = 2**63 - 1
"""Largest count or time SQLite and int64 fields can hold."""
