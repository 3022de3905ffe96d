"""How the collector is, as pages: ``/healthz``, ``/readyz``, ``/metrics`` (docs/metrics-and-losses.md).

In: its parts. Out: answers for ``wire.responder``, whose thread asks; the event loop answers, so that a loop that hangs
is seen. Why readiness writes: a store is writable when a write has come through, not when its disk looked well. Next:
``server``.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable

from driftline import __version__
from driftline.errors import StateError
from driftline.nouns import Kind
from driftline.wire.exposition import CONTENT_TYPE, Sample, family, histogram, process
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline.wire.responder import Answer
from driftline_collector.ingest import Ingest
from driftline_collector.sentinel import Sentinel
from driftline_collector.silences import Silences
from driftline_collector.storage import Storage

ANSWER_SECONDS = 3.0
"""How long the event loop may take: a kubelet waits for some seconds."""

READY_SECONDS = 5.0
"""How long an answer about readiness holds: whoever asks more often costs the store nothing."""

PROBE = "probe"
"""The counter that is written to see whether the store takes it; its value stays 0."""

_KINDS = frozenset(kind.value for kind in Kind)
_SEVERITIES = {number: name.removeprefix("SEVERITY_").lower() for name, number in deviation_pb2.Severity.items()}
_P = "driftline_collector_"


class Vitals:
    """``counters`` are the server's, by dotted names."""

    def __init__(
        self,
        storage: Storage,
        ingest: Ingest,
        silences: Silences,
        sentinel: Sentinel,
        counters: Callable[[], dict[str, int]],
    ) -> None:
        self._storage = storage
        self._ingest = ingest
        self._silences = silences
        self._sentinel = sentinel
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._stored: Counter[tuple[str, str]] = Counter()
        self._ready = (float("-inf"), "")
        self.serving = False

    def note(self, changes: Iterable[pb.StoredDeviation]) -> None:
        """Count what was committed, by kind and severity."""
        for change in changes:
            kind = change.deviation.kind
            self._stored[kind if kind in _KINDS else "other", _SEVERITIES.get(change.deviation.severity, "other")] += 1

    def answer(self, path: str) -> Answer | None:
        """Return the page at ``path``. Any thread but the event loop's."""
        page = {"/healthz": self._health, "/readyz": self._readiness, "/metrics": self._metrics}.get(path)
        if page is None:
            return None
        try:
            return asyncio.run_coroutine_threadsafe(page(), self._loop).result(ANSWER_SECONDS)
        except TimeoutError:
            return Answer(503, "the event loop does not answer\n")
        except RuntimeError:
            return Answer(503, "stopping\n")

    async def _health(self) -> Answer:
        return Answer(200, "ok\n")

    async def _readiness(self) -> Answer:
        if not self.serving:
            return Answer(503, "not serving\n")
        at, wrong = self._ready
        if time.monotonic() - at > READY_SECONDS:
            try:
                async with asyncio.timeout(ANSWER_SECONDS / 2):
                    await self._storage.writer.run(lambda store: store.count({PROBE: 0}))
                    await self._storage.writer.prove([])
                wrong = ""
            except StateError as error:
                wrong = str(error.args[0])
            except TimeoutError:
                wrong = "the store takes long"
            self._ready = (time.monotonic(), wrong)
        return Answer(503, f"the store does not take writes: {wrong}\n") if wrong else Answer(200, "ok\n")

    async def _metrics(self) -> Answer:
        pages = (*self._of_ingest(), *self._of_store(), *self._of_agents(), *self._of_baselines(), process())
        return Answer(200, "".join(pages), CONTENT_TYPE)

    def _of_ingest(self) -> Iterable[str]:
        figures, writer, feed = self._ingest.figures, self._storage.writer, self._storage.feed
        yield family(f"{_P}info", "gauge", "Version.", [({"version": __version__}, 1)])
        yield _counter("received_total", "Deviations received from agents.", figures["received"])
        yield _counter("heartbeats_total", "Heartbeats received from agents.", figures["heartbeats"])
        text = "Malformed deviations and oversized heartbeats, which were not stored."
        yield _counter("rejected_total", text, figures["rejected"])
        text = "From a batch's arrival to its acknowledgement."
        yield histogram(f"{_P}acknowledge_seconds", text, [({}, self._ingest.acknowledged)])
        yield histogram(f"{_P}commit_seconds", "One transaction of the writer.", [({}, writer.committing)])
        yield _gauge("writes_waiting", "Jobs that wait for the writer.", writer.waiting)
        text = "Changes committed here: new deviations, and updates of known ones."
        samples = [({"kind": kind, "severity": severity}, n) for (kind, severity), n in sorted(self._stored.items())]
        yield family(f"{_P}stored_total", "counter", text, samples)
        yield _gauge("followers", "Tails that follow.", feed.followers)
        yield _counter("follower_missed_total", "Deviations followers were too slow for.", feed.missed)

    def _of_store(self) -> Iterable[str]:
        counters, storage = self._counters(), self._storage
        yield _gauge("store_up", "Whether the last write came through.", int(not storage.writer.trouble))
        yield _gauge("store_revision", "The last revision offered to followers.", storage.feed.revision)
        yield _gauge("store_bytes", "What the deviations take.", counters.get("store.bytes", 0))
        text = "Times the collector's clock was found set, forwards or back."
        yield _counter("clock_jumps_total", text, counters.get("store.clock_jumps", 0))
        text = "Deviations removed by the retention since the store was made."
        yield family(f"{_P}removed_total", "counter", text, _parts(counters, "store.removed.", "cause", "severity"))
        text = "Calls let in and refused, by outcome."
        yield family(f"{_P}calls_total", "counter", text, _parts(counters, "access.", "outcome"))
        outputs = _outputs(counters)
        for name, kind, text in OUTPUT_METRICS:
            samples = [({"output": output}, n) for output, field, n in outputs if field == name]
            yield family(f"{_P}output_{name}{'_total' if kind == 'counter' else ''}", kind, text, samples)  # type: ignore[arg-type]

    def _of_agents(self) -> Iterable[str]:
        agents = list(self._storage.agents.each())
        connected = sum(status.connected for status in agents)
        text = "Agents that ever reported and were not forgotten."
        samples: list[Sample] = [({"state": "connected"}, connected), ({"state": "away"}, len(agents) - connected)]
        yield family(f"{_P}agents", "gauge", text, samples)
        text = "Agents with an open deviation of this kind."
        samples = [({"kind": kind}, count) for kind, count in self._sentinel.open_episodes.items()]
        yield family(f"{_P}agent_episodes", "gauge", text, samples)
        yield _counter("agent_episodes_raised_total", "Such deviations raised here.", self._sentinel.raised)
        yield _counter("agent_episodes_resolved_total", "Such deviations resolved here.", self._sentinel.resolved)
        counters = self._silences.counters()
        yield _gauge("silences", "Silences in force.", counters["silences.in_force"])
        text = "Deviations hidden by silences since the store was made."
        yield _counter("silenced_total", text, counters["silences.hidden"])

    def _of_baselines(self) -> Iterable[str]:
        counters = self._counters()
        for name, text in BASELINE_GAUGES.items():
            yield _gauge(f"baselines_{name}", text, counters[f"baselines.{name}"])
        yield _counter("baselines_taken_total", "Baselines of nodes taken.", counters["baselines.taken"])
        for name, (label, text) in BASELINE_COUNTERS.items():
            samples = _parts(counters, f"baselines.{name}.", label)
            yield family(f"{_P}baselines_{name}_total", "counter", text, samples)


