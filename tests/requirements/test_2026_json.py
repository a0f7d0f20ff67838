"""MCP 2026-07-28: who is to be told nothing before the response gets JSON, however late it comes; and what a client's
bound on one event lets through, where it is a stream."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from loop_clock import on_loop_clock
from modern_client import ABSENT, BOTH, Stage, headers, request, said
from modern_served import Name

from mcp_app import Context, tool
from mcp_app.protocol.mcp.results import MAX_MESSAGE_BYTES
from mcp_app.runs.results import METADATA_BYTES
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

JSON, STREAM = "application/json", "text/event-stream"
CLIENTS_BOUND = 1024 * 1024
"""Of mcp 2.x, in bytes of one event."""


@tool
async def late(seconds: float, size: int, ctx: Context) -> str:
    """Say something, and much more in the end."""
    await ctx.progress(1, 2, "soon")
    await asyncio.sleep(seconds)
    return '"' * size  # escaped in JSON: twice as many bytes


@tool
async def asks_late(seconds: float, ctx: Context) -> str:
    await asyncio.sleep(seconds)
    return (await ctx.ask(Name, "Who?")).name


@tool
async def rows(size: int, ctx: Context) -> dict[str, list[str]]:
    """Parts, and then an object, whose text is JSON in JSON."""
    for row in range(3):
        await ctx.partial({"row": row})
    return {"rows": ["x" * size]}


async def call(here: Stage, name: str, arguments: Any, accept: str = BOTH, **changes: Any) -> Answer:
    message = request("tools/call", {"name": name, "arguments": arguments}, **changes)
    fields, body = headers(message, accept=accept), json.dumps(message).encode()
    return await here.endpoint.answer(Request("POST", "/mcp", headers=fields, body=body, server=("127.0.0.1", 8000)))


def stage() -> Stage:
    here = Stage()
    for each in (late, asks_late, rows):
        here.tools.add(each)
    return here


async def close(here: Stage) -> None:
    await here.endpoint.drain()
    here.runs.close()


def content_type(answer: Answer) -> str:
    return dict(answer.headers)["Content-Type"]


@on_loop_clock
@pytest.mark.parametrize("accept", [BOTH, "*/*", ABSENT, JSON])
async def test_a_late_result_is_json(accept: Any) -> None:
    here = stage()
    answer = await call(here, "late", {"seconds": 40.0, "size": 300_000}, accept)
    assert content_type(answer) == JSON
    assert isinstance(answer.body, Frames)
    assert asyncio.get_running_loop().time() == 1015  # the first heartbeat's time: nothing came before it
    chunks = [chunk async for chunk in answer.body]
    answer.body.close()
    assert chunks[:-1] == [b"\n", b"\n"]  # at 15 s and 30 s
    assert asyncio.get_running_loop().time() == 1040
    result = json.loads(b"".join(chunks))["result"]
    assert result["structuredContent"] == result["content"][0]["text"] == '"' * 300_000
    await close(here)


@on_loop_clock
async def test_it_has_a_length_and_its_own_status_before_the_first_heartbeat() -> None:
    here = stage()
    answer = await call(here, "late", {"seconds": 14.0, "size": 1})
    assert isinstance(answer.body, bytes)
    assert content_type(answer) == JSON
    refused = await call(here, "asks_late", {"seconds": 14.0}, capabilities={})
    assert refused.status == 400
    assert (await said(refused)).error["code"] == -32021
    await close(here)


@on_loop_clock
@pytest.mark.parametrize("told", [{"progressToken": "t"}, {"progressToken": 0}, {"level": "debug"}])
async def test_who_listens_gets_a_stream(told: dict[str, Any]) -> None:
    here = stage()
    answer = await call(here, "late", {"seconds": 1.0, "size": 1}, **told)
    assert content_type(answer) == STREAM
    assert (await said(answer)).result["structuredContent"] == '"'
    alone = await call(here, "late", {"seconds": 1.0, "size": 1}, JSON, **told)
    assert content_type(alone) == JSON
    assert (await said(alone)).before == ()
    await close(here)


@on_loop_clock
async def test_leaving_a_body_that_has_begun_is_cancelling() -> None:
    here = stage()
    stopped = asyncio.Event()

    @tool
    async def waits() -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            stopped.set()
        return "never"

    here.tools.add(waits)
    answer = await call(here, "waits", {})
    assert isinstance(answer.body, Frames)
    assert await anext(answer.body) == b"\n"
    answer.body.close()
    await asyncio.wait_for(stopped.wait(), 1)
    await close(here)


@on_loop_clock
async def test_the_cap_is_the_same() -> None:
    here = stage()
    answer = await call(here, "late", {"seconds": 3600.0, "size": 1})
    assert isinstance(answer.body, Frames)
    error = json.loads(b"".join([chunk async for chunk in answer.body]))["error"]
    answer.body.close()
    assert asyncio.get_running_loop().time() == 1120
    assert error["data"]["code"] == "time_cap"
    assert "route" not in json.dumps(error)  # there is none to start a detached run at
    await close(here)


@on_loop_clock
@pytest.mark.parametrize("size", [100, 174_000, 260_000, 500_000, (CLIENTS_BOUND - METADATA_BYTES) // 2 - 1])
async def test_an_event_is_within_the_bound_of_clients(size: int) -> None:
    """`size` quotation marks are twice as many bytes as a value, and again as text."""
    here = stage()
    answer = await call(here, "late", {"seconds": 1.0, "size": size}, progressToken="t")
    assert content_type(answer) == STREAM
    assert isinstance(answer.body, Frames)
    events = b"".join([chunk async for chunk in answer.body]).split(b"\n\n")
    answer.body.close()
    assert max(map(len, events)) <= CLIENTS_BOUND
    [response] = [each for each in events if b'"result"' in each]
    result = json.loads(response.partition(b"data: ")[2])["result"]
    assert result["structuredContent"] == '"' * size
    note, _, text = result["content"][0]["text"].rpartition("\n")
    if 4 * size < MAX_MESSAGE_BYTES - 1000:
        assert (note, text) == ("", '"' * size)
    else:  # as much as there is room for
        assert "structuredContent" in note
        assert text == '"' * len(text)
        assert 2 * size + 2 * len(text) < MAX_MESSAGE_BYTES
        assert 2 * size + 2 * len(text) > MAX_MESSAGE_BYTES - 1000 or text == ""
    await close(here)


@on_loop_clock
async def test_the_parts_are_not_said_again_where_that_is_too_much() -> None:
    here = stage()
    small, large = [
        await said(await call(here, "rows", {"size": size}, STREAM, progressToken="t")) for size in (10, 600_000)
    ]
    [partial] = [value for name, value in small.result["_meta"].items() if name.endswith("/partial")]
    assert partial == [{"row": 0}, {"row": 1}, {"row": 2}]
    assert large.result["structuredContent"] == {"rows": ["x" * 600_000]}
    [truncated] = [value for name, value in large.result["_meta"].items() if name.endswith("/truncated")]
    assert truncated == {"truncated": True, "items": 3}
    assert not any(name.endswith("/partial") for name in large.result["_meta"])
    assert len([each for each in large.before if "_meta" in each["params"]]) == 3
    await close(here)
