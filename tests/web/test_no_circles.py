"""A call leaves nothing that only the cycle collector would find: what it made is free when it is over.

With circles in it, an echo of MCP spent a third of its time in the collector. Only what is unreachable is counted here;
what is kept, and for how long, is for other tests.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator

import pytest
from web_direct import EVENTS, Direct

from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer

META = "io.modelcontextprotocol/"
VERSION = "2026-07-28"
BOTH = "application/json, text/event-stream"
CALLS = 20


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def plain(direct: Direct, tool: str, accept: str) -> Answer:
    return await direct.call(tool, accept)


async def modern(direct: Direct, tool: str, accept: str) -> Answer:
    meta = {f"{META}protocolVersion": VERSION, f"{META}clientCapabilities": {}, "progressToken": 1}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "_meta": meta}}
    headers = {"mcp_protocol_version": VERSION, "mcp_method": "tools/call", "mcp_name": tool}
    return await direct.post(EVENTS, message, accept=accept, **headers)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", BOTH])
@pytest.mark.parametrize("tool", ["echo", "walk"])
@pytest.mark.parametrize("call", [plain, modern])
async def test_what_a_call_made_is_free_when_it_is_over(
    direct: Direct, call: Callable[[Direct, str, str], Awaitable[Answer]], tool: str, accept: str
) -> None:
    async def once() -> None:
        direct.play.step(3)
        answer = await call(direct, tool, accept)
        assert answer.status == 200
        if isinstance(answer.body, Frames):
            assert [chunk async for chunk in answer.body]
            answer.body.close()
            direct.forget()

    await once()  # what is made once and kept
    gc.collect()
    for _ in range(CALLS):
        await once()
    assert gc.collect() == 0
