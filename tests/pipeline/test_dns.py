"""DNS answers on their way through the pipeline: names for deviations, gone with the container, losses that hide no
deed."""

from __future__ import annotations

from driftline.nouns import Kind, Loss
from pipeline.kernelbytes import Box, Clock
from pipeline.rig import Line
from pipeline.test_learning import start
from rig import dns

ADDRESS = (192, 0, 2, 7)
TOLD = "192.0.2.7"
ANSWER = dns.message("api.example.com", [dns.cname("lb.example.net"), dns.a(TOLD, dns.wire("lb.example.net"))])


def names(line: Line, cgroup: int = 100) -> tuple[str, ...]:
    return line.pipeline.names.of(cgroup, TOLD)


def detecting(line: Line, box: Box):  # type: ignore[no-untyped-def]
    """A container whose image is learned."""
    init = start(line, box)
    line.wait(20)
    box.clock.now = line.clock.now
    return init


def test_a_connect_is_told_with_the_name_its_address_had() -> None:
    line, box = Line(), Box(Clock())
    init = detecting(line, box)
    line.feed(box.answer(ANSWER), init.connect(ADDRESS))
    (one,) = line.of(Kind.CONNECT_UNKNOWN)
    assert one.notes == ("name: api.example.com (DNS answer by 10.96.0.10, 0 s before)",)
    assert names(line) == ("api.example.com",)
    assert line.pipeline.names.servers(100) == ("10.96.0.10",)


def test_repeats_fold_though_the_answer_grows_older_and_another_name_does_not() -> None:
    line, box = Line(), Box(Clock())
    init = detecting(line, box)
    line.feed(box.answer(ANSWER))
    for second in range(5):
        record, child = init.run("/bin/other", child=True)
        line.feed(record, child.connect(ADDRESS))
        box.clock.tick(second * 1_000_000_000)
        line.feed(box.answer(ANSWER))
    line.wait(61)
    assert [one.count for one in line.of(Kind.CONNECT_UNKNOWN)] == [5]
    line.feed(box.answer(dns.message("evil.example", [dns.a(TOLD)])), init.connect(ADDRESS))
    assert len(line.of(Kind.CONNECT_UNKNOWN)) == 2


def test_a_new_name_for_the_same_address_is_another_deviation() -> None:
    """Of one process, too, whose repeats are folded before anything is made of them."""
    line, box = Line(), Box(Clock())
    init = detecting(line, box)
    line.feed(box.answer(ANSWER), init.connect(ADDRESS), init.connect(ADDRESS))
    line.feed(box.answer(dns.message("evil.example", [dns.a(TOLD)])), init.connect(ADDRESS))
    line.pipeline.finish()
    told = line.of(Kind.CONNECT_UNKNOWN)
    assert [(one.count, len(one.notes)) for one in told] == [(2, 1), (1, 2)]


def test_another_containers_answer_names_nothing() -> None:
    line, clock = Line(), Clock()
    box, other = Box(clock), Box(clock, 200, "/default/other")
    detecting(line, box)
    start(line, other)
    line.feed(other.answer(ANSWER))
    assert (names(line), names(line, 200)) == ((), ("api.example.com",))


def test_an_answer_before_the_container_has_a_name_is_kept() -> None:
    line, box = Line(), Box(Clock())
    line.feed(box.created(), box.answer(ANSWER))
    assert names(line) == ("api.example.com",)


def test_an_answer_of_a_nested_cgroup_is_the_containers() -> None:
    line, box = Line(), Box(Clock())
    start(line, box)
    line.feed(Box(box.clock, 101, "/default/box/nested", subject=100).answer(ANSWER))
    assert names(line) == ("api.example.com",)


def test_names_go_with_the_container() -> None:
    line, box = Line(), Box(Clock())
    start(line, box)
    line.feed(box.answer(ANSWER), box.removed())
    line.wait(61)
    assert names(line) == ()
    line.feed(box.answer(ANSWER))  # of a cgroup nobody knows any more: buried again in a minute
    line.wait(61)
    assert len(line.pipeline.names) == 0


def test_a_connect_to_port_53_tells_a_server() -> None:
    line, box = Line(), Box(Clock())
    line.feed(start(line, box).connect((10, 0, 0, 2), 53))
    assert line.pipeline.names.servers(100) == ("10.0.0.2",)


def test_lost_answers_are_told_and_make_no_baseline_partial() -> None:
    line, box = Line(), Box(Clock())
    start(line, box)
    line.kernel.held_answers[100] = 7
    line.feed(box.answer(b"junk"))
    line.pipeline.account([Loss("dns", "ring_full", 3)])
    line.wait(20)
    gaps = {(one.what, one.count, one.subject.cgroup) for one in line.of(Kind.COVERAGE_GAP)}
    assert gaps == {("dns: bucket_empty", 7, 100), ("dns: malformed", 1, 100), ("dns: ring_full", 3, 0)}
    (learned,) = line.learned
    assert learned.reasons == ()
