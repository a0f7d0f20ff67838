"""Tools that call tools they do not know: what the server offers, and results as the JSON that a client is sent."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import PlainSerializer
from runs_stage import Stage

from mcp_app import Context, Image, Registry, Result, errors, tool
from mcp_app.authoring.caller import Caller
from mcp_app.protocol.access import Access
from mcp_app.protocol.linked import MAX_RESULT_BYTES
from mcp_app.testing import client

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


@dataclass
class Place:
    city: str
    since: date


@tool
async def where(city: str) -> Place:
    """Where it is."""
    return Place(city, date(2026, 1, 1))


@tool
def days(to: int) -> Iterator[date]:
    for n in range(to):
        yield date(2026, 1, 1 + n)


@tool
async def counts(to: int) -> AsyncIterator[int | Result[str]]:
    for n in range(to):
        yield n
    yield Result("counted", text="in words")


@tool
async def draws() -> Image:
    return Image(PNG)


@tool
async def hex_number() -> Annotated[int, PlainSerializer(hex)]:
    return 255


@tool
async def nothing() -> None: ...


async def result_of(name: str, params: dict[str, Any]) -> Any:
    found: list[Any] = []

    @tool
    def plain(ctx: Context) -> None:
        found.append(ctx.wait(ctx.call_json(name, params)))

    @tool
    async def calls(ctx: Context) -> None:
        found.append(await ctx.call_json(name, params))
        await ctx.call(plain)

    async with Stage(tools=[where, days, counts, draws, hex_number, nothing]) as stage:
        end = (await stage.told(calls))[-1]
        assert end["type"] == "complete", end["data"]
    first, second = found
    assert first == second
    return first


@pytest.mark.parametrize(
    ("name", "params", "result"),
    [
        ("where", {"city": "Bergen"}, {"city": "Bergen", "since": "2026-01-01"}),
        ("days", {"to": 2}, ["2026-01-01", "2026-01-02"]),
        ("counts", {"to": "3"}, "counted"),
        ("draws", {}, [{"type": "image", "data": base64.b64encode(PNG).decode(), "mimeType": "image/png"}]),
        ("hex_number", {}, "0xff"),
        ("nothing", {}, None),
    ],
)
async def test_the_result_is_what_a_client_is_sent(name: str, params: dict[str, Any], result: Any) -> None:
    assert await result_of(name, params) == result


async def test_it_may_be_as_large_as_what_a_client_can_be_given() -> None:
    sizes: list[int] = []

    @tool
    async def long(n: int) -> str:
        return "x" * n

    @tool
    async def calls(ctx: Context) -> None:
        sizes.append(len(await ctx.call_json(long, {"n": MAX_RESULT_BYTES - 100})))
        with pytest.raises(errors.EventTooLarge, match="the tool long returned to another of 3145"):
            await ctx.call_json(long, {"n": 30 * 1024 * 1024})

    async with Stage() as stage:
        assert (await stage.told(calls))[-1]["type"] == "complete"
    assert sizes == [MAX_RESULT_BYTES - 100]


async def test_it_raises_as_a_call_does() -> None:
    @tool
    async def calls(ctx: Context) -> str:
        with pytest.raises(errors.UnknownTool):
            await ctx.call_json("no_such", {})
        with pytest.raises(errors.InvalidParams, match=r"where was not called: params\.city"):
            await ctx.call_json("where", {"city": 7})
        return "seen"

    async with Stage(tools=[where]) as stage:
        assert (await stage.told(calls))[-1]["data"] == "seen"


async def test_what_is_not_awaited_fails_by_its_name() -> None:
    @tool
    async def calls(ctx: Context) -> str:
        ctx.call_json("where", {"city": "Bergen"})
        return "not called"

    async with Stage(tools=[where]) as stage:
        end = (await stage.told(calls))[-1]
    assert "call_json" in end["data"]["message"]


async def test_what_the_server_offers_is_read_as_it_is_now() -> None:
    seen: list[Any] = []
    registry = Registry([where])

    @tool
    async def looks(ctx: Context) -> None:
        offered = ctx.tools
        seen.append((list(offered), len(offered), "where" in offered, "days" in offered))
        assert offered["where"] is where
        assert offered["where"].input_schema["required"] == ["city"]
        with pytest.raises(KeyError):
            offered["days"]
        with pytest.raises(TypeError):
            offered["where"] = days  # type: ignore[index]
        registry.remove(where)
        registry.add(days)
        seen.append((list(offered), len(offered), "where" in offered, "days" in offered))

    async with client(registry) as c:
        registry.add(looks)
        await c.run("looks")
    assert seen == [(["where", "looks"], 2, True, False), (["looks", "days"], 2, False, True)]


def test_a_context_of_no_run_says_so() -> None:
    async def send(_: Any) -> None: ...

    context = Context(send, Caller(access=Access("ann"), headers={}, deadline=0, clock=lambda: 0.0))
    with pytest.raises(RuntimeError, match="of no run"):
        _ = context.tools
    with pytest.raises(RuntimeError, match="of no run"):
        context.call_json("where", {})
