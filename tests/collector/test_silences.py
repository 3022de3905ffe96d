"""A silence hides from tails and outputs what it matches, says so, ends in time, and takes away nothing stored."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from collector.cluster import Cluster, stop_all
from collector.rig import DRIFTLINE, PATIENCE, CollectorProcess, listing, sink, until
from collector.test_follow import Tail
from driftline.errors import SettingsError
from driftline.nouns import Deviation, Kind
from driftline.wire.client import CollectorClient
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.matchers import parse_matcher
from driftline_collector import screen, silences
from driftline_collector.outputs.configfile import read_outputs
from driftline_collector.server import Collector
from driftline_collector.storage import Keeping
from driftline_collector.store_address import parse_store
from unit.wire import samples

SILENCED = ("true", "false")


def silence(address: str, *matchers: str, seconds: float = 3600.0) -> pb.Silence:
    wanted = pb.Silence(
        matchers=map(parse_matcher, matchers),
        reason="known",
        author="ann",
        expires_wall_ns=time.time_ns() + int(seconds * 1_000_000_000),
    )
    client = CollectorClient(address)
    try:
        return client.add_silence(wanted)
    finally:
        client.close()


def listed(address: str, ended: bool = False) -> list[pb.Silence]:
    client = CollectorClient(address)
    try:
        return list(client.list_silences(ended).silences)
    finally:
        client.close()


def report(address: str, *kinds: Kind) -> list[Deviation]:
    agent, told = sink(address), [samples.deviation(kind=kind) for kind in kinds]
    for one in told:
        agent.submit(one)
    agent.stop(PATIENCE)
    return told


def driftline(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DRIFTLINE, *arguments], capture_output=True, text=True, timeout=PATIENCE)


def test_tails_do_not_see_it_live_or_replayed_but_are_told(collector: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "TELL_SECONDS", 0.05)
    made = silence(collector, "kind=exec.unknown")
    live = Tail(collector, pb.TailRequest(follow=True))
    until(lambda: live.responses)
    assert [one.id for one in live.responses[0].silences.silences] == [made.id]
    hidden, seen = report(collector, Kind.EXEC_UNKNOWN, Kind.EXEC_DRIFT)
    until(lambda: seen.id in live.ids)
    until(lambda: sum(response.silenced for response in live.responses) == 1)
    until(lambda: live.responses[-1].silences.silences and live.responses[-1].silences.silences[0].hidden == 1)
    live.stop()
    replayed = Tail(collector, pb.TailRequest(replay=True))
    everything = Tail(collector, pb.TailRequest(replay=True, silenced=True))
    for tail in (replayed, everything):
        until(lambda tail=tail: tail.responses and tail.responses[-1].caught_up)
        tail.stop()
    assert replayed.ids == [seen.id]
    assert sum(response.silenced for response in replayed.responses) == 1
    assert sorted(everything.ids) == sorted([hidden.id, seen.id])
    assert {one.deviation.id for one in listing(collector)} == {hidden.id, seen.id}


def test_an_update_of_a_hidden_one_is_not_counted_again(collector: str) -> None:
    silence(collector, "kind=exec")
    agent, one = sink(collector), samples.deviation(kind=Kind.EXEC_DRIFT, count=1)
    agent.submit(one)
    until(lambda: listed(collector)[0].hidden == 1)
    agent.submit(samples.deviation(id=one.id, kind=Kind.EXEC_DRIFT, count=7))
    agent.stop(PATIENCE)
    assert [stored.deviation.count for stored in listing(collector)] == [7]
    assert listed(collector)[0].hidden == 1


def test_it_ends_by_itself_and_by_command(collector: str) -> None:
    short, ended = silence(collector, "kind=exec", seconds=2), silence(collector, "kind=code.load")
    client = CollectorClient(collector)
    assert client.end_silence(pb.EndSilenceRequest(id=ended.id, author="bob")).ended_by == "bob"
    with pytest.raises(SettingsError, match="no silence in force"):
        client.end_silence(pb.EndSilenceRequest(id=ended.id, author="bob"))
    client.close()
    until(lambda: not listed(collector))
    assert {one.id for one in listed(collector, ended=True)} == {short.id, ended.id}
    tail = Tail(collector, pb.TailRequest(follow=True))
    until(lambda: tail.responses)
    assert len(tail.responses[0].silences.silences) == 0
    told = report(collector, Kind.EXEC_UNKNOWN, Kind.CODE_LOAD)
    until(lambda: sorted(tail.ids) == sorted(one.id for one in told))
    tail.stop()


@pytest.mark.parametrize(
    ("wanted", "wrong"),
    [
        (pb.Silence(reason="r", author="a"), "1 to 16 matchers"),
        (pb.Silence(matchers=[parse_matcher("kind!=x")], reason="r", author="a"), "what is meant"),
        (pb.Silence(matchers=[parse_matcher("kind=x")], author="a"), "a reason"),
        (pb.Silence(matchers=[parse_matcher("kind=x")], reason="r"), "an author"),
        (pb.Silence(matchers=[parse_matcher("kind=x")], reason="r", author="a"), "ends in the future"),
        (pb.Silence(matchers=[pb.Matcher(field="x", operator=1, value="y")], reason="r", author="a"), "no field 'x'"),
        (pb.Silence(matchers=[pb.Matcher(field="kind", operator=1)], reason="r", author="a"), "value is empty"),
    ],
)
def test_what_would_hide_too_much_or_is_unsigned_is_refused(collector: str, wanted: pb.Silence, wrong: str) -> None:
    client = CollectorClient(collector)
    with pytest.raises(SettingsError, match=wrong):
        client.add_silence(wanted)
    client.close()


def test_there_is_room_for_so_many(collector: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silences, "IN_FORCE", 2)
    monkeypatch.setattr(silences, "KEPT", 3)
    first = silence(collector, "kind=exec", seconds=2)
    until(lambda: not listed(collector))
    for _ in range(2):
        silence(collector, "kind=exec")
    with pytest.raises(Exception, match="2 silences in force already"):
        silence(collector, "kind=exec")
    assert first.id in {one.id for one in listed(collector, ended=True)}
    monkeypatch.setattr(silences, "IN_FORCE", 9)
    silence(collector, "kind=exec")
    assert first.id not in {one.id for one in listed(collector, ended=True)}


def test_it_outlives_the_collector_with_its_count(process: CollectorProcess, tmp_path: Path) -> None:
    address = process.start()
    made = silence(address, "kind=exec")
    report(address, Kind.EXEC_DRIFT)
    until(lambda: listed(address)[0].hidden == 1)
    with closing(sqlite3.connect(tmp_path / "state" / "collector.db")) as store:
        query = "SELECT value FROM counters WHERE name = ?"
        until(lambda: store.execute(query, [f"{silences.HIDDEN}{made.id}"]).fetchall() == [(1,)])  # now and then
    process.end()
    address = process.start()
    assert [(one.id, one.hidden) for one in listed(address)] == [(made.id, 1)]
    process.end()


def test_by_hand_as_a_responder_does_it(collector: str, tmp_path: Path) -> None:
    (one,) = report(collector, Kind.EXEC_UNKNOWN)
    at = ["--collector", collector]
    added = driftline(
        "silence", "add", "-m", "kind=exec.unknown", "-m", f"node={one.node}", "--reason", "pentest\x1b[2J",
        "--author", "ann", "--expires", "2h", *at,
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    (made,) = listed(collector)
    assert f"silence {made.id} by ann is in force until " in added.stdout
    shown = driftline("silence", "list", *at).stdout
    assert f"silenced: 0 by ann ({made.id}: kind=exec.unknown node={one.node}; pentest\\x1b[2J; until " in shown
    tail = driftline("tail", "--no-follow", *at)
    assert tail.stdout == ""
    assert "silenced: 0 by ann" in tail.stderr
    assert "not shown because silenced: 1 (--silenced shows them)" in tail.stderr
    assert "exec.unknown" in driftline("tail", "--no-follow", "--silenced", *at).stdout
    ended = driftline("silence", "end", made.id, *at)
    assert ended.returncode == 0
    assert "exec.unknown" in driftline("tail", "--no-follow", *at).stdout
    assert driftline("silence", "list", *at).stdout == "no silence is in force\n"
    assert "; ended " in driftline("silence", "list", "--ended", *at).stdout


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["-m", "colour=red", "--reason", "r", "--expires", "1h"], "there is no field 'colour'"),
        (["-m", "kind", "--reason", "r", "--expires", "1h"], "'kind' is no matcher"),
        (["-m", "kind=x", "--reason", "r", "--expires", "soon"], "'soon' is no time"),
        (["-m", "kind=x", "--reason", "r", "--expires", "2020-01-01"], "is in the past"),
    ],
)
def test_mistakes_are_told_in_a_sentence(arguments: list[str], wrong: str) -> None:
    done = driftline("silence", "add", *arguments, "--collector", "127.0.0.1:1")
    assert (done.returncode, wrong in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def test_it_holds_at_every_replica(
    cluster: Cluster, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silences, "LOOK_SECONDS", 0.2)
    keeping = Keeping(parse_store(cluster.url(database)))
    replicas = [Collector(tmp_path / f"s{i}", keeping=keeping) for i in range(2)]
    here, there = (one.start() for one in replicas)
    try:
        made = silence(here, "kind=exec")
        until(lambda: [one.id for one in listed(there)] == [made.id])
        (one,) = report(there, Kind.EXEC_DRIFT)
        until(lambda: [one.hidden for one in listed(here)] == [1])
        tail = Tail(here, pb.TailRequest(replay=True))
        until(lambda: tail.responses and tail.responses[-1].caught_up)
        tail.stop()
        assert tail.ids == []
        assert [stored.deviation.id for stored in listing(here)] == [one.id]
        client = CollectorClient(there)
        client.end_silence(pb.EndSilenceRequest(id=made.id, author="bob"))
        client.close()
        until(lambda: listed(here) == [])
    finally:
        stop_all(replicas)


def test_outputs_leave_it_out_unless_they_want_it(tmp_path: Path) -> None:
    config = tmp_path / "outputs.yaml"
    lines = [
        f"  - {{name: n{wanted}, type: file, path: {tmp_path}/{wanted}, silenced: {wanted}}}" for wanted in SILENCED
    ]
    config.write_text("\n".join(["outputs:", *lines, ""]))
    running = Collector(tmp_path / "state", outputs=read_outputs(config))
    address = running.start()
    try:
        silence(address, "kind=exec")
        hidden, seen = report(address, Kind.EXEC_DRIFT, Kind.CODE_LOAD)
        until(lambda: [(tmp_path / one).read_text().count("\n") for one in SILENCED] == [2, 1])
        assert [json.loads(line)["id"] for line in (tmp_path / "false").read_text().splitlines()] == [seen.id]
        assert hidden.id in (tmp_path / "true").read_text()
        client = CollectorClient(address)
        assert client.list_agents().access["outputs.nfalse.silenced"] == 1
        client.close()
    finally:
        running.stop()
