"""What many nodes learned, as one baseline: nothing lost, nothing let in that no node could have let in."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.baseline import fleet
from driftline.baseline.fleet import merge
from driftline.baseline.format.canonical import from_msgpack, to_msgpack, version_of
from driftline.baseline.matching import Matcher
from driftline.baseline.patterns import foldpaths, foldpeers
from driftline.baseline.patterns.folding import fold
from driftline.baseline.schema import (
    LEARNED,
    MAX_CONTAINERS,
    MORE_CONTAINERS,
    Baseline,
    Entry,
    Excuse,
    Review,
    Standing,
    State,
)
from driftline.nouns import Behaviour, ConnectBehaviour, ExecBehaviour, OpenBehaviour

KEY = "sha256:" + "11" * 32
SHELL = ExecBehaviour("/bin/sh", "sh", "", False)
Entries = dict[Behaviour, Entry]


@pytest.fixture(scope="module", autouse=True)
def _little_evidence() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foldpaths, "MIN_SIBLINGS", 3)
        patch.setattr(foldpeers, "MIN_ADDRESSES", 3)
        yield


def entry(
    number: int = 1, container: str = "c", standing: Standing = Standing.ALLOWED, package: str = "", checks: str = ""
) -> Entry:
    return Entry(
        LEARNED,
        number,
        number,
        1,
        frozenset({container}),
        standing,
        checks=(checks,) if checks else (),
        package=package,
    )


def part(entries: Entries | None = None, **values: object) -> Baseline:
    """What one node learned."""
    given: dict[str, object] = {"image": "shop/web:1", "state": State.CANDIDATE, "revision": 1, "startups": 1}
    return Baseline(KEY, entries=entries or {}, **{**given, **values})  # type: ignore[arg-type]


def opens(paths: Iterable[str], access: str = "write", **values: str) -> Entries:
    return {OpenBehaviour(path, access): entry(**values) for path in paths}  # type: ignore[arg-type]


def texts(baseline: Baseline) -> set[str]:
    return {f"{one.access} {one.path}" for one in baseline.entries if isinstance(one, OpenBehaviour)}


# --- the head ---------------------------------------------------------------------------------------------------------


def test_figures_of_all() -> None:
    """Time and starts add; quiet is that of the node that saw something new last."""
    one = part({SHELL: entry(5)}, revision=3, elapsed_ns=10, quiet_ns=9, losses=2, parent="sha256:aa", startups=4)
    two = part({SHELL: entry(7)}, revision=2, elapsed_ns=20, quiet_ns=1, losses=1, image="mirror/web:1")
    found = merge([one, two])
    assert (found.revision, found.elapsed_ns, found.quiet_ns, found.losses, found.startups) == (3, 30, 1, 3, 5)
    assert (found.image, found.state, found.parent) == ("mirror/web:1", State.CANDIDATE, "")
    assert (found.entries[SHELL].count, found.entries[SHELL].first_ns, found.entries[SHELL].last_ns) == (2, 5, 7)


def test_one_complete_node_makes_up_for_the_others() -> None:
    late, restless = part(partial=("attached late", "never quiet")), part(partial=("never quiet",))
    assert merge([late, restless]).partial == ("never quiet",)
    assert merge([late, restless, part()]).reasons == ()


def test_what_a_node_could_not_hold_nobody_makes_up_for() -> None:
    full = "more than 20000 behaviours"
    assert merge([part(), part(partial=(full,)), part()]).partial == (full,)


def test_losses_anywhere_are_losses() -> None:
    assert merge([part(), part(losses=7)]).reasons == ("losses 7",)


def test_only_excuses_all_have() -> None:
    both, one = Excuse("NL-01", "a", "ann", 0), Excuse("NL-02", "b", "bob", 0)
    assert merge([part(excuses=(both, one)), part(excuses=(both,))]).excuses == (both,)


def test_newest_decisions_of_all() -> None:
    reviews = [Review(number, "ann", "approve", f"why {number}") for number in range(1_500)]
    found = merge([part(reviews=tuple(reviews[::2][-1_000:])), part(reviews=tuple(reviews[1::2]))])
    assert found.reviews == tuple(reviews[-1_000:])


def test_packages_of_the_node_that_knows_most() -> None:
    assert merge([part(), part(packages=("a", "b")), part(packages=("z",))]).packages == ("a", "b")


def test_predecessor_if_all_have_the_same() -> None:
    assert merge([part(predecessor="sha256:22"), part(predecessor="sha256:22")]).predecessor == "sha256:22"
    assert merge([part(predecessor="sha256:22"), part()]).predecessor == ""


@pytest.mark.parametrize("other", [replace(part(), key="sha256:22"), replace(part(), workload="ns/web")])
def test_two_images_are_not_merged(other: Baseline) -> None:
    with pytest.raises(ValueError, match="different images or workloads"):
        merge([part(), other])


def test_nothing_is_not_merged() -> None:
    with pytest.raises(ValueError, match="nothing"):
        merge([])


def test_figures_stay_what_a_file_can_hold() -> None:
    """300 node-years are more nanoseconds than 63 bits hold."""
    long = part({SHELL: entry()}, elapsed_ns=2**62, losses=2**62, startups=2**62)
    found = merge([long, long, long])
    assert (found.elapsed_ns, found.losses, found.startups) == (2**63 - 1,) * 3
    assert from_msgpack(to_msgpack(found)) == found


def test_containers_of_a_large_fleet_fit_a_file() -> None:
    """More than a baseline tells apart, no single behaviour of which was seen in too many."""
    parts = [
        part({ExecBehaviour(f"/bin/{number}", "x", "", False): entry(container=f"c{number:03}")})
        for number in range(MAX_CONTAINERS + 40)
    ]
    found = merge(parts)
    assert len(found.containers) == MAX_CONTAINERS + 1
    assert MORE_CONTAINERS in found.containers
    assert from_msgpack(to_msgpack(found)) == found


@pytest.mark.parametrize("unfolded", [12, 20])
def test_more_than_a_file_holds_is_cut_and_said(monkeypatch: pytest.MonkeyPatch, unfolded: int) -> None:
    """On the way or at the end. Decisions are kept."""
    monkeypatch.setattr(fleet, "MAX_BEHAVIOURS", 10)
    monkeypatch.setattr(fleet, "MAX_UNFOLDED", unfolded)
    programs = [ExecBehaviour(f"/bin/{number:02}", "x", "", False) for number in range(15)]
    parts = [part({one: entry()}) for one in programs[:-1]]
    found = merge([*parts, part({programs[-1]: entry(standing=Standing.REJECTED)})])
    assert len(found.entries) == 10
    assert found.entries[programs[-1]].standing is Standing.REJECTED
    assert found.partial == (fleet.FULL,)


# --- folding ----------------------------------------------------------------------------------------------------------


def test_what_each_node_writes_under_its_own_names_folds() -> None:
    parts = [part(opens([f"/data/pictures/{name}.jpg"])) for name in "abc"]
    assert texts(merge(parts)) == {"write /data/pictures/*.jpg"}


def test_so_do_peers() -> None:
    parts = [part({ConnectBehaviour("tcp", f"10.0.0.{last}", 443): entry()}) for last in (1, 2, 3)]
    assert [*merge(parts).entries] == [ConnectBehaviour("tcp", "10.0.0.0/24", 443)]


def test_names_that_are_only_read_stay_names() -> None:
    """The image's own templates, of which each node read some: another one beside them is news."""
    parts = [part(opens([f"/var/www/html/{name}.php"], "read")) for name in "abc"]
    found = merge(parts)
    assert texts(found) == {f"read /var/www/html/{name}.php" for name in "abc"}
    assert not Matcher(found.entries).open_bits("/var/www/html/shell.php", False)


