"""Several nodes on one shared log in memory, and clients of MCP's revisions with sessions that go from one to another.
Not a test.

Everything is on the clock of the test's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from legacy_client import Client, Stage
from loop_lease import keep_by_task, now
from pydantic import BaseModel

from mcp_app import Context, tool
from mcp_app.eventlog.shared_memory import MemorySharedLog, SharedMemory
from mcp_app.nodes import Node

SECONDS = 3000.0  # of the loop's clock


class Name(BaseModel):
    name: str


class NodeStage(Stage):
    """One process of those that share the log."""

    def __init__(self, shared: SharedMemory, **settings: Any) -> None:
        self.shared = MemorySharedLog(shared)
        super().__init__(**settings)

    def _node(self) -> Node:
        return Node(self.shared, self.settings, self.tools, keeping=keep_by_task, clock=now)

    def _tools(self) -> list[Any]:
        @tool
        async def asks(ctx: Context) -> str:
            """Asks for a name."""
            await ctx.progress(1, 2, "about to ask")
            return (await ctx.ask(Name, "Who are you?")).name

        @tool
        async def changes(ctx: Context) -> str:
            """Changes the resource."""
            self.resources.updated("test://text")
            return "changed"

        @tool
        async def parts(n: int, at_once: bool = False) -> AsyncIterator[str]:
            """Gives its result in parts, at the pace that the test sets."""
            for each in range(n):
                if not at_once:
                    await self.steps.acquire()
                yield str(each)

        @tool
        async def opens(ctx: Context) -> str:
            """Sends its user to a page."""
            await ctx.ask_url("https://example.com/pay", "Pay there.")
            return "paid"

        return [*super()._tools(), asks, changes, parts, opens]

    async def start(self) -> None:
        assert self.node is not None
        await self.node.start(self.runs.known)

    async def die(self) -> None:
        """As by kill -9: from now on nothing of it reaches the log, and nobody renews its lease."""
        assert self.node is not None
        self.shared.reachable = False
        await asyncio.wait_for(self.node.stop(), SECONDS)
        await self.close()

    async def close(self) -> None:
        assert self.node is not None
        for each in self._open:
            each.close()
        await asyncio.wait_for(self.endpoint.drain(), SECONDS)
        await asyncio.wait_for(self.node.stop(), SECONDS)
        self.runs.close()


@asynccontextmanager
async def sites(count: int = 2, **settings: Any) -> AsyncIterator[list[NodeStage]]:
    shared = SharedMemory(now)
    made = [NodeStage(shared, **settings) for _ in range(count)]
    for each in made:
        await each.start()
    try:
        yield made
    finally:
        for each in made:
            await each.close()


def at(client: Client, stage: Stage) -> Client:
    """The same client, whose requests come to another node from now on: a copy of it."""
    client.ids += 1000
    return Client(stage, client.session, client.version, client.initialized, client.ids)