BASELINE_GAUGES = {
    "fragments": "Baselines of nodes kept.",
    "published": "Baselines in force.",
    "revoked": "Versions revoked.",
    "reading": "Baselines that wait to be read, or are.",
    "waiting": "Published baselines and revocations that connected agents have not answered.",
}
"""Figures of baselines (docs/collector.md)."""

BASELINE_COUNTERS = {
    "rejected": ("cause", "Messages about baselines, and baselines, that were not taken."),
    "dropped": ("cause", "What was removed from the store for its limits."),
    "pushed": ("outcome", "Answers to published baselines and revocations."),
}
"""Counters of baselines, each with its label."""

OUTPUT_METRICS = (
    ("sending", "gauge", "Whether this replica is the one that sends it."),
    ("sent", "counter", "Deviations the receiver took."),
    ("failed_attempts", "counter", "Deliveries that failed and were tried again."),
    ("refused", "counter", "Deviations the receiver refused for good."),
    ("dropped_lag", "counter", "Deviations never sent: further behind than max_lag."),
    ("dropped_retention", "counter", "Deviations removed from the store before they were sent."),
    ("updates_left_out", "counter", "Updates not sent because of `updates: false`."),
    ("silenced", "counter", "Deviations not sent because of a silence."),
    ("lag", "gauge", "Changes in the store that are not done with."),
    ("failing", "gauge", "Whether the last attempt failed."),
)
"""Counters of an output, as in docs/outputs.md."""


def _counter(name: str, text: str, value: float) -> str:
    return family(f"{_P}{name}", "counter", text, [({}, value)])


def _gauge(name: str, text: str, value: float) -> str:
    return family(f"{_P}{name}", "gauge", text, [({}, value)])


def _parts(counters: dict[str, int], prefix: str, *labels: str) -> list[Sample]:
    """Return the counters that begin with ``prefix``, the rest of their names as labels."""
    return [
        (dict(zip(labels, name.removeprefix(prefix).split(".", len(labels) - 1), strict=False)), value)
        for name, value in sorted(counters.items())
        if name.startswith(prefix)
    ]


def _outputs(counters: dict[str, int]) -> list[tuple[str, str, int]]:
    """Return output, counter and value of each ``outputs.NAME.COUNTER``; a name may hold dots, a counter does not."""
    found = [(name.rpartition("."), value) for name, value in counters.items() if name.startswith("outputs.")]
    return [(head.removeprefix("outputs."), field, value) for (head, _dot, field), value in sorted(found)]
