"""From records to patterns: what was learned under one name is expected under the next."""

from __future__ import annotations

from driftline.nouns import Access, Kind, Origin
from pipeline.kernelbytes import Box, Clock
from pipeline.rig import Line
from pipeline.test_learning import start
from rig import dns

WRITE = int(Access.WRITE | Access.CREATE)
OLD, NEW, STRANGE = (192, 0, 2, 7), (192, 0, 2, 99), (192, 0, 2, 200)


def test_a_name_server_is_known_by_its_port_only() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    line.feed(init.connect((10, 96, 0, 10), 53))
    (shelved,) = line.shelf
    assert shelved.matcher.connects == {("tcp", "resolver", 53)}
    line.wait(20)
    line.feed(init.connect((10, 96, 0, 10), 53), init.connect((10, 96, 0, 10), 443))
    assert [one.what for one in line.of(Kind.CONNECT_UNKNOWN)] == ["10.96.0.10:443/tcp"]


def test_a_service_that_moved_is_known_by_its_name() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    line.feed(box.answer(dns.message("api.example.com", [dns.a("192.0.2.7")])), init.connect(OLD))
    (shelved,) = line.shelf
    assert shelved.matcher.connects == {("tcp", "api.example.com", 443)}
    line.wait(20)
    box.clock.now = line.clock.now
    line.feed(
        box.answer(dns.message("api.example.com", [dns.a("192.0.2.99")])), init.connect(NEW), init.connect(STRANGE)
    )
    assert [one.what for one in line.of(Kind.CONNECT_UNKNOWN)] == ["192.0.2.200:443/tcp"]


def test_files_written_under_new_names_are_expected_but_not_code_or_hidden_ones() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    names = "one two three four five six seven eight nine ten".split()  # noqa: SIM905 - read as a sentence
    line.feed(*(init.open(f"/data/shop/{name}.jpg", WRITE, Origin.VOLUME) for name in names))
    line.feed(init.open("/data/job-1234.log", WRITE, Origin.VOLUME))
    line.wait(20)
    for path in ("/data/shop/new.jpg", "/data/job-99999.log"):
        line.feed(init.open(path, WRITE, Origin.VOLUME))
    assert not line.told
    unexpected = ("/data/shop/new.php", "/data/shop/.new.jpg", "/data/shop/new", "/data/job-1234.log.sh")
    line.feed(*(init.open(path, WRITE, Origin.VOLUME) for path in unexpected))
    assert [one.what for one in line.of(Kind.FILE_WRITE_UNKNOWN)] == list(unexpected)


def test_new_names_of_one_sort_are_one_deviation_and_hidden_or_executed_ones_are_not() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    line.wait(20)
    alike = [f"/data/upload-{number}" for number in range(1_000, 1_005)]
    apart = ["/data/.upload-1234", "/data/.upload-1235", "/data/upload-1234.php", "/data/upload-1235.php"]
    line.feed(*(init.open(path, WRITE, Origin.VOLUME) for path in (*alike, *apart)))
    line.feed(*(init.run(path, origin=Origin.VOLUME)[0] for path in alike[:2]))
    assert [one.what for one in line.of(Kind.FILE_WRITE_UNKNOWN)] == [alike[0], *apart]
    assert [one.what for one in line.of(Kind.EXEC_DRIFT)] == alike[:2]
    line.wait(61)
    (told,) = (one for one in line.of(Kind.FILE_WRITE_UNKNOWN) if one.what == alike[0])
    assert told.count == len(alike)
    assert told.notes == (f"counted with it: other files called /data/upload-{{num}}, such as {', '.join(alike[1:4])}",)
