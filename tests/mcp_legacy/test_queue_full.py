"""A call beyond those that may wait is refused before it starts, in the words of each dialect; who waits says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from every_revision import VERSIONS, Caller
from legacy_client import Stage, decoded

from mcp_app import tool
from mcp_app.protocol.access import ANONYMOUS
from mcp_app.protocol.mcp.revisions import STATELESS
from mcp_app.protocol.policy import PLAIN_DETACHED

MESSAGE = "The tool visit works on one call at once, and 0 wait already."
SSE = "/api/v1/mcp/sse"


class Visits:
    """A tool with one place, which is taken until the gate is open."""

    def __init__(self, stage: Stage, waiting: int) -> None:
        self.stage, self.gate = stage, asyncio.Event()

        @tool(read_only=True, at_once=1, waiting=waiting)
        async def visit() -> str:
            await self.gate.wait()
            return "visited"

        self.visit = visit
        stage.tools.add(visit)

    async def begin(self) -> None:
        await self.stage.runs.start(self.visit, {}, PLAIN_DETACHED, access=ANONYMOUS, headers={})


@pytest.fixture
async def visits(stage: Stage) -> AsyncIterator[Visits]:
    made = Visits(stage, waiting=0)
    await made.begin()
    yield made
    made.gate.set()


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_plain(stage: Stage, visits: Visits, method: str, accept: str) -> None:
    body = {"tool": "visit"} if method == "POST" else None
    path = SSE if method == "POST" else f"{SSE}?tool=visit"
    answer = await stage.ask(method, body, path=path, accept=accept)
    assert (answer.status, dict(answer.headers)["Retry-After"]) == (429, "5")
    assert decoded(answer)["error"] == {
        "code": "queue_full",
        "message": MESSAGE,
        "hint": "Try again after the seconds in Retry-After.",
    }


@VERSIONS
async def test_mcp(stage: Stage, visits: Visits, version: str) -> None:
    answer = await Caller(stage, version)._answer("tools/call", {"name": "visit", "arguments": {}}, "application/json")
    error = decoded(answer)["error"]
    assert (error["code"], error["message"], error["data"]["code"]) == (-32603, MESSAGE, "queue_full")
    assert error["data"]["hint"] == "Try again in a few seconds."
    stateless = version == STATELESS
    assert (answer.status, dict(answer.headers).get("Retry-After")) == ((429, "5") if stateless else (200, None))


@VERSIONS
async def test_a_place_is_progress_in_each_revision(stage: Stage, version: str) -> None:
    visits = Visits(stage, waiting=1)
    await visits.begin()
    call = asyncio.create_task(Caller(stage, version).streamed("visit"))
    async with asyncio.timeout(10):
        while stage.runs.queues.waiting == 0:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.005)
        visits.gate.set()
        messages: list[dict[str, Any]] = await call
    told = [each["params"]["message"] for each in messages if each.get("method") == "notifications/progress"]
    assert told[0] == "waiting for a call before this one"
    assert messages[-1]["result"]["content"][0]["text"] == "visited"
