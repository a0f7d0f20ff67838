"""A pool of processes, and calls of the tools of worker_tools.py in it. Not a test."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import worker_tools

from mcp_app.asking import Asker
from mcp_app.authoring.caller import Caller
from mcp_app.authoring.tool import Tool
from mcp_app.protocol.access import Access
from mcp_app.protocol.event import Event, decode
from mcp_app.protocol.http.trace import Trace
from mcp_app.runs.execution import Outcome
from mcp_app.runs.places import placing
from mcp_app.runs.processes import Processes
from mcp_app.runs.threads import Threads

SECONDS = 40.0


class Call:
    """One call: what it says, how it ends. `gate` closed: nobody takes any event."""

    def __init__(
        self, pool: Processes, tool: Tool, params: Mapping[str, Any], asker: Asker | None = None, **of: Any
    ) -> None:
        given = {"access": Access("ann"), "headers": {"x-test": "é"}, "trace": Trace(), "seconds": 60.0, **of}
        self.caller = Caller(
            access=given["access"],
            headers=given["headers"],
            deadline=time.monotonic() + given["seconds"],
            clock=time.monotonic,
            asker=asker,
            trace=given["trace"],
        )
        self.events: list[Event] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuses: Exception | None = None
        self.freed: list[asyncio.Future[Any]] = []
        arguments = tool.arguments(params) if "query" not in of else tool.from_query({}, of["query"]).arguments
        work = placing(pool)
        self._work = work(tool, arguments, self.caller, self.emit, Threads(2), "0123", self.freed.append)
        self.task: asyncio.Task[Outcome | BaseException] = asyncio.create_task(self._contained())

    async def emit(self, events: Sequence[Event]) -> None:
        await self.gate.wait()
        if self.refuses is not None:
            raise self.refuses
        self.events += events

    @property
    def said(self) -> list[tuple[str, Any, bytes, str]]:
        return [(each.type.value, decode(each.data), each.metadata, each.shape.name) for each in self.events]

    async def _contained(self) -> Outcome | BaseException:
        """As a run does it: a task that ends with SystemExit would end the loop."""
        try:
            return await self._work
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            return error

    async def outcome(self) -> Outcome:
        ended = await asyncio.wait_for(asyncio.shield(self.task), SECONDS)
        if isinstance(ended, BaseException):
            raise ended
        return ended

    async def value(self) -> Any:
        return decode((await self.outcome()).result.data)

    async def error(self) -> BaseException | None:
        ended = await asyncio.wait_for(asyncio.shield(self.task), SECONDS)
        return ended if isinstance(ended, BaseException) else None

    async def first(self) -> Event:
        """The first event, which says that the function has begun."""
        await until(lambda: bool(self.events) or self.task.done(), "it begins")
        assert self.events, await self.error()
        return self.events[0]

    def cancel(self, reason: str) -> None:
        """As a run ends its function."""
        self.caller.reason = reason
        self.task.cancel()


class Stage:
    """The pool of one test."""

    def __init__(self, pool: Processes) -> None:
        self.pool = pool

    def call(self, name: str | Tool, of: Mapping[str, Any] | None = None, /, **params: Any) -> Call:
        tool = getattr(worker_tools, name) if isinstance(name, str) else name
        return Call(self.pool, tool, params, **(of or {}))

    async def pid(self) -> int:
        """Of the process that has worked last."""
        return int((await self.call("look", pid=os.getpid()).value())["pid"])


async def until(true: Callable[[], object], why: str) -> None:
    """Wait for what another process brings about."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, why
        await asyncio.sleep(0.005)


def lives(pid: int) -> bool:
    """Whether there is such a process, which is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def in_group(group: int) -> list[int]:
    """The processes of a group that are no zombies."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = each.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(each.parent.name))
    return found
