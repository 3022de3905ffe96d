"""Baselines for the tests of the file formats."""

from __future__ import annotations

from hypothesis import strategies as st

from driftline.baseline.schema import LEARNED, Baseline, Entry, State
from driftline.nouns import ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour
from unit.baseline.making import behaviours, hostile_text

times = st.integers(0, 2**63 - 1)
_entries = st.builds(
    lambda source, first, last, count, containers: Entry(source, first, last, count, frozenset(containers)),
    hostile_text,
    times,
    times,
    times,
    st.sets(st.sampled_from(("c1", "c2", "(more)")) | hostile_text, max_size=3),
)
baselines = st.builds(
    Baseline,
    key=hostile_text,
    image=hostile_text,
    state=st.sampled_from(State),
    partial=st.sets(hostile_text, max_size=3).map(lambda reasons: tuple(sorted(reasons))),
    losses=times,
    elapsed_ns=times,
    quiet_ns=times,
    entries=st.dictionaries(behaviours, _entries, max_size=6),
)


def small() -> Baseline:
    """A baseline with something in every section."""
    behaviours = (
        OpenBehaviour("/b\udcff", "read"),
        OpenBehaviour("/a", "write"),
        OpenBehaviour("/a", "read"),
        LoadBehaviour("/lib/x.so"),
        ConnectBehaviour("tcp", "loopback", 80),
        ExecBehaviour("/bin/sh", "sh", "", False),
    )
    entries = {each: Entry(LEARNED, 5, 6_000_000_001, 2, frozenset({"c1"})) for each in behaviours}
    return Baseline("sha256:11", "shop/web:1.2", partial=("attached late",), losses=3, entries=entries)
