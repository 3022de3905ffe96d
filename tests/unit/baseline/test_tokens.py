"""Token classes: what is made anew each time is one pattern, what says something stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.patterns import pattern
from driftline.baseline.patterns.paths import code_write, is_telling, sensitive_read
from driftline.baseline.patterns.tokens import (
    _ANYWHERE,
    _BORDERS,
    _replace,
    _replace_after_border,
    _rules,
    canonical,
    shards_above,
)
from unit.baseline.making import paths

_SHA1 = "b7f54b2df7773722d382f4809d65029c01234567"
_UUID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/proc/12/stat", "/proc/{pid}/stat"),
        ("/proc/12/task/13/comm", "/proc/{pid}/task/{pid}/comm"),
        ("/proc/12/fd/4", "/proc/{pid}/fd/{num}"),
        ("/proc/12/map_files/7f00-7f01", "/proc/{pid}/map_files/{hex}-{hex}"),
        ("/host/proc/12/stat", "/host/proc/{pid}/stat"),
        ("/host/dev/pts/3", "/host/dev/pts/{num}"),
        (f"/data/{_UUID}/a.jpg", "/data/{uuid}/a.jpg"),
        (f"/data/{_SHA1[:32]}", "/data/{hash}"),
        (f"/data/{_SHA1}", "/data/{hash}"),
        (f"/data/sha256:{_SHA1}{_SHA1[:24]}", "/data/sha256:{hash}"),
        (f"/data/{_SHA1.upper()}.bin", "/data/{hash}.bin"),
        (f"/var/cache/nginx/c/29/{_SHA1[:32]}", "/var/cache/nginx/{hex}/{hex}/{hash}"),
        (f"/srv/git/objects/ab/{_SHA1[:38]}", "/srv/git/objects/{hex}/{hex}"),
        ("/data/job-1a2b3c4d.log", "/data/job-{hex}.log"),
        ("/var/log/app/2026-11-23T08:00:01Z.log", "/var/log/app/{time}.log"),
        ("/var/log/nginx/access.log-20261123.gz", "/var/log/nginx/access.log-{time}.gz"),
        ("/var/log/app_log20261123", "/var/log/app_log{time}"),
        ("/data/dump_2026_11_23.sql", "/data/dump_{time}.sql"),
        ("/run/secrets/t/..2026_11_23_08_00_01.123456789/token", "/run/secrets/t/..{time}/token"),
        ("/var/log/nginx/access.log.1", "/var/log/nginx/access.log.{num}"),
        ("/var/log/nginx/access.log.12.gz", "/var/log/nginx/access.log.{num}.gz"),
        ("/data/report-1234.csv", "/data/report-{num}.csv"),
        ("/data/1700000000", "/data/{num}"),
        ("/var/lib/nginx/body/0000000001", "/var/lib/nginx/body/{num}"),
        ("/var/lib/nginx/proxy/3/02/0000000023", "/var/lib/nginx/proxy/{num}/{num}/{num}"),
        ("/data/temp-21.rdb", "/data/temp-{num}.rdb"),
        ("/data/temp-rewriteaof-bg-7.aof", "/data/temp-rewriteaof-bg-{num}.aof"),
        ("/data/appendonlydir/appendonly.aof.2.incr.aof", "/data/appendonlydir/appendonly.aof.{num}.incr.aof"),
        ("/var/lib/postgresql/15/main/base/16384/16385_fsm", "/var/lib/postgresql/15/main/base/{num}/{num}_fsm"),
        ("/var/lib/postgresql/15/main/base/5/16385.1", "/var/lib/postgresql/15/main/base/{num}/{num}.{num}"),
        ("/pg/base/5/t3_16395_fsm", "/pg/base/{num}/t{num}_{num}_fsm"),
        ("/pg/base/1/PG_VERSION", "/pg/base/{num}/PG_VERSION"),
        (
            "/pg/base/pgsql_tmp/pgsql_tmp12.0.fileset/o87of128.p2.0",
            "/pg/base/pgsql_tmp/pgsql_tmp{num}.{num}.fileset/{tmp}",
        ),
        ("/pg/base/pgsql_tmp/pgsql_tmp12.3.fileset/0.0", "/pg/base/pgsql_tmp/pgsql_tmp{num}.{num}.fileset/{tmp}"),
        ("/pg/base/pgsql_tmp/pgsql_tmp123.4", "/pg/base/pgsql_tmp/pgsql_tmp{num}.{num}"),
        ("/pg/pg_wal/000000010000000000000009", "/pg/pg_wal/{hex}"),
        ("/pg/pg_wal/00000001000000000000000A", "/pg/pg_wal/{hex}"),
        ("/dev/shm/PostgreSQL.1804289383", "/dev/shm/PostgreSQL.{num}"),
        ("/tmp/tmpab12cd_4", "/tmp/tmp{tmp}"),
        ("/tmp/tmp.aB3dE9xYz1", "/tmp/tmp.{tmp}"),
        ("/tmp/upload.aB3dE9", "/tmp/upload.{tmp}"),
        ("/etc/nginx/conf.d/sedaBcD3x", "/etc/nginx/conf.d/sed{tmp}"),
        ("/var/cache/apt/srcpkgcache.bin.WUKUEM", "/var/cache/apt/srcpkgcache.bin.{tmp}"),
        ("/var/lib/shop/order10093438204798831964.tmp", "/var/lib/shop/order{tmp}.tmp"),
        ("/tmp/hsperfdata_tomcat/6", "/tmp/hsperfdata_tomcat/{num}"),
        ("/tmp/hsperfdata_app-1/4711", "/tmp/hsperfdata_app-1/{num}"),
        ("/srv/hsperfdata_tomcat/6.log", "/srv/hsperfdata_tomcat/6.log"),
        ("/var/lib/shop/order5665400571569157.tmp", "/var/lib/shop/order{tmp}.tmp"),
        ("/var/lib/php/sessions/sess_1234567890abcdefghijkl", "/var/lib/php/sessions/sess_{tmp}"),
        ("/srv/.nfs000000000001234500000001", "/srv/.nfs{tmp}"),
        ("/app/__pycache__/a.cpython-311.pyc.140233", "/app/__pycache__/a.cpython-311.pyc.{num}"),
    ],
)
def test_names_of_real_programs(path: str, expected: str) -> None:
    assert canonical(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/usr/lib/x86_64-linux-gnu/libssl.so.3",
        "/data/libfoo-1a2b3c4d.so",
        "/opt/app-1.24.300/main",
        "/usr/lib/python3.11/os.py",
        "/app/__pycache__/a.cpython-311.pyc",
        "/data/..2x/token",
        "/data/t3_16",
        "/data/file.sha256",
        "/var/lib/postgresql/15/main/PG_VERSION",
        "/proc/sys/net/core/somaxconn",
        "/proc/irq/123/node",
        "/proc/self",
        "/sys/block/8/size",
        "/sys/devices/pci0000:00/0000:00:1234/vendor",
        "/data/1234/.ssh/id_rsa",
        "/home/user1234/.ssh/authorized_keys",
        "/usr/bin/python-1234",
        "/etc/cron.d/job-1234",
        "/data/uploads/1234.php",
        "/data/tls-12345678.key",
        "/tmp/tmpab12cd34.py",
    ],
)
def test_versions_secrets_and_code_keep_their_names(path: str) -> None:
    assert canonical(path) is path


@pytest.mark.parametrize(
    "path", ["/proc/12/environ", "/proc/12/task/13/environ", "/proc/12/mem", "/host/proc/1/environ"]
)
def test_of_a_process_the_number_is_no_part_of_the_secret(path: str) -> None:
    assert canonical(path).replace("{pid}", "7") == path.replace("12", "7").replace("13", "7").replace("/1/", "/7/")


@pytest.mark.parametrize("name", ["*", "**", "{uuid}", "{}", "a\\", "\\{num\\}", "..", "a\nb", "{num", "\udcff*"])
def test_names_an_attacker_chooses_are_no_pattern(name: str) -> None:
    path = f"/data/x/{name}"
    assert pattern.plain(canonical(path)) == path


@given(paths)
def test_a_path_without_classes_means_itself(path: str) -> None:
    text = canonical(path)
    raw = path if text is path else pattern.plain(text)
    assert raw in (None, path)
    assert canonical(path) == text


_PARTS = st.sampled_from(
    (
        *("a", "Z", "0", "1", "9", "f", "-", "_", ".", "/", "{", "*", "\\", "tmp", "sed", "sess_", "2026", "11", "23"),
        *("proc/", "task/", "..", "so.", ".pyc.", "pgsql_tmp", "log.", _UUID, _SHA1, "\n", "\udc80", "é"),
    )
)


@given(st.lists(_PARTS, max_size=30).map("".join))
def test_what_it_makes_is_well_formed_and_matches_what_it_came_from(name: str) -> None:
    path = f"/data/{name}"
    text = canonical(path)
    assert text == path or pattern.matches(text, path)
    assert text.count("/") == path.count("/")


_RENEWED = ("proc/", "..2", ".pyc.")


@given(st.lists(_PARTS, max_size=12).map("".join), st.sampled_from(("", ".php", "/.netrc", "/.ssh/id_rsa", ".so.1")))
def test_a_name_that_matters_keeps_every_part(name: str, ending: str) -> None:
    """But for the three its owner is known to renew, which other tests hold."""
    path = f"/data/{name}{ending}"
    if is_telling(path) and not any(part in path for part in _RENEWED):
        assert pattern.plain(canonical(path)) == path


@pytest.mark.parametrize(
    "piece", ["a1", "tmp", "1_", "1/", "-11", "a/", "0", "f", "1.", "sess_", "aB1-", "{", "2026-11-"]
)
def test_long_hostile_paths_come_to_an_end(piece: str) -> None:
    """None makes the expressions try again and again: that would take longer than a test may."""
    path = "/data/" + piece * 4096
    assert pattern.matches(canonical(path), path)


def test_what_matters_is_known() -> None:
    assert is_telling("/data/a.php")
    assert is_telling("/etc/shadow")
    assert sensitive_read("/data/.netrc") is not None
    assert code_write("/usr/bin/x") is not None
    assert not is_telling("/data/a.jpg")


_PIECES = """
123 1234.1 2024-01-02 x20240102 Foo12345678901234567890 deadbeef deadbeefdeadbeef DEADBEEF12 abcdefabcdefabcdef a 0a abc
abcdefab-abcd-4bcd-8bcd-abcdefabcdef sedabcdef .nfs0123456789abcdef0 sess_abcdefghijklmnopqrstuvwx tmp tmpabcd1234 file
tmp.aB3dE6gH9k tmp1234567_ pgsql_tmp12.3 x.fileset o5of16.p0.0 t3_16395 base 5 0000000023 access.log.2.gz foo-aB3dE6
..2024_01_02_03_04_05.123 y.pyc.12 1.24.300 lib1.24.300 20240102T101112Z x.aof.3.base.rdb rewriteaof-22 {x} a\\b é1
"""
PIECES = _PIECES.split()


@given(st.lists(st.sampled_from([*PIECES, "/", "/", "/", "-", "_", "."]), max_size=9).map("".join))
def test_the_quick_search_finds_what_the_whole_one_finds(name: str) -> None:
    path = f"/srv/{name}"
    if _rules(path) is _BORDERS:
        assert _BORDERS.sub(_replace_after_border, path) == _ANYWHERE.sub(_replace, path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/cache/{hex}/{hex}/{hash}", ["/cache/{hex}/{hex}", "/cache/{hex}"]),
        ("/cache/*/{hex}/{hash}", ["/cache/*/{hex}", "/cache/*"]),
        ("/cache/{hex}/*/{hash}", ["/cache/{hex}/*", "/cache/{hex}"]),
        ("/cache/*/{hash}.jpg", ["/cache/*"]),
        ("/blobs/{hex}/{hash}/data", ["/blobs/{hex}"]),
        ("/srv/*/objects/{hex}/{hex}", ["/srv/*/objects/{hex}"]),
        ("/cache/*-x/{hash}", []),
        ("/cache/{hex}/*.jpg", []),
        ("/cache/{hex}/**", []),
        ("/cache/*/job-{hash}", []),
        ("/cache/{hash}", []),
        ("*/{hash}", []),
    ],
)
def test_the_directories_a_cache_sorts_files_into(text: str, expected: list[str]) -> None:
    assert shards_above(text) == expected