def test_reads_fold_where_writes_do() -> None:
    parts = [part(opens([f"/data/{name}.jpg"]) | opens([f"/data/{name}.jpg"], "read")) for name in "abc"]
    assert texts(merge(parts)) == {"read /data/*.jpg", "write /data/*.jpg"}


def test_reads_do_not_fold_where_writes_were_rejected() -> None:
    rejected = {OpenBehaviour("/data/*.jpg", "write"): entry(standing=Standing.REJECTED)}
    parts = [part(opens([f"/data/{name}.jpg"], "read") | rejected) for name in "abc"]
    assert texts(merge(parts)) == {"write /data/*.jpg", *(f"read /data/{name}.jpg" for name in "abc")}


def test_a_pattern_of_one_node_takes_the_names_of_others_in() -> None:
    pattern = {OpenBehaviour("/data/*.jpg", "write"): replace(entry(), examples=("/data/x.jpg",))}
    assert texts(merge([part(opens(["/data/a.jpg"])), part(pattern)])) == {"write /data/*.jpg"}


def test_what_a_package_owns_is_not_folded() -> None:
    mine = opens(["/data/web/shipped.jpg"], package="web 1.0")
    parts = [part(mine), *(part(opens([f"/data/web/{name}.jpg"])) for name in "abcd")]
    assert texts(merge(parts)) == {f"write /data/web/{name}.jpg" for name in ("shipped", *"abcd")}


def test_what_a_node_kept_one_by_one_stays_so() -> None:
    """It knew that the image ships them; elsewhere the same amount would have been folded."""
    shipped = opens([f"/data/{name}.conf" for name in "abcd"])
    other = opens([f"/data/{name}.conf" for name in "abc"]) | {SHELL: entry()}
    assert texts(merge([part(shipped), part(other)])) == {f"write /data/{name}.conf" for name in "abcd"}


