"""Results too large for their events, over two nodes: whoever may read one gets it from either, also after the death of
the one that made it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from asks_nodes import Listened, servers
from hypothesis import given
from hypothesis import strategies as some
from loop_clock import on_loop_clock

from mcp_app import tool
from mcp_app.dialects.mcp.kept import read_kept
from mcp_app.eventlog.shared import LEASE_SECONDS, RENEW_SECONDS
from mcp_app.protocol.linked import Kept, write_kept
from mcp_app.protocol.linked import read_kept as read_written

LARGE = 1536 * 1024  # more is taken apart in a thread, which the clock of the loop knows nothing of


@tool
async def large() -> str:
    return "x" * LARGE


@tool
async def large_parts() -> AsyncIterator[str]:
    for each in "ab":
        yield each * LARGE


async def contents(server: Any, uri: str) -> str:
    result = (await server.said("resources/read", uri=uri)).result
    text: str = result["contents"][0]["text"]
    return text


@on_loop_clock
async def test_a_linked_result_is_read_on_the_other_node_also_after_a_death() -> None:
    async with servers(large) as (here, there):
        result = (await here.said("tools/call", name="large", arguments={})).result
        [link] = [each for each in result["content"] if each["type"] == "resource_link"]
        for each in (here, there):
            assert await contents(each, link["uri"]) == "x" * LARGE
        run = link["uri"].removeprefix("run://").partition("/")[0]
        answer = await there.fetch("GET", f"/api/v1/mcp/runs/{run}/results/1")
        assert (answer.status, answer.body) == (200, b"x" * LARGE)
        assert (await there.fetch("GET", f"/api/v1/mcp/runs/{run}/results/2")).status == 404
        assert await read_kept(there.runs, link["uri"], "somebody else") is None
        await here.die()
        await asyncio.sleep(LEASE_SECONDS + RENEW_SECONDS)
        assert await contents(there, link["uri"]) == "x" * LARGE


@on_loop_clock
async def test_a_linked_part_is_read_on_the_other_node_while_the_tool_works() -> None:
    async with servers(large_parts) as (here, there):
        params = {"name": "large_parts", "arguments": {}, "_meta": {"progressToken": "t"}}
        answer = await here.ask("tools/call", params)
        stream = Listened(answer)
        part = (await stream.next())["params"]["_meta"]["com.example.mcp-app/partial"]
        assert await contents(there, part[0]["uri"]) == "a" * LARGE
        assert here.runs.working == 1
        result = (await stream.rest())[-1]["result"]
        links = [each["uri"] for each in result["content"]]
        assert [(await contents(there, uri))[0] for uri in links] == ["a", "b"]


@given(
    some.builds(
        Kept, some.binary(max_size=50), some.text(max_size=20), some.booleans(), some.none() | some.text(max_size=20)
    )
)
def test_a_kept_value_comes_back(kept: Kept) -> None:
    assert read_written(write_kept(kept)) == kept
