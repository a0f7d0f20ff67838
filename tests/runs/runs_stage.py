"""A stage for runs: `Runs` on a log, tools that do as they are told, readers that write down what they get."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mcp_app.authoring.around import Around
from mcp_app.authoring.tool import Registry, Tool
from mcp_app.authoring.tool_decorator import tool
from mcp_app.config.settings import Settings
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.access import ANONYMOUS
from mcp_app.protocol.event import Entry, Event
from mcp_app.protocol.policy import PLAIN_POST, Policy, Retention
from mcp_app.runs import Reader, Run, Runs

SECONDS = 3000.0  # of the loop's clock, within which anything must have happened
CLOSE_SECONDS = 20.0  # of any clock, within which what a call took is closed or given up: each has 5, and a few tries


class SlowLog(MemoryLog):
    """A log that suspends in every method, as those on disk and on the network do, and notices two writers."""

    def __init__(self) -> None:
        super().__init__()
        self.writing: set[str] = set()

    async def open(self, run: str, keep: Retention) -> None:
        await asyncio.sleep(0.001)
        await super().open(run, keep)

    async def append(self, run: str, events: Sequence[Event]) -> Entry:
        assert run not in self.writing, "a run is written by one writer at a time"
        self.writing.add(run)
        try:
            await asyncio.sleep(0.001)
            entry = await super().append(run, events)
            await asyncio.sleep(0.001)
        finally:
            self.writing.discard(run)
        return entry


class Stage:
    """Runs of this test. `log` is the one they write, `tools` those that are called by name, with `arounds` around."""

    def __init__(
        self, log: MemoryLog | None = None, tools: Sequence[Tool] = (), arounds: Sequence[Around] = (), **settings: Any
    ) -> None:
        self.log = MemoryLog() if log is None else log
        self.settings = Settings(**settings)
        self.runs = Runs(self.settings, self.log, Registry(tools), arounds)

    async def start(
        self,
        function: Tool | Callable[..., Any],
        policy: Policy = PLAIN_POST,
        arguments: dict[str, Any] | None = None,
        **more: Any,
    ) -> Run:
        made = function if isinstance(function, Tool) else tool(function)
        return await self.runs.start(made, arguments or {}, policy, **({"access": ANONYMOUS, "headers": {}} | more))

    async def told(self, function: Tool | Callable[..., Any], policy: Policy = PLAIN_POST) -> list[dict[str, Any]]:
        """All that a run of the function says, to its end."""
        run = await self.start(function, policy)
        entries = await read(run)
        await asyncio.wait_for(run.stopped(), SECONDS)
        return entries

    async def __aenter__(self) -> Stage:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.wait_for(self.runs.drain(), SECONDS)
        await asyncio.wait_for(self.runs.dependencies.stop(), SECONDS)
        self.runs.close()
        assert self.runs.working == 0


async def circles(once: Callable[[], Awaitable[None]]) -> int:
    """What ten calls of `once` leave that only the cycle collector finds."""
    await once()  # what is made once and kept
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            await once()
        return gc.collect()
    finally:
        gc.enable()


def now() -> float:
    return asyncio.get_running_loop().time()


async def settle() -> None:
    """Whatever can go on now has gone on as far as it can."""
    for _ in range(2000):
        await asyncio.sleep(0)


async def take(reader: Reader) -> list[Entry]:
    """One batch of what is there; asking for it says that the one before was written."""
    return await asyncio.wait_for(reader.next(now()), SECONDS) or []


async def read_to_end(reader: Reader) -> list[Entry]:
    async def all_of_it() -> list[Entry]:
        entries: list[Entry] = []
        while (batch := await reader.next(float("inf"))) is not None:
            entries += batch
        return entries

    return await asyncio.wait_for(all_of_it(), SECONDS)


async def read(run: Run) -> list[dict[str, Any]]:
    """All that the run says, to its end."""
    reader = run.attach()
    entries = [shown(entry) for entry in await read_to_end(reader)]
    reader.close()
    return entries


async def end_of(stage: Stage, made: Tool, **arguments: Any) -> dict[str, Any]:
    """How a call of the tool ends; all that it took is closed by then."""
    entries = await read(await stage.start(made, arguments=arguments))
    await asyncio.wait_for(stage.runs.dependencies.closings.ended(), CLOSE_SECONDS)
    return entries[-1]


def shown(entry: Entry) -> dict[str, Any]:
    metadata = json.loads(entry.event.metadata) if entry.event.metadata else {}
    return {"n": entry.number, "type": entry.event.type.value, "data": json.loads(entry.event.data), "meta": metadata}


def error_of(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The error that a run ended with; each number once, and nothing after the last event."""
    assert [each["n"] for each in entries] == list(range(1, len(entries) + 1))
    assert [each["type"] in {"complete", "error"} for each in entries] == [False] * (len(entries) - 1) + [True]
    assert entries[-1]["type"] == "error"
    return dict(entries[-1]["data"])
