"""Requests over a wire, in both directions, between two ends in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mcp_app.protocol.packets import Packet
from mcp_app.runs.dialogue import Dialogue

SECONDS = 10.0

Respond = Callable[[Any], Awaitable[Any]]


class Wire:
    """One who asks, and one who responds. What the first sends arrives when it is `delivered`, all of it at once."""

    def __init__(self, respond: Respond) -> None:
        self.sent: list[Packet] = []
        self.asking = Dialogue(self.sent.append, {})
        self.responding = Dialogue(self.asking.receive, {"call": respond})

    def deliver(self) -> None:
        for packet in self.sent:
            self.responding.receive(packet)
        self.sent.clear()


async def test_a_request_that_is_withdrawn_in_the_read_that_it_came_with_has_ended() -> None:
    begun = 0

    async def respond(_: Any) -> None:
        nonlocal begun
        begun += 1

    wire = Wire(respond)
    [waiting] = wire.asking.begin([("call", 1)])
    withdrawing = asyncio.ensure_future(wire.asking.withdraw(waiting))
    await asyncio.sleep(0)
    wire.deliver()
    await asyncio.wait_for(withdrawing, SECONDS)
    assert waiting.exception() is not None
    assert not begun


async def test_who_withdraws_a_request_waits_until_the_other_side_has_ended_it() -> None:
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def respond(_: Any) -> None:
        try:
            begun.set()
            await asyncio.sleep(SECONDS)
        finally:
            await asyncio.sleep(0)
            ended.set()

    wire = Wire(respond)
    [waiting] = wire.asking.begin([("call", 1)])
    wire.deliver()
    await asyncio.wait_for(begun.wait(), SECONDS)
    withdrawing = asyncio.ensure_future(wire.asking.withdraw(waiting))
    await asyncio.sleep(0)
    wire.deliver()
    await asyncio.wait_for(withdrawing, SECONDS)
    assert ended.is_set()


async def test_a_request_is_answered_by_what_the_other_side_returns_and_raises() -> None:
    async def respond(value: Any) -> Any:
        if value < 0:
            raise ValueError("below nothing")
        return value + 1

    wire = Wire(respond)
    good, bad = wire.asking.begin([("call", 1), ("call", -1)])
    wire.deliver()
    assert await asyncio.wait_for(wire.asking.response(good), SECONDS) == 2
    with pytest.raises(ValueError, match="below nothing"):
        await asyncio.wait_for(wire.asking.response(bad), SECONDS)
