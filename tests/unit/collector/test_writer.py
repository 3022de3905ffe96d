"""The writer: an ill store is told once and by itself gets well; a stuck one keeps nobody waiting for ever."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from driftline.errors import StateError
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import writer as writer_module
from driftline_collector.store_sqlite import SqliteStore
from driftline_collector.writer import Writer
from unit.wire import samples

Run = Callable[[Callable[[Writer, SqliteStore], Awaitable[None]]], None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a test's coroutine with a started writer on a real store."""

    def with_writer(test: Callable[[Writer, SqliteStore], Awaitable[None]]) -> None:
        async def main() -> None:
            store = SqliteStore(tmp_path)
            writer = Writer(store, lambda _changes: None)
            writer.start()
            try:
                await test(writer, store)
            finally:
                await writer.stop()
                store.close()

        asyncio.run(main())

    return with_writer


def one() -> list[Any]:
    return [deviation_to_wire(samples.deviation())]


def test_illness_is_told_once_and_so_is_recovery(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(writer: Writer, store: SqliteStore) -> None:
        commit = store.commit
        for _ in range(2):
            monkeypatch.setattr(store, "commit", refuse)
            for _ in range(5):
                with pytest.raises(StateError, match="the disk is full"):
                    await writer.write(one(), [])
            assert writer.trouble == "the disk is full"
            monkeypatch.setattr(store, "commit", commit)
            for _ in range(3):
                await writer.write(one(), [])
            assert writer.trouble == ""

    def refuse(*_arguments: object) -> None:
        raise StateError("the disk is full", "make room")

    run(test)
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING] * 2
    assert caplog.messages[0] == "the disk is full; nothing is acknowledged, agents wait. Try: make room"
    assert "the store works again after" in caplog.messages[1]


def test_what_finds_room_on_a_full_disk_proves_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A counter is written, deviations are not: nobody is welcomed until what was refused is stored."""
    status = pb.AgentStatus(hello=pb.Hello(node="node-a"))

    async def test(writer: Writer, store: SqliteStore) -> None:
        commit, large = store.commit, one() * 2

        def refuse_large(incoming: list[Any], statuses: list[Any]) -> Any:
            if incoming:
                raise StateError("the disk is full", "make room")
            return commit(incoming, statuses)

        await writer.prove([])
        monkeypatch.setattr(store, "commit", refuse_large)
        with pytest.raises(StateError):
            await writer.write(large, [])
        for _ in range(3):
            await writer.write([], [status])
            await writer.run(lambda store: store.count({"probe": 0}))
            with pytest.raises(StateError, match="the disk is full"):
                await writer.prove([status])
            with pytest.raises(StateError, match="the disk is full"):
                await writer.prove([])
            assert writer.trouble == "the disk is full"
        monkeypatch.setattr(store, "commit", commit)
        await writer.prove([status])
        assert (writer.trouble, store.revision) == ("", 1)
        await writer.write(large, [])  # its agent comes with it again
        assert store.revision == 1

    run(test)
    assert len(caplog.messages) == 2


def test_a_stuck_store_sends_away_who_waits_and_at_once_who_comes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "ANSWER_SECONDS", 0.2)

    async def test(writer: Writer, store: SqliteStore) -> None:
        begun, freed, commit, taken = threading.Event(), threading.Event(), store.commit, list[int]()

        def hang(incoming: list[Any], statuses: list[Any]) -> Any:
            begun.set()
            freed.wait(20)
            taken.append(len(incoming))
            return commit(incoming, statuses)

        monkeypatch.setattr(store, "commit", hang)
        first = asyncio.ensure_future(writer.write(one(), []))
        await asyncio.to_thread(begun.wait, 20)
        results = await asyncio.gather(first, *(writer.write(one(), []) for _ in range(5)), return_exceptions=True)
        assert all("has not answered" in str(result) for result in results)
        with pytest.raises(StateError, match="has not answered"):
            await writer.write(one(), [])
        freed.set()
        monkeypatch.setattr(writer_module, "ANSWER_SECONDS", 20.0)
        await writer.write(one(), [])
        assert taken == [1, 1]  # the first and the last: those sent away come again with what they have

    run(test)


def test_removal_is_done_between_transactions_and_its_failure_is_the_callers(run: Run) -> None:
    async def test(writer: Writer, store: SqliteStore) -> None:
        await writer.write(one() + one(), [])
        assert await writer.run(lambda same: (same is store, threading.current_thread().name)) == (
            True,
            "driftline-writer",
        )

        def fail(_store: object) -> None:
            raise StateError("no")

        with pytest.raises(StateError, match="no"):
            await writer.run(fail)
        await asyncio.gather(*(writer.write(one(), []) for _ in range(20)), writer.run(lambda _store: None))
        assert store.revision == 22

    run(test)


def test_a_bug_ends_the_collector_and_not_only_the_thread(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(writer: Writer, store: SqliteStore) -> None:
        monkeypatch.setattr(store, "commit", lambda *_arguments: 1 / 0)
        waiting = asyncio.ensure_future(writer.write(one(), []))
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(writer.died, 10)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    run(test)
