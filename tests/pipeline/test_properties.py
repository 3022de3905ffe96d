"""What must hold for any input: no bytes end the agent, no order of two containers changes what each is told."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.nouns import Kind, Origin
from driftline.probe import layout
from driftline.wire.convert import deviation_to_wire
from driftline.wire.jsontext import deviation_to_json
from pipeline.kernelbytes import Box, Clock, Program
from pipeline.rig import Line

names = st.binary(min_size=1, max_size=12).filter(lambda raw: b"\0" not in raw and b"/" not in raw)
paths = st.lists(names, min_size=1, max_size=3).map(lambda parts: b"/" + b"/".join(parts))
deeds = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.sampled_from(["/a", "/b", "/etc/shadow", "/usr/bin/x"]), st.integers(1, 31)),
        st.tuples(st.just("run"), st.sampled_from(["/bin/sh", "/tmp/x"]), st.sampled_from(list(Origin))),
        st.tuples(st.just("load"), st.sampled_from(["/lib/a.so", "/tmp/b.so"]), st.sampled_from(list(Origin))),
        st.tuples(st.just("wait"), st.sampled_from([1, 6, 20]), st.none()),
    ),
    max_size=30,
)


def some_record(kind: int, flags: int, tail: bytes) -> bytes:
    """A header of our ABI before anything."""
    fields = (kind, 0, flags, 1, 100, 100, 5, 6, *(7,) * 8, b"web")
    return layout.HEADER.pack(layout.ABI, *fields) + tail


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.builds(some_record, st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=800)),
        ),
        max_size=10,
    )
)
def test_no_bytes_end_the_pipeline(records: list[bytes]) -> None:
    line = Line()
    line.feed(*records)
    line.wait(20)
    line.pipeline.release_all()
    line.pipeline.finish()
    for deviation in line.deviations:
        deviation_to_json(deviation)
        deviation_to_wire(deviation)
    assert line.pipeline.figures.records == len(records)
    assert ("pipeline", "failed") not in line.pipeline.lost


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_record_cut_or_changed_anywhere_ends_nothing(data: st.DataObject) -> None:
    line, box = Line(), Box(Clock())
    record, init = box.start()
    line.feed(box.created(), record)
    line.name(box.cgroup)
    whole = data.draw(
        st.sampled_from([record, init.open("/x"), init.connect((1, 2, 3, 4)), box.removed(), box.created()])
    )
    changed = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 8)) if changed else 0):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    line.feed(bytes(changed))
    line.wait(5)
    assert line.pipeline.figures.records == 3
    assert ("pipeline", "failed") not in line.pipeline.lost


def play(line: Line, program: Program, deed: tuple[str, object, object]) -> None:
    what, one, other = deed
    if what == "open":
        line.feed(program.open(str(one), access=int(str(other))))
    elif what == "run":
        line.feed(program.run(str(one), origin=Origin(str(other)))[0])
    elif what == "load":
        line.feed(program.load(str(one), origin=Origin(str(other))))


def come_up(line: Line, cgroup: int) -> Program:
    box = Box(Clock(), cgroup, f"/default/{cgroup}")
    record, init = box.start()
    line.feed(box.created(), record)
    line.name(cgroup, image_digest=f"sha256:{cgroup}")
    return init


def alone(cgroup: int, story: list[tuple[str, object, object]]) -> list[tuple[Kind, str, bool]]:
    """What is told of a container that has the node for itself."""
    line = Line()
    init = come_up(line, cgroup)
    for deed in story:
        play(line, init, deed)
    return told(line, cgroup)


def told(line: Line, cgroup: int) -> list[tuple[Kind, str, bool]]:
    return [(one.kind, one.what, one.learning) for one in line.deviations if one.subject.cgroup == cgroup]


@settings(max_examples=60, deadline=None)
@given(deeds, deeds, st.randoms(use_true_random=False))
def test_any_interleaving_gives_each_container_the_same_verdicts(
    first: list[tuple[str, object, object]], second: list[tuple[str, object, object]], chance: object
) -> None:
    stories = {100: [d for d in first if d[0] != "wait"], 200: [d for d in second if d[0] != "wait"]}
    line = Line()
    inits = {cgroup: come_up(line, cgroup) for cgroup in stories}
    left = {cgroup: list(story) for cgroup, story in stories.items()}
    while any(left.values()):
        cgroup = chance.choice([one for one, story in left.items() if story])  # type: ignore[attr-defined]
        play(line, inits[cgroup], left[cgroup].pop(0))
    for cgroup, story in stories.items():
        assert told(line, cgroup) == alone(cgroup, story)


@settings(max_examples=100, deadline=None)
@given(paths, st.lists(names, max_size=3))
def test_hostile_names_end_up_escaped_everywhere(path: bytes, argv: list[bytes]) -> None:
    line, box = Line(), Box(Clock())
    record, init = box.start()
    line.feed(box.created(), record)
    line.name(box.cgroup, name="\x1b[31m\n")
    text = path.decode("utf-8", "surrogateescape")
    line.feed(init.run(text, *(one.decode("utf-8", "surrogateescape") for one in argv), origin=Origin.WRITABLE)[0])
    (deviation,) = line.deviations
    line_of_json = deviation_to_json(deviation)
    assert line_of_json.isprintable()
    message = deviation_to_wire(deviation)
    for shown in (message.what, message.sentence, message.exe, *message.argv, message.subject.name):
        assert shown.isprintable()
