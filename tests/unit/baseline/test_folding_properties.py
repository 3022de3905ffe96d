"""Properties of folding: the same result in whatever order and parts, nothing forgotten, nothing dangerous let in.

The amounts of evidence are lowered here, so that small inputs fold in every way large ones do.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.baseline.matching import WRITE, Matcher
from driftline.baseline.patterns import foldpaths, foldpeers, pattern
from driftline.baseline.patterns.folding import fold, merge
from driftline.baseline.patterns.paths import stands_alone
from driftline.baseline.patterns.tokens import canonical
from driftline.baseline.schema import MAX_EXAMPLES, Entry
from driftline.nouns import Behaviour, ConnectBehaviour, ExecBehaviour, OpenBehaviour
from unit.baseline.making import hostile_text
from unit.baseline.test_folding import Entries, connects, entry, opens, owned


@pytest.fixture(scope="module", autouse=True)
def _little_evidence() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foldpaths, "MIN_SIBLINGS", 3)
        patch.setattr(foldpeers, "MIN_ADDRESSES", 3)
        patch.setattr(foldpeers, "MIN_NAMES", 3)
        yield


_SEGMENTS = (*"abcd", "a.jpg", "b.jpg", "c.jpg", "a.b", "b.c")
_HOSTILE = ("*", "**", "{uuid}", "..", "x\ny", "\\", "*.jpg", "12345678", ".ssh", ".cache", "x.php", ".netrc", "\udcff")
_PLACES = ("/data", "/data/d", "/tmp", "/var/lib/shop", "/var/lib/shop/shipped", "/etc/shop", "/home/u")


def _below(places: st.SearchStrategy[str], segments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda place, rest: "/".join((place, *rest)), places, st.lists(segments, min_size=1, max_size=5))


_crowded = st.lists(_below(st.just("/data"), st.sampled_from("abc")), max_size=40)
_anywhere = st.lists(_below(st.sampled_from(_PLACES), st.sampled_from(_SEGMENTS + _HOSTILE)), max_size=30)
_paths = st.one_of(_crowded, _anywhere, st.lists(_below(st.just("/tmp"), st.sampled_from(_SEGMENTS)), max_size=30))
_ACCESS = st.sampled_from(("read", "write"))
_addresses = (*(f"10.0.0.{last}" for last in range(1, 6)), "8.8.8.8", "db", "loopback")
_peer = st.tuples(
    st.sampled_from((*_addresses, *(f"n{number}.db.example.com" for number in range(5)))),
    st.sampled_from((80, 443, 40_000, 40_001, 40_002)),
)


Sighting = tuple[Behaviour, Entry]


_near = st.tuples(st.sampled_from(_addresses[:4]), st.sampled_from((80, 40_000, 40_001, 40_002)))
_peers = st.lists(_near, min_size=6, max_size=20) | st.lists(_peer, max_size=30)


def _sighted(behaviours: Iterable[Behaviour]) -> list[Sighting]:
    return [(one, entry(number % 7, f"c{number % 3}")) for number, one in enumerate(behaviours)]


_opened = st.builds(lambda paths, access: [OpenBehaviour(canonical(path), access) for path in paths], _paths, _ACCESS)
_executed = _paths.map(lambda paths: [ExecBehaviour(path, "x", "", False) for path in paths[:3]])
_connected = _peers.map(lambda peers: [ConnectBehaviour("tcp", *peer) for peer in peers])
_sightings = st.one_of(
    st.builds(list.__add__, _opened, _opened).map(_sighted),
    _connected.map(_sighted),
    st.builds(lambda *kinds: [one for kind in kinds for one in kind], _opened, _executed, _connected).map(_sighted),
)


def _gathered(sightings: Iterable[Sighting]) -> Entries:
    whole: Entries = {}
    for behaviour, one in sightings:
        whole = merge(whole, {behaviour: one})
    return whole


@given(_sightings, st.randoms(use_true_random=False))
def test_any_order_gives_the_same(sightings: list[Sighting], shuffle: random.Random) -> None:
    folded = fold(_gathered(sightings), owned)
    shuffle.shuffle(sightings)
    assert fold(_gathered(sightings), owned) == folded


@given(_sightings)
def test_folding_again_changes_nothing(sightings: list[Sighting]) -> None:
    folded = fold(_gathered(sightings), owned)
    assert fold(folded, owned) == folded


@settings(max_examples=300)
@given(_sightings, st.integers(1, 5), st.randoms(use_true_random=False))
def test_any_split_folded_first_gives_the_same(sightings: list[Sighting], parts: int, choice: random.Random) -> None:
    """Whichever container, node or run saw what, and whether each part was folded before the parts were merged."""
    split: list[list[Sighting]] = [[] for _ in range(parts)]
    for sighting in sightings:
        choice.choice(split).append(sighting)
    whole: Entries = {}
    for part in split:
        whole = merge(whole, fold(_gathered(part), owned))
        if choice.random() < 0.5:
            whole = fold(whole, owned)
    assert fold(whole, owned) == fold(_gathered(sightings), owned)


@given(_sightings)
def test_what_is_given_stays_unchanged(sightings: list[Sighting]) -> None:
    before = _gathered(sightings)
    copy = {behaviour: replace(one) for behaviour, one in before.items()}
    fold(before, owned)
    assert before == copy


@given(_paths, st.lists(_peer, max_size=25))
def test_everything_seen_is_still_expected(paths: list[str], seen: list[tuple[str, int]]) -> None:
    matcher = Matcher(fold({**opens(paths), **connects(seen)}, owned))
    assert all(matcher.open_bits(path, False) & WRITE for path in paths)
    for address, port in seen:
        assert matcher.connects_to("tcp", address, port, (address,))


@given(_paths, _below(st.sampled_from(_PLACES), st.sampled_from(_SEGMENTS + _HOSTILE) | hostile_text), st.booleans())
def test_no_pattern_lets_in_what_matters(paths: list[str], other: str, image: bool) -> None:
    """A secret, code, a hidden file, a file of the image or one a package owns is only expected if it was seen."""
    matcher = Matcher(fold(opens(paths, "read"), owned))
    matters = stands_alone(other) or image
    if other not in paths and matters and canonical(other) == pattern.literal(other):
        assert not matcher.open_bits(other, image)
    assert not matcher.open_bits(other, image) & WRITE


@given(_sightings)
def test_every_pattern_says_what_it_came_from_and_nothing_is_lost(sightings: list[Sighting]) -> None:
    before = _gathered(sightings)
    folded = fold(before, owned)
    assert sum(one.count for one in folded.values()) == sum(one.count for one in before.values())
    for behaviour, one in folded.items():
        if behaviour not in before:
            assert 0 < len(one.examples) <= MAX_EXAMPLES
            assert isinstance(behaviour, OpenBehaviour | ConnectBehaviour)
        if isinstance(behaviour, OpenBehaviour):
            pattern.check_width(behaviour.path)


@given(_paths)
def test_only_directories_of_data_are_folded(paths: list[str]) -> None:
    before = opens(paths)
    changed = fold(before, owned)
    for behaviour in changed.keys() - before.keys():
        assert isinstance(behaviour, OpenBehaviour)
        assert foldpaths.root_of(behaviour.path)
        assert not owned(behaviour.path.rpartition("/")[0] + "/")
