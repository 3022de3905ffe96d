"""The msgpack file: lossless, canonical, and refused when anything in it is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given

from driftline.baseline.format import canonical
from driftline.baseline.format.canonical import canonical_content, from_msgpack, load_matcher, to_msgpack, version_of
from driftline.baseline.format.reading import DocumentError
from driftline.baseline.matching import Matcher
from driftline.baseline.packages import packages_used
from driftline.baseline.schema import Baseline, Entry, Excuse, Review, Standing, State
from driftline.nouns import OpenBehaviour
from unit.baseline.documents import baselines, full, small


@given(baselines)
def test_round_trip_loses_nothing(baseline: Baseline) -> None:
    data = to_msgpack(baseline)
    assert from_msgpack(data) == baseline
    assert to_msgpack(from_msgpack(data)) == data


@given(baselines)
def test_the_agents_short_way_loads_the_same(baseline: Baseline) -> None:
    head, matcher, used = load_matcher(to_msgpack(baseline))
    assert head == replace(baseline, entries={})
    assert used == packages_used(baseline)
    wanted = Matcher(baseline.entries, version_of(baseline))
    assert _shown(matcher) == _shown(wanted)
    assert all((each in matcher) == (each in wanted) for each in baseline.entries)


def _shown(matcher: Matcher) -> list[object]:
    hidden = {"_folds", "_networks", "unconfirmed"}
    values: list[object] = [getattr(matcher, name) for name in Matcher.__slots__ if name not in hidden]
    return [*values, _shown(matcher.unconfirmed) if matcher.unconfirmed else None]


def test_the_version_is_the_plain_sha256_of_the_content() -> None:
    baseline = small()
    assert version_of(baseline) == "sha256:" + hashlib.sha256(canonical_content(baseline)).hexdigest()
    content = msgpack.unpackb(canonical_content(baseline))
    assert list(content) == ["connect", "excuses", "exec", "format", "key", "load", "open", "workload"]
    assert content["open"][2] == [b"/b\xff", b"read", b"allowed", False]


CHANGED = {"learned": "carried", "inventory": "imported", "carried": "learned", "imported": "learned"} | {
    "reviewed": "reviewed"  # a person's pattern holds for more files
}


def test_the_version_covers_what_is_expected_and_nothing_else() -> None:
    baseline = full()
    version = version_of(baseline)
    same = replace(
        baseline, image="x", state=State.RETIRED, revision=9, parent="", predecessor="", partial=(), losses=0
    )
    same = replace(same, elapsed_ns=1, quiet_ns=1, startups=9, reviews=(), packages=())
    same.entries = {
        each: Entry(CHANGED[entry.source], 1, 2, 3, frozenset(), standing=entry.standing)
        for each, entry in reversed(baseline.entries.items())
    }
    assert version_of(same) == version
    review = Review(1, "a", "b", "c")
    assert version_of(replace(baseline, reviews=(review,))) == version
    others = [
        replace(baseline, key="sha256:12"),
        replace(baseline, workload=""),
        replace(baseline, excuses=(Excuse("NL-09", "", "", 0),)),
        replace(baseline, entries=dict(list(baseline.entries.items())[1:])),
        replace(baseline, entries={k: replace(e, source="reviewed") for k, e in baseline.entries.items()}),
        replace(baseline, entries={k: replace(e, standing=Standing.REJECTED) for k, e in baseline.entries.items()}),
    ]
    assert len({version, *map(version_of, others)}) == len(others) + 1


def test_only_a_pattern_a_person_wrote_holds_for_files_of_the_image() -> None:
    matcher = load_matcher(to_msgpack(full())).matcher
    assert matcher.open_bits("/srv/data/deep/er", image=True)
    assert matcher.open_bits("/srv/cache/00ff00ff00ff00ff00/b.tmp", image=False)
    assert not matcher.open_bits("/srv/cache/00ff00ff00ff00ff00/b.tmp", image=True)


def _changed(change: Callable[[dict[str, Any]], object], part: str, honest: bool = True) -> bytes:
    """The file of ``full()`` after ``change`` of one of its parts; ``honest``: with the digest of what it holds."""
    parts = msgpack.unpackb(to_msgpack(full()))
    inner = msgpack.unpackb(parts[part])
    change(inner)
    parts[part] = msgpack.packb(inner)
    if honest:
        parts["version"] = "sha256:" + hashlib.sha256(parts["content"]).hexdigest()
    return bytes(msgpack.packb(parts))


def _put(*steps: Any) -> Callable[[dict[str, Any]], None]:
    *place, last, value = steps

    def change(values: Any) -> None:
        for step in place:
            values = values[step]
        values[last] = value

    return change


def test_changed_content_is_refused() -> None:
    data = _changed(_put("open", 0, 0, b"/etc/shadow"), "content", honest=False)
    for read in (from_msgpack, load_matcher):
        with pytest.raises(DocumentError, match="version: not the digest"):
            read(data)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_put("key", b"sha256:99"), "content"),
        (_put("excuses", []), "content"),
        (_put("exec", 0, 3, 1), r"exec\[0\]"),
        (_put("exec", 1, []), r"exec\[1\]"),
        (_put("exec", 0, 0, "text"), r"exec\[0\]"),
        (_put("open", 1, 2, b"blessed"), r"open\[1\]"),
        (_put("open", 1, 0, b"/**"), r"open\[1\].*first segment"),
        (_put("connect", 0, 2, 65_536), r"connect\[0\]"),
        (_put("open", {}), r"content\.open"),
        (_put("open", 0, 3, 1), r"open\[0\]|canonical form"),
        (lambda content: content.pop("load"), "content: not a mapping of"),
    ],
)
def test_wrong_content_is_named_by_both_readers(change: Callable[[dict[str, Any]], object], complaint: str) -> None:
    for read in (from_msgpack, load_matcher):
        with pytest.raises(DocumentError, match=complaint):
            read(_changed(change, "content"))


def test_a_behaviour_without_evidence_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"open\[\d\].*without evidence"):
        from_msgpack(_changed(lambda content: content["open"].append(content["open"][0]), "content"))


def test_content_in_another_order_is_refused() -> None:
    with pytest.raises(DocumentError, match="canonical form"):
        from_msgpack(_changed(lambda content: content["connect"].reverse(), "content"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_put("key", 7), r"document\.key"),
        (_put("state", b"approved"), r"document\.state: 'approved' is none of learning, candidate"),
        (_put("losses", -1), r"document\.losses"),
        (_put("losses", 2**63), r"document\.losses"),
        (_put("losses", True), r"document\.losses"),
        (_put("partial", [b"x"] * 17), r"document\.partial: a list of 17, at most 16"),
        (_put("excuses", 0, "check", 1), r"excuses\[0\]\.check"),
        (_put("reviews", 0, "more", 1), r"reviews\[0\]: unknown field 'more'"),
        (_put("extra", 1), "document: unknown field 'extra'"),
        (lambda head: head.pop("image"), r"document\.image: missing"),
    ],
)
def test_a_wrong_head_is_named(change: Callable[[dict[str, Any]], object], complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        from_msgpack(_changed(change, "head"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_put("count", 0, 1.5), r"connect\[0\]\.count"),
        (_put("first", 0, b"now"), r"connect\[0\]\.first"),
        (_put("containers", 0, 0, [99]), r"exec\[1\].containers: no such container"),
        (_put("package", 1, 0, 99), r"evidence\.package: no such place"),
        (_put("source", [[b"heard"], [0] * 12]), r"exec\[0\]\.source: 'heard' is none of carried"),
        (_put("source", [[b"learned"], [0] * 11]), "different lengths"),
        (_put("notes", [[99, [], []]]), r"evidence\.notes"),
        (lambda evidence: evidence["last"].pop(), "different lengths"),
        (lambda evidence: evidence.pop("last"), "evidence: not the columns"),
    ],
)
def test_wrong_evidence_is_named(change: Callable[[dict[str, Any]], object], complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        from_msgpack(_changed(change, "evidence"))


def test_another_format_says_so_before_anything_else() -> None:
    with pytest.raises(DocumentError, match=r"document\.format: 'driftline.baseline/0' is not"):
        from_msgpack(msgpack.packb({"format": "driftline.baseline/0", "open": []}))


def test_what_a_program_named_itself_never_makes_the_agents_file_unreadable() -> None:
    """io_uring tells the name as the program gave it."""
    baseline = small()
    baseline.entries[OpenBehaviour("../a/{num}", "read")] = next(iter(baseline.entries.values()))
    assert from_msgpack(to_msgpack(baseline)) == baseline


def test_too_many_behaviours_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical, "MAX_BEHAVIOURS", 2)
    for read in (from_msgpack, load_matcher):
        with pytest.raises(DocumentError, match="more than 2 behaviours"):
            read(to_msgpack(small()))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x93",
        b"\x01",
        b"\x80",
        b"\x91" * 3000,
        b"hello",
        b"\xc0\xc0",
        b"\xdd\x00\x20\x00\x00" + b"\x90" * 2**21,
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    for read in (from_msgpack, load_matcher):
        with pytest.raises(DocumentError):
            read(data)


def test_every_cut_of_a_file_is_refused() -> None:
    data = to_msgpack(full())
    for length in range(len(data)):
        with pytest.raises(DocumentError):
            from_msgpack(data[:length])
