"""The child that reads baselines: what it says of them, and that nothing it is given stops it for good."""

from __future__ import annotations

import asyncio
import os
import signal
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from collector.baseline_agent import KEY, MSGPACK, content, learned
from driftline.baseline.format.canonical import from_msgpack, version_of
from driftline.baseline.signing import envelope, keys
from driftline.baseline.signing.statement import Statement, payload_of
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.pieces import deflate, inflate
from driftline.wire.service import WHOLE_BYTES
from driftline_collector import baseline_apart
from driftline_collector.baseline_apart import Apart, BusyError, UnfitError


def run(work: Callable[[Apart], Awaitable[None]]) -> None:
    async def main() -> None:
        apart = Apart()
        try:
            await work(apart)
        finally:
            await apart.stop()

    asyncio.run(main())


async def each(*contents: bytes) -> AsyncIterator[bytes]:
    for one in contents:
        yield one


def test_what_it_says() -> None:
    one = replace(learned("/etc/a\x1b", review=["/etc/shadow"]), image="web\n", partial=("attached late",), losses=3)

    async def work(apart: Apart) -> None:
        facts = await apart.check(MSGPACK, content(one))
        assert (facts.name, facts.image, facts.version) == (KEY, "web\\x0a", version_of(one))
        assert (facts.behaviours, facts.needs_review, facts.reasons) == (2, 1, ["attached late", "losses 3"])

    run(work)


def test_a_signed_one_is_read_whoever_signed_it() -> None:
    one, key = learned("/etc/a", revision=2), keys.generate(keys.KeyType.ED25519)
    signed = envelope.to_bytes(envelope.sign(envelope.Envelope(payload_of(Statement(one, 0))), key))

    async def work(apart: Apart) -> None:
        facts = await apart.check(baseline_pb2.BASELINE_FORMAT_DSSE, deflate(signed))
        assert (facts.version, facts.revision, facts.state) == (version_of(one), 2, "candidate")
        with pytest.raises(UnfitError, match="no DSSE envelope"):
            await apart.check(baseline_pb2.BASELINE_FORMAT_DSSE, content(one))

    run(work)


def test_it_goes_on_after_whatever_was_unfit(monkeypatch: pytest.MonkeyPatch) -> None:
    good, others = content(learned("/etc/a")), children()

    async def work(apart: Apart) -> None:
        for bad in (b"x", zlib.compress(b"x"), good[:-1], zlib.compress(bytes(WHOLE_BYTES + 1))):
            with pytest.raises(UnfitError):
                await apart.check(MSGPACK, bad)
            assert (await apart.check(MSGPACK, good)).name == KEY
        with monkeypatch.context() as patch:
            patch.setattr(baseline_apart, "CHECK_SECONDS", 0.0)
            with pytest.raises(UnfitError, match="longer than 0 s"):
                await apart.check(MSGPACK, good)
        assert (await apart.check(MSGPACK, good)).name == KEY
        (killed,) = children() - others
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(UnfitError, match="ended"):
            await apart.check(MSGPACK, good)
        assert (await apart.check(MSGPACK, good)).name == KEY
        assert killed not in children()

    run(work)


def children() -> set[int]:
    pid = os.getpid()
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def test_parts_are_merged_and_those_of_two_images_are_not() -> None:
    here, there = learned("/etc/a"), learned("/etc/b", revision=3)

    async def work(apart: Apart) -> None:
        facts, merged = await apart.merge(each(content(here), content(there)))
        baseline = from_msgpack(inflate(merged, WHOLE_BYTES))
        assert (facts.version, facts.behaviours, facts.revision) == (version_of(baseline), 2, 3)
        with pytest.raises(UnfitError):
            await apart.merge(each(content(here), content(replace(here, key="sha256:" + "0" * 64))))

    run(work)


def test_so_many_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline_apart, "MAX_WAITING", 2)
    good = content(learned("/etc/a"))

    async def work(apart: Apart) -> None:
        found = await asyncio.gather(*(apart.check(MSGPACK, good) for _ in range(3)), return_exceptions=True)
        assert [isinstance(one, BusyError) for one in found] == [False, False, True]
        assert (apart.refused, apart.waiting) == (1, 0)

    run(work)


def test_without_work_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline_apart, "IDLE_SECONDS", 0.01)
    others = children()

    async def work(apart: Apart) -> None:
        await apart.check(MSGPACK, content(learned("/etc/a")))
        async with asyncio.timeout(20):
            while children() - others:
                await asyncio.sleep(0.01)

    run(work)