# --- standing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [Standing.ALLOWED, Standing.NEEDS_REVIEW, Standing.UNCONFIRMED, None])
def test_rejected_anywhere_is_rejected(other: Standing | None) -> None:
    parts = [part({SHELL: entry(standing=Standing.REJECTED)}), part({SHELL: entry(standing=other)} if other else {})]
    assert merge(parts).entries[SHELL].standing is Standing.REJECTED


def test_what_waits_on_one_node_waits_though_another_approved_it() -> None:
    waits = part({SHELL: entry(standing=Standing.NEEDS_REVIEW, checks="NL-01")})
    approved = part({SHELL: entry(checks="NL-01")})
    assert merge([approved, waits]).entries[SHELL].standing is Standing.NEEDS_REVIEW


def test_what_was_approved_everywhere_is_allowed() -> None:
    approved = part({SHELL: entry(checks="NL-01")})
    assert merge([approved, approved]).entries[SHELL].standing is Standing.ALLOWED


# --- whatever the parts -----------------------------------------------------------------------------------------------

_NAMES = st.sampled_from("abcdefg")
_DIRS = st.sampled_from(("/data", "/data/d", "/tmp/x", "/etc/shop", "/var/lib/shop"))
_opens = st.builds(lambda place, name, access: OpenBehaviour(f"{place}/{name}.x", access), _DIRS, _NAMES,
                   st.sampled_from(("read", "write")))  # fmt: skip
_peers = st.builds(lambda last: ConnectBehaviour("tcp", f"10.0.0.{last}", 443), st.integers(1, 5))
_execs = st.builds(lambda name: ExecBehaviour(f"/bin/{name}", name, "", False), _NAMES)
_standings = st.sampled_from((Standing.ALLOWED, Standing.ALLOWED, Standing.NEEDS_REVIEW, Standing.REJECTED))
_seen = st.lists(st.one_of(_opens, _opens, _peers, _execs), max_size=15)
_decided = st.dictionaries(st.one_of(_opens, _peers, _execs), _standings, max_size=4)
_partial = st.sets(st.sampled_from(("attached late", "never quiet", "more than 20000 behaviours"))).map(
    lambda reasons: tuple(sorted(reasons))
)


def _learned(seen: list[Behaviour], decided: dict[Behaviour, Standing], partial: tuple[str, ...]) -> Baseline:
    """As a node leaves it when its window ended."""
    entries = {one: entry(number, f"c{number % 3}") for number, one in enumerate(seen)}
    entries |= {one: entry(1, "c1", standing) for one, standing in decided.items()}
    return part(fold(entries, lambda _path: False), partial=partial)


_any = st.lists(st.builds(_learned, _seen, _decided, _partial), min_size=1, max_size=5)
_agreeing = st.lists(st.builds(_learned, _seen, st.just({}), _partial), min_size=1, max_size=5)


@given(_any, st.randoms(use_true_random=False))
def test_any_order_gives_the_same(parts: list[Baseline], shuffle: random.Random) -> None:
    found = merge(parts)
    shuffle.shuffle(parts)
    assert merge(parts) == found


@settings(max_examples=300)
@given(_agreeing, st.integers(0, 4))
def test_any_grouping_gives_the_same_version(parts: list[Baseline], at: int) -> None:
    """Parts that agree on how each behaviour stands."""
    groups = [merge(group) for group in (parts[:at], parts[at:]) if group]
    assert version_of(merge(groups)) == version_of(merge(parts))


@given(_any)
def test_a_part_with_itself_is_the_part(parts: list[Baseline]) -> None:
    for one in parts:
        assert version_of(merge([one])) == version_of(merge([one, one, one])) == version_of(one)


@given(_any)
def test_decisions_stay(parts: list[Baseline]) -> None:
    """The worst standing, whatever was folded around it."""
    found = merge(parts).entries
    for one in parts:
        for behaviour, theirs in one.entries.items():
            if theirs.standing is Standing.REJECTED:
                assert found[behaviour].standing is Standing.REJECTED
            if theirs.standing is Standing.NEEDS_REVIEW:
                assert found[behaviour].standing in {Standing.REJECTED, Standing.NEEDS_REVIEW}


@given(_agreeing)
def test_everything_a_node_expects_is_expected(parts: list[Baseline]) -> None:
    found = Matcher(merge(parts).entries)
    for one in parts:
        assert all(behaviour in found for behaviour in one.entries)


@given(_any)
def test_parts_stay_unchanged_and_the_whole_is_a_file(parts: list[Baseline]) -> None:
    before = [replace(one, entries={each: replace(it) for each, it in one.entries.items()}) for one in parts]
    found = merge(parts)
    assert parts == before
    assert from_msgpack(to_msgpack(found)) == found
