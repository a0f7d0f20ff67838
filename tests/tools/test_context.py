"""The Context: what its words become as events, what it refuses, what it tells."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from decimal import Decimal
from fractions import Fraction
from typing import Any, get_args

import pytest

from mcp_app.authoring.context import Caller, Context, Level
from mcp_app.protocol.access import Access
from mcp_app.protocol.event import Event, EventType


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Said:
    """A Context and what was said by it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.clock = Clock()
        self.caller = Caller(access=Access("ann"), headers={"accept": "*/*"}, deadline=160.0, clock=self.clock)
        self.ctx = Context(self._send, self.caller)

    async def _send(self, event: Event) -> None:
        self.events.append(event)

    async def of(self, word: Awaitable[None]) -> tuple[str, bytes, bytes]:
        assert self.events == [], "nothing is said before it is awaited"
        await word
        event = self.events.pop()
        return event.type.value, event.data, event.metadata


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.mark.parametrize(
    ("arguments", "data", "numbers"),
    [
        ((3, 6, "dns"), b'{"message":"dns"}', b'{"progress":3,"total":6}'),
        ((3,), b"{}", b'{"progress":3}'),
        ((0, None, ""), b'{"message":""}', b'{"progress":0}'),
        ((1.0, 4.0), b"{}", b'{"progress":1,"total":4}'),
        ((0.5, 1), b"{}", b'{"progress":0.5,"total":1}'),
        ((True, 2), b"{}", b'{"progress":1,"total":2}'),
        ((Decimal("0.5"), Fraction(1, 4)), b"{}", b'{"progress":0.5,"total":0.25}'),
        ((1e300,), b"{}", b'{"progress":1e+300}'),
        ((10**20,), b"{}", b'{"progress":1e+20}'),
    ],
)
async def test_progress(said: Said, arguments: tuple[Any, ...], data: bytes, numbers: bytes) -> None:
    assert await said.of(said.ctx.progress(*arguments)) == ("progress", data, numbers)


@pytest.mark.parametrize(
    ("data", "numbers", "encoded", "metadata"),
    [
        ({"a": [1]}, {}, b'{"a":[1]}', b""),
        (None, {}, b"null", b""),
        (5, {"progress": 1, "total": 2}, b"5", b'{"progress":1,"total":2}'),
        (5, {"total": 2}, b"5", b'{"total":2}'),
    ],
)
async def test_partial(said: Said, data: Any, numbers: dict[str, float], encoded: bytes, metadata: bytes) -> None:
    assert await said.of(said.ctx.partial(data, **numbers)) == ("partial", encoded, metadata)


async def test_log(said: Said) -> None:
    for level in get_args(Level):
        assert await said.of(said.ctx.log(level, "m")) == (
            "log",
            b'{"level":"%s","message":"m"}' % level.encode(),
            b"",
        )
    assert (await said.of(said.ctx.log("info", "m", {"a": 1})))[1] == b'{"level":"info","message":"m","data":{"a":1}}'
    assert EventType.LOG.value == "log"


@pytest.mark.parametrize(
    "word",
    [
        lambda ctx: ctx.progress(math.nan),
        lambda ctx: ctx.progress(1, math.inf),
        lambda ctx: ctx.progress(10**400),
        lambda ctx: ctx.progress("many"),
        lambda ctx: ctx.progress("5"),
        lambda ctx: ctx.progress(1, b"5"),
        lambda ctx: ctx.progress([1]),
        lambda ctx: ctx.progress(1, 2, object()),
        lambda ctx: ctx.partial(object()),
        lambda ctx: ctx.partial("\ud800"),
        lambda ctx: ctx.partial(1, progress=math.nan),
        lambda ctx: ctx.log("loud", "m"),
        lambda ctx: ctx.log("INFO", "m"),
        lambda ctx: ctx.log("info", object()),
        lambda ctx: ctx.log("info", "m", object()),
    ],
    ids=range(15),
)
async def test_what_cannot_be_said_is_refused_where_it_is_said(said: Said, word: Any) -> None:
    with pytest.raises(ValueError, match=r"finite number|not serialisable|log level"):
        word(said.ctx)
    assert said.events == []


async def test_what_a_tool_may_know(said: Said) -> None:
    ctx = said.ctx
    assert (ctx.principal, dict(ctx.headers), ctx.deadline) == ("ann", {"accept": "*/*"}, 160.0)
    assert (ctx.cancelled, ctx.cancel_reason) == (False, None)
    said.caller.reason = "left"
    assert (ctx.cancelled, ctx.cancel_reason) == (True, "left")


def test_the_seconds_left_are_never_negative() -> None:
    said = Said()
    assert said.ctx.seconds_left == 60.0
    said.clock.now = 159.5
    assert said.ctx.seconds_left == 0.5
    said.clock.now = 1000.0
    assert said.ctx.seconds_left == 0.0


async def test_words_of_many_tasks_at_once(said: Said) -> None:
    await asyncio.gather(*(said.ctx.progress(n, 100) for n in range(100)))
    assert len({event.metadata for event in said.events}) == 100
