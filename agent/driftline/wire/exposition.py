"""Figures as Prometheus reads them: the text format, version 0.0.4.

In: names, help, labels, numbers. Out: text. Why by hand: the agent has no room for a client library, and two ways to
write a line would drift apart. Source of the format: prometheus.io/docs/instrumenting/exposition_formats. Next:
``responder`` sends it.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final, Literal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of every latency: dense where the targets are (2 and 10 ms)."""

Sample = tuple[Mapping[str, str], float]
"""Labels and value."""


class Histogram:
    """How long something took, in seconds. One thread observes; others may read, and see at worst the last one half."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.sum += seconds


def family(name: str, kind: Literal["counter", "gauge"], text: str, samples: Iterable[Sample]) -> str:
    """Return all lines of one metric; only its head if there are no samples."""
    lines = [f"{name}{_labels(labels)} {_number(value)}\n" for labels, value in samples]
    return f"# HELP {name} {_help(text)}\n# TYPE {name} {kind}\n{''.join(lines)}"


def histogram(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], Histogram]]) -> str:
    """Return all lines of one metric with its buckets."""
    lines = []
    for labels, one in samples:
        total = 0
        for bound, count in zip((*SECONDS, float("inf")), list(one.counts), strict=True):
            total += count
            lines.append(f"{name}_bucket{_labels({**labels, 'le': _number(bound)})} {total}\n")
        lines.append(f"{name}_sum{_labels(labels)} {_number(one.sum)}\n{name}_count{_labels(labels)} {total}\n")
    return f"# HELP {name} {_help(text)}\n# TYPE {name} histogram\n{''.join(lines)}"


def _labels(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{_value(value)}"' for name, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def _value(text: str) -> str:
    """Escape what a label's value may not hold as it is; lone surrogates, which no UTF-8 has, become ``?``."""
    printable = text.encode("utf-8", "replace").decode()
    return printable.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def process() -> str:
    """Return the metrics every Prometheus client has of its own process, by their usual names."""
    user, system, *_rest = os.times()
    with open("/proc/self/statm", "rb") as statm:
        pages = int(statm.read().split()[1])
    return "".join(
        (
            family("process_cpu_seconds_total", "counter", "Processor time of this process.", [({}, user + system)]),
            family(
                "process_resident_memory_bytes",
                "gauge",
                "Resident memory of this process.",
                [({}, pages * os.sysconf("SC_PAGE_SIZE"))],
            ),
            family("process_open_fds", "gauge", "Open descriptors.", [({}, len(os.listdir("/proc/self/fd")))]),
        )
    )
