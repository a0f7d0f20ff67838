"""Tools in processes that call others: all is as it is where the caller works in the server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import calling_tools
import pytest
from worker_stage import SECONDS, Stage, until

from mcp_app.authoring.around import Call, Proceed, around
from mcp_app.authoring.tool import Registry, Tool
from mcp_app.config.settings import Settings
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import Cancelled
from mcp_app.protocol.policy import PLAIN_POST
from mcp_app.runs import Run, Runs, processes

CALLED = [*calling_tools.HERE.values(), *calling_tools.THERE.values()]
MORE = [calling_tools.waits, calling_tools.endless, calling_tools.limited, calling_tools.asks, calling_tools.picture]
DOWN = [calling_tools.down, calling_tools.wide, calling_tools.by_a_thread, calling_tools.down_by_a_thread]


class House:
    """A server's runs."""

    def __init__(self, processes: int, *arounds: Any) -> None:
        tools = Registry([*CALLED, *MORE, *DOWN])
        self.runs = Runs(Settings(processes=processes), MemoryLog(), tools, arounds)

    async def start(self, tool: Tool, **params: Any) -> tuple[Run, Any]:
        run = await self.runs.start(tool, tool.arguments(params), PLAIN_POST, access=Access("ann"), headers={})
        return run, run.attach()

    async def play(self, tool: Tool, **params: Any) -> list[dict[str, Any]]:
        """The events of its run."""
        _, reader = await self.start(tool, **params)
        events: list[dict[str, Any]] = []
        while (batch := await asyncio.wait_for(reader.next(1e12), SECONDS)) is not None:
            for numbered in batch:
                event = numbered.event
                metadata = json.loads(event.metadata or b"{}")
                events.append({"type": event.type.value, "data": json.loads(event.data), "metadata": metadata})
        reader.close()
        return events

    async def value(self, tool: Tool, **params: Any) -> Any:
        last = (await self.play(tool, **params))[-1]
        assert last["type"] == "complete", last
        return last["data"]

    async def close(self) -> None:
        await asyncio.wait_for(self.runs.drain(), SECONDS)
        await asyncio.wait_for(self.runs.processes.close(), SECONDS)
        self.runs.close()
        assert (self.runs.processes.working, self.runs.processes.started) == (0, 0)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House(2)
    yield made
    await made.close()


def alike(events: list[dict[str, Any]]) -> list[str]:
    """What is the same wherever the caller works: not the ids and times, nor the name of its copy."""
    own = re.compile(r'run://\w+|(?<="error_id": )"\w+"|(?<="duration_ms": )[\d.]+|_placed')
    return [own.sub("", json.dumps(each)) for each in events[1:]]


@pytest.mark.parametrize("there", [False, True], ids=["here", "there"])
@pytest.mark.parametrize("name", list(calling_tools.PLAIN))
async def test_it_is_as_where_the_caller_works_in_the_server(house: House, name: str, there: bool) -> None:
    plain = await house.play(calling_tools.PLAIN[name], there=there)
    placed = await house.play(calling_tools.PLACED[name], there=there)
    assert alike(placed) == alike(plain)
    assert [each["type"] for each in placed[-2:]].count("complete") == (name not in FAILING)


FAILING = ("lets_tell", "lets_fail", "lets_refuse", "forgets", "asked")


async def test_a_result_by_name_and_content_are_what_their_json_says(house: House) -> None:
    blocks, point = await house.value(calling_tools.looks_at_a_picture)
    assert blocks[0]["type"] == "image"
    assert point == {"x": 1, "on": "2026-01-01"}


async def test_results_as_json_and_what_is_offered_is_not_known(house: House) -> None:
    point, blocks, points, text, offered = await house.value(calling_tools.calls_by_json)
    assert point == {"x": 1, "on": "2026-01-01"}
    assert blocks[0]["type"] == "image"
    assert points == [{"x": 0, "on": "2026-01-01"}]
    assert text == "é\u2028"
    assert offered.startswith('ctx.tools cannot be used with placement="process"')


async def test_a_tool_that_the_server_does_not_offer_by_its_name(house: House) -> None:
    other, unheard = (await house.value(calling_tools.calls_another)).splitlines()
    assert other.startswith("The tool point was not called: the server offers one of that name that takes or returns")
    assert unheard == "There is no tool named 'unheard'."


async def test_what_is_too_large_for_the_wire(house: House) -> None:
    result, params = (await house.value(calling_tools.takes_too_much)).splitlines()
    assert result.startswith("What the tool large returned to a process")
    assert params.startswith("What is asked")


async def test_what_is_around_tools_is_around_these() -> None:
    seen: list[tuple[str, Any]] = []

    @around
    async def watch(call: Call, proceed: Proceed) -> Any:
        result = await proceed()
        seen.append((call.tool.name, call.code))
        return result

    house = House(2, watch)
    assert await house.value(calling_tools.PLACED["values"], there=True)
    await house.close()
    names = ["point_there", "points_there", "ends_with_there", "anything_there", "values_placed"]
    assert seen == [(each, "complete") for each in names]


# --- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("placed", [False, True])
async def test_who_gives_a_call_up_waits_until_it_has_ended(house: House, tmp_path: Path, placed: bool) -> None:
    tool = calling_tools.placed_gives_up if placed else calling_tools.plain_gives_up
    assert await house.value(tool, mark=str(tmp_path / "mark")) == "ended: None"


@pytest.mark.parametrize("placed", [False, True])
async def test_no_call_outlives_its_caller(house: House, tmp_path: Path, placed: bool) -> None:
    mark = tmp_path / "mark"
    tool = calling_tools.placed_leaves if placed else calling_tools.plain_leaves
    assert await house.value(tool, mark=str(mark)) == "False"
    assert mark.read_text() == "ended: None"
    assert house.runs.processes.idle == placed, "and the process is free"


async def test_the_end_of_the_run_ends_the_call_and_spares_the_process(house: House, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    run, reader = await house.start(calling_tools.placed_stays, mark=str(mark))
    await until(mark.exists, "it works")
    run.stop(Cancelled("enough"))
    reader.close()
    await until(lambda: mark.read_text().startswith("ended"), "it is told")
    await until(lambda: house.runs.processes.idle == 1, "the caller has ended as well")
    assert mark.read_text() == "ended: cancelled"


async def test_the_end_of_the_process_ends_the_call(house: House, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    events = await house.play(calling_tools.placed_dies, mark=str(mark))
    assert "ended by itself, with exit status 0" in events[-1]["data"]["message"]
    assert mark.read_text() == "ended: None"


# --- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "n"), [("down", 2), ("down_by_a_thread", 1)])
async def test_who_waits_lends_its_place(name: str, n: int) -> None:
    house = House(1)
    pids = await house.value(getattr(calling_tools, name), n=n)
    assert len(set(pids)) == 3
    await until(lambda: house.runs.processes.started == 1, "no more are kept than may work")
    assert await house.value(calling_tools.down, n=0) == [pids[0]]
    await house.close()


async def test_one_place_is_lent_to_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "QUEUE_SECONDS", 0.0)  # a step waits all the same
    house = House(1)
    found = await house.value(calling_tools.wide, n=3)
    assert len({pid for pids in found for pid in pids}) == 2, "two below the caller, one after the other"
    await until(lambda: house.runs.processes.started == 1, "no more are kept than may work")
    await house.close()


async def test_no_tool_is_called_where_there_are_none(stage: Stage) -> None:
    error = await stage.call(calling_tools.PLACED["values"], there=False).error()
    assert error is not None
    assert "failed" in str(error)
