"""The agent's figures as Prometheus reads them: ``/metrics`` (docs/metrics-and-losses.md).

In: what the stages count. Out: the page. Why so few names: each counter of a heartbeat is a metric of the same
name, so that nothing has to be listed twice. Next: ``health`` shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from driftline import __version__
from driftline.baseline.shelf import Shelf
from driftline.baseline.shelved import Shelved
from driftline.pipeline import Pipeline
from driftline.report.sink import Sink, SinkFigures
from driftline.wire.exposition import Histogram, Sample, family, histogram, process

_P = "driftline_agent_"


class AgentFigures(NamedTuple):
    """What the main loop knows."""

    provider: str  # for opens
    counters: Mapping[str, int]  # as in heartbeats, "kernel.exec.sent"
    losses: Mapping[tuple[str, str], int]  # by hook and cause, those of the sink among them
    waiting: Mapping[str, int]  # by stage
    containers: int
    baselines: Mapping[str, int]  # by state
    told: Histogram
    batches: Histogram
    sink: SinkFigures


def gather(
    provider: str,
    counters: Mapping[str, int],
    sink_losses: Mapping[tuple[str, str], int],
    pipeline: Pipeline,
    shelf: Shelf,
    sink: Sink,
    threads: Mapping[str, int],
    batches: Histogram,
) -> AgentFigures:
    """Return the figures of a running agent. ``threads``: what waits for other threads. Main loop only."""
    delivery = sink.figures()
    waiting = {"identify": pipeline.waiting, **threads}
    waiting |= {"report": delivery.waiting, "acknowledge": delivery.unacknowledged}
    return AgentFigures(
        provider,
        counters,
        {**pipeline.lost, **sink_losses},
        waiting,
        pipeline.subjects.count,
        Counter(state_of(shelved) for shelved in shelf),
        pipeline.figures.told,
        batches,
        delivery,
    )


def state_of(shelved: Shelved) -> str:
    """Return the state of a baseline in a word."""
    return "learning" if shelved.learning else str(shelved.state)


def page(figures: AgentFigures) -> str:
    """Return all metrics."""
    return "".join((*_of_agent(figures), *_of_stages(figures), *_of_delivery(figures.sink), process()))


def _of_agent(figures: AgentFigures) -> Iterable[str]:
    labels = {"version": __version__, "open_provider": figures.provider}
    yield family(f"{_P}info", "gauge", "Version, and the hook for opens.", [(labels, 1)])
    yield family(f"{_P}containers", "gauge", "Containers watched.", [({}, figures.containers)])
    samples: list[Sample] = [({"state": state}, count) for state, count in sorted(figures.baselines.items())]
    yield family(f"{_P}baselines", "gauge", "Baselines by state.", samples)


def _of_stages(figures: AgentFigures) -> Iterable[str]:
    kernel, others = [], dict[str, int]()
    for name, value in sorted(figures.counters.items()):
        if name.startswith("kernel."):
            _stage, hook, outcome = name.split(".", 2)
            kernel.append((hook, outcome, value))
        elif not name.startswith("spool."):
            others[name] = value
    lost = {(hook, cause) for hook, cause in figures.losses}
    samples: list[Sample] = [
        ({"hook": hook, "outcome": outcome}, value) for hook, outcome, value in kernel if (hook, outcome) not in lost
    ]
    yield family(f"{_P}kernel_events_total", "counter", "What the hooks did with events.", samples)
    samples = [({"hook": hook, "cause": cause}, count) for (hook, cause), count in sorted(figures.losses.items())]
    yield family(f"{_P}lost_total", "counter", "What was not seen or not kept.", samples)
    for name, value in others.items():
        text = f"Counter {name}, see docs/metrics-and-losses.md."
        yield family(f"{_P}{name.replace('.', '_')}_total", "counter", text, [({}, value)])
    samples = [({"stage": stage}, count) for stage, count in figures.waiting.items()]
    yield family(f"{_P}waiting", "gauge", "What waits before a stage.", samples)
    text = "From the kernel's event to the sink, of deviations told."
    yield histogram(f"{_P}told_seconds", text, [({}, figures.told)])
    text = "What the pipeline took for one read of the rings."
    yield histogram(f"{_P}batch_seconds", text, [({}, figures.batches)])


def _of_delivery(sink: SinkFigures) -> Iterable[str]:
    yield family(f"{_P}connected", "gauge", "Whether the collector answers.", [({}, int(sink.connected))])
    yield family(f"{_P}report_capacity", "gauge", "Deviations that fit into memory.", [({}, sink.capacity)])
    text = "From sending a batch to its acknowledgement."
    yield histogram(f"{_P}acknowledge_seconds", text, [({}, sink.acknowledged)])
    for name, text in (("bytes", "Size"), ("segments", "Files"), ("unsent", "Deviations not sent")):
        if f"spool.{name}" in sink.counters:
            value = sink.counters[f"spool.{name}"]
            yield family(f"{_P}spool_{name}", "gauge", f"{text} of the spool.", [({}, value)])
    for name, text in (("dropped", "for lack of space"), ("expired", "because they waited too long")):
        prefix = f"spool.{name}."
        found = {key.removeprefix(prefix): value for key, value in sink.counters.items() if key.startswith(prefix)}
        samples: list[Sample] = [({"severity": severity}, value) for severity, value in found.items()]
        yield family(f"{_P}spool_{name}_total", "counter", f"Deviations given up by the spool {text}.", samples)
