"""What a transaction changes: many told states in, at most one new state per deviation out.

In: deviations as agents send them, and what the store knows of them. Out: what is new, and the row each becomes. Pure.
Why an update never lowers anything: a batch that is delivered again late must not undo what came after it. Next:
``store_sqlite`` and ``store_postgres`` write the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2

Key = tuple[str, str]  # id, node
Told = tuple[int, int, int, str]  # count, last_wall_ns, last_kernel_ns, sha256

ROW_BYTES = 400
"""What a stored deviation takes besides its body: the columns, the row's header, the indexes."""


def fold(incoming: Iterable[deviation_pb2.Deviation]) -> dict[Key, deviation_pb2.Deviation]:
    """Return the newest state of each deviation of one transaction, in order of first arrival."""
    newest: dict[Key, deviation_pb2.Deviation] = {}
    for deviation in incoming:
        key = deviation.id, deviation.node
        before = newest.get(key)
        if before is None or _merge(deviation, _told(before)):
            newest[key] = deviation
    return newest


def changes(
    newest: dict[Key, deviation_pb2.Deviation], known: dict[Key, Told], revision: int
) -> list[pb.StoredDeviation]:
    """Return what of ``newest`` says anything new, numbered from the one after ``revision``."""
    changed = [deviation for key, deviation in newest.items() if _merge(deviation, known.get(key))]
    return [pb.StoredDeviation(revision=place, deviation=one) for place, one in enumerate(changed, revision + 1)]


def _merge(deviation: deviation_pb2.Deviation, known: Told | None) -> bool:
    """Raise the count and last times of ``deviation`` to those ``known``; whether it says anything new.

    The digest is found out after a deviation is told: a later update without it does not take it away.
    """
    if known is None:
        return True
    deviation.count = max(deviation.count, known[0])
    deviation.last_wall_ns = max(deviation.last_wall_ns, known[1])
    deviation.last_kernel_ns = max(deviation.last_kernel_ns, known[2])
    deviation.sha256 = deviation.sha256 or known[3]
    return _told(deviation) != known


def _told(deviation: deviation_pb2.Deviation) -> Told:
    return deviation.count, deviation.last_wall_ns, deviation.last_kernel_ns, deviation.sha256


def known_rows(rows: Iterable[Sequence[Any]]) -> tuple[dict[Key, Told], dict[Key, int]]:
    """Return what is told of each deviation the store has, and the size of its body, from rows of both."""
    found = list(rows)
    told: dict[Key, Told] = {(one[0], one[1]): (one[2], one[3], one[4], one[5]) for one in found}
    return told, {(one[0], one[1]): one[6] for one in found}


def growth(rows: list[dict[str, Any]], sizes: dict[Key, int]) -> int:
    """Return how many bytes more the store takes with ``rows``, some of which replace bodies of ``sizes``."""
    replaced = [sizes[key] for one in rows if (key := (one["id"], one["node"])) in sizes] if sizes else []
    return sum(len(one["body"]) for one in rows) - sum(replaced) + ROW_BYTES * (len(rows) - len(replaced))


def row(change: pb.StoredDeviation, stored_s: int) -> dict[str, Any]:
    """Return the row of ``change``, stored at ``stored_s`` by the store's clock."""
    deviation = change.deviation
    return {
        "revision": change.revision,
        "id": deviation.id,
        "node": deviation.node,
        "severity": deviation.severity,
        "kind": deviation.kind,
        "namespace": deviation.subject.namespace,
        "count": deviation.count,
        "last_wall_ns": deviation.last_wall_ns,
        "last_kernel_ns": deviation.last_kernel_ns,
        "sha256": deviation.sha256,
        "body": deviation.SerializeToString(),
        "stored_s": stored_s,
    }
