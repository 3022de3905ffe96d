"""The matcher expects what was added and nothing else, and says the same as the definition of a pattern."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.matching import READ, WRITE, Matcher
from driftline.baseline.patterns import pattern
from driftline.baseline.patterns.folding import fold
from driftline.baseline.patterns.paths import stands_alone
from driftline.baseline.schema import LEARNED, REVIEWED, Entry, Standing
from driftline.nouns import (
    EPHEMERAL,
    Behaviour,
    ConnectBehaviour,
    ExecBehaviour,
    LoadBehaviour,
    OpenBehaviour,
)
from unit.baseline.documents import behaviours, code, patterns, resolved


def entry(standing: Standing = Standing.ALLOWED, source: str = LEARNED) -> Entry:
    return Entry(source, 1, 2, 3, frozenset(), standing)


@given(st.sets(behaviours, max_size=10))
def test_holds_what_was_added(added: set[Behaviour]) -> None:
    matcher = Matcher(added)
    assert all(behaviour in matcher for behaviour in added if not _is_secret(behaviour))


@given(st.sets(code, max_size=10), code)
def test_holds_nothing_else(added: set[Behaviour], other: Behaviour) -> None:
    assert (other in Matcher(added)) == (other in added)


def _is_secret(behaviour: Behaviour) -> bool:
    return isinstance(behaviour, OpenBehaviour) and stands_alone(behaviour.path)


_few = st.text(st.sampled_from("ab*"), max_size=4).map(lambda text: re.sub(r"\*+", "*", text) or "a")
_globs = st.builds(
    lambda parts, deep: "/srv/" + "/".join([*parts, *deep]),
    st.lists(_few | st.sampled_from(("{num}", "x-{num}", "{num}*")), max_size=3),
    st.sampled_from(((), ("**",), ("a",))),
).filter(lambda text: text.count("*") <= pattern.MAX_WILDCARDS)
_near = st.lists(st.text(st.sampled_from("ab"), min_size=1, max_size=4) | st.sampled_from(("1234567", "x-7654321")))
_near_paths = _near.map(lambda parts: "/srv/" + "/".join(parts)).filter(lambda path: path != "/srv/")


@given(st.sets(_globs, max_size=8), _near_paths)
def test_patterns_mean_what_their_definition_says(added: set[str], path: str) -> None:
    matcher = Matcher(OpenBehaviour(text, "read") for text in added)
    assert bool(matcher.open_bits(path, image=False)) == any(pattern.matches(text, path) for text in added)


@given(st.sets(patterns, max_size=6), resolved)
def test_hostile_paths_too(added: set[str], path: str) -> None:
    matcher = Matcher({OpenBehaviour(text, "read"): entry(source=REVIEWED) for text in added})
    assert bool(matcher.open_bits(path, image=True)) == any(pattern.matches(text, path) for text in added)


@given(st.sets(_globs, max_size=6), _globs, _near_paths)
def test_a_pattern_that_is_held_adds_nothing(added: set[str], other: str, path: str) -> None:
    matcher = Matcher(OpenBehaviour(text, "read") for text in added)
    if OpenBehaviour(other, "read") in matcher and pattern.matches(other, path):
        assert matcher.open_bits(path, image=False)


def test_a_known_write_covers_the_read_but_not_the_reverse() -> None:
    matcher = Matcher([OpenBehaviour("/a", "write"), OpenBehaviour("/b", "read"), OpenBehaviour("/srv/**", "read")])
    assert OpenBehaviour("/a", "read") in matcher
    assert OpenBehaviour("/b", "write") not in matcher
    assert matcher.open_bits("/srv/x", False) == READ
    assert matcher.opens == {"/a": WRITE, "/b": READ}


def test_programs_are_known_whoever_ran_them() -> None:
    matcher = Matcher([ExecBehaviour("/bin/busybox", "ls", "/bin/sh", False)])
    assert ("/bin/busybox", "ls") in matcher.programs
    assert ("/bin/busybox", "nc") not in matcher.programs


def test_a_file_of_another_origin_is_another_behaviour() -> None:
    image, written = ExecBehaviour("/bin/x", "x", "", False), ExecBehaviour("/bin/x", "x", "", False, "writable")
    assert written not in Matcher([image])
    assert image not in Matcher([written])
    assert Matcher([written]).foreign == {written}
    assert not Matcher([written]).programs
    assert LoadBehaviour("/a.so", "volume") not in Matcher([LoadBehaviour("/a.so")])
    assert Matcher([LoadBehaviour("/a.so", "volume")]).foreign_loads == {LoadBehaviour("/a.so", "volume")}


def test_learned_patterns_say_nothing_of_the_images_files_and_of_telling_names() -> None:
    learned = Matcher({OpenBehaviour("/srv/data/**", "read"): entry()})
    written = Matcher({OpenBehaviour("/srv/data/**", "read"): entry(source=REVIEWED)})
    for path in ("/srv/data/.ssh/id_rsa", "/srv/data/tls.key", "/srv/data/.hidden"):
        assert not learned.open_bits(path, image=False)
        assert written.open_bits(path, image=False)
    assert learned.open_bits("/srv/data/x", image=False)
    assert not learned.open_bits("/srv/data/x", image=True)
    assert written.open_bits("/srv/data/x", image=True)


def test_only_what_is_allowed_matches() -> None:
    wanted = {standing: OpenBehaviour(f"/{standing}", "read") for standing in Standing}
    matcher = Matcher({behaviour: entry(standing) for standing, behaviour in wanted.items()}, "sha256:1")
    assert [behaviour in matcher for behaviour in wanted.values()] == [True, False, False, False]
    assert matcher.unconfirmed
    assert wanted[Standing.UNCONFIRMED] in matcher.unconfirmed
    assert matcher.pending == {wanted[Standing.NEEDS_REVIEW]}
    assert matcher.rejected == {wanted[Standing.REJECTED]}
    assert Matcher().unconfirmed is None


@pytest.mark.parametrize(
    ("behaviour", "asked", "names", "expected"),
    [
        (("tcp", "10.0.0.7", 5432), ("tcp", "10.0.0.7", 5432), (), True),
        (("tcp", "10.0.0.7", 5432), ("udp", "10.0.0.7", 5432), (), False),
        (("tcp", "db.svc", 5432), ("tcp", "10.0.0.7", 5432), ("x", "db.svc"), True),
        (("tcp", "db.svc", 5432), ("tcp", "10.0.0.7", 5433), ("db.svc",), False),
        (("tcp", "10.0.0.7", EPHEMERAL), ("tcp", "10.0.0.7", 32_768), (), True),
        (("tcp", "10.0.0.7", EPHEMERAL), ("tcp", "10.0.0.7", 60_999), (), True),
        (("tcp", "10.0.0.7", EPHEMERAL), ("tcp", "10.0.0.7", 61_000), (), False),
        (("tcp", "10.0.0.7", EPHEMERAL), ("tcp", "10.0.0.7", 443), (), False),
        (("tcp", "10.0.3.0/24", 443), ("tcp", "10.0.3.200", 443), (), True),
        (("tcp", "10.0.3.0/24", 443), ("tcp", "10.0.4.1", 443), (), False),
        (("tcp", "10.0.3.0/24", EPHEMERAL), ("tcp", "10.0.3.1", 40_000), (), True),
        (("tcp", "fd00::/8", 443), ("tcp", "fd12::1", 443), (), True),
        (("tcp", "fd00::/8", 443), ("tcp", "10.0.3.1", 443), (), False),
        (("tcp", "10.0.3.0/24", 443), ("tcp", "loopback", 443), (), False),
        (("unix", "/run/docker.sock", 0), ("unix", "/run/docker.sock", 0), (), True),
        (("tcp", "10.0.3.0/240", 443), ("tcp", "10.0.3.1", 443), (), False),
    ],
)
def test_connects(
    behaviour: tuple[str, str, int], asked: tuple[str, str, int], names: tuple[str, ...], expected: bool
) -> None:
    assert Matcher([ConnectBehaviour(*behaviour)]).connects_to(*asked, names) is expected


def test_a_thousand_patterns_beside_each_other_are_told_apart() -> None:
    matcher = Matcher(OpenBehaviour(f"/srv/{number:04}-*.log", "read") for number in range(1_000))
    assert matcher.open_bits("/srv/0777-a.log", False)
    assert not matcher.open_bits("/srv/1777-a.log", False)


_HASH = "b7f54b2df7773722d382f4809d65029c"
_CACHE = [OpenBehaviour("/cache/site/{hex}/{hex}/{hash}", "write"), OpenBehaviour("/srv/objects/{hex}/{hex}", "read")]


@pytest.mark.parametrize("path", ["/cache/site/3", "/cache/site/3/a2", "/srv/objects/ab"])
def test_directories_a_cache_sorts_files_into_may_be_listed(path: str) -> None:
    matcher = Matcher(_CACHE)
    assert matcher.open_bits(path, image=False, listing=True) == READ
    assert not matcher.open_bits(path, image=False)
    assert not matcher.open_bits(path, image=True, listing=True)


@pytest.mark.parametrize("name", ["kmkzhj__", "_gwdt05i", "abcdefgh", "12345678"])
def test_names_of_a_temporary_file_that_look_like_words_are_expected_beside_one_that_does_not(name: str) -> None:
    matcher = Matcher([OpenBehaviour("/tmp/wgunicorn-{tmp}", "write")])
    assert matcher.open_bits(f"/tmp/wgunicorn-{name}", False) & WRITE
    for other in (f"/tmp/gunicorn-{name}", f"/tmp/wgunicorn-{name}s", f"/tmp/wgunicorn-{name[:-1]}", f"/tmp/{name}"):
        assert not matcher.open_bits(other, False), other
    assert not matcher.open_bits("/tmp/wgunicorn-ABCDEFGH", False)
    assert not matcher.open_bits(f"/tmp/wgunicorn-{name}", True), "the image's own file"


@pytest.mark.parametrize("name", ["_ih2cprd", "kmkzhjab", "12345678", "a1b2c3d4"])
def test_python_tries_whether_it_may_write_to_tmp_under_any_such_name(name: str) -> None:
    """``tempfile`` does, once in each process that uses it."""
    matcher = Matcher([OpenBehaviour("/tmp/{tmp}", "write")])
    assert matcher.open_bits(f"/tmp/{name}", False) & WRITE
    for other in (f"/tmp/{name}s", f"/tmp/.{name[1:]}", f"/tmp/{name[:5]}.sh", f"/tmp/x/{name}", f"/data/{name}"):
        assert not matcher.open_bits(other, False), other
    assert not matcher.open_bits(f"/tmp/{name}", True), "the image's own file"
    assert not Matcher([OpenBehaviour("/tmp/kmkzhj__", "write")]).open_bits(f"/tmp/{name}", False)


def test_one_temporary_name_alone_says_nothing_of_others() -> None:
    matcher = Matcher([OpenBehaviour("/tmp/wgunicorn-kmkzhj__", "write")])
    assert not matcher.open_bits("/tmp/wgunicorn-_gwdt05i", False)


@pytest.mark.parametrize(
    "path",
    [
        "/cache/site",
        "/cache/site/3/a2/07",
        "/cache/site/1234",
        "/cache/site/xy",
        "/cache/site/3/A2",
        "/cache/other/3",
        "/srv/objects/ab/cd",
        "/cache/site/",
        "3",
    ],
)
def test_no_other_directories_may_be_listed_because_of_it(path: str) -> None:
    assert not Matcher(_CACHE).open_bits(path, image=False, listing=True)


_FOLDED_CACHE = OpenBehaviour("/cache/site/*/{hex}/{hash}", "write")
_ROOMY = [
    _FOLDED_CACHE,
    OpenBehaviour("/cache/flat/*/{hash}", "read"),
    OpenBehaviour("/srv/tenants/*/objects/{hex}/{hex}", "read"),
    OpenBehaviour("/srv/blobs/{hex}/{hash}/*", "read"),
]


@pytest.mark.parametrize(
    "path",
    [
        *("/cache/site/3", "/cache/site/3/a2", "/cache/flat/f0"),
        *("/srv/tenants/shop/objects/ab", "/srv/tenants/a/objects/0", "/srv/blobs/a2"),
    ],
)
def test_they_may_be_listed_where_names_above_or_below_them_have_folded(path: str) -> None:
    matcher = Matcher(_ROOMY)
    assert matcher.open_bits(path, image=False, listing=True) == READ
    assert not matcher.open_bits(path, image=False)
    assert not matcher.open_bits(path, image=True, listing=True)


@pytest.mark.parametrize(
    "path",
    [
        *("/cache/site", "/cache/site/secrets", "/cache/site/3/secrets", "/cache/site/3/a2/07", "/cache/site/1234"),
        *("/cache/site/xy/zz", "/cache/site/.x/a2", "/cache/flat/shop", "/cache/flat", "/srv/tenants/ab"),
        *("/srv/tenants/shop/objects", "/srv/tenants/.x/objects/ab", "/srv/tenants/shop/other/ab", "/srv/blobs/a2/07"),
    ],
)
def test_a_fold_lets_nothing_else_be_listed(path: str) -> None:
    assert not Matcher(_ROOMY).open_bits(path, image=False, listing=True)


def test_the_caches_of_many_sites_fold_and_may_be_listed_all_the_same() -> None:
    held = {
        OpenBehaviour(f"/var/cache/nginx/{site}/{{hex}}/{{hex}}/{{hash}}", "read"): entry() for site in "abcdefghij"
    }
    matcher = Matcher(fold(held, lambda path: False))
    assert matcher.open_bits("/var/cache/nginx/shop/3/a2", image=False, listing=True) == READ
    assert not matcher.open_bits("/var/cache/nginx/shop/3/secrets", image=False, listing=True)


_held_caches = st.builds(
    lambda site, names: OpenBehaviour("/".join(("/cache", *site, *names, "{hash}")), "read"),
    st.lists(st.sampled_from(("site", "*")), max_size=1),
    st.lists(st.sampled_from(("{hex}", "*")), max_size=3),
)
_names = st.sampled_from(("site", "3")) | st.text(st.sampled_from("0123456789abcdefgx"), min_size=1, max_size=4)


@given(st.sets(_held_caches, max_size=3), st.lists(_names, min_size=1, max_size=4))
def test_a_directory_may_be_listed_if_a_file_expected_can_lie_in_it(held: set[OpenBehaviour], names: list[str]) -> None:
    matcher, directory = Matcher(held), "/".join(("/cache", *names))
    inside = [f"{directory}/{'0/' * more}{_HASH}" for more in range(4)]
    may = set(names[-1]) <= set("0123456789abcdef") and len(names[-1]) <= 3
    may = may and any(matcher.open_bits(path, image=False) for path in inside)
    assert bool(matcher.open_bits(directory, image=False, listing=True)) == may


def test_a_person_may_let_the_images_own_be_listed() -> None:
    for behaviour in (_CACHE[0], _FOLDED_CACHE):
        matcher = Matcher({behaviour: entry(source=REVIEWED)})
        assert matcher.open_bits("/cache/site/3/a2", image=True, listing=True) == READ
