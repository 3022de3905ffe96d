"""The content of a fleet's baseline, as it comes from the collector.

In: bytes the collector sent. Out: a baseline, of the name that was asked for. Next: ``baseline fetch``.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.baseline.format.canonical import version_of
from driftline.baseline.schema import Baseline
from driftline.cli.baselinefile import parse
from driftline.errors import CollectorError
from driftline.text import escape
from driftline.wire.client import CollectorClient
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import inflate
from driftline.wire.service import WHOLE_BYTES


class Content(NamedTuple):
    """A baseline, and the envelope it was signed in, b"" if in none; the signatures are not verified."""

    baseline: Baseline
    envelope: bytes


def fetch(client: CollectorClient, request: pb.FetchBaselineRequest) -> Content:
    """Return what ``request`` asks for. Raises CollectorError for anything else than that."""
    whole = client.fetch_baseline(request)
    try:
        data = inflate(whole.data, WHOLE_BYTES)
        baseline = parse(data)
    except ValueError as error:
        raise CollectorError(f"the collector sent no baseline: {escape(str(error))}") from error
    if (escape(baseline.name), version_of(baseline)) != (request.name, whole.version):
        raise CollectorError("the collector sent another baseline than the one that was asked for")
    return Content(baseline, data if whole.form == baseline_pb2.BASELINE_FORMAT_DSSE else b"")
