"""Tools in processes that other tools call, or that have functions around them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import worker_tools
from worker_stage import SECONDS

from mcp_app.authoring.around import Around, Call, Proceed, around
from mcp_app.authoring.tool import Registry, Tool
from mcp_app.config.settings import Settings
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.access import Access
from mcp_app.protocol.policy import PLAIN_POST
from mcp_app.runs import Runs

Answer = tuple[list[dict[str, Any]], dict[str, Any]]
Play = Callable[..., Any]


@pytest.fixture
async def play() -> AsyncIterator[Play]:
    """play(tool, *arounds, …): (the events of its run, the last of them)."""
    made: list[Runs] = []

    async def one(tool: Tool, *arounds: Around, **params: Any) -> Answer:
        log = MemoryLog()
        runs = Runs(Settings(processes=2), log, Registry([tool]), arounds)
        made.append(runs)
        run = await runs.start(tool, tool.arguments(params), PLAIN_POST, access=Access("ann"), headers={})
        reader = run.attach()
        events: list[dict[str, Any]] = []
        while (batch := await asyncio.wait_for(reader.next(1e12), SECONDS)) is not None:
            events += [{"type": each.event.type.value, "data": json.loads(each.event.data)} for each in batch]
        reader.close()
        return events, events[-1]

    yield one
    for each in made:
        await asyncio.wait_for(each.drain(), SECONDS)
        await asyncio.wait_for(each.processes.close(), SECONDS)
        each.close()


async def test_a_tool_calls_those_that_are_in_processes(play: Play) -> None:
    events, last = await play(worker_tools.workflow, n=2)
    assert last["type"] == "complete", last
    assert last["data"]["one"] == "Point(x=2, on=datetime.date(2026, 2, 3))"
    assert last["data"]["many"] == [f"Point(x={each}, on=datetime.date(2026, 1, 1))" for each in range(2)]
    assert last["data"]["told"] == "There is no tea."
    assert "no item" in [each["data"] for each in events]


@around
async def watch(call: Call, proceed: Proceed) -> Any:
    return await proceed()


@around
async def doubles(call: Call, proceed: Proceed) -> Any:
    call.arguments["x"] = 2 * call.arguments["x"]
    return await proceed()


@around
async def replaces(call: Call, proceed: Proceed) -> Any:
    result = await proceed()
    return worker_tools.Point(result.x + 1, result.on)


async def test_what_is_around_a_call_gets_and_changes_what_crosses(play: Play) -> None:
    params = {"x": 3, "on": "2026-02-03"}
    _, last = await play(worker_tools.point, watch, doubles, **params)
    assert last["data"] == {"x": 6, "on": "2026-02-03"}
    _, last = await play(worker_tools.point, replaces, watch, **params)
    assert last["data"] == {"x": 4, "on": "2026-02-03"}


@pytest.mark.parametrize("name", list(worker_tools.PLACED))
async def test_who_only_watches_changes_nothing(play: Play, name: str) -> None:
    tool = worker_tools.PLACED[name]
    bare, _ = await play(tool, n=2)
    watched, _ = await play(tool, watch, watch, n=2)
    ids = re.compile(r'run://\w+|"error_id": "\w+"')  # of each run its own
    assert ids.sub("", json.dumps(watched)) == ids.sub("", json.dumps(bare))
