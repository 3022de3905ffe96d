"""Baselines for the tests of the file formats."""

from __future__ import annotations

from hypothesis import strategies as st

from driftline.baseline.patterns.pattern import CLASSES, literal
from driftline.baseline.schema import (
    IMPORTED,
    LEARNED,
    REVIEWED,
    SOURCES,
    Baseline,
    Entry,
    Excuse,
    Review,
    Standing,
    State,
    fields_of,
)
from driftline.nouns import (
    EPHEMERAL,
    Behaviour,
    ConnectBehaviour,
    ExecBehaviour,
    LoadBehaviour,
    OpenBehaviour,
    Origin,
)
from unit.baseline.making import hostile_text, paths

times = st.integers(0, 2**63 - 1)


def _sorted(items: st.SearchStrategy[str], most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sets(items, max_size=most).map(lambda found: tuple(sorted(found)))


resolved = paths.filter(lambda path: ".." not in path.split("/"))
"""Paths as the kernel resolves them."""
_segments = st.lists(
    hostile_text.map(lambda text: literal(text.replace("/", "")))
    | st.sampled_from([f"{{{name}}}" for name in CLASSES]),
    min_size=1,
    max_size=3,
).map("".join)
_wildcards = st.lists(_segments, max_size=2).flatmap(
    lambda parts: st.sampled_from(("*", "a*", "*.log", "{num}-*", "**")).map(
        lambda last: "/".join(["/srv", "data", *parts, last])
    )
)
patterns = st.one_of(
    resolved.map(literal),
    st.lists(_segments, max_size=3).map(lambda parts: "/".join(["/data", *parts])),
    _wildcards,
).filter(lambda pattern: ".." not in pattern.split("/"))
_origins = st.sampled_from(("", *sorted(frozenset(Origin) - {Origin.IMAGE})))
addresses = resolved | st.sampled_from(("10.0.3.0/24", "fd00::/8", "resolver", "db.shop.svc", "192.0.2.7/32"))
code: st.SearchStrategy[Behaviour] = st.one_of(
    st.builds(ExecBehaviour, resolved, hostile_text, hostile_text, st.booleans(), _origins),
    st.builds(LoadBehaviour, resolved, _origins),
)
"""Behaviours that match only what is equal to them."""
behaviours: st.SearchStrategy[Behaviour] = st.one_of(
    code,
    st.builds(OpenBehaviour, patterns, st.sampled_from(("read", "write"))),
    st.builds(ConnectBehaviour, hostile_text, addresses, st.integers(EPHEMERAL, 65_535)),
)
entries = st.builds(
    Entry,
    source=st.sampled_from(sorted(SOURCES)),
    first_ns=times,
    last_ns=times,
    count=times,
    containers=st.frozensets(st.sampled_from(("c1", "c2", "(more)")) | hostile_text, max_size=3),
    standing=st.sampled_from(Standing),
    checks=_sorted(hostile_text, 3),
    examples=_sorted(hostile_text, 3),
    package=hostile_text,
)
_excuses = st.builds(Excuse, hostile_text, hostile_text, hostile_text, times)
_reviews = st.builds(Review, times, hostile_text, hostile_text, hostile_text, hostile_text)
baselines = st.builds(
    Baseline,
    key=hostile_text,
    workload=hostile_text,
    image=hostile_text,
    state=st.sampled_from(State),
    revision=times,
    parent=hostile_text,
    predecessor=hostile_text,
    partial=_sorted(hostile_text, 3),
    losses=times,
    elapsed_ns=times,
    quiet_ns=times,
    startups=times,
    entries=st.dictionaries(behaviours, entries, max_size=6),
    excuses=st.sets(_excuses, max_size=2).map(lambda found: tuple(sorted(found, key=fields_of))),
    reviews=st.lists(_reviews, max_size=2).map(tuple),
    packages=_sorted(hostile_text, 3),
)
"""Every field of every class, with any content a document may have."""


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
    return Baseline("sha256:11", image="shop/web:1.2", partial=("attached late",), losses=3, entries=entries)


def full() -> Baseline:
    """A reviewed baseline that uses every field."""
    baseline = small()
    seen = frozenset({"c1", "c2"})
    baseline.entries |= {
        OpenBehaviour("/srv/cache/{hex}/*.tmp", "write"): Entry(
            LEARNED, 5, 9, 40, seen, examples=("/srv/cache/0a/b.tmp",)
        ),
        OpenBehaviour("/srv/data/**", "read"): Entry(REVIEWED, 5, 9, 0, frozenset()),
        ExecBehaviour("/tmp/x", "x", "/bin/sh", True, "writable"): Entry(
            LEARNED, 5, 9, 1, seen, Standing.NEEDS_REVIEW, ("NL-00", "NL-01")
        ),
        LoadBehaviour("/srv/y.so", "volume"): Entry(LEARNED, 5, 9, 1, seen, Standing.REJECTED),
        ConnectBehaviour("tcp", "10.0.3.0/24", EPHEMERAL): Entry(IMPORTED, 5, 9, 3, seen, Standing.UNCONFIRMED),
        LoadBehaviour("/lib/z.so"): Entry(LEARNED, 5, 9, 1, seen, package="pkg:deb/debian/libz@1.3"),
    }
    baseline.state, baseline.revision = State.ACTIVE, 4
    baseline.workload, baseline.parent, baseline.predecessor = "shop/web", "sha256:22", "sha256:33"
    baseline.excuses = (Excuse("NL-08", "it updates itself", "ann", 7_000_000_000),)
    baseline.reviews = (Review(8_000_000_000, "ann", "promote", "two weeks quiet"),)
    baseline.packages, baseline.startups = ("pkg:deb/debian/libz@1.3",), 2
    baseline.elapsed_ns = baseline.quiet_ns = 3
    return baseline
