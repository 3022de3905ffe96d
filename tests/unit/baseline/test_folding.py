"""Folding: what becomes a pattern, what never does, and what a person said about it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.matching import READ, Matcher
from driftline.baseline.merging import merge_entries
from driftline.baseline.patterns.folding import fold, merge
from driftline.baseline.patterns.foldpaths import MAX_LEVELS, MIN_SIBLINGS
from driftline.baseline.patterns.foldpeers import MIN_ADDRESSES, MIN_NAMES, MIN_PORTS, zone_of
from driftline.baseline.patterns.tokens import canonical
from driftline.baseline.schema import (
    IMPORTED,
    LEARNED,
    MAX_CONTAINERS,
    MAX_EXAMPLES,
    MORE_CONTAINERS,
    REVIEWED,
    SOURCES,
    Entry,
    Standing,
)
from driftline.nouns import EPHEMERAL, Behaviour, ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour

Entries = dict[Behaviour, Entry]
OWNED = "/var/lib/shop/shipped/"


def owned(path: str) -> bool:
    """Of the paths in these tests, a package owns those below ``OWNED``."""
    return path.startswith(OWNED) or (path.endswith("/") and OWNED.startswith(path))


def nobodys(_path: str) -> bool:
    return False


def entry(number: int = 1, container: str = "c", standing: Standing = Standing.ALLOWED, source: str = LEARNED) -> Entry:
    return Entry(source, number, number, 1, frozenset({container}), standing)


def opens(paths: Iterable[str], access: str = "write") -> Entries:
    return {OpenBehaviour(canonical(path), access): entry() for path in paths}


def connects(peers: Iterable[tuple[str, int]], protocol: str = "tcp") -> Entries:
    return {ConnectBehaviour(protocol, address, port): entry() for address, port in peers}


def patterns(entries: Entries) -> set[str]:
    return {behaviour.path for behaviour in entries if isinstance(behaviour, OpenBehaviour)}


def peers(entries: Entries) -> set[tuple[str, int]]:
    return {(one.address, one.port) for one in entries if isinstance(one, ConnectBehaviour)}


def named(count: int, form: str) -> list[str]:
    """``count`` names without a token class in them."""
    return [form.format(chr(ord("a") + number // 26) + chr(ord("a") + number % 26)) for number in range(count)]


MANY = MIN_SIBLINGS


# --- paths -----------------------------------------------------------------------------------------------------------


def test_files_of_one_ending_fold_into_that_ending() -> None:
    folded = fold(opens(named(MANY, "/data/pictures/{}.jpg")), nobodys)
    assert patterns(folded) == {"/data/pictures/*.jpg"}
    (only,) = folded.values()
    assert (only.count, only.examples) == (MANY, tuple(named(MAX_EXAMPLES, "/data/pictures/{}.jpg")))


def test_one_less_stays_as_it_is() -> None:
    before = opens(named(MANY - 1, "/data/pictures/{}.jpg"))
    assert fold(before, nobodys) == before


def test_files_without_an_ending_fold_into_any_name() -> None:
    mixed = [*named(MANY, "/data/mail/{}"), "/data/mail/x.eml"]
    assert patterns(fold(opens(mixed), nobodys)) == {"/data/mail/*"}


def test_many_endings_are_as_good_as_none() -> None:
    assert patterns(fold(opens(named(MANY, "/data/mail/x.{}")), nobodys)) == {"/data/mail/*"}


def test_directories_fold_and_what_is_in_them_stays_apart() -> None:
    paths = [path for user in named(MANY, "/srv/users/{}") for path in (f"{user}/profile", f"{user}/inbox/index")]
    folded = patterns(fold(opens(paths), nobodys))
    assert folded == {"/srv/users/*/profile", "/srv/users/*/inbox/index"}


def test_two_levels_of_directories_become_everything_below() -> None:
    paths = [f"/var/cache/shop/{one}/{two}/page" for one in named(MANY, "{}") for two in named(MANY, "x{}")]
    folded = fold(opens(paths), nobodys)
    assert patterns(folded) == {"/var/cache/shop/**"}
    assert sum(one.count for one in folded.values()) == MANY * MANY


def test_classes_count_as_one_name() -> None:
    uuids = opens(f"/data/x/{number:08x}-cc43-72a5-670e-02b2c3d479aa" for number in range(5 * MANY))
    assert patterns(fold(uuids, nobodys)) == {"/data/x/{uuid}"}


def test_reads_and_writes_are_folded_apart() -> None:
    both = {**opens(named(MANY, "/data/x/{}.jpg"), "read"), **opens(["/data/x/aa.jpg"], "write")}
    assert {(one.path, one.access) for one in fold(both, nobodys) if isinstance(one, OpenBehaviour)} == {
        ("/data/x/*.jpg", "read"),
        ("/data/x/aa.jpg", "write"),
    }


@pytest.mark.parametrize(
    "form",
    [
        "/etc/shop/{}.conf",
        "/usr/share/shop/{}.html",
        "/usr/lib/shop/{}",
        "/root/data/{}",
        "/opt/shop/{}",
        "/app/{}",
        "/proc/sys/x/{}",
        "/sys/x/{}",
        "/dev/{}",
        "/var/lib/{}",
        "/var/lib/{}/index",
        "/home/{}",
        "/home/{}/index",
        "/run/{}",
        "/run/secrets/{}",
        "/run/secrets/shop/{}",
        "/var/lib/kubelet/pods/{}",
        "/var/lib/etcd/member/{}",
        "/var/lib/dpkg/info/{}.list",
        "/var/lib/docker/overlay/{}",
        "/var/spool/cron/crontabs/{}",
        "/data/code/{}.php",
        "/data/code/{}.py",
        "/data/libs/lib{}.so.1",
        "/data/tls/{}.key",
        "/data/site-packages/{}",
        "/home/shop/.ssh/{}",
        "/home/shop/.{}",
        "/data/{}/.netrc",
        "/var/lib/shop/shipped/{}.html",
        "{}",
        "/{}",
        "data/{}",
    ],
)
def test_never_folded(form: str) -> None:
    before = opens(named(5 * MANY, form))
    assert fold(before, owned) == before


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("/tmp/{}.tmp", "/tmp/*.tmp"),
        ("/var/tmp/{}", "/var/tmp/*"),
        ("/dev/shm/{}", "/dev/shm/*"),
        ("/var/lib/redis/{}.db", "/var/lib/redis/*.db"),
        ("/var/log/shop/{}.log", "/var/log/shop/*.log"),
        ("/home/shop/out/{}.csv", "/home/shop/out/*.csv"),
        ("/home/shop/.cache/{}", "/home/shop/.cache/*"),
        ("/srv/{}", "/srv/*"),
        ("/app/uploads/{}.png", "/app/uploads/*.png"),
        ("/opt/shop/data/{}.csv", "/opt/shop/data/*.csv"),
        ("/var/lib/shop/other/{}.html", "/var/lib/shop/other/*.html"),
    ],
)
def test_folded(form: str, expected: str) -> None:
    assert patterns(fold(opens(named(MANY, form)), owned)) == {expected}


def test_a_directory_in_which_a_package_owns_a_file_is_not_folded_but_others_beside_it_are() -> None:
    above = opens(named(MANY, "/var/lib/shop/{}.db"))
    assert fold(above, owned) == above
    assert patterns(fold(above, nobodys)) == {"/var/lib/shop/*.db"}


def test_programs_and_libraries_are_never_folded() -> None:
    before: Entries = {}
    for path in named(10 * MANY, "/data/bin/{}"):
        before[ExecBehaviour(path, path, "/bin/sh", False, "writable")] = entry()
        before[LoadBehaviour(path, "volume")] = entry()
    assert fold(before, nobodys) == before


def test_very_deep_paths_stay_until_everything_above_them_is_folded() -> None:
    deep = "/var/cache/shop/" + "/".join(named(MAX_LEVELS + 3, "d{}")) + "/{}"
    before = opens(named(MANY, deep))
    assert fold(before, nobodys) == before
    tree = opens(f"/var/cache/shop/{one}/{two}/page" for one in named(MANY, "{}") for two in named(MANY, "x{}"))
    assert patterns(fold({**before, **tree}, nobodys)) == {"/var/cache/shop/**"}


# --- what a person said ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standing", [Standing.NEEDS_REVIEW, Standing.REJECTED, Standing.UNCONFIRMED])
def test_what_is_not_allowed_is_neither_folded_nor_evidence(standing: Standing) -> None:
    before = {behaviour: entry(standing=standing) for behaviour in opens(named(5 * MANY, "/data/x/{}"))}
    assert fold({**before, **opens(named(MANY - 1, "/data/x/y{}"))}, nobodys).keys() >= before.keys()
    assert fold(before, nobodys) == before


@pytest.mark.parametrize("source", [REVIEWED, IMPORTED])
def test_what_a_person_wrote_stays(source: str) -> None:
    written: Entries = {OpenBehaviour("/data/x/*/y", "write"): entry(source=source)}
    before = {**written, **opens(named(MANY, "/data/x/{}/z"))}
    folded = fold(before, nobodys)
    assert folded.items() >= written.items()
    assert patterns(folded) == {"/data/x/*/y", "/data/x/*/z"}


def test_what_a_person_approved_knowing_its_checks_stays_by_itself() -> None:
    approved = {one: replace(entry(), checks=("NL-16",)) for one in opens(named(MANY, "/data/x/{}"))}
    assert fold(approved, nobodys) == approved


@pytest.mark.parametrize("standing", [Standing.REJECTED, Standing.NEEDS_REVIEW, Standing.ALLOWED])
def test_a_pattern_somebody_decided_about_is_not_made_again(standing: Standing) -> None:
    """What was seen stays beside it: a rejected pattern must not swallow what is allowed by itself."""
    decided: Entries = {
        OpenBehaviour("/data/x/*", "write"): entry(standing=standing, source=REVIEWED),
        ConnectBehaviour("tcp", "10.0.0.0/24", 80): entry(standing=standing, source=REVIEWED),
    }
    seen = {**opens(named(MANY, "/data/x/{}")), **connects((f"10.0.0.{last}", 80) for last in range(1, 9))}
    assert fold({**decided, **seen}, nobodys) == {**decided, **seen}


def test_a_name_with_a_star_in_it_does_not_make_a_pattern_somebodys() -> None:
    """A pattern of ours may hold a literal star; what comes later still falls under it."""
    first = fold(opens(f"{user}/*/x" for user in named(MANY, "/srv/{}")), nobodys)
    assert patterns(first) == {"/srv/*/\\*/x"}
    assert patterns(fold(merge(first, opens(["/srv/zz/*/x"])), nobodys)) == {"/srv/*/\\*/x"}


def test_text_that_is_no_pattern_stays() -> None:
    before: Entries = {OpenBehaviour(path, "write"): entry() for path in ("/data/{", "/data/a\\", "/data/{x}", "{", "")}
    seen = opens(named(MANY, "/data/{}"))
    rejected: Entries = {OpenBehaviour("/data/*", "write"): entry(standing=Standing.REJECTED)}
    assert fold({**before, **seen}, nobodys).keys() == before.keys() | {OpenBehaviour("/data/*", "write")}
    assert fold({**before, **seen, **rejected}, nobodys) == {**before, **seen, **rejected}


def test_a_pattern_without_examples_is_a_persons_wherever_it_came_from() -> None:
    carried: Entries = {OpenBehaviour("/data/x/*/y", "write"): entry(source="carried")}
    before = {**carried, **opens(["/data/x/a/z"])}
    assert fold(before, nobodys) == before


# --- connects --------------------------------------------------------------------------------------------------------


def test_made_up_ports_of_one_address_become_any_of_them() -> None:
    seen = connects(("10.0.0.9", port) for port in range(40_000, 40_000 + MIN_PORTS))
    folded = fold(seen, nobodys)
    assert peers(folded) == {("10.0.0.9", EPHEMERAL)}
    assert next(iter(folded.values())).examples == ("10.0.0.9:40000", "10.0.0.9:40001", "10.0.0.9:40002")


def test_few_ports_and_ports_somebody_chose_stay() -> None:
    few = connects(("10.0.0.9", port) for port in range(40_000, 40_000 + MIN_PORTS - 1))
    chosen = connects(("10.0.0.9", port) for port in range(8_000, 8_020))
    assert fold({**few, **chosen}, nobodys) == {**few, **chosen}


@pytest.mark.parametrize(
    ("form", "network"),
    [
        ("10.1.2.{}", "10.1.2.0/24"),
        ("172.31.9.{}", "172.31.9.0/24"),
        ("192.168.0.{}", "192.168.0.0/24"),
        ("100.64.3.{}", "100.64.3.0/24"),
        ("fd00:1:2:3::{}", "fd00:1:2:3::/64"),
    ],
)
def test_private_addresses_become_their_network(form: str, network: str) -> None:
    seen = [(form.format(number), 80) for number in range(1, 1 + MIN_ADDRESSES)]
    assert peers(fold(connects(seen), nobodys)) == {(network, 80)}
    assert peers(fold(connects(seen[1:]), nobodys)) == set(seen[1:])
    on_two_ports = connects((address, 80 + place % 2) for place, (address, _port) in enumerate(seen))
    assert fold(on_two_ports, nobodys) == on_two_ports


@pytest.mark.parametrize(
    "form",
    [
        *("93.184.216.{}", "172.32.0.{}", "169.254.169.{}", "100.100.100.{}", "127.0.0.{}", "224.0.0.{}"),
        *("fd00:ec2::{}", "fe80::{}", "2001:db8::{}", "::ffff:10.0.0.{}", "10.0.{}", "10.0.0.0{}", "10.0.0.{}/32"),
    ],
)
def test_other_addresses_do_not(form: str) -> None:
    seen = connects((form.format(number), 80) for number in range(1, 100))
    assert fold(seen, nobodys) == seen


def test_paths_of_sockets_do_not() -> None:
    seen = connects(((f"10.0.0.{number}", 0) for number in range(1, 100)), "unix")
    assert fold(seen, nobodys) == seen


@pytest.mark.parametrize(
    ("form", "zone"),
    [
        ("shard{}.db.example.com", "*.db.example.com"),
        ("api{}.example.com", "*.example.com"),
        ("web-{}.web.shop.svc.cluster.local", "*.web.shop.svc.cluster.local"),
        ("api{}.eu.example.de", "*.eu.example.de"),
    ],
)
def test_names_become_their_zone(form: str, zone: str) -> None:
    seen = [(form.format(number), 443) for number in range(MIN_NAMES)]
    assert peers(fold(connects(seen), nobodys)) == {(zone, 443)}
    assert peers(fold(connects(seen[1:]), nobodys)) == set(seen[1:])


@pytest.mark.parametrize(
    "name",
    [
        *(
            "db",
            "example.com",
            "a.co.uk",
            "a.com",
            "a.github.io",
            "x.y.github.io",
            "a.s3.amazonaws.com",
            "a.example.de",
        ),
        *("a.b.c.s3.eu-central-1.amazonaws.com", "a.uk.com", "a.city.tokyo.jp", "db.shop.svc.cluster.local"),
        *("shop.svc.cluster.local", "a.cluster.local", "raw.githubusercontent.com", "*.example.com", "1.2.3.4"),
    ],
)
def test_zones_of_strangers_do_not(name: str) -> None:
    assert zone_of(name) == ""


# --- merging ---------------------------------------------------------------------------------------------------------

_entries = st.builds(
    Entry,
    st.sampled_from(sorted(SOURCES)),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(1, 9),
    st.frozensets(st.sampled_from("abc"), max_size=3),
    st.sampled_from(Standing),
    st.frozensets(st.sampled_from(("NL-01", "NL-02", "NL-03"))).map(lambda some: tuple(sorted(some))),
    st.lists(st.sampled_from("pqrstu"), max_size=3).map(lambda some: tuple(sorted(set(some)))),
    st.sampled_from(("", "pkg:a", "pkg:b")),
)


@given(_entries, _entries, _entries)
def test_merging_entries_does_not_depend_on_order(one: Entry, two: Entry, three: Entry) -> None:
    assert merge_entries(one, merge_entries(two, three)) == merge_entries(merge_entries(one, two), three)
    assert merge_entries(one, two) == merge_entries(two, one)


@pytest.mark.parametrize(
    ("one", "two", "worst"),
    [
        ("allowed", "rejected", "rejected"),
        ("needs-review", "rejected", "rejected"),
        ("allowed", "needs-review", "needs-review"),
        ("unconfirmed", "allowed", "allowed"),
        ("unconfirmed", "needs-review", "needs-review"),
    ],
)
def test_the_worst_standing_wins(one: str, two: str, worst: str) -> None:
    assert merge_entries(entry(standing=Standing(one)), entry(standing=Standing(two))).standing == worst


def test_containers_are_bounded_in_any_order() -> None:
    many = [replace(entry(), containers=frozenset({f"c{number:03}"})) for number in range(3 * MAX_CONTAINERS)]
    shuffled = random.Random(5).sample(many, len(many))
    results = set()
    for some in (many, shuffled):
        whole = some[0]
        for one in some[1:]:
            whole = merge_entries(whole, one)
        results.add(whole.containers)
    (containers,) = results
    assert len(containers) == MAX_CONTAINERS + 1
    assert MORE_CONTAINERS in containers


def test_reads_of_the_folded_are_reads_only() -> None:
    matcher = Matcher(fold(opens(named(MANY, "/data/x/{}.jpg"), "read"), nobodys))
    assert matcher.open_bits("/data/x/new.jpg", False) == READ
    assert matcher.open_bits("/data/x/new.jpg", True) == 0
    assert matcher.open_bits("/data/x/new.php", False) == 0
    assert matcher.open_bits("/data/x/.new.jpg", False) == 0
