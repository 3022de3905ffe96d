"""What goes to an agent: answers before pieces, neither without bound."""

from __future__ import annotations

import asyncio

import pytest

from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.outbox import ANSWERS, Outbox


def answer(number: int) -> pb.ReportResponse:
    return pb.ReportResponse(acknowledgement=pb.Acknowledgement(sequence=number))


def piece(offset: int) -> pb.ReportResponse:
    return pb.ReportResponse(baseline_part=baseline_pb2.BaselinePart(offset=offset))


def test_an_answer_overtakes_all_pieces_but_the_one_that_is_gone() -> None:
    async def main() -> list[pb.ReportResponse | None]:
        outbox = Outbox()

        async def push() -> None:
            for offset in range(3):
                await outbox.offer(piece(offset))

        pushing = asyncio.create_task(push())
        first = await outbox.take()
        await asyncio.sleep(0)
        await outbox.answer(answer(7))
        rest = [await outbox.take() for _ in range(3)]
        await pushing
        return [first, *rest]

    assert asyncio.run(main()) == [piece(0), answer(7), piece(1), piece(2)]


def test_whoever_does_not_read_is_not_listened_to() -> None:
    async def main() -> None:
        outbox = Outbox()
        for number in range(ANSWERS):
            await outbox.answer(answer(number))
        one_more = asyncio.create_task(outbox.answer(answer(ANSWERS)))
        await asyncio.sleep(0)
        assert not one_more.done()
        assert await outbox.take() == answer(0)
        await one_more

    asyncio.run(main())


def test_it_ends_after_the_answers_and_says_what_went_wrong() -> None:
    async def main() -> None:
        outbox = Outbox()
        await outbox.offer(piece(0))
        await outbox.answer(answer(1))
        outbox.end(KeyError("first"))
        outbox.end()
        assert await outbox.take() == answer(1)
        with pytest.raises(KeyError, match="first"):
            await outbox.take()

    asyncio.run(main())
