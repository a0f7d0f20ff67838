"""Several nodes in one process: each with an endpoint of its own, all on one shared log in memory. Not a test.

Everything is on the clock of the test's loop: leases, retries and the waits of readers take no time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from mcp_app.authoring.context import Context
from mcp_app.authoring.tool import Registry, Tool
from mcp_app.authoring.tool_decorator import tool
from mcp_app.config.settings import Settings
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.eventlog.shared import RENEW_SECONDS
from mcp_app.eventlog.shared_memory import MemorySharedLog, SharedMemory
from mcp_app.manifest import load_manifest
from mcp_app.nodes import Node
from mcp_app.nodes.lease import Lease
from mcp_app.runs import Runs
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

EVENTS = "/api/v1/mcp/sse"
RUNS = "/api/v1/mcp/runs"
SECONDS = 3000.0  # of the loop's clock, within which anything must have happened
STREAM = "text/event-stream"
KEY = "a-key-of-sixteen-characters"


def now() -> float:
    return asyncio.get_running_loop().time()


def keep_by_task(lease: Lease, on_lost: Callable[[], None]) -> Callable[[], None]:
    """A `Keeping` on the loop's clock."""

    async def keep() -> None:
        seconds: float | None = RENEW_SECONDS
        while seconds is not None:
            await asyncio.sleep(seconds)
            seconds = lease.renew()
        on_lost()

    task = asyncio.create_task(keep(), name="keeps a lease")
    return lambda: None if task is asyncio.current_task() else (task.cancel(), None)[1]


class Play:
    """Tools that wait to be told, on whichever node they work."""

    def __init__(self) -> None:
        self.go: asyncio.Queue[int] = asyncio.Queue()
        self.said = 0
        self.cancelled = 0

    def tools(self) -> Sequence[Tool]:
        @tool(read_only=True)
        async def walk(ctx: Context, steps: int = 1000) -> dict[str, int]:
            """Say as many numbers as it is told, one after the other, and end after so many."""
            try:
                while self.said < steps:
                    for _ in range(await self.go.get()):
                        self.said += 1
                        await ctx.progress(self.said)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            return {"walked": self.said}

        @tool(read_only=True)
        async def flood(ctx: Context, lines: int = 2000) -> int:
            """Say as many lines as it can."""
            for number in range(lines):
                await ctx.progress(number)
                self.said = number + 1
            return lines

        @tool(read_only=True)
        async def echo(text: str) -> str:
            """The same."""
            return text

        return walk, flood, echo

    def step(self, count: int = 1) -> None:
        self.go.put_nowait(count)


class Site:
    """One process of those that share the log."""

    def __init__(self, shared: SharedMemory, play: Play, **settings: Any) -> None:
        self.play = play
        self.settings = Settings(**settings)
        registry = Registry(play.tools())
        self.log = MemorySharedLog(shared)
        self.node = Node(self.log, self.settings, registry, keeping=keep_by_task, clock=now)
        local = MemoryLog()
        self.runs = Runs(self.settings, local, registry, elsewhere=self.node)
        manifest = load_manifest(None)
        self.endpoint = Endpoint(self.settings, registry, manifest, self.runs, local, node=self.node)
        self.streams: list[Frames] = []

    async def ask(self, method: str, target: str, value: Any = None, **headers: str) -> Answer:
        path, _, query = target.partition("?")
        fields = {name.replace("_", "-"): text for name, text in ({"host": "127.0.0.1:8000"} | headers).items()}
        body = b"" if value is None else json.dumps(value).encode()
        if body:
            fields["content-type"] = "application/json"
        request = Request(
            method=method,
            path=path,
            query=query.encode(),
            headers=fields,
            body=body,
            scheme="http",
            server=("127.0.0.1", 8000),
        )
        answer = await asyncio.wait_for(self.endpoint.answer(request), SECONDS)
        if isinstance(answer.body, Frames):
            self.streams.append(answer.body)
        return answer

    async def start(self, name: str, **params: Any) -> dict[str, Any]:
        """A detached run: what 202 says of it."""
        answer = await self.ask("POST", RUNS, {"tool": name, "params": params})
        assert answer.status == 202, answer.body
        return value(answer)

    async def state(self, run: str) -> dict[str, Any]:
        answer = await self.ask("GET", f"{RUNS}/{run}")
        assert answer.status == 200, answer.body
        return value(answer)

    async def follow(self, run: str, after: str = "") -> Stream:
        return Stream(await self.ask("GET", f"{RUNS}/{run}/events", **_accepted(after)))

    async def listen(self, name: str, key: str = KEY, after: str = "", **params: Any) -> Stream:
        """What an EventSource opens."""
        query = "".join(f"&{name}={text}" for name, text in params.items())
        return Stream(await self.ask("GET", f"{EVENTS}?tool={name}&run={key}{query}", **_accepted(after)))

    async def die(self) -> None:
        """As by kill -9: from now on nothing of it reaches the log, and nobody renews its lease."""
        self.log.reachable = False
        self.node._stop_keeping()
        self.node._published.lose_all()  # its tools work no more
        await self.close()

    async def close(self) -> None:
        for stream in self.streams:
            stream.close()
        await asyncio.wait_for(self.runs.drain(), SECONDS)
        await asyncio.wait_for(self.node.stop(), SECONDS)
        await asyncio.wait_for(self.runs.dependencies.stop(), SECONDS)
        self.runs.close()


class Stream:
    """One event stream, read as slowly as a test likes."""

    def __init__(self, answer: Answer) -> None:
        assert answer.status == 200, answer.body
        assert isinstance(answer.body, Frames), answer.body
        self.frames = answer.body
        self.events: list[dict[str, Any]] = []
        self.last_id = ""
        self.over = False

    async def read(self) -> bool:
        """One more write of it; False when it has ended."""
        try:
            chunk = await asyncio.wait_for(anext(self.frames), SECONDS)
        except StopAsyncIteration:
            self.over = True
            return False
        for frame in chunk.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in frame.split("\n") if line and not line.startswith(":"))
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                self.events.append({**json.loads(fields["data"]), "id": fields.get("id", "")})
        return True

    async def until(self, count: int) -> None:
        """Read until so many events have come, or it ends."""
        while len(self.events) < count and await self.read():
            pass

    async def rest(self) -> list[dict[str, Any]]:
        """All of it, to its end."""
        while await self.read():
            pass
        return self.events

    def leave(self) -> None:
        self.frames.close()

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def numbers(self) -> list[int]:
        return [int(event["id"].split("/")[1]) for event in self.events if "/" in event["id"]]


def value(answer: Answer) -> dict[str, Any]:
    assert isinstance(answer.body, bytes)
    return dict(json.loads(answer.body))


def _accepted(after: str) -> dict[str, str]:
    return {"accept": STREAM} | ({"last_event_id": after} if after else {})


@asynccontextmanager
async def nodes(count: int = 2, play: Play | None = None, **settings: Any) -> AsyncIterator[list[Site]]:
    """So many nodes on one log."""
    shared, play = SharedMemory(now), play or Play()
    sites = [Site(shared, play, **settings) for _ in range(count)]
    for site in sites:
        await site.node.start(site.runs.known)
    try:
        yield sites
    finally:
        for site in sites:
            await site.close()


async def settle(seconds: float = 0.5) -> None:
    """What can go on has gone on."""
    await asyncio.sleep(seconds)
