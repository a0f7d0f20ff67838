"""What mounted tools share: made before the first call on each event loop, and closed with it, whoever ends that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import pytest
from fastapi import FastAPI
from web_asgi import Client
from web_mounted import error_of

from mcp_app import Context, Shared, Tool, asgi_app, starting, tool

EVENTS = "/api/v1/mcp/sse"
WORK = b'{"tool":"work"}'


class World:
    """What happened, in order; `broken` is what the pool's maker raises."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.broken: Exception | None = None

    def work(self) -> Tool[Any, Any]:
        async def make_pool() -> AsyncIterator[str]:
            if self.broken is not None:
                raise self.broken
            self.happened.append("pool open")
            try:
                yield "pool"
            finally:
                await asyncio.sleep(0.01)
                self.happened.append("pool closed")

        async def make_client(pool: Annotated[str, Shared(make_pool)]) -> AsyncIterator[str]:
            self.happened.append(f"client open with {pool}")
            try:
                yield "client"
            finally:
                await asyncio.sleep(0.01)
                self.happened.append("client closed")

        @tool
        async def work(ctx: Context, client: Annotated[str, Shared(make_client)], seconds: float = 0) -> str:
            try:
                await ctx.progress(1)
                await asyncio.sleep(seconds)
                return client
            finally:
                await asyncio.sleep(0.01)
                self.happened.append("call over")

        return work


@pytest.fixture
def world() -> World:
    return World()


@contextmanager
def no_retry_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(starting, "RETRY_SECONDS", 0.0)
        yield


OPEN = ["pool open", "client open with pool"]
CLOSED = ["client closed", "pool closed"]


def test_it_is_closed_with_the_loop_and_made_again_on_the_next(world: World) -> None:
    app = asgi_app(world.work())

    async def main() -> None:
        client = Client(app)
        for _ in range(2):
            assert (await client.post(EVENTS, WORK).rest()).wire.last["data"] == "client"

    for _ in range(2):
        world.happened.clear()
        asyncio.run(main())
        assert world.happened == [*OPEN, "call over", "call over", *CLOSED]


def test_a_call_that_is_at_work_when_the_loop_ends_has_it_to_its_own_end(world: World) -> None:
    app = asgi_app(world.work())

    async def main() -> None:
        await Client(app).post(EVENTS, b'{"tool":"work","params":{"seconds":3600}}').until(2)

    asyncio.run(main())
    assert world.happened == [*OPEN, "call over", *CLOSED]


async def test_in_a_lifespan_it_is_made_before_the_first_request(world: World) -> None:
    tools = asgi_app(world.work())
    app = FastAPI(lifespan=tools.lifespan)
    app.mount("/tools", tools)
    async with app.router.lifespan_context(app):
        assert world.happened == OPEN
        assert (await Client(app).post("/tools" + EVENTS, WORK).rest()).wire.last["data"] == "client"
    assert world.happened == [*OPEN, "call over", *CLOSED]


async def test_a_maker_that_raises_is_503_and_called_again(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.broken = OSError("no database at secret-host")
    app = asgi_app(world.work())
    client = Client(app)
    with caplog.at_level(logging.ERROR, "mcp_app"):
        refused = await client.post(EVENTS, WORK).rest()
    assert (refused.status, refused.field("retry-after")) == (503, "1")
    assert error_of(refused)["code"] == "not_ready"
    assert "secret-host" not in refused.body.decode()
    assert error_of(refused)["error_id"] in caplog.text
    assert "make_pool" in caplog.text
    assert "secret-host" in caplog.text
    assert world.happened == []
    world.broken = None
    with no_retry_to_wait_for(monkeypatch):
        assert (await client.post(EVENTS, WORK).rest()).wire.last["data"] == "client"
    await app.shutdown()
    assert world.happened == [*OPEN, "call over", *CLOSED]


async def test_a_maker_that_raises_keeps_a_host_with_our_lifespan_from_starting(world: World) -> None:
    world.broken = OSError("no database")
    tools = asgi_app(world.work())
    with pytest.raises(Exception, match=r"make_pool \(.*\) raised OSError: no database"):
        async with tools.lifespan():
            raise AssertionError("it has started")
